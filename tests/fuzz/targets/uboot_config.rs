//! `fw_env.config`, as some firmware has it.
#![no_main]

use komainu_agent::update::boot::uboot::env_config::{Config, Location};
use std::path::Path;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let text = &*String::from_utf8_lossy(bytes);
    let file = Path::new("fw_env.config");
    match Config::parse(file, text) {
        Ok(config) => {
            let locations = match &config {
                Config::Single(one) => vec![one],
                Config::Redundant([first, second]) => {
                    assert_eq!(first.size_bytes, second.size_bytes, "two copies, one size");
                    vec![first, second]
                }
            };
            let lines: Vec<String> = locations.into_iter().map(line).collect();
            assert_eq!(Config::parse(file, &lines.concat()).ok(), Some(config), "{lines:?}");
        }
        Err(fault) => assert!(fault.to_string().starts_with("fw_env.config"), "{fault}"),
    }
});

fn line(location: &Location) -> String {
    assert!(location.path.is_absolute());
    assert!((16..=1 << 20).contains(&location.size_bytes));
    let (path, offset, size) = (location.path.display(), location.offset, location.size_bytes);
    let [sector, sectors] = [location.sector_bytes, location.sectors].map(Option::unwrap_or_default);
    format!("{path} {offset} {size:#x} {sector:#x} {sectors:#x}\n")
}
