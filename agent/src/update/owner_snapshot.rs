//! The snapshot of the owner's settings: taken before a release is activated, and put back on rollback where the maker
//! wants it. One ledger in the folder of the state, which is replaced whole; a cut leaves the old one or the new one.
//! Others may have a hand in the files themselves: they are touched by `os/foreign_file` alone.

#[cfg(test)]
mod tests;

use crate::os::files;
use crate::os::files::cannot;
use crate::os::foreign_file::{Owner, Tree};
use komainu_core::fault::Text;
use komainu_core::ledger;
use komainu_trust::hex;
use std::ffi::OsString;
use std::fmt::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const FORMAT: &str = "komainu-owner-settings 1";
/// The name of the ledger, and of one that could not be put back whole.
const NAME: &str = "owner-settings";
const NOT_RESTORED: &str = "owner-settings.not-restored";
/// Largest ledger, in bytes: hexadecimal, and a line for each file.
const LEDGER_BYTES_MAX: u64 = 4 << 20;
/// Most files, and most names in one folder.
const FILES_MAX: usize = 512;
/// Deepest level below a path of the settings.
const DEPTH_MAX: usize = 8;

/// A file of the owner, as it was.
struct Kept {
    path: PathBuf,
    owner: Owner,
    bytes: Vec<u8>,
}

/// Takes the snapshot for a release. One that was taken for it before a power cut stays: hooks may have changed the files
/// since. Paths where nothing is are passed over, and so is everything that is no file.
///
/// # Errors
/// Path and cause: more bytes, files or levels than may be kept; or the ledger cannot be written.
pub fn take(tree: &Tree, paths: &[PathBuf], bytes_max: u32, release: u64, state: &Path) -> Result<(), Text> {
    let ledger = state.join(NAME);
    if paths.is_empty() || read(&ledger).is_some_and(|(of, _)| of == release) {
        return Ok(());
    }
    let mut taking = Taking { tree, lines: format!("release {release}\n"), files: 0, room: bytes_max.into() };
    for path in paths {
        // A link that root made leads to the settings themselves (`/etc/config` on a partition of its own).
        let Some(place) = tree.find(path)? else { continue };
        taking.add(place.real(), 0)?;
    }
    let sealed = ledger::seal(FORMAT, &taking.lines);
    files::replace(&ledger, sealed.as_bytes()).map_err(|error| cannot("write", &ledger, &error))
}

/// Puts the files back that differ from the snapshot of this release; without one there is nothing to do. Files that are
/// new since stay. Safe to repeat.
///
/// # Errors
/// The first path that could not be put back, and the cause; the others were.
pub fn restore(tree: &Tree, release: u64, state: &Path) -> Result<(), Text> {
    let Some((of, kept)) = read(&state.join(NAME)) else { return Ok(()) };
    if of != release {
        return Ok(());
    }
    let mut first = Ok(());
    for file in &kept {
        first = first.and(put_back(tree, file, state));
    }
    first
}

/// Drops the snapshot. One that could not be put back whole is kept under another name, for a person.
///
/// # Errors
/// Path and cause.
pub fn forget(restored: bool, state: &Path) -> Result<(), Text> {
    let ledger = state.join(NAME);
    let done = match restored {
        true => files::remove(&ledger),
        false if ledger.exists() => files::rename(&ledger, &state.join(NOT_RESTORED)),
        false => Ok(()),
    };
    done.map_err(|error| cannot("remove", &ledger, &error))
}

struct Taking<'a> {
    tree: &'a Tree,
    lines: String,
    files: usize,
    /// Bytes that may still be kept.
    room: u64,
}

impl Taking<'_> {
    fn add(&mut self, path: &Path, depth: usize) -> Result<(), Text> {
        let too_much = |what: &str| cannot("keep", path, &what);
        let Some(place) = self.tree.find_itself(path)? else { return Ok(()) };
        let Some(metadata) = place.metadata() else { return Ok(()) };
        if metadata.is_dir() {
            if depth == DEPTH_MAX {
                return Err(too_much("it lies deeper than 8 folders in owner_settings"));
            }
            let names = place.names(FILES_MAX + 1)?;
            if names.len() > FILES_MAX {
                return Err(too_much("it has more than 512 entries"));
            }
            return names.iter().try_for_each(|name| self.add(&path.join(name), depth + 1));
        }
        let Some(file) = place.read(self.room)? else { return Ok(()) };
        if !file.whole || self.files == FILES_MAX {
            return Err(too_much(
                "owner_settings are more than owner_settings_bytes, or more than 512 files",
            ));
        }
        self.files += 1;
        self.room -= file.bytes.len() as u64;
        let (user, group, mode) = (file.metadata.uid(), file.metadata.gid(), file.metadata.mode());
        let (name, bytes) = (hex::encode(path.as_os_str().as_bytes()), hex::encode(&file.bytes));
        // Writing to a String cannot fail.
        let _ = writeln!(self.lines, "file {user} {group} {mode} {name} {bytes}");
        Ok(())
    }
}

fn put_back(tree: &Tree, file: &Kept, state: &Path) -> Result<(), Text> {
    let gone = || cannot("put back", &file.path, &"its folder is gone");
    let place = tree.find_itself(&file.path)?.ok_or_else(gone)?;
    // What is as it was is not written: flash wears.
    let now = place.read(file.bytes.len() as u64)?;
    let same = |now: &crate::os::foreign_file::Foreign| {
        let found = Owner { user: now.metadata.uid(), group: now.metadata.gid(), mode: now.metadata.mode() };
        now.whole && now.bytes == file.bytes && found == file.owner
    };
    if now.as_ref().is_some_and(same) {
        return Ok(());
    }
    place.put(&file.bytes, file.owner, state)
}

/// The release and the files of a snapshot; `None`: there is none, or it is not whole.
fn read(ledger: &Path) -> Option<(u64, Vec<Kept>)> {
    let bytes = files::read(ledger, LEDGER_BYTES_MAX).ok()??;
    let mut lines = ledger::open(FORMAT, std::str::from_utf8(&bytes).ok()?).ok()?;
    let release = lines.next()?.strip_prefix("release ")?.parse().ok()?;
    let kept: Option<Vec<Kept>> = lines.map(read_file).collect();
    Some((release, kept?))
}

fn read_file(line: &str) -> Option<Kept> {
    let mut words = line.strip_prefix("file ")?.split(' ');
    let mut number = || words.next()?.parse().ok();
    let owner = Owner { user: number()?, group: number()?, mode: number()? };
    let path = PathBuf::from(OsString::from_vec(hex::decode(words.next()?)?));
    Some(Kept { path, owner, bytes: hex::decode(words.next()?)? })
}
