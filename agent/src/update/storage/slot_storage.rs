//! The trait of every medium under a part of a slot, in the order of an update: invalidate, begin, write, sync, read
//! back, commit.

use std::io;

/// Bytes that an update cost a medium since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteCounts {
    /// Bytes that were written.
    pub written_bytes: u64,
    /// Bytes that the medium held already, and that were left alone.
    pub equal_bytes: u64,
    /// Flipped bits that error correction mended.
    pub corrected_bits: u32,
    /// Blocks that were marked bad.
    pub new_bad_blocks: u32,
}

/// One part of one slot, opened for writing. Everything that changes the medium returns when it is durable, except
/// [`SlotStorage::write`].
pub trait SlotStorage {
    /// Bytes that fit into the part.
    fn bytes(&self) -> u64;
    /// Bytes at the beginning that the medium takes only with [`SlotStorage::commit`]: a header, an erase block, a LEB. 0:
    /// the medium needs no such order.
    fn committed_last_bytes(&self) -> u64;
    /// Makes the content of the part impossible to start.
    ///
    /// # Errors
    /// Those of the medium.
    fn invalidate(&mut self) -> io::Result<()>;
    /// Prepares an image of so many bytes, of which the first `durable` are on the medium already. Gives the offset at
    /// which to go on: `durable`; less where the medium cannot go on there; more where it has kept further bytes since the
    /// last sync. Safe to repeat between syncs.
    ///
    /// # Errors
    /// Those of the medium.
    fn begin(&mut self, image_bytes: u64, durable: u64) -> io::Result<u64>;
    /// Writes the next bytes of the image, without a gap, behind those that are committed last.
    ///
    /// # Errors
    /// Those of the medium.
    fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Makes written bytes durable, and drops them from the page cache: the next read comes from the medium. Gives the
    /// number of bytes from the beginning of the image that are durable; all, once all have been written.
    ///
    /// # Errors
    /// Those of the medium.
    fn sync(&mut self) -> io::Result<u64>;
    /// Fills `buffer` from the medium. Bits that error correction cannot mend are an error.
    ///
    /// # Errors
    /// Those of the medium.
    fn read_back(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
    /// Writes the bytes at the beginning; from then on the part can be started.
    ///
    /// # Errors
    /// Those of the medium.
    fn commit(&mut self, beginning: &[u8]) -> io::Result<()>;
    /// The cost so far.
    fn counts(&self) -> WriteCounts;
}
