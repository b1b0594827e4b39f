//! A file that is a mount of its own (a bind-mounted `/etc/shadow`) cannot be moved over: it is written in place. While
//! that lasts, the old and the new bytes are in `unfinished/` of the state folder, in a ledger; the next start finishes a
//! file that a power cut left half written.

use super::{Foreign, Place, Tree, is_trusted, reopen, said};
use crate::os::files;
use crate::os::files::cannot;
use komainu_core::fault::{Text, text};
use komainu_core::identifiers::Digest64;
use komainu_core::ledger;
use komainu_trust::hex;
use nix::fcntl::OFlag;
use std::fs::{DirBuilder, File, Metadata};
use std::io;
use std::ops::ControlFlow::Continue;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Largest file that is written in place, in bytes: twice its size goes to the state folder meanwhile.
pub(super) const BYTES_MAX: usize = 64 * 1024;
const LEDGER_BYTES_MAX: u64 = 4 * BYTES_MAX as u64 + 16 * 1024;
const FORMAT: &str = "komainu-unfinished 1";
/// File systems write whole blocks of at least so many bytes.
const BLOCK: usize = 512;

/// A change that was begun.
struct Unfinished {
    path: PathBuf,
    old: Vec<u8>,
    new: Vec<u8>,
}

/// Writes a file in place. If that fails the old bytes are put back.
pub(super) fn write(
    place: &Place,
    held: &File,
    before: &Foreign,
    new: &[u8],
    state: &Path,
) -> Result<(), Text> {
    may_be_written(&before.metadata).map_err(|why| said(&place.real, why))?;
    if !before.whole || before.bytes.len().max(new.len()) > BYTES_MAX {
        let why = format_args!("it is a mount of its own and larger than {BYTES_MAX} bytes");
        return Err(cannot("change", &place.real, &why));
    }
    let ledger = begin(state, &place.real, &before.bytes, new)?;
    let written = reopen(held, OFlag::O_RDWR).and_then(|file| {
        let written = write_all(&file, new);
        if written.is_err() {
            // Without room for the new bytes: the old ones had room.
            write_all(&file, &before.bytes)?;
        }
        written
    });
    let ended = files::remove(&ledger).map_err(|error| cannot("remove", &ledger, &error));
    written.map_err(|error| cannot("write", &place.real, &error)).and(ended)
}

/// Finishes files that a power cut left half written. Called once at a start.
pub fn finish(state: &Path) {
    let folder = state.join("unfinished");
    let mut ledgers = Vec::new();
    files::each_entry(&folder, &mut |entry| {
        ledgers.push(entry.path());
        Continue(())
    });
    for path in ledgers {
        match finish_one(&path) {
            Ok(()) => {
                let _ = files::remove(&path);
            }
            // It may be mounted later, and is tried again at the next start.
            Err(why) => log::warn!("file-left-half-written why=\"{why}\""),
        }
    }
}

fn finish_one(path: &Path) -> Result<(), Text> {
    let read = files::read(path, LEDGER_BYTES_MAX).map_err(|error| cannot("read", path, &error))?;
    // A ledger that is not whole was being written: its file had not been touched yet.
    let Some(unfinished) = read.as_deref().and_then(unsealed) else { return Ok(()) };
    let found = Tree::device()?.find_itself(&unfinished.path)?;
    let not_there = || cannot("finish", &unfinished.path, &"it is not mounted");
    let place = found.ok_or_else(not_there)?;
    let now = place.read(BYTES_MAX as u64)?.ok_or_else(not_there)?;
    if !place.is_mount()? || !is_half_written(&unfinished, &now.bytes) {
        return if place.is_mount()? { Ok(()) } else { Err(not_there()) };
    }
    place.is_roots()?;
    may_be_written(&now.metadata).map_err(|why| said(&place.real, why))?;
    let Some(found) = &place.found else { return Err(not_there()) };
    let written = reopen(&found.held, OFlag::O_RDWR).and_then(|file| write_all(&file, &unfinished.new));
    written.map_err(|error| cannot("write", &place.real, &error))
}

/// The folder that holds a mounted file is not the one that its other name is in: the file itself must be root's alone.
fn may_be_written(metadata: &Metadata) -> Result<(), &'static str> {
    let mode = metadata.mode();
    if !metadata.is_file() || metadata.nlink() != 1 {
        Err("it is no file, or one with a second name (a hard link)")
    } else if !is_trusted(metadata.uid()) || mode & 0o002 != 0 || mode & 0o020 != 0 && metadata.gid() != 0 {
        Err("others than root may write it, and it is a mount of its own")
    } else {
        Ok(())
    }
}

/// Keeps both contents, durable, and gives the ledger's path.
fn begin(state: &Path, path: &Path, old: &[u8], new: &[u8]) -> Result<PathBuf, Text> {
    let folder = state.join("unfinished");
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    made.map_err(|error| cannot("make", &folder, &error))?;
    let ledger = folder.join(text(format_args!("{}", Digest64::of(path.as_os_str().as_bytes()))).to_string());
    let bytes = sealed(path, old, new);
    files::replace(&ledger, bytes.as_bytes()).map_err(|error| cannot("write", &ledger, &error))?;
    Ok(ledger)
}

fn sealed(path: &Path, old: &[u8], new: &[u8]) -> String {
    let mut lines = String::new();
    for bytes in [path.as_os_str().as_bytes(), old, new] {
        lines.push_str(&hex::encode(bytes));
        lines.push('\n');
    }
    ledger::seal(FORMAT, &lines)
}

fn unsealed(bytes: &[u8]) -> Option<Unfinished> {
    let mut lines = ledger::open(FORMAT, std::str::from_utf8(bytes).ok()?).ok()?;
    let mut next = || hex::decode(lines.next()?);
    let (path, old, new) = (next()?, next()?, next()?);
    Some(Unfinished { path: std::ffi::OsString::from_vec(path).into(), old, new })
}

/// True where every block is the old's, the new's, or empty space: nothing else has written the file since. A file that is
/// wholly old or wholly new needs nothing.
fn is_half_written(unfinished: &Unfinished, now: &[u8]) -> bool {
    let Unfinished { old, new, .. } = unfinished;
    if now == &old[..] || now == &new[..] || now.len() > old.len().max(new.len()) {
        return false;
    }
    now.chunks(BLOCK).enumerate().all(|(number, block)| {
        let is_of = |bytes: &[u8]| {
            bytes.get(number * BLOCK..).is_some_and(|rest| {
                let common = rest.len().min(block.len());
                block[..common] == rest[..common] && block[common..].iter().all(|byte| *byte == 0)
            })
        };
        is_of(old) || is_of(new) || block.iter().all(|byte| *byte == 0)
    })
}

fn write_all(file: &File, bytes: &[u8]) -> io::Result<()> {
    file.write_all_at(bytes, 0)?;
    file.set_len(bytes.len() as u64)?;
    file.sync_all()
}
