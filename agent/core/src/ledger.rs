//! Ledgers: the small text files that must outlast restarts. A first line names the format; then come lines that a person
//! can read; the last line is a checksum of all before it. A ledger that a power cut tore, or that flash spoilt, is
//! refused whole.

use crate::identifiers::Digest64;
use alloc::string::String;
use core::fmt::Write;

/// The text of a ledger. Each of `lines` ends with a line end.
pub fn seal(format: &str, lines: &str) -> String {
    let mut text = String::with_capacity(format.len() + lines.len() + 32);
    text.push_str(format);
    text.push('\n');
    text.push_str(lines);
    let check = Digest64::of(text.as_bytes());
    // Writing to a string does not fail.
    let _ = writeln!(text, "check {check}");
    text
}

/// The lines between the first one and the checksum.
///
/// # Errors
/// A part of a sentence about the ledger: it is damaged, or of another format.
pub fn open<'a>(format: &str, text: &'a str) -> Result<core::str::Lines<'a>, &'static str> {
    let at = text.rfind("\ncheck ").ok_or("it has no checksum")? + 1;
    let (sealed, check) = text.split_at(at);
    let right =
        check.strip_prefix("check ").and_then(|check| check.strip_suffix('\n')).and_then(Digest64::parse);
    if right != Some(Digest64::of(sealed.as_bytes())) {
        return Err("its checksum is wrong");
    }
    let mut lines = sealed.lines();
    if lines.next() != Some(format) { Err("its first line is of another format") } else { Ok(lines) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn a_ledger_is_opened_as_it_was_sealed() {
        for lines in ["", "check 1\n", "one\n\ntwo\n"] {
            let text = seal("test 1", lines);
            assert_eq!(open("test 1", &text).unwrap().collect::<Vec<_>>(), lines.lines().collect::<Vec<_>>());
            assert!(open("test 2", &text).is_err());
        }
    }

    #[test]
    fn a_torn_or_flipped_ledger_is_refused() {
        let text = seal("test 1", "one\ntwo\n");
        for at in 0..text.len() {
            assert!(open("test 1", &text[..at]).is_err(), "cut at {at}");
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            assert!(open("test 1", &String::from_utf8(bytes).unwrap()).is_err(), "flipped at {at}");
        }
    }
}
