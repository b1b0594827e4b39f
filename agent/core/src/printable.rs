//! Text from files, networks and keys on its way to a terminal or a log: escaped once, at the door where it is printed, so
//! that no name moves the cursor, hides a line or turns the order of letters. The escapes are those of JSON, so that JSON
//! stays JSON.

use alloc::string::String;
use core::fmt::Write;

/// Whether a letter does more than stand in its line: controls (C0, DEL, C1), line separators, and letters without a shape
/// that hide or turn others (bidirectional controls, zero-width letters, tags).
pub fn is_deceptive(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// One line: line ends are escaped as well. For names and for errors.
pub fn line(text: &str) -> String {
    escaped(text, "")
}

/// Text of several lines: its line ends and tabs stay.
pub fn lines(text: &str) -> String {
    escaped(text, "\n\t")
}

fn escaped(text: &str, stays: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if !is_deceptive(letter) || stays.contains(letter) {
            out.push(letter);
            continue;
        }
        for unit in letter.encode_utf16(&mut [0; 2]) {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_never_reach_a_terminal() {
        for (text, shown) in [
            ("\u{1b}[2Jgood", "\\u001b[2Jgood"),
            ("\u{9b}31m", "\\u009b31m"),
            ("a\r\u{7}\u{8}b\0\u{7f}", "a\\u000d\\u0007\\u0008b\\u0000\\u007f"),
            ("one\ntwo", "one\\u000atwo"),
            ("gate\u{202e}gpj", "gate\\u202egpj"),
            ("\u{2066}x\u{2069}\u{200f}", "\\u2066x\\u2069\\u200f"),
            ("a\u{200b}\u{feff}\u{2028}b", "a\\u200b\\ufeff\\u2028b"),
            ("\u{e0041}", "\\udb40\\udc41"),
            ("端末 – é ü \u{1f436} \\n \"x\"", "端末 – é ü \u{1f436} \\n \"x\""),
        ] {
            assert_eq!(line(text), shown);
            assert_eq!(line(&line(text)), shown, "escaped once");
        }
        assert_eq!(lines("a\n\tb\u{1b}\r\n"), "a\n\tb\\u001b\\u000d\n");
        let every = (0..=0x10_ffff).filter_map(char::from_u32).collect::<String>();
        assert!(!line(&every).chars().any(is_deceptive));
    }
}
