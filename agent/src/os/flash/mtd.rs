//! An MTD device, or a part of one: erase blocks that are erased whole and written in units.

use std::io;

/// The kind of the flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlashKind {
    /// Bits are cleared one by one; no bad blocks. Also RAM and ROM in the place of a chip.
    Nor,
    /// A page is written once after an erase, pages of a block in order; blocks go bad.
    Nand,
}

/// The sizes of a device, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    pub kind: FlashKind,
    /// The whole device; a multiple of `erase_bytes`.
    pub bytes: u64,
    /// An erase block.
    pub erase_bytes: u32,
    /// The least unit of a write: 1 on most NOR, a page on NAND.
    pub write_bytes: u32,
}

/// The counters of error correction since the device was attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EccCounts {
    /// Flipped bits that were corrected.
    pub corrected: u32,
    /// Reads that could not be corrected.
    pub failed: u32,
}

/// An MTD device. Offsets are bytes from its beginning. Every call that changes something is on the medium when it
/// returns: MTD has no cache.
pub trait RawFlash {
    /// The sizes of the device.
    fn geometry(&self) -> Geometry;
    /// Fills `buffer`. Bits that cannot be corrected are read as they are, and counted.
    ///
    /// # Errors
    /// Those of the kernel; beyond the end of the device (`UnexpectedEof`).
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
    /// Writes into erased flash. Offset and length are multiples of `write_bytes`.
    ///
    /// # Errors
    /// Those of the kernel: `EIO` for a block that no longer takes writes.
    fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Unlocks and erases the block at an offset, which is a multiple of `erase_bytes`.
    ///
    /// # Errors
    /// Those of the kernel: `EIO` for a block that cannot be erased any more.
    fn erase(&mut self, offset: u64) -> io::Result<()>;
    /// Whether the block at an offset is marked bad. Never true of NOR.
    ///
    /// # Errors
    /// Those of the kernel.
    fn is_bad(&mut self, offset: u64) -> io::Result<bool>;
    /// Marks the block at an offset bad, for ever.
    ///
    /// # Errors
    /// Those of the kernel.
    fn mark_bad(&mut self, offset: u64) -> io::Result<()>;
    /// The counters of error correction; zeroes where the device has none.
    ///
    /// # Errors
    /// Those of the kernel.
    fn ecc_counts(&mut self) -> io::Result<EccCounts>;
}
