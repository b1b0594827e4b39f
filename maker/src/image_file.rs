//! Looks at an image before it is put aside: whether it is a file with something in it, and whether it is packed. A
//! device writes an image as it is; one that is packed would only be found out when it does not start.

use crate::files;
use anyhow::{Context, Result, bail};
use std::path::Path;

/// Where formats that no slot holds have their mark, the mark, and their name.
const PACKED: &[(usize, &[u8], &str)] = &[
    (0, b"\x1f\x8b", "gzip"),
    (0, b"BZh", "bzip2"),
    (0, b"\xfd7zXZ\0", "xz"),
    (0, b"\x28\xb5\x2f\xfd", "zstd"),
    (0, b"\x04\x22\x4d\x18", "lz4"),
    (0, b"\x02\x21\x4c\x18", "lz4 (legacy)"),
    (0, b"\x89LZO\0", "lzop"),
    (0, b"PK\x03\x04", "zip"),
    (0, b"7z\xbc\xaf\x27\x1c", "7z"),
    (0, b"\x3a\xff\x26\xed", "an Android sparse image"),
    (0, b"QFI\xfb", "qcow2"),
    (257, b"ustar", "tar"),
];
const MARK_BYTES_MAX: u64 = 262;

/// The format of a file that begins so, if it is one that packs others.
pub fn packed_format(beginning: &[u8]) -> Option<&'static str> {
    let has = |at: usize, mark: &[u8]| beginning.get(at..).is_some_and(|rest| rest.starts_with(mark));
    PACKED.iter().find(|(at, mark, _)| has(*at, mark)).map(|(_, _, format)| *format)
}

/// The length of an image in bytes.
///
/// # Errors
/// It is no file, has nothing in it, or looks packed; `raw` takes a packed one all the same.
pub fn length(file: &Path, raw: bool) -> Result<u64> {
    let shown = file.display();
    let metadata = file.metadata().with_context(|| format!("cannot read {shown}"))?;
    if metadata.is_dir() {
        bail!("{shown} is a folder; an image is one file, as it is written to the device");
    }
    if !metadata.is_file() {
        bail!("{shown} is no ordinary file: copy what is in it to one");
    }
    if metadata.len() == 0 {
        bail!("{shown} is empty: a device would have nothing to start");
    }
    let beginning = files::beginning(file, MARK_BYTES_MAX)?;
    if let Some(format) = packed_format(&beginning).filter(|_| !raw) {
        bail!(
            "{shown} looks packed ({format}), and devices write an image to the slot as it is. Unpack it first; \
             with --raw it is taken as it is, for a boot loader that unpacks it"
        );
    }
    Ok(metadata.len())
}
