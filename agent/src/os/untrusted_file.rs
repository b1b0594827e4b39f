//! Reading files that a stranger may have laid: a pipe without a writer, a device or a folder is not read, and none is
//! read further than its limit.

use nix::libc;
use std::fs::{Metadata, OpenOptions};
use std::io;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// A file as it was found.
pub struct Foreign {
    /// Its bytes, up to the limit.
    pub bytes: Vec<u8>,
    /// These are all.
    pub whole: bool,
    /// Its metadata, as the system tells it.
    pub metadata: Metadata,
}

/// Reads a regular file, following links, as far as `bytes_max`; `None` where there is none.
///
/// # Errors
/// Those of the file system.
pub fn read(path: &Path, bytes_max: u64) -> io::Result<Option<Foreign>> {
    // Opening a pipe would else wait for a writer.
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path);
    let file = match opened {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        other => other?,
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes)?;
    let whole = bytes.len() as u64 <= bytes_max;
    bytes.truncate(usize::try_from(bytes_max).unwrap_or(usize::MAX));
    Ok(Some(Foreign { bytes, whole, metadata }))
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
