//! The place of a name in a folder that is held: what stands there, reading it, and whether others have power over it.

use crate::os::files::cannot;
use komainu_core::fault::{Text, text};
use nix::fcntl::{OFlag, openat, readlinkat};
use nix::sys::stat::Mode;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A file as it was found.
pub struct Foreign {
    /// Its bytes, up to the limit.
    pub bytes: Vec<u8>,
    /// These are all.
    pub whole: bool,
    /// Its metadata, as the system told it when it was read.
    pub metadata: Metadata,
}

/// Numbers that change when a file does: device, inode, size, and the times its bytes and its inode changed, in ns.
/// The last of them cannot be set back without setting the clock.
pub type Stamp = [u64; 5];

/// The stamp of a file.
pub fn stamp(of: &Metadata) -> Stamp {
    let moment = |seconds: i64, nanoseconds: i64| {
        seconds.cast_unsigned().wrapping_mul(1_000_000_000).wrapping_add(nanoseconds.cast_unsigned())
    };
    [of.dev(), of.ino(), of.size(), moment(of.mtime(), of.mtime_nsec()), moment(of.ctime(), of.ctime_nsec())]
}

/// The power of others over the entries of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sharing {
    /// Root alone makes, renames and removes entries.
    Alone,
    /// Others make entries, and have no power over root's.
    Sticky,
    /// Others have power over every entry.
    Others,
}

/// The place of one name in a folder that is held: what stands there, if anything does.
pub struct Place {
    pub(super) folder: File,
    pub(super) sharing: Sharing,
    pub(super) name: OsString,
    /// The path that the walk ended with: no folder on it is a link.
    pub(super) real: PathBuf,
    pub(super) found: Option<Found>,
    /// Why others than root have power over the way here.
    pub(super) doubt: Option<Text>,
}

/// The entry that stands at a place, held without having been opened.
pub(super) struct Found {
    pub(super) held: File,
    pub(super) metadata: Metadata,
}

impl Place {
    /// The path that the walk ended with.
    pub fn real(&self) -> &Path {
        &self.real
    }

    /// The metadata of what stands here; of a link, its own.
    pub fn metadata(&self) -> Option<&Metadata> {
        self.found.as_ref().map(|found| &found.metadata)
    }

    /// Reads the regular file that stands here as far as `bytes_max`; `None` where nothing stands here, or no file.
    ///
    /// # Errors
    /// Path and cause.
    pub fn read(&self, bytes_max: u64) -> Result<Option<Foreign>, Text> {
        let read = self.open().and_then(|file| file.map(|file| bytes_of(&file, bytes_max)).transpose());
        read.map_err(|error| cannot("read", &self.real, &error))
    }

    /// Opens the regular file that stands here for reading; `None` where nothing stands here, or no file.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(&self) -> io::Result<Option<File>> {
        match &self.found {
            Some(found) if found.metadata.is_file() => reopen(&found.held, OFlag::O_RDONLY).map(Some),
            _ => Ok(None),
        }
    }

    /// The target of the link that stands here, if one does.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn target(&self) -> io::Result<Option<OsString>> {
        match &self.found {
            Some(found) if found.metadata.is_symlink() => Ok(Some(readlinkat(&found.held, "")?)),
            _ => Ok(None),
        }
    }

    /// The names in the folder that stands here, at most `names_max`, in any order; none where no folder stands here.
    ///
    /// # Errors
    /// Path and cause.
    pub fn names(&self, names_max: usize) -> Result<Vec<OsString>, Text> {
        match &self.found {
            Some(found) if found.metadata.is_dir() => {
                names(&found.held, names_max).map_err(|error| cannot("read", &self.real, &error))
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Whether no one but root has power over this place and the way to it, and the file that stands here has no second
    /// name: it may be changed.
    ///
    /// # Errors
    /// Others have power: the component, and why.
    pub fn is_roots(&self) -> Result<(), Text> {
        self.folder_is_roots()?;
        let Some(found) = &self.found else { return Ok(()) };
        if self.sharing == Sharing::Sticky && !is_trusted(found.metadata.uid()) {
            return Err(said(
                &self.real,
                &"it belongs to another user, in a folder that everybody may write",
            ));
        }
        if found.metadata.is_file() && found.metadata.nlink() > 1 {
            return Err(said(
                &self.real,
                &"the file has a second name (a hard link), by which others may have it",
            ));
        }
        Ok(())
    }

    pub(super) fn folder_is_roots(&self) -> Result<(), Text> {
        self.doubt.clone().map_or(Ok(()), Err)
    }
}

/// Holds an entry of a folder without opening it; `None` where there is none.
pub(super) fn look_at(folder: &File, name: &OsStr) -> io::Result<Option<Found>> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    match openat(folder, name, flags, Mode::empty()) {
        Ok(held) => {
            let held = File::from(held);
            let metadata = held.metadata()?;
            Ok(Some(Found { held, metadata }))
        }
        Err(nix::Error::ENOENT | nix::Error::ENOTDIR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Opens the very entry that is held, which must be a regular file or a folder.
pub(super) fn reopen(held: &File, access: OFlag) -> io::Result<File> {
    let flags = access | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let mut options = OpenOptions::new();
    options.read(true).write(access.contains(OFlag::O_RDWR));
    options.custom_flags(flags.bits()).open(format!("/proc/self/fd/{}", held.as_raw_fd()))
}

fn bytes_of(file: &File, bytes_max: u64) -> io::Result<Foreign> {
    let metadata = file.metadata()?;
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes)?;
    let whole = bytes.len() as u64 <= bytes_max;
    bytes.truncate(usize::try_from(bytes_max).unwrap_or(usize::MAX));
    Ok(Foreign { bytes, whole, metadata })
}

pub(super) fn names(folder: &File, names_max: usize) -> io::Result<Vec<OsString>> {
    let entries = std::fs::read_dir(format!("/proc/self/fd/{}", folder.as_raw_fd()))?;
    entries.take(names_max).map(|entry| entry.map(|entry| entry.file_name())).collect()
}

/// Root, or in a test the user who runs it: no more power than that user has is ever used there.
pub(super) fn is_trusted(user: u32) -> bool {
    user == 0 || user == nix::unistd::geteuid().as_raw()
}

pub(super) fn said(path: &Path, why: &dyn std::fmt::Display) -> Text {
    text(format_args!("{}: {why}", path.display()))
}
