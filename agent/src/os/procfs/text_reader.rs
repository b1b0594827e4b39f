//! Reading what the kernel tells: small files in one piece, long ones line by line, both within bounds and into a buffer
//! that is used again. And making printable what strangers wrote there.

use komainu_core::fault::{Text, text};
use komainu_core::printable::is_deceptive;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

/// Most lines that are read of one file.
pub const LINES_MAX: usize = 16_384;

/// The longest line, in bytes; of a longer one only the beginning is seen. Small files are read up to here too.
pub const BUFFER_BYTES: usize = 8192;

/// Whether to read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Go {
    /// The next line, please.
    On,
    Stop,
}

/// The beginning of a small file, with one system call for reading: the kernel makes up such files whole.
///
/// # Errors
/// Those of the kernel.
pub fn beginning<'a>(path: &Path, buffer: &'a mut [u8]) -> std::io::Result<&'a [u8]> {
    let mut file = File::open(path)?;
    loop {
        match file.read(buffer) {
            Ok(count) => return Ok(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Hands out the lines one by one, without their ends. `true`: there was more than [`LINES_MAX`].
///
/// # Errors
/// Those of the reader; the lines before were handed out.
pub fn each_line(
    reader: &mut dyn Read,
    buffer: &mut [u8],
    each: &mut dyn FnMut(&[u8]) -> Go,
) -> std::io::Result<bool> {
    // The part of the buffer that is not handed out, and whether the rest of a line too long is passed over.
    let (mut kept, mut grants, mut lines) = (0, false, 0);
    loop {
        let count = match reader.read(&mut buffer[kept..]) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let filled = kept + count;
        let mut begin = 0;
        while let Some(length) = buffer[begin..filled].iter().position(|byte| *byte == b'\n') {
            let line = begin..begin + length;
            begin += length + 1;
            if std::mem::take(&mut grants) {
                continue;
            }
            if lines == LINES_MAX {
                return Ok(true);
            }
            lines += 1;
            if each(&buffer[line]) == Go::Stop {
                return Ok(false);
            }
        }
        if grants {
            begin = filled;
        }
        let is_full = begin == 0 && filled == buffer.len();
        if filled > begin && (count == 0 || is_full) {
            if lines == LINES_MAX {
                return Ok(true);
            }
            lines += 1;
            grants = is_full;
            if each(&buffer[begin..filled]) == Go::Stop {
                return Ok(false);
            }
            begin = filled;
        }
        if count == 0 {
            return Ok(false);
        }
        buffer.copy_within(begin..filled, 0);
        kept = filled - begin;
    }
}

/// Hands out the lines of a file one by one. `true`: there were more than [`LINES_MAX`]. A file that not every kernel has
/// is empty where it is absent.
///
/// # Errors
/// Path and cause.
pub fn read_lines(path: &str, buffer: &mut [u8], each: &mut dyn FnMut(&[u8]) -> Go) -> Result<bool, Text> {
    let told = |error: std::io::Error| text(format_args!("cannot read {path}: {error}"));
    let mut file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound && may_lack(path) => return Ok(false),
        other => other.map_err(told)?,
    };
    each_line(&mut file, buffer, each).map_err(told)
}

/// Kernels without IPv6, or without sockets for frames, do not have these. Without any other nothing is known.
fn may_lack(path: &str) -> bool {
    ["6", "/raw", "/packet"].iter().any(|ending| path.ends_with(ending))
}

/// Shows a stranger's text to people: at most `bytes_max`, without control characters and what turns the direction of
/// writing. Cut text ends with `…`, so that it can be no other name.
pub fn printable(bytes: &[u8], bytes_max: usize) -> String {
    const CUT: char = '…';
    // No more of it can be needed, and a megabyte of it need not be looked at.
    let seen = String::from_utf8_lossy(&bytes[..bytes.len().min(bytes_max)]);
    let shown = |letter: char| if is_harmless(letter) { letter } else { '?' };
    let mut text: String = seen.chars().map(shown).collect();
    if bytes.len() > bytes_max {
        while text.len() + CUT.len_utf8() > bytes_max && text.pop().is_some() {}
        text.push(CUT);
    }
    text
}

fn is_harmless(letter: char) -> bool {
    !is_deceptive(letter) && !matches!(letter, '\u{fffc}' | '\u{fffd}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8], buffer_bytes: usize) -> (Vec<Vec<u8>>, bool) {
        let (mut found, mut buffer) = (Vec::new(), vec![0; buffer_bytes]);
        let mut each = |line: &[u8]| {
            found.push(line.to_vec());
            Go::On
        };
        let cut_short = each_line(&mut { text }, &mut buffer, &mut each).unwrap();
        (found, cut_short)
    }

    #[test]
    fn lines_are_the_same_however_they_come() {
        for size in [8, 9, 100] {
            assert_eq!(lines(b"a\n\nbcd\ne", size).0, [&b"a"[..], b"", b"bcd", b"e"], "{size}");
            assert_eq!(lines(b"", size).0, [b""; 0]);
        }
        assert_eq!(lines(b"12345678901234567890\nb\n", 8).0, [&b"12345678"[..], b"b"]);
        assert_eq!(lines(b"12345678\nb", 8).0, [&b"12345678"[..], b"b"]);
        assert_eq!(lines(b"b\n123456789", 8).0, [&b"b"[..], b"12345678"]);
    }

    #[test]
    fn a_file_without_end_is_cut_short() {
        let (found, cut_short) = lines(&b"x\n".repeat(LINES_MAX + 3), 100);
        assert_eq!((found.len(), cut_short), (LINES_MAX, true));
        let (found, cut_short) = lines(&b"x\n".repeat(LINES_MAX), 100);
        assert_eq!((found.len(), cut_short), (LINES_MAX, false));
    }

    #[test]
    fn what_strangers_write_is_made_printable() {
        for (bytes, shown) in [
            (&b"dropbear"[..], "dropbear"),
            (b"a\nb\x1b[2J", "a?b?[2J"),
            (b"\xff\xfe", "??"),
            ("鬼瓦".as_bytes(), "鬼瓦"),
            ("\u{202e}exe".as_bytes(), "?exe"),
            (b"0123456789abcdef", "0123456789abcdef"),
            (b"0123456789abcdefg", "0123456789abc…"),
            (&[0xff; 16], "????????????????"),
            (&[0xff; 17], "?????????????…"),
        ] {
            assert_eq!(printable(bytes, 16), shown);
            assert!(shown.len() <= 16);
        }
    }
}
