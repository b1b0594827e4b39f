//! Block devices, and plain files in their place. The first 4096 bytes are committed last: every image format and
//! every file system keeps its header there, and boot loaders start nothing without one.

use super::slot_storage::{SlotStorage, WriteCounts};
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use std::fs::{File, OpenOptions};
use std::io;
use std::io::{Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// Where every image format keeps its header, in bytes.
pub const HEADER_BYTES: u64 = 4096;
/// Bytes that are compared with the medium, and written or left alone, at once.
const STEP_BYTES: usize = 32 * 1024;
/// Where these first bytes of a step differ, the rest is not even read.
const PROBE_BYTES: usize = 4096;
/// Written bytes that wait in the page cache at most: more would take the memory of small devices.
const UNSYNCED_BYTES_MAX: u64 = 1024 * 1024;

/// A block device or a file, opened.
pub struct Block {
    file: File,
    bytes: u64,
    /// The end of the last write.
    written_to: u64,
    unsynced_bytes: u64,
    counts: WriteCounts,
    /// What the medium holds in the place of a step.
    held: Vec<u8>,
}

impl Block {
    /// Opens for reading and writing. A block device is opened exclusively: the kernel refuses one that is mounted,
    /// even if the settings name the wrong slot.
    ///
    /// # Errors
    /// It is neither a block device nor a file, it is in use, or those of the system.
    pub fn open(path: &Path) -> io::Result<Block> {
        let bytes = size(path)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        if path.metadata()?.file_type().is_block_device() {
            options.custom_flags(nix::libc::O_EXCL);
        }
        let counts = WriteCounts::default();
        let file = options.open(path)?;
        Ok(Block { file, bytes, written_to: 0, unsynced_bytes: 0, counts, held: Vec::new() })
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

    fn flush(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        self.unsynced_bytes = 0;
        // Best effort: a file system in RAM has nothing to drop.
        let _ = posix_fadvise(&self.file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
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
        self.file.write_all_at(&zeros[..bytes], 0)?;
        self.flush()
    }

    fn begin(&mut self, _: u64, durable: u64) -> io::Result<u64> {
        self.written_to = durable;
        Ok(durable)
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut at = offset;
        for step in bytes.chunks(STEP_BYTES) {
            let length = step.len() as u64;
            if self.holds(at, step) {
                self.counts.equal_bytes += length;
            } else {
                self.file.write_all_at(step, at)?;
                self.counts.written_bytes += length;
                self.unsynced_bytes += length;
            }
            at += length;
        }
        self.written_to = at;
        if self.unsynced_bytes >= UNSYNCED_BYTES_MAX { self.flush() } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<u64> {
        self.flush()?;
        Ok(self.written_to)
    }

    fn read_back(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn commit(&mut self, beginning: &[u8]) -> io::Result<()> {
        self.file.write_all_at(beginning, 0)?;
        self.flush()
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
