//! Release side.
#![forbid(unsafe_code)]
fn main() {}
