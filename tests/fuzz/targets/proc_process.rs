//! What `/proc/PID` says of one process: a stranger's name changes nothing that the kernel says behind it, and what is told
//! to people is short and printable.
#![no_main]

use komainu_agent::linux::look::lines::printable;
use komainu_agent::linux::look::{held, process};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(stat) = process::stat(bytes) {
        let _ = (stat.is_kernels(), stat.is_over(), stat.is_zombie());
    }
    // As the kernel writes it around any name of at most 15 bytes.
    let name = &bytes[..bytes.len().min(15)];
    let line = [b"77 (", name, b") S 5 7 7 0 -1 4194560 10 0 0 0 1 2 3 4 20 0 3 0 123456789 99 1"].concat();
    let stat = process::stat(&line).expect("the kernel's own");
    assert_eq!((stat.name, stat.parent, stat.started, stat.threads), (name, 5, 123_456_789, 3));
    assert!(!stat.is_kernels() && !stat.is_over());

    let _ = process::effective_user(bytes);
    let _ = held::opens_for_writing(bytes);
    if let Some(number) = held::socket_number(bytes) {
        let digits = number.to_string();
        assert!(bytes.ends_with([digits.as_bytes(), b"]"].concat().as_slice()));
    }
    let (first, second) = process::first_words(bytes);
    for (text, bytes_max) in
        [(first, 64), (second, 64), (printable(bytes, 48), 48), (printable(bytes, 4096), 4096)]
    {
        assert!(text.len() <= bytes_max, "{} bytes", text.len());
        assert!(!text.chars().any(char::is_control), "{text:?}");
        // Said again it is the same: it can be compared.
        assert_eq!(printable(text.as_bytes(), bytes_max), text);
    }
});
