//! Patches between two images, applied **inside** xz-packed squashfs: a changed block is unpacked, patched, and packed again
//! bit for bit. The maker's tool and the device share this crate, so that the tool proves what the device will do.
//!
//! Map: `patch_file` is the container, `operation` one step of it, `rebuilding` the new image out of old bytes and a
//! patch, `rebuild_pipe` the words between the agent and its process without privileges, `xz` the packer, with `xz/container` around its data.
//!
//! Nothing here proves an image: its signed SHA-256 does that, as always. A wrong patch costs time.

#![forbid(unsafe_code)]

pub mod operation;
pub mod patch_file;
pub mod rebuild_pipe;
pub mod rebuilding;
pub mod xz;

use std::fmt;

/// The word of a patch's `needs` for this format.
pub const FORMAT_WORD: &str = "delta-1";
/// The word of a patch's `needs` for the packer: liblzma 5.2 and later, and xz-core, give the same bytes.
pub const PACKER_WORD: &str = "xz-5";

/// Largest block that is unpacked, in bytes: the largest of squashfs.
pub const BLOCK_BYTES_MAX: usize = 1024 * 1024;
/// Largest number of old blocks that one new block is made of.
pub const REFERENCES_MAX: usize = 4;
/// Largest unpacked frame of a patch, in bytes.
pub const FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Why a new image cannot be rebuilt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeltaFault {
    /// The patch is cut short, or says what no patch says.
    Patch(&'static str),
    /// The old image does not hold what the patch is for.
    Base(String),
    /// A block does not unpack or pack as it did at the maker's desk.
    Packer(&'static str),
    /// The block at this byte of the new image has other bytes than it should.
    OtherBlock {
        /// The place of the block in the new image, in bytes.
        at: u64,
    },
}

impl fmt::Display for DeltaFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeltaFault::Patch(why) => write!(f, "the patch is wrong: {why}"),
            DeltaFault::Base(why) => write!(f, "the old image: {why}"),
            DeltaFault::Packer(why) => write!(f, "xz: {why}"),
            DeltaFault::OtherBlock { at } => {
                write!(f, "the block at byte {at} has other bytes than it should")
            }
        }
    }
}

impl std::error::Error for DeltaFault {}

/// The old image.
pub trait Base {
    /// Fills the buffer from there.
    ///
    /// # Errors
    /// The image has no such bytes, or cannot be read; in words.
    fn read(&mut self, offset: u64, into: &mut [u8]) -> Result<(), String>;
}

impl Base for &[u8] {
    fn read(&mut self, offset: u64, into: &mut [u8]) -> Result<(), String> {
        let from = usize::try_from(offset).ok();
        let bytes = from.and_then(|from| self.get(from..from.checked_add(into.len())?));
        into.copy_from_slice(bytes.ok_or_else(|| format!("it has no {} bytes at {offset}", into.len()))?);
        Ok(())
    }
}
