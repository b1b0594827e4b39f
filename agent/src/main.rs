//! The device binary.
fn main() {}
