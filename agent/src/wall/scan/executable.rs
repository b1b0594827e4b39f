//! The program that a process runs: its file, whether that is still there, and the medium on which it lies. The
//! kernel's word for a path is believed only as far as the file's own number bears it out.

use super::medium::{Files, Mounts};
use crate::os::procfs::text_reader::printable;
use komainu_core::wall::process_snapshot::Program;
use std::fs::{Metadata, metadata, read_link, symlink_metadata};
use std::io::ErrorKind;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Bytes of a path that are told.
const PATH_BYTES_MAX: usize = 255;

/// The kernel's ending of a path that leads nowhere any more. A file may bear it in its name as well.
const DELETED: &[u8] = b" (deleted)";

/// The kernel's name for files that were made in memory, without a name.
const MEMORY_FILE: &[u8] = b"/memfd:";

/// The result of looking at a process's program.
pub enum Found {
    /// A program; with the numbers of device and file, which change when another is started in its place.
    Program(Program, (u64, u64)),
    /// There is none: the process has ended, or is the kernel's.
    None,
}

/// The files of this device.
pub struct OnDevice<'a>(pub &'a Mounts);

impl Files for OnDevice<'_> {
    fn is_there(&self, path: &[u8]) -> bool {
        !self.0.may_hang(path) && symlink_metadata(at(path)).is_ok()
    }
}

/// Looks at `exe` in a folder of `/proc`.
pub fn program(exe: &Path, mounts: &Mounts) -> Found {
    let hidden = Found::Program(Program::Hidden, (0, 0));
    let told = match read_link(exe) {
        Ok(path) => path.into_os_string().into_vec(),
        Err(error) if is_gone(&error) => return Found::None,
        Err(_) => return hidden,
    };
    let undeleted = told.strip_suffix(DELETED).unwrap_or(&told);
    if mounts.may_hang(undeleted) {
        // A file over a network is storage, and the look must not wait until its server answers.
        let there = undeleted.len() == told.len();
        return Found::Program(
            file(undeleted, there, false, mounts.medium(undeleted, &OnDevice(mounts))),
            (0, 0),
        );
    }
    let running = match metadata(exe) {
        Ok(running) => running,
        Err(error) if is_gone(&error) => return Found::None,
        Err(_) => return hidden,
    };
    let number = (running.dev(), running.ino());
    // The first is a file whose own name ends like that; the second was deleted, and linked there again.
    for path in [&told[..], undeleted] {
        if is_same(path, &running) {
            return Found::Program(file(path, true, false, mounts.medium(path, &OnDevice(mounts))), number);
        }
    }
    if told.starts_with(MEMORY_FILE) && running.nlink() == 0 {
        return Found::Program(Program::Nameless, number);
    }
    if undeleted.len() == told.len() && running.nlink() > 0 {
        // It was not deleted: it is in a view of the files that is not ours, as in a container.
        let medium = mounts.medium_elsewhere(undeleted, running.dev(), &OnDevice(mounts));
        return Found::Program(file(undeleted, true, false, medium), number);
    }
    let replaced = metadata(at(undeleted)).is_ok_and(|other| other.is_file());
    let medium = mounts.medium_of_lost(undeleted, running.dev(), &OnDevice(mounts));
    Found::Program(file(undeleted, false, replaced, medium), number)
}

fn file(
    path: &[u8],
    there: bool,
    replaced: bool,
    medium: komainu_core::wall::process_snapshot::Medium,
) -> Program {
    Program::File { path: printable(path, PATH_BYTES_MAX), there, replaced, medium }
}

fn is_same(path: &[u8], running: &Metadata) -> bool {
    metadata(at(path)).is_ok_and(|found| (found.dev(), found.ino()) == (running.dev(), running.ino()))
}

fn is_gone(error: &std::io::Error) -> bool {
    // ESRCH has no kind of its own.
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(nix::libc::ESRCH)
}

fn at(path: &[u8]) -> &Path {
    Path::new(std::ffi::OsStr::from_bytes(path))
}
