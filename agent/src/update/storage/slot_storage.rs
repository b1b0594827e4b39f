//! The trait of every medium under a part of a slot, in the order of an update: invalidate, write, sync, read back,
//! commit.

use std::io;

/// One part of one slot, opened for writing.
pub trait SlotStorage {
    /// Makes the content of the part impossible to start; durable.
    ///
    /// # Errors
    /// Those of the medium.
    fn invalidate(&mut self) -> io::Result<()>;
    /// Writes behind the bytes that are committed last; not durable before [`SlotStorage::sync`].
    ///
    /// # Errors
    /// Those of the medium.
    fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Makes the written bytes durable, and drops them from the page cache: the next read comes from the medium.
    ///
    /// # Errors
    /// Those of the medium.
    fn sync(&mut self) -> io::Result<()>;
    /// Fills `buffer` from the medium.
    ///
    /// # Errors
    /// Those of the medium.
    fn read_back(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
    /// Writes the bytes at the beginning; from then on the part can be started; durable.
    ///
    /// # Errors
    /// Those of the medium.
    fn commit(&mut self, beginning: &[u8]) -> io::Result<()>;
}
