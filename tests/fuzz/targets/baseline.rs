//! What is remembered of guarded files, as the flash gives it back. First byte: whether the checksum is put right first.
#![no_main]

use komainu_core::identifiers::Digest64;
use komainu_core::wall::judge::integrity::{BASELINE_BYTES_MAX, Baseline, Found, ITEMS_MAX, Owner, Verdict, verdict};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((mode, lines)) = bytes.split_first() else { return };
    let mut text = String::from_utf8_lossy(lines).into_owned();
    if mode & 1 == 1 {
        let check = Digest64::of(text.as_bytes());
        text.push_str(&format!("check {check}\n"));
    }
    match Baseline::read(&text) {
        Ok(baseline) => {
            assert!(baseline.kept.len() <= ITEMS_MAX);
            let written = baseline.write();
            assert!(written.len() <= BASELINE_BYTES_MAX, "{} bytes", written.len());
            assert_eq!(Baseline::read(&written).as_ref(), Ok(&baseline), "{text}");
            for kept in &baseline.kept {
                let found = Found { path: kept.path.clone(), below: None, mark: kept.mark.clone() };
                assert_eq!(verdict(&found, &baseline, Owner::Away, false), Verdict::Same);
            }
        }
        Err(why) => assert!(!why.is_empty()),
    }
});
