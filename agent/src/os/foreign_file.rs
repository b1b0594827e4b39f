//! The one way to touch a file that others may have a hand in: a path is walked folder by folder, each held by its
//! descriptor, and everything that follows goes through the folder that is held, never by the path again.
//!
//! Map: here the walk and reading; `replace` changing, restoring and removing; `in_place` a file that is a mount of its
//! own; `wipe` emptying a folder.
//!
//! **Looking**: a link on the way is followed only where root made it in a folder that root alone can change. The last
//! entry is opened for nothing but its metadata first; only a regular file is then opened for reading, and by that
//! very descriptor: no device, no pipe, and no link of a user is ever opened. File systems that may never answer (over a network,
//! or by a program) are not entered.
//!
//! **Changing**: every folder up to the root is root's. A folder that others may write keeps them out of
//! root's entries where it is sticky (`/tmp`): the kernel lets them neither rename nor remove those. So root's folders
//! below a `/tmp` of mode 1777 (`/etc` → `/tmp/etc` is common) are as good as any, and a user's folder there is refused.
//!
//! There is one walk for all kernels: `openat2` (5.6) follows links without asking to whom they belong, so each step
//! would have to be taken singly with it as well.

mod in_place;
mod replace;
#[cfg(test)]
mod tests;
mod wipe;

pub use in_place::finish;
pub use replace::{MODE_BITS, Owner};
pub use wipe::wipe;

use crate::os::files::cannot;
use crate::os::procfs::mountinfo;
use komainu_core::fault::{Text, text};
use nix::fcntl::{OFlag, openat, readlinkat};
use nix::sys::stat::Mode;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

/// Most links on the way to one file.
const LINKS_MAX: usize = 16;
/// Most folders on the way to one file.
const FOLDERS_MAX: usize = 64;

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

/// A tree of files from its root, which is held. One is good for one look: it knows the mounts as they were when it was
/// made.
pub struct Tree {
    root: File,
    path: PathBuf,
    /// Mount points of file systems that may never answer.
    remote: Vec<Vec<u8>>,
}

/// The power of others over the entries of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sharing {
    /// Root alone makes, renames and removes entries.
    Alone,
    /// Others make entries, and have no power over root's.
    Sticky,
    /// Others have power over every entry.
    Others,
}

/// The place of one name in a folder that is held: what stands there, if anything does.
pub struct Place {
    folder: File,
    sharing: Sharing,
    name: OsString,
    /// The path that the walk ended with: no folder on it is a link.
    real: PathBuf,
    found: Option<Found>,
    /// Why others than root have power over the way here.
    doubt: Option<Text>,
}

/// The entry that stands at a place, held without having been opened.
struct Found {
    held: File,
    metadata: Metadata,
}

impl Tree {
    /// The files of the device.
    ///
    /// # Errors
    /// The root or the table of mounts cannot be read.
    pub fn device() -> Result<Tree, Text> {
        Tree::at(Path::new("/"))
    }

    /// The files below a folder, which is trusted, and whose path must be free of links.
    ///
    /// # Errors
    /// It cannot be opened, or the table of mounts cannot be read.
    pub fn at(path: &Path) -> Result<Tree, Text> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
        let root = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path);
        let root = root.map_err(|error| cannot("open", path, &error))?;
        let mut remote = Vec::new();
        mountinfo::each_mount(&mut |mount| {
            if mountinfo::is_remote(mount.filesystem) {
                remote.push(mount.point);
            }
        })
        .map_err(|error| cannot("read", Path::new(mountinfo::TABLE), &error))?;
        Ok(Tree { root, path: path.into(), remote })
    }

    /// Walks to a place; where the last entry is a link that may be followed, to the place that it leads to. `None`: a
    /// folder on the way is not there.
    ///
    /// # Errors
    /// The component at which the walk ended, why, and what to do.
    pub fn find(&self, path: &Path) -> Result<Option<Place>, Text> {
        Walk::new(self, path, true)?.walk()
    }

    /// Walks to a place; a link that stands there is what is found.
    ///
    /// # Errors
    /// The component at which the walk ended, why, and what to do.
    pub fn find_itself(&self, path: &Path) -> Result<Option<Place>, Text> {
        Walk::new(self, path, false)?.walk()
    }

    /// Whether others than root have power over a folder or over the way to it.
    ///
    /// # Errors
    /// They have: the component, and why; or it cannot be walked to.
    pub fn is_roots(&self, folder: &Path) -> Result<(), Text> {
        let Some(place) = self.find(folder)? else {
            return Err(cannot("find", folder, &"there is no such folder"));
        };
        place.is_roots()?;
        let Some(found) = place.found.as_ref().filter(|found| found.metadata.is_dir()) else {
            return Err(cannot("find", folder, &"there is no such folder"));
        };
        sharing(&found.metadata).map_or_else(|why| Err(said(&place.real, why)), |_| Ok(()))
    }
}

