//! Emptying a folder, for a factory reset: every level is held by its descriptor, no link is followed, and what is mounted
//! inside is left as it is.

use super::place::{Place, look_at, names, said};
use super::walk::Tree;
use crate::os::files::cannot;
use crate::os::procfs::mountinfo;
use komainu_core::fault::Text;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Deepest level that is walked into; what lies deeper is moved up first.
const DEPTH_MAX: usize = 32;
/// Most times that the top is gone through: each brings what was too deep one step of [`DEPTH_MAX`] nearer.
const ROUNDS_MAX: u32 = 4096;
/// Most names of a folder that are read at a time.
const NAMES_MAX: usize = 1024;

/// Removes a file, or all that is in a folder; a link, and not what it leads to. The folder itself stays: something may
/// be mounted on it. What is mounted inside stays too, with all that it holds: it has a line of its own in the settings.
/// Durable when it returns.
///
/// # Errors
/// Path and cause; the rest was removed.
pub fn wipe(tree: &Tree, path: &Path) -> Result<(), Text> {
    let Some(place) = tree.find_itself(path)? else { return Ok(()) };
    let is_folder = place.metadata().is_some_and(std::fs::Metadata::is_dir);
    if is_folder { empty(&place) } else { place.remove() }
}

fn empty(place: &Place) -> Result<(), Text> {
    let wrong = |error: io::Error| cannot("empty", &place.real, &error);
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let top = openat(&place.folder, place.name.as_os_str(), flags, Mode::empty());
    let top = File::from(top.map_err(|error| wrong(error.into()))?);
    let mut points = Vec::new();
    mountinfo::each_mount(&mut |mount| points.push(mount.point))
        .map_err(|error| cannot("read", Path::new(mountinfo::TABLE), &error))?;
    let device = top.metadata().map_err(wrong)?.dev();
    let mut wipe = Wipe { top: &top, device, points, moved: 0, left: None };
    for _ in 0..ROUNDS_MAX {
        let moved = wipe.moved;
        wipe.left = None;
        wipe.folder(&top, &place.real, 0);
        if wipe.moved == moved {
            break;
        }
    }
    top.sync_all().map_err(wrong)?;
    wipe.left.map_or(Ok(()), Err)
}

struct Wipe<'a> {
    top: &'a File,
    device: u64,
    points: Vec<Vec<u8>>,
    /// Folders that were moved up to the top.
    moved: u32,
    /// The first thing that could not be removed.
    left: Option<Text>,
}

impl Wipe<'_> {
    /// Empties one level.
    fn folder(&mut self, folder: &File, path: &Path, depth: usize) {
        for _ in 0..ROUNDS_MAX {
            let names = match names(folder, NAMES_MAX) {
                Ok(names) => names,
                Err(error) => return self.leave(path, error),
            };
            let mut kept = 0;
            for name in &names {
                kept += usize::from(!self.entry(folder, name, &path.join(name), depth));
            }
            if names.len() < NAMES_MAX || kept == names.len() {
                return;
            }
        }
    }

    /// Removes one entry; false if it stays.
    fn entry(&mut self, folder: &File, name: &OsStr, path: &Path, depth: usize) -> bool {
        match unlinkat(folder, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => return true,
            // POSIX has EPERM for a folder; something that is mounted is busy.
            Err(Errno::EISDIR | Errno::EPERM) => {}
            Err(Errno::EBUSY) => {
                log::warn!("not-wiped path={} why=\"it is a mount of its own\"", path.display());
                return false;
            }
            Err(error) => {
                self.leave(path, error.into());
                return false;
            }
        }
        match self.inner(folder, name, path, depth) {
            Ok(gone) => gone,
            Err(error) => {
                self.leave(path, error);
                false
            }
        }
    }

    fn inner(&mut self, folder: &File, name: &OsStr, path: &Path, depth: usize) -> io::Result<bool> {
        let is_elsewhere = match look_at(folder, name)? {
            None => return Ok(true),
            Some(found) => !found.metadata.is_dir() || found.metadata.dev() != self.device,
        };
        if is_elsewhere || self.points.iter().any(|point| point == path.as_os_str().as_bytes()) {
            log::warn!("not-wiped path={} why=\"it is a mount of its own\"", path.display());
            return Ok(false);
        }
        if depth >= DEPTH_MAX {
            let up = format!(".komainu-wipe-{}", self.moved);
            self.moved += 1;
            renameat(folder, name, self.top, up.as_str())?;
            return Ok(true);
        }
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let inner = File::from(openat(folder, name, flags, Mode::empty())?);
        if inner.metadata()?.dev() != self.device {
            return Ok(false);
        }
        self.folder(&inner, path, depth + 1);
        drop(inner);
        match unlinkat(folder, name, UnlinkatFlags::RemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(true),
            // A mount is left in it, and was told.
            Err(Errno::EBUSY) => Ok(false),
            Err(Errno::ENOTEMPTY) if self.holds_mount(path) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn holds_mount(&self, path: &Path) -> bool {
        let inside: PathBuf = path.join("");
        self.points.iter().any(|point| point.starts_with(inside.as_os_str().as_bytes()))
    }

    fn leave(&mut self, path: &Path, error: io::Error) {
        self.left.get_or_insert_with(|| said(path, &error));
    }
}
