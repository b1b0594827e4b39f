//! The record, as the flash gives it back. First byte: whether the checksum is put right first, for no fuzzer finds it.
#![no_main]

use komainu_core::update::record::{FAILURES_MAX, RECORD_BYTES_MAX, Record};
use komainu_trust::hex;
use sha2::{Digest, Sha256};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((mode, lines)) = bytes.split_first() else { return };
    let mut text = String::from_utf8_lossy(lines).into_owned();
    if mode & 1 == 1 {
        let check = hex::encode(&Sha256::digest(text.as_bytes())[..8]);
        text.push_str(&format!("check {check}\n"));
    }
    match Record::read(&text) {
        Ok(record) => {
            let written = record.write();
            assert!(written.len() <= RECORD_BYTES_MAX, "{} bytes", written.len());
            assert_eq!(Record::read(&written), Ok(record), "{text}");
        }
        Err(why) => assert!(!why.is_empty()),
    }
    counting(bytes);
});

/// Failures are counted, whatever their number; nothing grows.
fn counting(bytes: &[u8]) {
    let mut record = Record::first(komainu_core::identifiers::Slot::A, None);
    for pair in bytes.chunks_exact(2).take(64) {
        let (release, times) = (u64::from(pair[0]), pair[1]);
        let before = record.times_failed(release);
        record.count_failure(release, times);
        assert_eq!(record.times_failed(release), before.saturating_add(times));
        assert!(record.failures.len() <= FAILURES_MAX);
    }
    assert_eq!(Record::read(&record.write()), Ok(record));
}
