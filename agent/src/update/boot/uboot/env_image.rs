//! One copy of the environment as bytes: decoding, encoding, and which of two copies counts. No IO here.
//! A copy whose CRC is wrong has a state but never variables: U-Boot would run on its built-in defaults then.

use super::variables::Variables;
use std::fmt;

/// A copy smaller than this holds nothing useful.
pub const SIZE_BYTES_MIN: u32 = 16;
/// No board in the field has more than 256 KiB; the bound keeps a wrong config from filling the RAM.
pub const SIZE_BYTES_MAX: u32 = 1 << 20;

const CRC_BYTES: usize = 4;

/// Byte order of the stored CRC: that of the CPU that runs U-Boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endian {
    /// ARM, mipsel, x86.
    Little,
    /// Most MIPS routers.
    Big,
}

impl Endian {
    /// The byte order of the CPU this program was built for.
    pub const fn of_this_cpu() -> Endian {
        if cfg!(target_endian = "big") { Endian::Big } else { Endian::Little }
    }
}

/// The header in front of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `crc (4 bytes) | data`
    Single,
    /// `crc (4 bytes) | flags (1 byte) | data`
    Redundant,
}

impl Format {
    pub(super) const fn header_bytes(self) -> usize {
        match self {
            Format::Single => CRC_BYTES,
            Format::Redundant => CRC_BYTES + 1,
        }
    }
}

/// The state of one copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Image {
    /// The CRC is right.
    Valid {
        /// The serial number of a redundant copy; 0 in a single one. The CRC does not cover it.
        flags: u8,
        /// The content of the copy.
        variables: Variables,
    },
    /// The CRC is wrong: never written, torn, or of another byte order.
    CrcBad {
        /// The CRC in the header.
        stored: u32,
        /// The CRC of the data.
        computed: u32,
    },
}

/// Why a copy cannot be decoded or encoded at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageFault {
    /// Not within [`SIZE_BYTES_MIN`] and [`SIZE_BYTES_MAX`].
    Size {
        /// The size that was asked for.
        bytes: u64,
    },
    /// The variables do not fit.
    TooFull {
        /// The bytes of the variables, with their end mark.
        needed_bytes: u64,
        /// The bytes behind the header.
        available_bytes: u64,
    },
}

impl fmt::Display for ImageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImageFault::Size { bytes } => {
                write!(
                    f,
                    "an environment of {bytes} bytes; {SIZE_BYTES_MIN} to {SIZE_BYTES_MAX} are expected"
                )
            }
            ImageFault::TooFull { needed_bytes, available_bytes } => {
                write!(f, "environment too full: {needed_bytes} bytes needed, {available_bytes} available")
            }
        }
    }
}

/// Decodes one copy, given whole.
///
/// # Errors
/// The size is out of bounds. A wrong CRC is a state, not an error.
pub fn decode(copy: &[u8], format: Format, endian: Endian) -> Result<Image, ImageFault> {
    check_size(copy.len() as u64)?;
    let (header, data) = copy.split_at(format.header_bytes());
    let crc: [u8; CRC_BYTES] = std::array::from_fn(|index| header[index]);
    let stored = match endian {
        Endian::Little => u32::from_le_bytes(crc),
        Endian::Big => u32::from_be_bytes(crc),
    };
    let computed = crc32_of(data);
    if stored != computed {
        return Ok(Image::CrcBad { stored, computed });
    }
    let flags = header.get(CRC_BYTES).copied().unwrap_or_default();
    Ok(Image::Valid { flags, variables: Variables::from_area(data) })
}

