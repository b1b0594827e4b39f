//! A UBI volume: logical erase blocks (LEB) over raw NAND or NOR. A dynamic volume is changed LEB by LEB, each
//! atomically; a static one only by an update of the whole volume.

use std::io;

/// The sizes and the state of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolumeState {
    /// A static volume: the kernel checks its CRC when it is opened.
    pub is_static: bool,
    /// Bytes of a LEB that data can use.
    pub leb_bytes: u32,
    /// LEBs reserved for the volume.
    pub lebs: u32,
    /// The least unit of a write, in bytes: the length of the last piece in a LEB is rounded up to it.
    pub min_io_bytes: u32,
    /// An update of the whole volume was begun and did not end: it cannot be read before a new update has ended.
    pub update_marker: bool,
    /// The kernel found a wrong CRC (static volumes).
    pub corrupted: bool,
}

/// A UBI volume. Every call that changes something is on the medium when it returns, unless it says otherwise.
pub trait UbiVolume {
    /// Sizes and state, asked anew.
    ///
    /// # Errors
    /// Those of the kernel.
    fn state(&mut self) -> io::Result<VolumeState>;
    /// Fills `buffer` from a dynamic or a whole static volume. A LEB that is not mapped reads as 0xff.
    ///
    /// # Errors
    /// Those of the kernel: `EBADF` after an update that did not end, `EIO` where ECC fails, `EBUSY` while an update
    /// goes on.
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
    /// Unmaps a LEB of a dynamic volume: it reads as 0xff, also after a power cut.
    ///
    /// # Errors
    /// Those of the kernel: `EROFS` for a static volume.
    fn unmap(&mut self, leb: u32) -> io::Result<()>;
    /// Changes a LEB of a dynamic volume as a whole: after a power cut it has the old content or the new. `bytes` are at
    /// most a LEB.
    ///
    /// # Errors
    /// Those of the kernel.
    fn change(&mut self, leb: u32, bytes: &[u8]) -> io::Result<()>;
    /// Begins an update of the whole volume with so many bytes; 0 wipes it and ends at once. From here on the volume cannot
    /// be read before all bytes have come.
    ///
    /// # Errors
    /// Those of the kernel: `EBUSY` while another user has the volume open, `EINVAL` if it is too small.
    fn begin_update(&mut self, bytes: u64) -> io::Result<()>;
    /// The next bytes of the update that was begun. The last one ends it.
    ///
    /// # Errors
    /// Those of the kernel.
    fn continue_update(&mut self, bytes: &[u8]) -> io::Result<()>;
}
