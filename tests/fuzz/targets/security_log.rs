//! The security log, as the flash gives it back.
#![no_main]

use komainu_agent::wall::security_log::{LINE_BYTES_MAX, last_lines};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let all = last_lines(bytes, usize::MAX);
    for line in &all {
        assert!(!line.is_empty() && line.len() < LINE_BYTES_MAX && !line.chars().any(char::is_control));
    }
    for most in [0, 1.min(all.len()), all.len() / 2, all.len()] {
        assert_eq!(last_lines(bytes, most), all[all.len() - most..]);
    }
    // What is read is read again as it was, whatever a power cut tears behind it.
    let mut written: String = all.iter().map(|line| format!("{line}\n")).collect();
    written.push_str("torn");
    assert_eq!(last_lines(written.as_bytes(), usize::MAX), all);
});
