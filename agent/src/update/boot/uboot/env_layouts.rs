//! For the message only: whether a copy that is not valid would be valid with another size, number of copies or byte
//! order. Nothing is ever read or written by such a guess.

use super::env_image::{Endian, Format, crc32_of, crc32_with};

/// The most bytes of a copy that are looked at.
pub(super) const PEEK_BYTES: u32 = 256 * 1024;
/// Sizes of environments are multiples of this.
const STEP_BYTES: usize = 256;

/// The layout in which `bytes`, which begin where the copy does, would be valid; `None`: no layout that is known.
pub(super) fn guess(bytes: &[u8], size_bytes: u32, format: Format, endian: Endian) -> Option<String> {
    let copy = bytes.get(..size_bytes as usize).unwrap_or(bytes);
    if copy.iter().all(|byte| *byte == 0xff) || copy.iter().all(|byte| *byte == 0) {
        return Some("never saved: run `saveenv` once at the boot loader's prompt".into());
    }
    let found = [Format::Single, Format::Redundant].map(|format| valid_sizes(bytes, format));
    let of_format = |wanted| found.iter().flatten().filter(move |(format, ..)| *format == wanted);
    let other_format = if format == Format::Single { Format::Redundant } else { Format::Single };
    let lines = match other_format {
        Format::Redundant => "valid as one of a redundant pair: the second line is missing",
        Format::Single => "valid as a single copy: one line is expected",
    };
    let other_endian = match endian {
        Endian::Little => "big",
        Endian::Big => "little",
    };
    let mut all = of_format(format).chain(of_format(other_format));
    let (found_format, found_size, found_endian) = all.next()?;
    let mut said = Vec::new();
    if *found_format != format {
        said.push(lines.to_owned());
    }
    if *found_size != size_bytes as usize {
        said.push(format!("valid if the size were {found_size:#x}"));
    }
    if *found_endian != endian {
        said.push(format!("valid in {other_endian}-endian byte order: made for another CPU"));
    }
    Some(said.join(", and "))
}

/// The sizes, and byte orders, in which these bytes have the CRC that stands before them.
fn valid_sizes(bytes: &[u8], format: Format) -> Vec<(Format, usize, Endian)> {
    let (Some(stored), Some(data)) = (bytes.first_chunk(), bytes.get(format.header_bytes()..)) else {
        return Vec::new();
    };
    let orders = [(Endian::Little, u32::from_le_bytes(*stored)), (Endian::Big, u32::from_be_bytes(*stored))];
    let (mut state, mut done, mut found) = (crc32_of(&[]), 0, Vec::new());
    for size in (STEP_BYTES..=bytes.len()).step_by(STEP_BYTES) {
        let to = size - format.header_bytes();
        state = crc32_with(state, &data[done..to]);
        done = to;
        for (endian, stored) in orders {
            if state == stored {
                found.push((format, size, endian));
            }
        }
    }
    found
}
