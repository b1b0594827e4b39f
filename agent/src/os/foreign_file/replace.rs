//! Changing what stands at a place: written beside it in the folder that is held, and moved over it. A power cut leaves
//! the old or the new whole, and beside it at most a file that begins with a point, that nothing may execute, and that the
//! next change in this folder removes: shells' patterns, `run-parts` and crond pass over such a name.

use super::in_place;
use super::place::{Foreign, Place, look_at, reopen, said, stamp};
use crate::os::files::cannot;
use crate::os::procfs::mountinfo;
use crate::os::sys;
use komainu_core::fault::Text;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::{Mode, fchmod, mkdirat};
use nix::sys::statvfs::FsFlags;
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, symlinkat, unlinkat};
use std::ffi::{CStr, OsStr, OsString};
use std::fs::{File, Metadata};
use std::io;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The name under which a file is written.
const BESIDE: &str = ".komainu-new";
/// Most names that are tried where others have laid something in the way.
const NAMES_TRIED: usize = 8;
/// The bits of a mode that are ever set: nothing that gives power, and no writing by everybody.
pub const MODE_BITS: u32 = 0o775;
/// The attributes in which security modules keep a file's label.
const LABELS: [&CStr; 2] = [c"security.selinux", c"security.SMACK64"];
/// Longest label, in bytes.
const LABEL_BYTES_MAX: usize = 256;

/// The owner and the permissions of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Number of its user.
    pub user: u32,
    /// Number of its group.
    pub group: u32,
    /// Permissions; only those of [`MODE_BITS`] are given.
    pub mode: u32,
}

impl Owner {
    fn of(metadata: &Metadata) -> Owner {
        Owner { user: metadata.uid(), group: metadata.gid(), mode: metadata.mode() }
    }

    fn mode(self) -> Mode {
        #[allow(clippy::useless_conversion, reason = "16 bits on some systems")]
        Mode::from_bits_truncate((self.mode & MODE_BITS).into())
    }
}

impl Place {
    /// Gives a file other bytes, if it still is as it was when it was read. Owner, group, permissions and the security label
    /// stay. A file that is a mount of its own is written in place, with a copy in `state` while that lasts. Durable when it
    /// returns.
    ///
    /// # Errors
    /// Others than root have power over the place, it was changed meanwhile, or path and cause; the file stays as it was.
    pub fn change(&self, before: &Foreign, bytes: &[u8], state: &Path) -> Result<(), Text> {
        self.is_roots()?;
        if !before.whole {
            return Err(cannot("change", &self.real, &"it is larger than what is read of it"));
        }
        let Some(held) = self.still(&before.metadata)? else {
            return Err(cannot(
                "change",
                &self.real,
                &"it was changed meanwhile; it is tried again at the next look",
            ));
        };
        if self.is_mount()? {
            return in_place::write(self, &held, before, bytes, state);
        }
        let opened = reopen(&held, OFlag::O_RDONLY).map_err(|error| cannot("read", &self.real, &error))?;
        let written =
            self.write_beside(bytes, Owner::of(&before.metadata), Some(&opened)).and_then(|beside| {
                // Between the writing and here it may have been changed.
                match self.still(&before.metadata) {
                    Ok(Some(_)) => self.move_over(&beside),
                    _ => {
                        self.remove_name(&beside);
                        Err(io::Error::other("it was changed meanwhile"))
                    }
                }
            });
        written.map_err(|error| cannot("write", &self.real, &error))
    }

    /// Puts a file here, in the place of any file or link. Durable when it returns.
    ///
    /// # Errors
    /// Others than root have power over the folder, a folder stands here, or path and cause; what stood here stays.
    pub fn put(&self, bytes: &[u8], owner: Owner, state: &Path) -> Result<(), Text> {
        self.folder_is_roots()?;
        if self.is_mount()? {
            let read = self.read(bytes.len().max(in_place::BYTES_MAX) as u64)?;
            let (Some(before), Some(found)) = (read, &self.found) else {
                return Err(cannot("write", &self.real, &"something is mounted there that is no file"));
            };
            self.is_roots()?;
            return in_place::write(self, &found.held, &before, bytes, state);
        }
        // The label of a file that another user has laid here counts for nothing.
        let like = if self.is_roots().is_ok() { self.open() } else { Ok(None) };
        let like = like.map_err(|error| cannot("read", &self.real, &error))?;
        let written =
            self.write_beside(bytes, owner, like.as_ref()).and_then(|beside| self.move_over(&beside));
        written.map_err(|error| cannot("write", &self.real, &error))
    }

