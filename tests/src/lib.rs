//! The whole.
#![forbid(unsafe_code)]