/// Encodes one copy of `size_bytes` in all; zeros fill the space behind the variables, as U-Boot does it.
/// `flags` has no place in a single copy.
///
/// # Errors
/// The size is out of bounds, or the variables do not fit.
pub fn encode(
    variables: &Variables,
    flags: u8,
    size_bytes: u32,
    format: Format,
    endian: Endian,
) -> Result<Vec<u8>, ImageFault> {
    check_size(size_bytes.into())?;
    let size = usize::try_from(size_bytes).expect("checked against SIZE_BYTES_MAX");
    let (entries, available) = (variables.as_bytes(), size - format.header_bytes());
    let needed = entries.len() + 1;
    if needed > available {
        return Err(ImageFault::TooFull { needed_bytes: needed as u64, available_bytes: available as u64 });
    }
    let mut copy = vec![0; size];
    let (header, data) = copy.split_at_mut(format.header_bytes());
    data[..entries.len()].copy_from_slice(entries);
    let crc = crc32_of(data);
    header[..CRC_BYTES].copy_from_slice(&match endian {
        Endian::Little => crc.to_le_bytes(),
        Endian::Big => crc.to_be_bytes(),
    });
    if let Some(byte) = header.get_mut(CRC_BYTES) {
        *byte = flags;
    }
    Ok(copy)
}

/// One of a redundant pair, in the order of `fw_env.config`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The first line.
    First,
    /// The second line.
    Second,
}

impl Which {
    /// The other copy.
    pub fn other(self) -> Which {
        match self {
            Which::First => Which::Second,
            Which::Second => Which::First,
        }
    }
}

/// The valid copy that was written last, by the flags of both. These count up with each write and 0 follows 255;
/// there is no wrap at any other place. Equal ones should not happen; U-Boot takes the first then.
pub fn newer(first: u8, second: u8) -> Which {
    match (first, second) {
        (255, 0) => Which::Second,
        (0, 255) => Which::First,
        (first, second) if second > first => Which::Second,
        _ => Which::First,
    }
}

pub(super) fn check_size(bytes: u64) -> Result<(), ImageFault> {
    let bounds = u64::from(SIZE_BYTES_MIN)..=u64::from(SIZE_BYTES_MAX);
    if bounds.contains(&bytes) { Ok(()) } else { Err(ImageFault::Size { bytes }) }
}

/// CRC-32 as in zlib and U-Boot.
pub(super) fn crc32_of(bytes: &[u8]) -> u32 {
    crc32_with(0, bytes)
}

