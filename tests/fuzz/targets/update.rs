//! Several refreshes of a device from servers that do as they like: see `update`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| komainu_fuzz::update::run(bytes));
