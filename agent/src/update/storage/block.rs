//! Block devices, and plain files in their place. The first 4096 bytes are committed last: every image format and
//! every file system keeps its header there, and boot loaders start nothing without one.

use super::force_ro::ForceRo;
use super::slot_storage::{SlotStorage, WriteCounts};
use crate::os::sys;
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use std::fs::{File, OpenOptions};
use std::io;
use std::io::{Seek, SeekFrom};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::Path;

#[cfg(test)]
mod tests;

/// Where every image format keeps its header, in bytes.
pub const HEADER_BYTES: u64 = 4096;
/// Bytes that are compared with the medium, and written or left alone, at once.
const STEP_BYTES: usize = 32 * 1024;
/// Where these first bytes of a step differ, the rest is not even read.
const PROBE_BYTES: usize = 4096;
/// Written bytes that wait in the page cache at most: more would take the memory of small devices.
const UNSYNCED_BYTES_MAX: u64 = 1024 * 1024;

const READ_ONLY: &str = "the device takes no writes: its switch, its own write protection, or `blockdev --setro` keeps it read-only";

/// A block device or a file, opened.
pub struct Block {
    file: File,
    force_ro: ForceRo,
    bytes: u64,
    /// The end of the last write.
    written_to: u64,
    /// The beginning of what was written since the last sync, and its bytes.
    unsynced_from: u64,
    unsynced_bytes: u64,
    counts: WriteCounts,
    /// The content of the medium in the place of a step.
    held: Vec<u8>,
}

impl Block {
    /// Opens for reading and writing. A block device is opened exclusively: the kernel refuses one that is mounted,
    /// even if the settings name the wrong slot.
    ///
    /// # Errors
    /// It is neither a block device nor a file, it is in use, it is read-only, or those of the system.
    pub fn open(path: &Path) -> io::Result<Block> {
        let bytes = size(path)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        let is_device = path.metadata()?.file_type().is_block_device();
        let mut force_ro = ForceRo::default();
        if is_device {
            options.custom_flags(nix::libc::O_EXCL);
            force_ro = ForceRo::of(path)?;
        }
        // Some kernels refuse even to open what they protect.
        force_ro.lift()?;
        let file = options.open(path)?;
        if is_device && sys::block_is_read_only(file.as_fd())? {
            return Err(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, READ_ONLY));
        }
        force_ro.put_back();
        let counts = WriteCounts::default();
        Ok(Block {
            file,
            force_ro,
            bytes,
            written_to: 0,
            unsynced_from: 0,
            unsynced_bytes: 0,
            counts,
            held: Vec::new(),
        })
    }

    /// Changes the medium, and makes it durable; a write protection that was lifted is put back in any case.
    fn change(&mut self, act: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
        let done = self.force_ro.lift().and_then(|()| act(&self.file)).and_then(|()| self.flush(0, 0));
        self.force_ro.put_back();
        done
    }

    /// Whether the medium holds these bytes already.
    fn holds(&mut self, offset: u64, bytes: &[u8]) -> bool {
        self.held.resize(STEP_BYTES, 0);
        let held = &mut self.held[..bytes.len()];
        let probe = PROBE_BYTES.min(bytes.len());
        let mut equal = |from: usize, to: usize| {
            let read = self.file.read_exact_at(&mut held[from..to], offset + from as u64);
            read.is_ok() && held[from..to] == bytes[from..to]
        };
        equal(0, probe) && equal(probe, bytes.len())
    }

    fn write_step(&mut self, offset: u64, step: &[u8]) -> io::Result<()> {
        if self.holds(offset, step) {
            self.counts.equal_bytes += step.len() as u64;
            return Ok(());
        }
        self.force_ro.lift()?;
        self.file.write_all_at(step, offset)?;
        if self.unsynced_bytes == 0 {
            self.unsynced_from = offset;
        }
        let bytes = step.len() as u64;
        self.counts.written_bytes += bytes;
        self.unsynced_bytes += bytes;
        if self.unsynced_bytes < UNSYNCED_BYTES_MAX {
            return Ok(());
        }
        // The pages that the kernel has read ahead for the next probes stay: they would be read once more.
        let end = offset + bytes;
        self.flush(self.unsynced_from, end.saturating_sub(self.unsynced_from))
    }

    /// Makes everything durable, and drops a range from the page cache; 0 bytes: up to the end.
    fn flush(&mut self, from: u64, bytes: u64) -> io::Result<()> {
        self.file.sync_data()?;
        self.unsynced_bytes = 0;
        let (from, bytes) = (from.try_into().unwrap_or(0), bytes.try_into().unwrap_or(0));
        // Best effort: a file system in RAM has nothing to drop.
        let _ = posix_fadvise(&self.file, from, bytes, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
        Ok(())
    }
}

impl SlotStorage for Block {
    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn committed_last_bytes(&self) -> u64 {
        HEADER_BYTES
    }

    fn invalidate(&mut self) -> io::Result<()> {
        let zeros = [0; HEADER_BYTES as usize];
        let bytes = HEADER_BYTES.min(self.bytes) as usize;
        self.change(|file| file.write_all_at(&zeros[..bytes], 0))
    }

    fn begin(&mut self, _: u64, durable: u64) -> io::Result<u64> {
        self.written_to = durable;
        Ok(durable)
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let (mut at, mut rest) = (offset, bytes);
        while !rest.is_empty() {
            // Steps end where a whole number of them does on the medium: what differs lies in blocks that begin there.
            let left = STEP_BYTES - (at % STEP_BYTES as u64) as usize;
            let (step, later) = rest.split_at(left.min(rest.len()));
            // What was written so far may still wait in the page cache, so the protection stays lifted until it is synced.
            self.write_step(at, step).inspect_err(|_| self.force_ro.put_back())?;
            at += step.len() as u64;
            rest = later;
        }
        self.written_to = at;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<u64> {
        self.held = Vec::new();
        self.change(|_| Ok(()))?;
        Ok(self.written_to)
    }

    fn read_back(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn commit(&mut self, beginning: &[u8]) -> io::Result<()> {
        // It is more than a header where the other slot is flash.
        let (header, rest) = beginning.split_at(beginning.len().min(HEADER_BYTES as usize));
        self.change(|file| file.write_all_at(rest, HEADER_BYTES))?;
        self.change(|file| file.write_all_at(header, 0))?;
        self.counts.written_bytes += beginning.len() as u64;
        Ok(())
    }

    fn counts(&self) -> WriteCounts {
        self.counts
    }
}

/// Bytes of a block device or file, without opening it for writing.
///
/// # Errors
/// It is neither, or those of the system.
pub fn size(path: &Path) -> io::Result<u64> {
    let kind = path.metadata()?.file_type();
    if !kind.is_file() && !kind.is_block_device() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a block device nor a file"));
    }
    // Seeking to the end gives the size of a block device.
    File::open(path)?.seek(SeekFrom::End(0))
}
