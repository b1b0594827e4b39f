//! The error that says that a token is not connected.

use std::fmt;

/// The token, or its software, is not here. Another key may do.
#[derive(Debug)]
pub struct Absent(pub String);

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Absent {}
