//! The place of one copy of the environment: what every medium can do with it.

use super::env_fault::EnvironmentFault;
use std::fmt::Debug;
use std::path::PathBuf;

/// How the flags of a redundant copy are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flags {
    /// A number that counts up with each write.
    Counter,
    /// 1: this copy counts; 0: it is obsolete. NOR flash clears the bit in place.
    Mark,
}

/// The bytes that a copy takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// The device or file, whatever its path is called.
    pub device: PathBuf,
    pub from: u64,
    pub to: u64,
    /// The same, with everything that a write takes along: whole erase blocks.
    pub erased: (u64, u64),
}

impl Extent {
    /// Whether a write of one changes a byte of the other.
    pub fn overlaps(&self, other: &Extent) -> bool {
        self.device == other.device && self.from < other.to && other.from < self.to
    }

    /// Whether a power cut in a write of one may take the other along.
    pub fn shares_block(&self, other: &Extent) -> bool {
        self.device == other.device && self.erased.0 < other.erased.1 && other.erased.0 < self.erased.1
    }
}

/// A copy on its medium.
pub(super) trait CopyPlace: Debug {
    /// As `fw_env.config` names it.
    fn path(&self) -> &PathBuf;
    /// Bytes from the start of the file or device.
    fn offset(&self) -> u64;
    fn size_bytes(&self) -> u32;
    fn extent(&self) -> Extent;
    fn flags(&self) -> Flags {
        Flags::Counter
    }
    /// The whole copy.
    fn read(&self) -> Result<Vec<u8>, EnvironmentFault>;
    /// Up to so many bytes from the beginning of the copy, for a message; nothing, if they cannot be read.
    fn peek(&self, bytes_max: u32) -> Vec<u8>;
    /// Replaces the whole copy, and brings it to the medium: the next read has the medium's own bytes.
    fn replace(&self, copy: &[u8]) -> Result<(), EnvironmentFault>;
    /// Marks the copy obsolete in place ([`Flags::Mark`]).
    fn retire(&self) -> Result<(), EnvironmentFault> {
        Ok(())
    }
    /// Whether the system lets this program write here; the medium itself may still refuse.
    fn writable(&self) -> Result<(), EnvironmentFault>;
    /// Whether a write of this copy alone is whole or not at all, whenever the power goes.
    fn is_atomic(&self) -> bool {
        false
    }
}
