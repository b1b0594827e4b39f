//! Room for the state: whether a write to its folder succeeds. A file system that is full of bytes or of inodes, or that the
//! kernel made read-only after an error, keeps passwords, counts and updates from being stored. While there is plenty of room
//! nothing is written for this.

use crate::os::clock::uptime_milliseconds;
use crate::os::procfs::mountinfo::{Mount, TABLE, holding, is_remote, mounts};
use crate::update::storage::identity::{SYSFS, identity_of_mounted};
use komainu_core::update::part_identity::Medium;
use nix::sys::statvfs::{FsFlags, statvfs};
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Below so many bytes, or so many files, a write is tried.
const BYTES_LOW: u64 = 256 * 1024;
const FILES_LOW: u64 = 64;
/// As many bytes as the largest file that gate and update must replace.
const TRIED_BYTES: usize = 16 * 1024;
/// A write is tried once in so many milliseconds at most.
const TRY_MILLISECONDS: u64 = 30_000;

/// The folder of the state, and what the last try said.
pub(crate) struct StateRoom {
    folder: PathBuf,
    fault: Option<String>,
    /// The time of the next try, in milliseconds of uptime.
    due: u64,
}

impl StateRoom {
    pub(crate) fn new(folder: &Path) -> StateRoom {
        StateRoom { folder: folder.into(), fault: None, due: 0 }
    }

    /// Looks, and tries where there is little room or the last write failed.
    pub(crate) fn look(&mut self) {
        let now = uptime_milliseconds();
        if now < self.due || self.fault.is_none() && !is_doubtful(&self.folder) {
            return;
        }
        self.due = now + TRY_MILLISECONDS;
        let before = self.fault.take();
        self.fault = try_to_write(&self.folder).err();
        match (&before, &self.fault) {
            (None, Some(why)) => log::error!("state-unwritten why=\"{why}\""),
            (Some(_), None) => log::info!("state-written"),
            _ => {}
        }
    }

    /// Why nothing can be stored; `None`: all is well.
    pub(crate) fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }
}

/// Whether a write might fail. What the kernel does not tell is tried.
#[allow(clippy::useless_conversion, reason = "on the 32-bit devices some of these are 32 bits")]
fn is_doubtful(folder: &Path) -> bool {
    statvfs(folder).map_or(true, |room| {
        let bytes = u64::from(room.blocks_free()).saturating_mul(u64::from(room.fragment_size()));
        // Some file systems have no number of files, and tell 0 of 0.
        let few = room.files() > 0 && u64::from(room.files_free()) < FILES_LOW;
        bytes < BYTES_LOW || few || room.flags().contains(FsFlags::ST_RDONLY)
    })
}

/// The fate of the state on the medium of a folder.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Lasting {
    /// It stays: the type of the file system.
    Stays(String),
    /// It is lost at a restart, or cannot be written: why, and what to do.
    Lost(String),
    /// It cannot be told: why.
    Unknown(String),
}

/// In memory, and gone with a restart; and never written to.
const IN_MEMORY: [&[u8]; 4] = [b"tmpfs", b"ramfs", b"devtmpfs", b"rootfs"];
const UNWRITABLE: [&[u8]; 5] = [b"squashfs", b"cramfs", b"romfs", b"erofs", b"iso9660"];
/// The major number of the kernel's RAM disks.
const RAM_DISK: u64 = 1;
/// File systems that lie on one another before that is given up.
const LAYERS_MAX: u8 = 8;

/// Whether the state in a folder outlives a restart. A folder that is not there yet is where its parent is.
pub(crate) fn is_lasting(folder: &Path) -> Lasting {
    let there = folder.ancestors().find_map(|path| path.canonicalize().ok());
    let path = there.unwrap_or_else(|| "/".into());
    match mounts(Path::new(TABLE)) {
        Ok(mounts) => match holding(&mounts, path.as_os_str().as_bytes()) {
            Some(mount) => lasting(&mounts, mount, LAYERS_MAX),
            None => Lasting::Unknown(format!("no mount holds {}", path.display())),
        },
        Err(error) => Lasting::Unknown(format!("cannot read {TABLE}: {error}")),
    }
}