/// The CRC-32 of more bytes behind those with this CRC. Four bits at a time: 64 bytes of table instead of 1024, and an
/// environment is small.
pub(super) fn crc32_with(before: u32, bytes: &[u8]) -> u32 {
    const TABLE: [u32; 16] = {
        let mut table = [0; 16];
        let mut index = 0;
        while index < 16 {
            let (mut value, mut bit) = (index as u32, 0);
            while bit < 4 {
                value = if value & 1 == 1 { value >> 1 ^ 0xedb8_8320 } else { value >> 1 };
                bit += 1;
            }
            table[index] = value;
            index += 1;
        }
        table
    };
    let mut crc = !before;
    for byte in bytes {
        crc ^= u32::from(*byte);
        crc = TABLE[(crc & 15) as usize] ^ crc >> 4;
        crc = TABLE[(crc & 15) as usize] ^ crc >> 4;
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(area: &[u8]) -> Variables {
        Variables::from_area(area)
    }

    #[test]
    fn the_crc_is_that_of_zlib() {
        assert_eq!(crc32_of(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32_of(b""), 0);
    }

    #[test]
    fn every_format_in_both_byte_orders_comes_back_as_it_went_in() {
        let area = variables(b"bootcmd=run x\0odd=\xff\xc0\0");
        for endian in [Endian::Little, Endian::Big] {
            for (format, flags) in [(Format::Single, 0), (Format::Redundant, 200)] {
                let copy = encode(&area, flags, 64, format, endian).unwrap();
                assert_eq!(copy.len(), 64);
                let decoded = decode(&copy, format, endian).unwrap();
                assert_eq!(decoded, Image::Valid { flags, variables: area.clone() });
                let other = if endian == Endian::Little { Endian::Big } else { Endian::Little };
                assert!(matches!(decode(&copy, format, other).unwrap(), Image::CrcBad { .. }));
            }
        }
    }

    #[test]
    fn the_stored_bytes_are_those_of_the_format() {
        let crc = crc32_of(b"a=1\0\0\0\0\0\0\0\0");
        let copy = encode(&variables(b"a=1\0"), 7, 16, Format::Redundant, Endian::Big).unwrap();
        assert_eq!(copy, [&crc.to_be_bytes()[..], b"\x07a=1\0\0\0\0\0\0\0\0"].concat());
    }

    #[test]
    fn padding_may_hold_anything_as_long_as_the_crc_covers_it() {
        let mut copy = [&[0; 4][..], b"a=1\0\0\xff\xffstale=1\0"].concat();
        let crc = crc32_of(&copy[4..]);
        copy[..4].copy_from_slice(&crc.to_le_bytes());
        let decoded = decode(&copy, Format::Single, Endian::Little).unwrap();
        assert_eq!(decoded, Image::Valid { flags: 0, variables: variables(b"a=1\0") });
    }

    #[test]
    fn a_torn_or_never_written_copy_has_no_variables() {
        let old = encode(&variables(b"a=old\0"), 1, 64, Format::Redundant, Endian::Little).unwrap();
        let new = encode(&variables(b"a=new\0"), 2, 64, Format::Redundant, Endian::Little).unwrap();
        for written in 1..10 {
            let torn = [&new[..written], &old[written..]].concat();
            let image = decode(&torn, Format::Redundant, Endian::Little).unwrap();
            assert!(matches!(image, Image::CrcBad { .. }), "torn after {written} bytes");
        }
        assert!(matches!(decode(&[0xff; 64], Format::Redundant, Endian::Little), Ok(Image::CrcBad { .. })));
        assert!(matches!(decode(&[0; 64], Format::Redundant, Endian::Big), Ok(Image::CrcBad { .. })));
    }

    #[test]
    fn an_empty_environment_is_valid_and_empty() {
        let copy = encode(&Variables::default(), 0, 16, Format::Single, Endian::Big).unwrap();
        assert_eq!(
            decode(&copy, Format::Single, Endian::Big),
            Ok(Image::Valid { flags: 0, variables: variables(b"") })
        );
    }

    #[test]
    fn a_full_environment_fits_to_the_last_byte_and_not_beyond() {
        let fits = variables(b"name=12345\0");
        let over = variables(b"name=123456\0");
        assert!(encode(&fits, 0, 16, Format::Single, Endian::Little).is_ok());
        let fault = encode(&over, 0, 16, Format::Single, Endian::Little).expect_err("one byte too many");
        assert_eq!(fault, ImageFault::TooFull { needed_bytes: 13, available_bytes: 12 });
        assert_eq!(fault.to_string(), "environment too full: 13 bytes needed, 12 available");
        let fault = encode(&fits, 0, 16, Format::Redundant, Endian::Little);
        assert_eq!(fault, Err(ImageFault::TooFull { needed_bytes: 12, available_bytes: 11 }));
    }

    #[test]
    fn a_size_out_of_bounds_is_refused() {
        assert_eq!(decode(&[0; 15], Format::Single, Endian::Little), Err(ImageFault::Size { bytes: 15 }));
        let over = SIZE_BYTES_MAX + 1;
        let fault = encode(&Variables::default(), 0, over, Format::Single, Endian::Little);
        assert_eq!(fault, Err(ImageFault::Size { bytes: over.into() }));
    }

    #[test]
    fn of_two_valid_copies_the_one_written_last_counts() {
        use Which::{First, Second};
        let table = [
            (1, 2, Second),
            (2, 1, First),
            (254, 255, Second),
            (255, 0, Second),
            (0, 255, First),
            (0, 1, Second),
            (127, 128, Second),
            (1, 255, Second),
            (7, 7, First),
        ];
        for (first, second, expected) in table {
            assert_eq!(newer(first, second), expected, "{first} {second}");
        }
    }
}