    /// Puts a link here, in the place of any file or link. Durable when it returns.
    ///
    /// # Errors
    /// Others than root have power over the folder, a folder stands here, or path and cause; what stood here stays.
    pub fn put_link(&self, target: &OsStr) -> Result<(), Text> {
        self.folder_is_roots()?;
        let made = self.make_beside(&mut |name| symlinkat(target, &self.folder, name));
        let written = made.and_then(|((), beside)| self.move_over(&beside));
        written.map_err(|error| cannot("write", &self.real, &error))
    }

    /// Makes the folder that is missing here, or gives the one that stands here this owner and these permissions.
    ///
    /// # Errors
    /// Others than root have power over the folder, something else stands here, or path and cause.
    pub fn put_folder(&self, owner: Owner) -> Result<(), Text> {
        self.is_roots()?;
        match &self.found {
            // A link that leads elsewhere must not be changed there.
            Some(found) if !found.metadata.is_dir() => {
                return Err(said(&self.real, &"it is no folder any more"));
            }
            _ => {}
        }
        let made = || -> io::Result<()> {
            if self.found.is_none() {
                mkdirat(&self.folder, self.name.as_os_str(), Mode::S_IRWXU)?;
            }
            let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            let folder = openat(&self.folder, self.name.as_os_str(), flags, Mode::empty())?;
            give(&folder, owner)?;
            nix::unistd::fsync(&folder)?;
            self.sync()
        };
        made().map_err(|error| cannot("make", &self.real, &error))
    }

    /// Removes the file or link that was found here, if it still stands here; a name in another user's folder as well: the
    /// folder is held, and nothing else than a name in it can go. Durable when it returns.
    ///
    /// # Errors
    /// Path and cause.
    pub fn remove(&self) -> Result<(), Text> {
        let removed = || -> io::Result<()> {
            let Some(found) = &self.found else { return Ok(()) };
            match look_at(&self.folder, &self.name)? {
                Some(now) if same_entry(&now.metadata, &found.metadata) => {}
                Some(_) => return Err(io::Error::other("it was changed meanwhile")),
                None => return Ok(()),
            }
            match unlinkat(&self.folder, self.name.as_os_str(), UnlinkatFlags::NoRemoveDir) {
                Ok(()) | Err(Errno::ENOENT) => self.sync(),
                Err(error) => Err(error.into()),
            }
        };
        removed().map_err(|error| cannot("remove", &self.real, &error))
    }

