//! Reading one foreign file by its path, with an error of the kind that the standard library has. Everything else about such
//! files is in [`crate::os::foreign_file`].

pub use crate::os::foreign_file::{Foreign, Stamp, stamp};

use crate::os::foreign_file;
use std::io;
use std::path::Path;

/// Reads a regular file, following only links that root made, as far as `bytes_max`; `None` where there is none.
///
/// # Errors
/// The component at which the way there ended, and why.
pub fn read(path: &Path, bytes_max: u64) -> io::Result<Option<Foreign>> {
    foreign_file::read(path, bytes_max).map_err(|why| io::Error::other(why.to_string()))
}