/// Reads a regular file of the device for looking, as far as `bytes_max`; `None` where there is none. For more than one file
/// of a look, [`Tree`] is cheaper.
///
/// # Errors
/// The component at which the walk ended, why, and what to do; or path and cause.
pub fn read(path: &Path, bytes_max: u64) -> Result<Option<Foreign>, Text> {
    match Tree::device()?.find(path)? {
        Some(place) => place.read(bytes_max),
        None => Ok(None),
    }
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

    fn folder_is_roots(&self) -> Result<(), Text> {
        self.doubt.clone().map_or(Ok(()), Err)
    }
}

/// A walk that is under way.
struct Walk<'a> {
    tree: &'a Tree,
    follow: bool,
    /// The names still to be walked, the next one last.
    ahead: Vec<OsString>,
    /// The folders that are held below the root.
    folders: Vec<Folder>,
    /// The path of the last of them.
    real: PathBuf,
    links: usize,
}

struct Folder {
    held: File,
    sharing: Sharing,
    doubt: Option<Text>,
}

impl<'a> Walk<'a> {
    fn new(tree: &'a Tree, path: &Path, follow: bool) -> Result<Walk<'a>, Text> {
        let held = tree.root.try_clone().map_err(|error| cannot("open", &tree.path, &error))?;
        let mut walk =
            Walk { tree, follow, ahead: Vec::new(), folders: Vec::new(), real: tree.path.clone(), links: 0 };
        walk.hold(held)?;
        walk.add(path)?;
        Ok(walk)
    }

    fn walk(mut self) -> Result<Option<Place>, Text> {
        let path: PathBuf = self.ahead.iter().rev().collect();
        while let Some(name) = self.ahead.pop() {
            if name == ".." {
                self.up()?;
                continue;
            }
            let real = self.real.join(&name);
            if self.tree.remote.iter().any(|point| point == real.as_os_str().as_bytes()) {
                return Err(said(
                    &real,
                    &"a file system over a network or of a program is mounted there, which may never answer",
                ));
            }
            let is_last = self.ahead.is_empty();
            let folder = &self.folders[self.folders.len() - 1];
            let found = match look_at(&folder.held, &name) {
                Ok(found) => found,
                Err(error) => return Err(cannot("look at", &real, &error)),
            };
            match found {
                Some(found) if found.metadata.is_symlink() && (self.follow || !is_last) => {
                    self.follow_link(&found, &real)?;
                }
                found if is_last => return Ok(Some(self.arrive(name, real, found))),
                Some(found) if found.metadata.is_dir() => {
                    self.real = real;
                    self.hold(found.held)?;
                }
                _ => return Ok(None),
            }
        }
        Err(said(&self.tree.path.join(path), &"it names no entry of a folder"))
    }

    fn arrive(mut self, name: OsString, real: PathBuf, found: Option<Found>) -> Place {
        let doubt = self.folders.iter_mut().find_map(|folder| folder.doubt.take());
        let last = self.folders.remove(self.folders.len() - 1);
        Place { folder: last.held, sharing: last.sharing, name, real, found, doubt }
    }

    /// Puts the components of a path ahead. An absolute one begins at the root again.
    fn add(&mut self, path: &Path) -> Result<(), Text> {
        let mut rest = path;
        if path.is_absolute() {
            rest = path
                .strip_prefix(&self.tree.path)
                .map_err(|_| said(path, &format_args!("it is outside of {}", self.tree.path.display())))?;
            self.folders.truncate(1);
            self.real.clone_from(&self.tree.path);
        }
        for component in rest.components().rev() {
            match component {
                Component::Normal(name) => self.ahead.push(name.into()),
                Component::ParentDir => self.ahead.push("..".into()),
                _ => {}
            }
        }
        Ok(())
    }

    fn up(&mut self) -> Result<(), Text> {
        if self.folders.len() > 1 {
            self.folders.pop();
            self.real.pop();
            return Ok(());
        }
        // Above the root of the device is the root.
        if self.tree.path == Path::new("/") {
            Ok(())
        } else {
            Err(said(&self.real, &"the way leads above it"))
        }
    }

    fn hold(&mut self, held: File) -> Result<(), Text> {
        if self.folders.len() >= FOLDERS_MAX {
            return Err(said(&self.real, &format_args!("more than {FOLDERS_MAX} folders lead there")));
        }
        let metadata = held.metadata().map_err(|error| cannot("look at", &self.real, &error))?;
        let is_root = self.folders.is_empty() && self.tree.path != Path::new("/");
        let (sharing, doubt) = match sharing(&metadata) {
            _ if is_root => (Sharing::Alone, None),
            Ok(sharing) => (sharing, None),
            Err(why) => (Sharing::Others, Some(said(&self.real, why))),
        };
        self.folders.push(Folder { held, sharing, doubt });
        Ok(())
    }

    fn follow_link(&mut self, link: &Found, real: &Path) -> Result<(), Text> {
        self.links += 1;
        if self.links > LINKS_MAX {
            return Err(said(real, &format_args!("more than {LINKS_MAX} links lead there")));
        }
        if !is_trusted(link.metadata.uid()) {
            return Err(said(
                real,
                &format_args!(
                    "it is a link of user {}, which is not followed; put the file itself there",
                    link.metadata.uid()
                ),
            ));
        }
        if self.folders.iter().any(|folder| folder.sharing == Sharing::Others)
            || self.folders[self.folders.len() - 1].sharing != Sharing::Alone
        {
            return Err(said(
                real,
                &"it is a link in a folder that others than root may write, which is not followed; put the file itself there",
            ));
        }
        let target =
            readlinkat(&link.held, "").map_err(|error| cannot("read", real, &io::Error::from(error)))?;
        self.add(Path::new(&target))
    }
}

/// Holds an entry of a folder without opening it; `None` where there is none.
fn look_at(folder: &File, name: &OsStr) -> io::Result<Option<Found>> {
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
fn reopen(held: &File, access: OFlag) -> io::Result<File> {
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

fn names(folder: &File, names_max: usize) -> io::Result<Vec<OsString>> {
    let entries = std::fs::read_dir(format!("/proc/self/fd/{}", folder.as_raw_fd()))?;
    entries.take(names_max).map(|entry| entry.map(|entry| entry.file_name())).collect()
}

/// Root, or in a test the user who runs it: no more power than that user has is ever used there.
fn is_trusted(user: u32) -> bool {
    user == 0 || user == nix::unistd::geteuid().as_raw()
}

fn sharing(folder: &Metadata) -> Result<Sharing, &'static str> {
    let mode = folder.mode();
    let own_group = folder.gid() == 0
        || !nix::unistd::geteuid().is_root() && folder.gid() == nix::unistd::getegid().as_raw();
    if !is_trusted(folder.uid()) {
        Err("the folder belongs to another user than root; give it to root (chown root)")
    } else if mode & 0o002 == 0 && (mode & 0o020 == 0 || own_group) {
        Ok(Sharing::Alone)
    } else if mode & 0o1000 != 0 {
        Ok(Sharing::Sticky)
    } else {
        Err("others than root may write in the folder; take that away (chmod go-w)")
    }
}

fn said(path: &Path, why: impl std::fmt::Display) -> Text {
    text(format_args!("{}: {why}", path.display()))
}
