//! The settings file, held against the `toml` crate: what ours takes means the same to it.
#![no_main]

use komainu_agent::config::settings::DeviceSettings;
use komainu_agent::config::toml::reader as ours;
use komainu_agent::config::toml::table::Table;
use std::ops::RangeInclusive;
use toml::Value;

const ANY: RangeInclusive<i64> = i64::MIN..=i64::MAX;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let text = &*String::from_utf8_lossy(bytes);
    match ours::parse(text) {
        Ok(table) => {
            let theirs: toml::Table = text.parse().expect("what ours takes, the toml crate takes");
            same(table, &theirs);
        }
        Err(fault) => {
            assert!(!fault.sentence.is_empty());
            assert!(fault.line as usize <= text.split('\n').count() + 1, "{fault}");
        }
    }
    // `id_file` names a file to read: none of this machine's.
    if !text.contains("id_file") {
        match DeviceSettings::read(text) {
            Ok(device) => {
                assert!((1..=8).contains(&device.parts.len()));
                for url in [&device.server.metadata_url, &device.server.targets_url] {
                    assert!(url.path.ends_with('/') && !url.path.contains(['?', '#']) && !url.host.is_empty());
                }
                assert_ne!(device.boot.profile.slots[0], device.boot.profile.slots[1]);
            }
            Err(fault) => assert!(!fault.to_string().is_empty()),
        }
    }
});

/// Every value of theirs is ours, and ours has no other.
fn same(mut ours: Table, theirs: &toml::Table) {
    for (key, value) in theirs {
        match value {
            Value::String(text) => assert_eq!(ours.required_string(key).as_ref(), Ok(text)),
            Value::Integer(number) => assert_eq!(ours.required_integer(key, ANY), Ok(*number)),
            Value::Boolean(truth) => assert_eq!(ours.boolean(key), Ok(Some(*truth))),
            Value::Table(table) => same(ours.take_table(key).expect("a table"), table),
            Value::Array(items) => same_items(&mut ours, key, items),
            Value::Float(_) | Value::Datetime(_) => panic!("{key}: ours has no such kind"),
        }
    }
    assert_eq!(ours.finish(), Ok(()));
}

fn same_items(ours: &mut Table, key: &str, theirs: &[Value]) {
    match theirs.first() {
        Some(Value::Table(_)) => {
            let tables = ours.take_tables(key).expect("tables");
            assert_eq!(tables.len(), theirs.len());
            for (table, value) in tables.into_iter().zip(theirs) {
                same(table, value.as_table().expect("all of one kind"));
            }
        }
        Some(Value::Integer(_)) => {
            let numbers = theirs.iter().map(|value| value.as_integer().expect("all of one kind")).collect();
            assert_eq!(ours.integers(key, ANY), Ok(Some(numbers)));
        }
        _ => {
            let texts =
                theirs.iter().map(|value| value.as_str().expect("all of one kind").to_owned()).collect();
            assert_eq!(ours.strings(key), Ok(Some(texts)));
        }
    }
}
