//! Faults of an environment on a device, each with its place.

use super::env_image::ImageFault;
use super::variables::ChangeRefused;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why an environment could not be opened, read or written.
#[derive(Debug)]
pub enum EnvironmentFault {
    /// There is nothing under this path.
    Missing {
        /// As `fw_env.config` names it.
        path: PathBuf,
    },
    /// Neither a file nor a block device, and no name of raw flash: those begin with `/dev/mtd` or `/dev/ubi`.
    NotAFile {
        /// As `fw_env.config` names it.
        path: PathBuf,
    },
    /// The file or device ends before the copy does, or a negative offset lies before its start.
    Short {
        /// As `fw_env.config` names it.
        path: PathBuf,
        /// As `fw_env.config` gives it; negative from the end.
        offset: i64,
        /// Size of the copy.
        need_bytes: u64,
        /// Size of the file or device.
        have_bytes: u64,
    },
    /// The two copies share bytes: writing one would break the other.
    Overlap {
        /// As `fw_env.config` names it.
        path: PathBuf,
    },
    /// The system does not let this program write there.
    ReadOnly {
        /// As `fw_env.config` names it.
        path: PathBuf,
        /// The kernel's error.
        cause: io::Error,
    },
    /// Another program has held the lock of `fw_setenv` for too long. Nothing was written; try again later.
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The copy does not lie as its medium needs it.
    Layout {
        /// As `fw_env.config` names it.
        path: PathBuf,
        /// What is wrong.
        sentence: &'static str,
    },
    /// No copy is valid; nothing is read from it, and nothing is ever written over it.
    NoValidCopy {
        /// Each copy that there is, with its reason.
        copies: Vec<BadCopy>,
    },
    /// The variables do not fit, or the size is out of bounds.
    Image(ImageFault),
    /// U-Boot would not read this name or value back.
    Change(ChangeRefused),
    /// The bytes read back differ from the written ones. Of a redundant pair the old copy still counts or the new one
    /// is sound; a single copy may be lost.
    ReadBackDiffers {
        /// As `fw_env.config` names it.
        path: PathBuf,
        /// Bytes from the start of the file or device to the first difference.
        at: u64,
    },
    /// Any other failure of the system.
    Io {
        /// The operation that failed: `open`, `read`, `write`, `sync`.
        operation: &'static str,
        /// As `fw_env.config` names it.
        path: PathBuf,
        /// Bytes from the start of the file or device.
        offset: u64,
        /// The kernel's error.
        cause: io::Error,
    },
}

/// A copy that does not count, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadCopy {
    /// As `fw_env.config` names it.
    pub path: PathBuf,
    /// Bytes from the start of the file or device.
    pub offset: u64,
    /// Both CRCs, or the reason why it cannot be read.
    pub reason: String,
}

impl fmt::Display for BadCopy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:#x}: {}", self.path.display(), self.offset, self.reason)
    }
}

impl fmt::Display for EnvironmentFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EnvironmentFault::Missing { path } => write!(f, "{} does not exist", path.display()),
            EnvironmentFault::NotAFile { path } => write!(
                f,
                "{} is neither a file nor a block device, and not called /dev/mtd… or /dev/ubi…",
                path.display()
            ),
            EnvironmentFault::Short { path, offset, need_bytes, have_bytes } => write!(
                f,
                "{} is too small: {need_bytes} bytes at {offset} needed, {have_bytes} bytes there",
                path.display()
            ),
            EnvironmentFault::Overlap { path } => {
                write!(f, "the two copies of the environment overlap in {}", path.display())
            }
            EnvironmentFault::ReadOnly { path, cause } => {
                write!(f, "cannot write {}: {cause}", path.display())
            }
            EnvironmentFault::Locked { path } => write!(f, "{} is held by another program", path.display()),
            EnvironmentFault::Layout { path, sentence } => write!(f, "{}: {sentence}", path.display()),
            EnvironmentFault::NoValidCopy { copies } => {
                write!(f, "no valid copy of the environment")?;
                copies.iter().try_for_each(|copy| write!(f, "; {copy}"))
            }
            EnvironmentFault::Image(fault) => write!(f, "{fault}"),
            EnvironmentFault::Change(refused) => write!(f, "{refused}"),
            EnvironmentFault::ReadBackDiffers { path, at } => {
                write!(f, "{} reads back differently at {at:#x} than it was written", path.display())
            }
            EnvironmentFault::Io { operation, path, offset, cause } => {
                write!(f, "cannot {operation} {} at {offset:#x}: {cause}", path.display())
            }
        }
    }
}

impl EnvironmentFault {
    /// The fault of a file or device that cannot be opened.
    pub(super) fn opening(path: &Path, cause: io::Error) -> EnvironmentFault {
        let path = path.to_owned();
        match cause.kind() {
            io::ErrorKind::NotFound => EnvironmentFault::Missing { path },
            _ => EnvironmentFault::Io { operation: "open", path, offset: 0, cause },
        }
    }
}

/// Whether the system does not let this program write there. EPERM too: `blockdev --setro` and immutable files answer with it.
pub(super) fn is_refusal(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

impl std::error::Error for EnvironmentFault {}

impl From<ImageFault> for EnvironmentFault {
    fn from(fault: ImageFault) -> Self {
        EnvironmentFault::Image(fault)
    }
}

impl From<ChangeRefused> for EnvironmentFault {
    fn from(refused: ChangeRefused) -> Self {
        EnvironmentFault::Change(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::libc;

    #[test]
    fn a_system_that_refuses_writing_is_told_from_one_that_fails() {
        for (code, expected) in
            [(libc::EACCES, true), (libc::EROFS, true), (libc::EPERM, true), (libc::EIO, false)]
        {
            assert_eq!(is_refusal(&io::Error::from_raw_os_error(code)), expected, "{code}");
        }
    }
}
