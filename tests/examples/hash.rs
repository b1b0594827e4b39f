//! Hashes as many bytes as it is told: what `tests/bench/run hash` counts the instructions of.
#![forbid(unsafe_code)]

use sha2::{Digest, Sha256};

fn main() {
    let bytes: usize = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    println!("{:02x?}", Sha256::digest(vec![0xa5; bytes])[0]);
}
