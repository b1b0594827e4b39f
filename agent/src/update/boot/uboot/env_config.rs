//! Reads `fw_env.config`: where the copies of the environment lie. Parses only; whether the places exist and
//! are large enough is found out by [`Environment::open`](super::environment::Environment::open).

use super::env_image::{SIZE_BYTES_MAX, SIZE_BYTES_MIN};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A `fw_env.config` larger than this is not one.
const FILE_BYTES_MAX: u64 = 16 * 1024;

/// Where the environment lies: one line of `fw_env.config` is a single copy, two lines are a redundant pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Config {
    /// One copy. Writing it is not safe against a power cut.
    Single(Location),
    /// Two copies of the same size; each write replaces the older one.
    Redundant([Location; 2]),
}

/// One line of `fw_env.config`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// A plain file, a block device, an MTD part, or a UBI volume (`/dev/ubi0:env`).
    pub path: PathBuf,
    /// Bytes from its start, or, when negative, from its end.
    pub offset: i64,
    /// Size of this copy in bytes, with its CRC and flags; within [`SIZE_BYTES_MIN`] and [`SIZE_BYTES_MAX`].
    pub size_bytes: u32,
    /// Bytes of a sector, if they are given; raw flash knows its own.
    pub sector_bytes: Option<u32>,
    /// Sectors in which the copy may lie: on NAND it needs more where blocks are bad.
    pub sectors: Option<u32>,
}

/// The kind of medium, by the name of its device, as the tools tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// A plain file or a block device.
    File,
    Mtd,
    Ubi,
}

impl Location {
    /// The kind of medium.
    pub fn medium(&self) -> Medium {
        let is = |prefix: &str| self.path.as_os_str().as_encoded_bytes().starts_with(prefix.as_bytes());
        if is("/dev/ubi") && !is("/dev/ubiblock") {
            Medium::Ubi
        } else if is("/dev/mtd") && !is("/dev/mtdblock") {
            Medium::Mtd
        } else {
            Medium::File
        }
    }
}

/// Why a `fw_env.config` was refused. `line` 0 means the file as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFault {
    /// The file, as it was named by the caller.
    pub file: PathBuf,
    /// Counted from 1.
    pub line: u32,
    /// The field, and the value that is expected there.
    pub sentence: String,
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file.display(), self.sentence),
            line => write!(f, "{} line {line}: {}", self.file.display(), self.sentence),
        }
    }
}

impl std::error::Error for ConfigFault {}

impl Config {
    /// Reads and parses a file, usually `/etc/fw_env.config`.
    ///
    /// # Errors
    /// The file cannot be read, is not text, is over 16 KiB, or [`Config::parse`] refuses it.
    pub fn load(file: &Path) -> Result<Config, ConfigFault> {
        let whole = |sentence: String| ConfigFault { file: file.to_owned(), line: 0, sentence };
        let mut text = String::new();
        let opened = File::open(file).map_err(|cause| whole(format!("cannot open: {cause}")))?;
        let limited = opened.take(FILE_BYTES_MAX + 1).read_to_string(&mut text);
        let bytes = limited.map_err(|cause| whole(format!("cannot read as text: {cause}")))?;
        if u64::try_from(bytes).map_or(true, |bytes| bytes > FILE_BYTES_MAX) {
            return Err(whole(format!("larger than {FILE_BYTES_MAX} bytes")));
        }
        Config::parse(file, &text)
    }