    /// Whether the file that stands here can be changed, and in words how.
    ///
    /// # Errors
    /// It cannot: why, and what to do.
    pub fn is_writable(&self) -> Result<&'static str, Text> {
        self.is_roots()?;
        let is_mount = self.is_mount()?;
        let held = match &self.found {
            Some(found) if is_mount => {
                in_place::may_be_written(&found.metadata).map_err(|why| said(&self.real, &why))?;
                &found.held
            }
            _ => &self.folder,
        };
        if nix::sys::statvfs::fstatvfs(held).is_ok_and(|about| about.flags().contains(FsFlags::ST_RDONLY)) {
            return Err(cannot("write", &self.real, &"it is on a read-only file system"));
        }
        Ok(if is_mount { "is a mount of its own and is written in place" } else { "is replaced whole" })
    }

    /// Whether something is mounted at this very place. It cannot be moved over.
    ///
    /// # Errors
    /// The table of mounts cannot be read.
    pub fn is_mount(&self) -> Result<bool, Text> {
        let mut is_mount = false;
        mountinfo::each_mount(&mut |mount| is_mount |= mount.point == self.real.as_os_str().as_bytes())
            .map_err(|error| cannot("read", Path::new(mountinfo::TABLE), &error))?;
        Ok(is_mount)
    }

    /// The entry here, if it is the one that has this metadata.
    fn still(&self, before: &Metadata) -> Result<Option<File>, Text> {
        let now = look_at(&self.folder, &self.name).map_err(|error| cannot("look at", &self.real, &error))?;
        let same = now.filter(|now| {
            stamp(&now.metadata) == stamp(before) && Owner::of(&now.metadata) == Owner::of(before)
        });
        Ok(same.map(|now| now.held))
    }

    /// Writes a file beside, and gives its name. Nothing but root may read it, and nothing may execute it, until it is
    /// whole and on the medium.
    fn write_beside(&self, bytes: &[u8], owner: Owner, like: Option<&File>) -> io::Result<OsString> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let (file, name) =
            self.make_beside(&mut |name| openat(&self.folder, name, flags, Mode::S_IRUSR | Mode::S_IWUSR))?;
        let mut file = File::from(file);
        let mut written = || -> io::Result<()> {
            file.write_all(bytes)?;
            if let Some(like) = like {
                keep_labels(like, &file)?;
            }
            // The bytes must be on the medium before the name leads to them; else a cut leaves an empty file.
            file.sync_all()?;
            give(&file, owner)?;
            file.sync_all()
        };
        let written = written();
        if written.is_err() {
            // A file that could not be used must not fill a full disk further.
            self.remove_name(&name);
        }
        written.map(|()| name)
    }

    /// Makes something under a name that is free: the usual one, from which a cut's remains are removed, or another where
    /// a stranger has laid something that does not go.
    fn make_beside<T>(&self, make: &mut dyn FnMut(&OsStr) -> nix::Result<T>) -> io::Result<(T, OsString)> {
        let mut name = OsString::from(BESIDE);
        for _ in 0..NAMES_TRIED {
            self.remove_name(&name);
            match make(&name) {
                Err(Errno::EEXIST) => {}
                Err(error) => return Err(error.into()),
                Ok(made) => return Ok((made, name)),
            }
            let mut random = [0; 8];
            getrandom::fill(&mut random).map_err(io::Error::other)?;
            name = format!("{BESIDE}.{}", komainu_trust::hex::encode(&random)).into();
        }
        Err(Errno::EEXIST.into())
    }

    fn remove_name(&self, name: &OsStr) {
        let _ = unlinkat(&self.folder, name, UnlinkatFlags::NoRemoveDir);
    }

    fn move_over(&self, beside: &OsStr) -> io::Result<()> {
        let moved = renameat(&self.folder, beside, &self.folder, self.name.as_os_str());
        if let Err(error) = moved {
            self.remove_name(beside);
            return Err(error.into());
        }
        self.sync()
    }

    fn sync(&self) -> io::Result<()> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        File::from(openat(&self.folder, ".", flags, Mode::empty())?).sync_all()
    }
}

/// The same entry, and not another that was given its name.
fn same_entry(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino(), one.mode()) == (other.dev(), other.ino(), other.mode())
}

/// The owner comes first: changing it takes bits of the permissions away.
fn give(file: &impl AsFd, owner: Owner) -> io::Result<()> {
    fchown(file, Some(Uid::from_raw(owner.user)), Some(Gid::from_raw(owner.group)))?;
    Ok(fchmod(file, owner.mode())?)
}

/// Gives a new file the label of the one that it is like. A label that it has already is not set: a module may forbid that.
fn keep_labels(from: &File, to: &File) -> io::Result<()> {
    for name in LABELS {
        let (mut label, mut now) = ([0; LABEL_BYTES_MAX], [0; LABEL_BYTES_MAX]);
        let wanted = attribute(from, name, &mut label)?;
        if wanted.is_some() && wanted != attribute(to, name, &mut now)? {
            sys::set_extended_attribute(to.as_fd(), name, wanted.unwrap_or_default())?;
        }
    }
    Ok(())
}

/// An attribute of a file, if it has one.
fn attribute<'a>(of: &File, name: &CStr, value: &'a mut [u8]) -> io::Result<Option<&'a [u8]>> {
    match sys::extended_attribute(of.as_fd(), name, value) {
        Ok(size) => Ok(value.get(..size)),
        Err(Errno::ENODATA | Errno::EOPNOTSUPP | Errno::ENOSYS) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
