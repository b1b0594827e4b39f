//! What `/proc/PID` says of one process: a stranger's name changes nothing that the kernel says behind it, and what is told
//! to people is short and printable.
#![no_main]

use komainu_agent::os::procfs::text_reader::printable;
use komainu_agent::wall::scan::open_files;
use komainu_agent::os::procfs::process_files;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(stat) = process_files::stat(bytes) {
        let _ = (stat.is_kernels(), stat.is_over(), stat.is_zombie());
    }
    // As the kernel writes it around any name of at most 15 bytes.
    let name = &bytes[..bytes.len().min(15)];
    let line = [b"77 (", name, b") S 5 7 7 0 -1 4194560 10 0 0 0 1 2 3 4 20 0 3 0 123456789 99 1"].concat();
    let stat = process_files::stat(&line).expect("the kernel's own");
    assert_eq!((stat.name, stat.parent, stat.started, stat.threads), (name, 5, 123_456_789, 3));
    assert!(!stat.is_kernels() && !stat.is_over());

    let _ = process_files::effective_user(bytes);
    let _ = open_files::opens_for_writing(bytes);
    if let Some(number) = open_files::socket_number(bytes) {
        let digits = number.to_string();
        assert!(bytes.ends_with([digits.as_bytes(), b"]"].concat().as_slice()));
    }
    let (first, second) = process_files::first_words(bytes);
    for (text, bytes_max) in
        [(first, 64), (second, 64), (printable(bytes, 48), 48), (printable(bytes, 4096), 4096)]
    {
        assert!(text.len() <= bytes_max, "{} bytes", text.len());
        assert!(!text.chars().any(char::is_control), "{text:?}");
        // Said again it is the same: it can be compared.
        assert_eq!(printable(text.as_bytes(), bytes_max), text);
    }
});
