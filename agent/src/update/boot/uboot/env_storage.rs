//! The files and block devices under an environment: finding a copy's place, reading it, replacing it in place,
//! and the lock that `fw_setenv` takes. Never writes a byte outside the place, never changes a file's size.

use super::env_config::Location;
use super::env_fault::EnvironmentFault;
use super::env_image::check_size;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, PosixFadviseAdvice, posix_fadvise};
use nix::libc;
use nix::unistd::{AccessFlags, access};
use std::fs;
use std::fs::{File, OpenOptions};
use std::io;
use std::io::{Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The lock of libubootenv and of U-Boot's own tools; not configurable there either.
const LOCK: &str = "/var/lock/fw_printenv.lock";
/// `fw_setenv` holds it for the time of one write.
const LOCK_TRIES: u32 = 40;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// The place of one copy, checked against the size of its file or device.
#[derive(Clone, Debug)]
pub(super) struct CopyPlace {
    pub path: PathBuf,
    /// Bytes from the start.
    pub offset: u64,
    pub size_bytes: u32,
    /// Device and inode: two paths may lead to the same file.
    identity: (u64, u64),
}

impl CopyPlace {
    /// Finds the place of a location. Opens only for reading.
    pub fn find(location: &Location) -> Result<CopyPlace, EnvironmentFault> {
        let path = location.path.clone();
        check_size(location.size_bytes.into())?;
        let io = |cause| open_fault(&path, cause);
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
            Some(offset) => Ok(CopyPlace { path, offset, size_bytes: location.size_bytes, identity }),
            None => Err(EnvironmentFault::Short { path, offset: location.offset, need_bytes, have_bytes }),
        }
    }

    /// Whether the two share a byte.
    pub fn overlaps(&self, other: &CopyPlace) -> bool {
        let (one, two) =
            (self.offset + u64::from(self.size_bytes), other.offset + u64::from(other.size_bytes));
        self.identity == other.identity && self.offset < two && other.offset < one
    }

    /// The whole copy.
    pub fn read(&self) -> Result<Vec<u8>, EnvironmentFault> {
        let file = File::open(&self.path).map_err(|cause| self.fault("open", cause))?;
        self.read_from(&file)
    }

    /// Replaces the whole copy in place, brings it to the medium, and reads it back from there.
    pub fn replace(&self, copy: &[u8]) -> Result<(), EnvironmentFault> {
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
        match first_difference(copy, &self.read_from(&file)?) {
            None => Ok(()),
            Some(at) => {
                Err(EnvironmentFault::ReadBackDiffers { path: self.path.clone(), at: self.offset + at })
            }
        }
    }

    /// Asks the kernel without opening: closing a block device that was open for writing wakes udev.
    pub fn writable(&self) -> Result<(), EnvironmentFault> {
        let read_only = |cause| EnvironmentFault::ReadOnly { path: self.path.clone(), cause };
        access(&self.path, AccessFlags::W_OK).map_err(|errno| read_only(errno.into()))?;
        if is_read_only_device(&self.path) {
            return Err(read_only(io::Error::from(io::ErrorKind::ReadOnlyFilesystem)));
        }
        Ok(())
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

/// Takes the lock of `fw_setenv`, so that neither overwrites what the other just read. Where it cannot be
/// opened (no such folder, read-only system) the tools cannot run either: `None`, and on without it.
pub(super) fn lock() -> Result<Option<Flock<File>>, EnvironmentFault> {
    let mut options = OpenOptions::new();
    // Others than root may own the folder: no link is followed, nothing is truncated.
    options.write(true).create(true).truncate(false).mode(0o666).custom_flags(libc::O_NOFOLLOW);
    let Ok(mut file) = options.open(LOCK) else { return Ok(None) };
    for _ in 0..LOCK_TRIES {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(Some(lock)),
            Err((busy, Errno::EAGAIN)) => file = busy,
            Err(_) => return Ok(None),
        }
        std::thread::sleep(LOCK_PAUSE);
    }
    Err(EnvironmentFault::Locked { path: LOCK })
}

fn open_fault(path: &std::path::Path, cause: io::Error) -> EnvironmentFault {
    let path = path.to_owned();
    match cause.kind() {
        io::ErrorKind::NotFound => EnvironmentFault::Missing { path },
        _ => EnvironmentFault::Io { operation: "open", path, offset: 0, cause },
    }
}

/// EPERM too: `blockdev --setro` and immutable files answer with it.
fn is_refusal(cause: &io::Error) -> bool {
    [libc::EACCES, libc::EROFS, libc::EPERM].iter().any(|code| cause.raw_os_error() == Some(*code))
}

fn first_difference(written: &[u8], read: &[u8]) -> Option<u64> {
    let at = written.iter().zip(read).position(|(one, two)| one != two);
    at.or((written.len() != read.len()).then_some(written.len().min(read.len()))).map(|at| at as u64)
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
    fn a_difference_is_found_wherever_it_is() {
        assert_eq!(first_difference(b"abc", b"abc"), None);
        assert_eq!(first_difference(b"abc", b"abd"), Some(2));
        assert_eq!(first_difference(b"abc", b"ab"), Some(2));
    }

    #[test]
    fn a_system_that_refuses_writing_is_told_from_one_that_fails() {
        for (code, expected) in
            [(libc::EACCES, true), (libc::EROFS, true), (libc::EPERM, true), (libc::EIO, false)]
        {
            assert_eq!(is_refusal(&io::Error::from_raw_os_error(code)), expected, "{code}");
        }
    }

    #[test]
    fn places_overlap_only_in_the_same_file() {
        let place =
            |inode, offset| CopyPlace { path: "/e".into(), offset, size_bytes: 16, identity: (1, inode) };
        assert!(place(1, 0).overlaps(&place(1, 15)));
        assert!(place(1, 15).overlaps(&place(1, 0)));
        assert!(!place(1, 0).overlaps(&place(1, 16)));
        assert!(!place(1, 0).overlaps(&place(2, 0)));
    }
}
