//! The walk to a place: folder by folder, each held, and links only where root made them and root alone can change them.

use super::place::{Foreign, Found, Place, Sharing, is_trusted, look_at, said};
use crate::os::files::cannot;
use crate::os::procfs::mountinfo;
use komainu_core::fault::Text;
use nix::fcntl::{OFlag, readlinkat};
use std::ffi::OsString;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

/// Most links on the way to one file.
const LINKS_MAX: usize = 16;
/// Most folders on the way to one file.
const FOLDERS_MAX: usize = 64;

/// A tree of files from its root, which is held. One is good for one look: it knows the mounts as they were when it was
/// made.
pub struct Tree {
    root: File,
    path: PathBuf,
    /// Mount points of file systems that may never answer.
    remote: Vec<Vec<u8>>,
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

    /// The folder that it begins with.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// File systems that may never answer are mounted somewhere: no path may be asked for but by walking to it.
    pub fn has_remote(&self) -> bool {
        !self.remote.is_empty()
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
        sharing(&found.metadata).map_or_else(|why| Err(said(&place.real, &why)), |_| Ok(()))
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
            Err(why) => (Sharing::Others, Some(said(&self.real, &why))),
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
