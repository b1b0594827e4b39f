//! The program that a process runs: its file, whether that is still there, and the medium on which it lies. The
//! kernel's word for a path is believed only as far as the file's own number bears it out.

use super::medium::{Files, Mounts};
use crate::os::procfs::text_reader::{BUFFER_BYTES, each_line, printable};
use komainu_core::wall::process_snapshot::{Medium, Program};
use std::fs::{File, Metadata, OpenOptions, metadata, read_link, symlink_metadata};
use std::io::ErrorKind;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
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

/// Looks at `exe` in a folder of `/proc`; `own_view`: the process sees other mounts than we do.
pub fn program(folder: &Path, own_view: bool, mounts: &Mounts) -> Found {
    let exe = folder.join("exe");
    let told = match read_link(&exe) {
        Ok(path) => path.into_os_string().into_vec(),
        Err(error) => return without_program(&error),
    };
    let undeleted = told.strip_suffix(DELETED).unwrap_or(&told);
    if mounts.may_hang(undeleted) {
        return over_network(&told, own_view);
    }
    match metadata(&exe) {
        Ok(running) => under_its_path(&told, &running, mounts),
        Err(error) => Some(without_program(&error)),
    }
    .unwrap_or_else(|| held(folder, &exe, own_view, mounts))
}

/// A file over a network is storage, and the look must not wait until its server answers.
fn over_network(told: &[u8], own_view: bool) -> Found {
    let undeleted = told.strip_suffix(DELETED).unwrap_or(told);
    let place = match (own_view, undeleted.len() < told.len()) {
        (true, _) => Place::Elsewhere,
        (false, true) => Place::Gone,
        (false, false) => Place::There,
    };
    Found::Program(file(undeleted, place, Medium::Storage), (0, 0))
}

/// A program that lies under the path that the kernel tells.
fn under_its_path(told: &[u8], running: &Metadata, mounts: &Mounts) -> Option<Found> {
    // The first is a file whose own name ends like that; the second was deleted, and linked there again.
    let undeleted = told.strip_suffix(DELETED).unwrap_or(told);
    let path = [told, undeleted].into_iter().find(|path| is_same(path, running))?;
    let found = file(path, Place::There, mounts.medium(path, &OnDevice(mounts)));
    Some(Found::Program(found, (running.dev(), running.ino())))
}

/// A program that does not lie where it was said to, or that was another a moment ago: path and file are those of one
/// that is held, since the process may start the next in its own place between two questions about it.
fn held(folder: &Path, exe: &Path, own_view: bool, mounts: &Mounts) -> Found {
    let named = OpenOptions::new().read(true).custom_flags(nix::libc::O_PATH).open(exe).and_then(|file| {
        let path = read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
        Ok((path.into_os_string().into_vec(), file))
    });
    let (told, file_held) = match named {
        Ok(named) => named,
        Err(error) => return without_program(&error),
    };
    if mounts.may_hang(told.strip_suffix(DELETED).unwrap_or(&told)) {
        return over_network(&told, own_view);
    }
    let running = match file_held.metadata() {
        Ok(running) => running,
        Err(error) => return without_program(&error),
    };
    if let Some(found) = under_its_path(&told, &running, mounts) {
        return found;
    }
    let undeleted = told.strip_suffix(DELETED).unwrap_or(&told);
    let number = (running.dev(), running.ino());
    if told.starts_with(MEMORY_FILE) && running.nlink() == 0 {
        // Without the slash, which a path has.
        return Found::Program(Program::Nameless(printable(&undeleted[1..], PATH_BYTES_MAX)), number);
    }
    if undeleted.len() == told.len() && running.nlink() > 0 {
        // It was not deleted: it is in a view of the files that is not ours, as in a container.
        return Found::Program(elsewhere(folder, undeleted, &running, mounts), number);
    }
    let replaced = metadata(at(undeleted)).is_ok_and(|other| other.is_file());
    let place = match (own_view, replaced) {
        (true, _) => Place::GoneElsewhere,
        (false, true) => Place::Replaced,
        (false, false) => Place::Gone,
    };
    let medium = mounts.medium_of_lost(undeleted, running.dev(), &OnDevice(mounts));
    Found::Program(file(undeleted, place, medium), number)
}

/// A process whose program the kernel does not tell: it has ended or is the kernel's, or it hides.
fn without_program(error: &std::io::Error) -> Found {
    if is_gone(error) { Found::None } else { Found::Program(Program::Hidden, (0, 0)) }
}

/// The program of a process with a view of its own: under the path that the same file has in our view, if it has one.
fn elsewhere(folder: &Path, told: &[u8], running: &Metadata, mounts: &Mounts) -> Program {
    let (mut theirs, mut buffer) = (Mounts::default(), vec![0; BUFFER_BYTES]);
    if let Ok(mut table) = File::open(folder.join("mountinfo")) {
        // A table that is not read to its end finds fewer paths, and no wrong one.
        let _ = each_line(&mut table, &mut buffer, &mut |line| theirs.take(line));
    }
    let here = mounts.path_here(&theirs, told, running.dev());
    match here.filter(|path| !mounts.may_hang(path) && is_same(path, running)) {
        Some(path) => file(&path, Place::There, mounts.medium(&path, &OnDevice(mounts))),
        None => file(told, Place::Elsewhere, mounts.medium_elsewhere(running.dev())),
    }
}

/// What has become of the file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    There,
    /// Another file has its path.
    Replaced,
    Gone,
    /// It is there, in a view that is not ours.
    Elsewhere,
    GoneElsewhere,
}

fn file(path: &[u8], place: Place, medium: Medium) -> Program {
    Program::File {
        path: printable(path, PATH_BYTES_MAX),
        there: matches!(place, Place::There | Place::Elsewhere),
        replaced: place == Place::Replaced,
        medium,
        elsewhere: matches!(place, Place::Elsewhere | Place::GoneElsewhere),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_process_that_starts_one_program_after_another_runs_each_where_it_lies() {
        let mut mounts = Mounts::default();
        for line in std::fs::read("/proc/self/mountinfo").unwrap().split(|byte| *byte == b'\n') {
            mounts.take(line);
        }
        // Each starts the next in its own place, five hundred times.
        let words = ["nice", "-n", "0", "env"].into_iter().cycle().take(1000).chain(["sleep", "0"]);
        let mut process = Command::new("env").args(words).spawn().unwrap();
        let folder = format!("/proc/{}", process.id());
        let mut seen = 0_u32;
        while process.try_wait().unwrap().is_none() {
            let Found::Program(program, _) = program(Path::new(&folder), false, &mounts) else { continue };
            assert!(
                matches!(&program, Program::File { there: true, elsewhere: false, .. }),
                "look {seen}: {program:?}"
            );
            seen += 1;
        }
        assert!(seen > 0, "the process was seen");
    }
}
