//! A refresh in which a delegated role comes from the fuzzer: see `one_refresh`.
#![no_main]

use komainu_fuzz::one_refresh::{Fuzzed, check};
use komainu_fuzz::tree;

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    tree::mutate(data, size, max_size, seed, 1)
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(Fuzzed::Delegated, bytes));
