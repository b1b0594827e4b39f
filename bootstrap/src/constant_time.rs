//! Comparison of secrets in constant time: its duration does not show where they differ.

/// Whether both are the same. Only the length may show.
pub fn equal(one: &[u8], other: &[u8]) -> bool {
    let differ = one.iter().zip(other).fold(0, |differ, (a, b)| differ | (a ^ b));
    one.len() == other.len() && differ == 0
}
