//! A copy of the environment in a file or on a block device. Never writes a byte outside its place, never changes a
//! file's size.

use super::env_config::Location;
use super::env_fault::{EnvironmentFault, is_refusal};
use super::env_place::{CopyPlace, Extent};
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use nix::libc;
use nix::unistd::{AccessFlags, access};
use std::fs;
use std::fs::{File, OpenOptions};
use std::io;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The place of one copy, checked against the size of its file or device.
#[derive(Clone, Debug)]
pub(super) struct FilePlace {
    path: PathBuf,
    /// Bytes from the start.
    offset: u64,
    size_bytes: u32,
    /// Device and inode: two paths may lead to the same file.
    identity: (u64, u64),
}

impl FilePlace {
    /// Finds the place of a location. Opens only for reading.
    pub fn find(location: &Location) -> Result<FilePlace, EnvironmentFault> {
        let path = location.path.clone();
        let io = |cause| EnvironmentFault::opening(&path, cause);
        let metadata = fs::metadata(&path).map_err(io)?;
        let identity = match metadata.file_type() {
            kind if kind.is_file() => (metadata.dev(), metadata.ino()),
            kind if kind.is_block_device() => (0, metadata.rdev()),
            _ => return Err(EnvironmentFault::NotAFile { path }),
        };
        // A block device has no length in its metadata; seeking to the end gives the length of both kinds.
        let have_bytes = File::open(&path).and_then(|mut file| file.seek(SeekFrom::End(0))).map_err(io)?;
        let need_bytes = u64::from(location.size_bytes);
        let offset = match u64::try_from(location.offset) {
            Ok(from_start) => Some(from_start),
            Err(_) => have_bytes.checked_sub(location.offset.unsigned_abs()),
        };
        let fits = |offset: &u64| offset.checked_add(need_bytes).is_some_and(|end| end <= have_bytes);
        match offset.filter(fits) {
            Some(offset) => Ok(FilePlace { path, offset, size_bytes: location.size_bytes, identity }),
            None => Err(EnvironmentFault::Short { path, offset: location.offset, need_bytes, have_bytes }),
        }
    }

    fn read_from(&self, file: &File) -> Result<Vec<u8>, EnvironmentFault> {
        let size = usize::try_from(self.size_bytes).expect("checked against SIZE_BYTES_MAX");
        let mut copy = vec![0; size];
        file.read_exact_at(&mut copy, self.offset).map_err(|cause| self.fault("read", cause))?;
        Ok(copy)
    }

    /// Drops the page cache, or the read-back would only ask the cache. Only whole pages are dropped, so the range is
    /// widened to the largest page size. Best effort: a file in RAM has nothing to drop.
    fn drop_cache(&self, file: &File) {
        const PAGE_BYTES: u64 = 64 * 1024;
        let start = self.offset / PAGE_BYTES * PAGE_BYTES;
        let end = (self.offset + u64::from(self.size_bytes)).next_multiple_of(PAGE_BYTES);
        if let (Ok(start), Ok(length)) = (libc::off_t::try_from(start), libc::off_t::try_from(end - start)) {
            let _ = posix_fadvise(file, start, length, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
        }
    }

    fn fault(&self, operation: &'static str, cause: io::Error) -> EnvironmentFault {
        EnvironmentFault::Io { operation, path: self.path.clone(), offset: self.offset, cause }
    }
}

impl CopyPlace for FilePlace {
    fn path(&self) -> &PathBuf {
        &self.path
    }

    fn offset(&self) -> u64 {
        self.offset
    }

    fn size_bytes(&self) -> u32 {
        self.size_bytes
    }

    fn extent(&self) -> Extent {
        let (from, to) = (self.offset, self.offset + u64::from(self.size_bytes));
        let (device, inode) = self.identity;
        Extent { device: format!("{device}:{inode}").into(), from, to, erased: (from, to) }
    }

    fn read(&self) -> Result<Vec<u8>, EnvironmentFault> {
        let file = File::open(&self.path).map_err(|cause| self.fault("open", cause))?;
        self.read_from(&file)
    }

    fn peek(&self, bytes_max: u32) -> Vec<u8> {
        let mut found = Vec::new();
        // Best effort: it is for a message.
        let _ = File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.offset))?;
            file.take(bytes_max.into()).read_to_end(&mut found)
        });
        found
    }

    fn replace(&self, copy: &[u8]) -> Result<(), EnvironmentFault> {
        // Some devices let themselves be opened for writing and refuse at the first byte (`blockdev --setro`).
        let refused = |operation, cause| match is_refusal(&cause) {
            true => EnvironmentFault::ReadOnly { path: self.path.clone(), cause },
            false => self.fault(operation, cause),
        };
        let file = OpenOptions::new().read(true).write(true).open(&self.path);
        let file = file.map_err(|cause| refused("open", cause))?;
        file.write_all_at(copy, self.offset).map_err(|cause| refused("write", cause))?;
        file.sync_data().map_err(|cause| self.fault("sync", cause))?;
        self.drop_cache(&file);
        Ok(())
    }

    /// Asks the kernel without opening: closing a block device that was open for writing wakes udev.
    fn writable(&self) -> Result<(), EnvironmentFault> {
        let read_only = |cause| EnvironmentFault::ReadOnly { path: self.path.clone(), cause };
        access(&self.path, AccessFlags::W_OK).map_err(|errno| read_only(errno.into()))?;
        if is_read_only_device(&self.path) {
            return Err(read_only(io::Error::from(io::ErrorKind::ReadOnlyFilesystem)));
        }
        Ok(())
    }
}

/// A block device can be set read-only while its node may be written: opening it succeeds, writing does not. Only a
/// file of the kernel's shows that beforehand; without that file, the write shows it.
fn is_read_only_device(path: &Path) -> bool {
    let Ok(metadata) = path.metadata() else { return false };
    if !metadata.file_type().is_block_device() {
        return false;
    }
    let (major, minor) = (nix::sys::stat::major(metadata.rdev()), nix::sys::stat::minor(metadata.rdev()));
    let said = std::fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/ro"));
    said.is_ok_and(|said| said.trim() == "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_overlap_only_in_the_same_file() {
        let place = |inode, offset| {
            FilePlace { path: "/e".into(), offset, size_bytes: 16, identity: (1, inode) }.extent()
        };
        assert!(place(1, 0).overlaps(&place(1, 15)));
        assert!(place(1, 15).overlaps(&place(1, 0)));
        assert!(!place(1, 0).overlaps(&place(1, 16)));
        assert!(!place(1, 0).overlaps(&place(2, 0)));
    }
}
