//! The carrier: what brings the bytes of a repository. TUF decides what they are worth, whatever brought them.

use komainu_core::device::{Fetched, Folder};
use komainu_core::fault::FetchFault;

/// One way to bring the bytes.
pub trait Source {
    /// Fetches a small file whole, at most `bytes_max`; conditionally, if a validator is given.
    ///
    /// # Errors
    /// Why it could not be had.
    fn small(
        &mut self,
        folder: Folder,
        path: &str,
        bytes_max: u64,
        validator: Option<&str>,
    ) -> Result<Fetched, FetchFault>;
    /// Fills the buffer with bytes of a target of `total_bytes`, from `offset` on; returns how many came.
    ///
    /// # Errors
    /// Why none could be had.
    fn piece(
        &mut self,
        path: &str,
        offset: u64,
        total_bytes: u64,
        buffer: &mut [u8],
    ) -> Result<usize, FetchFault>;
}
