//! Block devices, and plain files in their place. The first 4096 bytes are committed last: every image format and
//! every file system keeps its header there, and boot loaders start nothing without one.

use super::slot_storage::SlotStorage;
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use std::fs::{File, OpenOptions};
use std::io;
use std::io::{Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// Where every image format keeps its header, in bytes.
pub const HEADER_BYTES: u64 = 4096;

/// A block device or a file, opened.
pub struct Block {
    file: File,
    bytes: u64,
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
        Ok(Block { file: options.open(path)?, bytes })
    }
}

impl SlotStorage for Block {
    fn invalidate(&mut self) -> io::Result<()> {
        let zeros = [0; HEADER_BYTES as usize];
        let bytes = HEADER_BYTES.min(self.bytes) as usize;
        self.file.write_all_at(&zeros[..bytes], 0)?;
        self.sync()
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        // Best effort: a file system in RAM has nothing to drop.
        let _ = posix_fadvise(&self.file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
        Ok(())
    }

    fn read_back(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn commit(&mut self, beginning: &[u8]) -> io::Result<()> {
        self.file.write_all_at(beginning, 0)?;
        self.sync()
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
