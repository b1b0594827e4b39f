//! The proof that trusted keys signed some bytes. Only this crate can make one; the rest of the project takes no other
//! bytes.

use core::ops::Deref;

/// A value that came out of signed metadata, or whose hash and length signed metadata named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    pub(crate) fn new(value: T) -> Self {
        Verified(value)
    }

    /// A value that is computed from a verified value alone is verified too: parsing keeps the proof.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn map<U, E>(self, read: impl FnOnce(T) -> Result<U, E>) -> Result<Verified<U>, E> {
        read(self.0).map(Verified)
    }

    /// Gives up the proof and keeps the value.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}
