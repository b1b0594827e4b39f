//! An SBOM, as whatever built an image left it there; serde_json's own reader is the oracle.
#![no_main]

use komainu_core::advisory::sbom::{COMPONENTS_MAX, read};
use komainu_fuzz::tree;
use serde_json::Value;

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    tree::mutate(data, size, max_size, seed, 0)
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| match read(bytes) {
    Ok(components) => {
        assert!(components.len() <= COMPONENTS_MAX);
        // What is skipped may be deeper than the oracle goes, or hold numbers that it refuses.
        let Ok(whole) = serde_json::from_slice::<Value>(bytes) else { return };
        let mut names = Vec::new();
        collect(&whole, &mut names);
        let read: Vec<&str> = components.iter().map(|component| component.name.as_str()).collect();
        assert_eq!(read, names);
    }
    Err(fault) => assert!(!fault.is_empty()),
});

fn collect<'a>(within: &'a Value, names: &mut Vec<&'a str>) {
    for component in within["components"].as_array().into_iter().flatten() {
        if component["type"] != "file" {
            names.push(component["name"].as_str().expect("ours refuses any other"));
        }
        collect(component, names);
    }
}
