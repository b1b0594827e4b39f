//! Room for the state: whether a write to its folder succeeds. A file system that is full of bytes or of inodes, or that the
//! kernel made read-only after an error, keeps passwords, counts and updates from being stored. While there is plenty of room
//! nothing is written for this.

use crate::os::clock::uptime_milliseconds;
use nix::sys::statvfs::{FsFlags, statvfs};
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
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
