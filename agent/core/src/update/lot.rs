//! Lots: numbers that follow from a device's id, so that a fleet is spread and the same device always has the same answer.

use sha2::{Digest, Sha256};

/// A number from 0 to `below - 1` that follows from the device's id and the purpose. 0 if `below` is 0.
pub fn lot(device_id: &str, what_for: &str, below: u64) -> u64 {
    let mut hash = Sha256::new();
    hash.update(device_id.as_bytes());
    hash.update([0]);
    hash.update(what_for.as_bytes());
    let digest = hash.finalize();
    let drawn = digest.iter().take(8).fold(0, |sum: u64, &byte| sum << 8 | u64::from(byte));
    drawn.checked_rem(below).unwrap_or(0)
}