    /// Parses the text of `file`; the path appears only in errors.
    ///
    /// # Errors
    /// No line or more than two; a field that is missing, superfluous or not a number; a kind of device that
    /// this version does not handle; a size out of bounds; two copies of different size.
    pub fn parse(file: &Path, text: &str) -> Result<Config, ConfigFault> {
        let fault = |line: u32, sentence: String| ConfigFault { file: file.to_owned(), line, sentence };
        let mut locations: Vec<(u32, Location)> = Vec::new();
        for (number, line) in (1u32..).zip(text.lines()) {
            let line = line.split('#').next().unwrap_or_default();
            let fields: Vec<&str> = line.split_whitespace().collect();
            if fields.is_empty() {
                continue;
            }
            if locations.len() == 2 {
                return Err(fault(number, "a third copy; one line or two are expected".into()));
            }
            locations.push((number, location(&fields).map_err(|sentence| fault(number, sentence))?));
        }
        let mut locations = locations.into_iter();
        match (locations.next(), locations.next()) {
            (None, _) => Err(fault(0, "names no environment; `device offset env_size` is expected".into())),
            (Some((_, only)), None) => Ok(Config::Single(only)),
            (Some((_, first)), Some((line, second))) if first.size_bytes != second.size_bytes => {
                let (one, two) = (first.size_bytes, second.size_bytes);
                Err(fault(
                    line,
                    format!("env_size is {two:#x}; that of the first copy, {one:#x}, is expected"),
                ))
            }
            (Some((_, first)), Some((_, second))) => Ok(Config::Redundant([first, second])),
        }
    }
}

fn location(fields: &[&str]) -> Result<Location, String> {
    let [device, offset, size, rest @ ..] = fields else {
        return Err("too few fields; `device offset env_size` is expected".into());
    };
    if !device.starts_with('/') {
        return Err(format!("device `{device}` is not an absolute path"));
    }
    let offset_read = offset_number(offset)
        .ok_or_else(|| format!("offset `{offset}`: a decimal or 0x number of bytes is expected"))?;
    let size_bytes = size_number(size).ok_or_else(|| {
        format!(
            "env_size `{size}`: a number with 0x is expected (the U-Boot tools read it as hexadecimal anyway)"
        )
    })?;
    let size_bytes = u32::try_from(size_bytes)
        .ok()
        .filter(|bytes| (SIZE_BYTES_MIN..=SIZE_BYTES_MAX).contains(bytes))
        .ok_or_else(|| {
            format!("env_size `{size}`: {SIZE_BYTES_MIN:#x} to {SIZE_BYTES_MAX:#x} bytes are expected")
        })?;
    // The tools read these as hexadecimal, too. The lock is always taken.
    let mut numbers = [None; 3];
    let names = ["flash_sector_size", "num_sectors", "disable_lock"];
    for (index, field) in rest.iter().enumerate() {
        let Some(name) = names.get(index) else {
            return Err(format!("field {} `{field}`: nothing is expected after disable_lock", index + 4));
        };
        let digits = field.strip_prefix("0x").unwrap_or(field);
        let number = Some(digits).filter(|digits| is_number(digits, 16));
        let number = number.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        numbers[index] = Some(number.ok_or_else(|| format!("{name} `{field}`: a number is expected"))?);
    }
    // A size or number of 0 leaves it to the device.
    let [sector_bytes, sectors, _] = numbers.map(|number| number.filter(|number| *number > 0));
    Ok(Location { path: PathBuf::from(device), offset: offset_read, size_bytes, sector_bytes, sectors })
}

/// The tools read an offset as C does: with 0x hexadecimal, else decimal; a leading zero would mean octal to
/// them, so it is refused here instead of being read differently.
fn offset_number(field: &str) -> Option<i64> {
    let (negative, digits) = field.strip_prefix('-').map_or((false, field), |digits| (true, digits));
    let magnitude = match digits.strip_prefix("0x") {
        Some(digits) if is_number(digits, 16) => i64::from_str_radix(digits, 16).ok()?,
        Some(_) => return None,
        None if is_number(digits, 10) && (digits == "0" || !digits.starts_with('0')) => {
            digits.parse().ok()?
        }
        None => return None,
    };
    Some(if negative { -magnitude } else { magnitude })
}

/// The tools read sizes as hexadecimal even without 0x: `4096` is 0x4096 bytes to them. The author of such a line may
/// have meant either, so only the unmistakable form is taken.
fn size_number(field: &str) -> Option<u64> {
    let digits = field.strip_prefix("0x").filter(|digits| is_number(digits, 16))?;
    u64::from_str_radix(digits, 16).ok()
}

