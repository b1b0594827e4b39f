//! The carrier: it brings the bytes of a repository. TUF decides whether they are good, for every carrier alike.

use komainu_core::device::{Fetched, Folder};
use komainu_core::fault::FetchFault;

/// One way to bring the bytes.
pub trait Source {
    /// Fetches a small file whole, at most `bytes_max`; conditionally, if a validator is given.
    ///
    /// # Errors
    /// The cause of the failed fetch.
    fn small(
        &mut self,
        folder: Folder,
        path: &str,
        bytes_max: u64,
        validator: Option<&str>,
    ) -> Result<Fetched, FetchFault>;
    /// Fills the buffer with bytes of a target of `total_bytes`, from `offset` on; returns the number of bytes that
    /// came.
    ///
    /// # Errors
    /// The reason why no byte came.
    fn piece(
        &mut self,
        path: &str,
        offset: u64,
        total_bytes: u64,
        buffer: &mut [u8],
    ) -> Result<usize, FetchFault>;
}