fn lasting(mounts: &[Mount], mount: &Mount, layers: u8) -> Lasting {
    const ELSEWHERE: &str = "name a folder on flash as [state] directory";
    let kind = String::from_utf8_lossy(&mount.filesystem).into_owned();
    let point = String::from_utf8_lossy(&mount.point).into_owned();
    let in_memory = |what: &str| {
        Lasting::Lost(format!(
            "{point} is in memory ({what}), and forgets record and floor at every start: {ELSEWHERE}"
        ))
    };
    let Some(layers) = layers.checked_sub(1) else {
        return Lasting::Unknown(format!(
            "more than {LAYERS_MAX} file systems lie on one another at {point}"
        ));
    };
    if IN_MEMORY.contains(&&mount.filesystem[..]) {
        return in_memory(&kind);
    }
    if UNWRITABLE.contains(&&mount.filesystem[..]) || mount.is_read_only {
        return Lasting::Lost(format!("{point} ({kind}) is read-only: {ELSEWHERE}"));
    }
    if is_remote(&mount.filesystem) {
        return Lasting::Unknown(format!("{point} is {kind}: another party's storage, or a program's"));
    }
    if mount.filesystem == b"overlay" || mount.filesystem == b"overlayfs" {
        let Some(upper) = &mount.upper else {
            return Lasting::Lost(format!("{point} is an overlay without an upper layer: {ELSEWHERE}"));
        };
        return match holding(mounts, upper).filter(|below| !std::ptr::eq(*below, mount)) {
            Some(below) => lasting(mounts, below, layers),
            None => Lasting::Unknown(format!("the upper layer of {point} cannot be seen from here")),
        };
    }
    let on = identity_of_mounted(mount.device, &mount.source).ok().flatten().unwrap_or_default();
    for extent in &on.extents {
        match extent.medium {
            Medium::File { device, .. } => {
                if let Some(below) = mounts.iter().find(|below| below.device == device)
                    && let lost @ Lasting::Lost(_) = lasting(mounts, below, layers)
                {
                    return lost;
                }
            }
            Medium::Disk { major, .. } if u64::from(major) == RAM_DISK => return in_memory("a RAM disk"),
            Medium::Disk { major, minor } if is_compressed_memory(major, minor) => return in_memory("zram"),
            _ => {}
        }
    }
    Lasting::Stays(kind)
}

fn is_compressed_memory(major: u32, minor: u32) -> bool {
    let device = std::fs::canonicalize(format!("{SYSFS}/dev/block/{major}:{minor}"));
    device.is_ok_and(|device| device.file_name().is_some_and(|name| name.as_bytes().starts_with(b"zram")))
}

/// Writes a file of the state, and removes it.
///
/// # Errors
/// Folder and cause, and what to do, in words.
pub(crate) fn try_to_write(folder: &Path) -> Result<(), String> {
    let path = folder.join("room");
    let written = write(&path);
    let _ = std::fs::remove_file(&path);
    written.map_err(|error| {
        format!(
            "nothing can be stored in {}: {error}; passwords and updates fail until there is room: remove files there",
            folder.display()
        )
    })
}

fn write(path: &Path) -> io::Result<()> {
    // What an earlier try left, or a link that is not ours.
    let _ = std::fs::remove_file(path);
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(&[0x5a; TRIED_BYTES])?;
    // Some file systems find room only now.
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::test_namespace::apart;
    use std::process::Command;

    fn mount(arguments: &[&str]) {
        assert!(Command::new("mount").args(arguments).status().unwrap().success(), "mount {arguments:?}");
    }

    fn why(folder: &Path) -> String {
        match is_lasting(folder) {
            Lasting::Lost(why) => why,
            other => panic!("{}: {other:?}", folder.display()),
        }
    }

    #[test]
    fn a_state_in_memory_or_on_what_cannot_be_written_is_lost() {
        apart("daemon::state_room::tests::a_state_in_memory_or_on_what_cannot_be_written_is_lost", || {
            // Everything happens on a tmpfs of this test's own, which ends with it.
            let place = std::env::temp_dir();
            let on_disk = is_lasting(Path::new("/usr"));
            mount(&["-t", "tmpfs", "state", place.to_str().unwrap()]);
            let path = |name: &str| place.join(name);
            for name in ["lower", "upper", "work", "over", "plain", "bound"] {
                std::fs::create_dir(path(name)).unwrap();
            }
            assert!(why(&path("plain")).contains(" is in memory (tmpfs), and forgets record and floor"));
            assert!(why(&path("not/there/yet")).contains(" is in memory (tmpfs)"));
            let layers = format!(
                "userxattr,lowerdir={},upperdir={},workdir={}",
                path("lower").display(),
                path("upper").display(),
                path("work").display()
            );
            mount(&["-t", "overlay", "overlay", "-o", &layers, path("over").to_str().unwrap()]);
            assert!(why(&path("over")).contains(" is in memory (tmpfs)"), "its upper layer is");
            mount(&[
                "-t",
                "overlay",
                "overlay",
                "-o",
                "userxattr,lowerdir=/usr:/etc",
                path("bound").to_str().unwrap(),
            ]);
            assert!(
                why(&path("bound")).contains("is read-only")
                    || why(&path("bound")).contains("without an upper")
            );
            std::os::unix::fs::symlink(path("plain"), path("link")).unwrap();
            assert!(why(&path("link")).contains(" is in memory (tmpfs)"), "by a link");
            mount(&["--bind", "-o", "ro", "/usr", path("lower").to_str().unwrap()]);
            assert!(why(&path("lower")).contains("is read-only: name a folder on flash"));
            // The same disk, where it can be written; unless all of this machine is in memory.
            assert_eq!(is_lasting(Path::new("/usr")), on_disk);
        });
    }
}