/// Rust's own number parsers also take a sign; a field may not have a second one.
fn is_number(digits: &str, radix: u32) -> bool {
    !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(Path::new("fw_env.config"), text).map_err(|fault| fault.to_string())
    }

    #[test]
    fn one_line_is_a_single_copy_and_two_are_a_redundant_pair() {
        let location = |offset, sector_bytes, sectors| Location {
            path: "/dev/mmcblk0".into(),
            offset,
            size_bytes: 0x2000,
            sector_bytes,
            sectors,
        };
        let single = "# comment\n\n /dev/mmcblk0\t0x80000  0x2000 # trailing\n";
        assert_eq!(parse(single), Ok(Config::Single(location(0x80000, None, None))));
        let pair = "/dev/mmcblk0 -0x4000 0x2000 0x200 10 1\n/dev/mmcblk0 -8192 0x2000 0";
        let [first, second] = [location(-0x4000, Some(0x200), Some(16)), location(-8192, None, None)];
        assert_eq!(parse(pair), Ok(Config::Redundant([first, second])));
    }

    #[test]
    fn every_refusal_names_file_line_field_and_what_is_expected() {
        let table = [
            ("", "fw_env.config: names no environment; `device offset env_size` is expected"),
            (
                "/e 0 0x2000\n/e 1 0x2000\n/e 2 0x2000",
                "fw_env.config line 3: a third copy; one line or two are expected",
            ),
            ("/e 0", "line 1: too few fields"),
            ("e.bin 0 0x2000", "device `e.bin` is not an absolute path"),
            ("/e 0y 0x2000", "offset `0y`: a decimal or 0x number"),
            ("/e 010 0x2000", "offset `010`"),
            ("/e --1 0x2000", "offset `--1`"),
            ("/e 0x-1 0x2000", "offset `0x-1`"),
            ("/e 0 8192", "env_size `8192`: a number with 0x is expected"),
            ("/e 0 0x", "env_size `0x`"),
            ("/e 0 0xf", "env_size `0xf`: 0x10 to 0x100000 bytes are expected"),
            ("/e 0 0x100001", "env_size `0x100001`: 0x10 to 0x100000"),
            ("/e 0 0x10000000000000000", "env_size `0x10000000000000000`"),
            ("/e 0 0x2000 x", "flash_sector_size `x`: a number is expected"),
            ("/e 0 0x2000 0x200 1 0 7", "field 7 `7`: nothing is expected"),
            (
                "/e 0 0x2000\n/f 0 0x1000",
                "line 2: env_size is 0x1000; that of the first copy, 0x2000, is expected",
            ),
        ];
        for (text, expected) in table {
            let fault = parse(text).expect_err(text);
            assert!(fault.contains(expected), "{text}: {fault}");
        }
    }

    #[test]
    fn the_name_of_the_device_tells_the_medium() {
        let table = [
            ("/dev/mtdblock3", Medium::File),
            ("/dev/mmcblk0p1", Medium::File),
            ("/dev/ubiblock0_1", Medium::File),
            ("/boot/uboot.env", Medium::File),
            ("/dev/mtd1", Medium::Mtd),
            ("/dev/mtd/1", Medium::Mtd),
            ("/dev/ubi0_1", Medium::Ubi),
            ("/dev/ubi0:env", Medium::Ubi),
        ];
        for (device, expected) in table {
            let Ok(Config::Single(location)) = parse(&format!("{device} 0 0x2000")) else {
                panic!("{device}: not one copy");
            };
            assert_eq!(location.medium(), expected, "{device}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let fault =
            Config::load(Path::new("/nonexistent/fw_env.config")).expect_err("there is none").to_string();
        assert!(fault.starts_with("/nonexistent/fw_env.config: cannot open: "), "{fault}");
    }
}
