//! A bundle: one file with the answers that a server would give, brought on a USB stick or uploaded. It is a tar
//! archive (POSIX.1-1988 `ustar`) of `metadata/…` and `targets/…`, made by `komainu-maker bundle`.
//!
//! It only takes the server's place, and is trusted as little as one: its content passes the same checks. Its
//! names are compared, never opened as paths.

use super::carrier::Source;
use komainu_core::device::{Fetched, Folder};
use komainu_core::fault::{FetchFault, text};
use nix::fcntl::OFlag;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Most entries in a bundle, folders counted: one release needs about ten, and a root a year.
const ENTRIES_MAX: usize = 1024;
/// Longest name, in bytes.
const NAME_BYTES_MAX: u64 = 1200;
const BLOCK: usize = 512;
/// Magic and version of the two kinds of header.
const POSIX: &[u8] = b"ustar\x0000";
const GNU: &[u8] = b"ustar  \0";

/// A bundle that is open, and where its files are.
pub struct Bundle {
    path: PathBuf,
    file: File,
    entries: Vec<Entry>,
}

/// A file inside.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name; any bytes.
    pub name: Vec<u8>,
    /// Where it begins in the archive.
    pub offset: u64,
    /// Its length; it ends within the archive.
    pub bytes: u64,
}

impl Bundle {
    /// Opens a bundle and reads its list of files.
    ///
    /// # Errors
    /// It cannot be read, is no bundle, or was cut off; in words.
    pub fn open(path: &Path) -> Result<Bundle, String> {
        let failed = |why: String| format!("{}: {why}", path.display());
        // Opening anything else than a file could block.
        let file = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path);
        let file = file.map_err(|error| failed(error.to_string()))?;
        let metadata = file.metadata().map_err(|error| failed(error.to_string()))?;
        if !metadata.is_file() {
            return Err(failed("not a file".into()));
        }
        let total = metadata.len();
        let entries = entries(total, &|buffer, offset| file.read_exact_at(buffer, offset)).map_err(failed)?;
        Ok(Bundle { path: path.into(), file, entries })
    }

    fn find(&self, folder: Folder, path: &str) -> Option<&Entry> {
        let folder: &[u8] = match folder {
            Folder::Metadata => b"metadata/",
            Folder::Targets => b"targets/",
        };
        self.entries.iter().find(|entry| entry.name.strip_prefix(folder) == Some(path.as_bytes()))
    }

    fn unreadable(&self, error: &io::Error) -> FetchFault {
        FetchFault::Unreachable(text(format_args!("{}: {error}", self.path.display())))
    }
}

impl Source for Bundle {
    fn small(
        &mut self,
        folder: Folder,
        path: &str,
        bytes_max: u64,
        _validator: Option<&str>,
    ) -> Result<Fetched, FetchFault> {
        let Some(entry) = self.find(folder, path) else { return Ok(Fetched::NotThere) };
        if entry.bytes > bytes_max {
            return Err(FetchFault::TooLarge { limit_bytes: bytes_max });
        }
        let mut bytes = vec![0; entry.bytes as usize];
        self.file.read_exact_at(&mut bytes, entry.offset).map_err(|error| self.unreadable(&error))?;
        Ok(Fetched::Bytes(bytes, None))
    }

    fn piece(
        &mut self,
        path: &str,
        offset: u64,
        total_bytes: u64,
        buffer: &mut [u8],
    ) -> Result<usize, FetchFault> {
        let entry = self.find(Folder::Targets, path).ok_or(FetchFault::NotFound)?;
        if entry.bytes != total_bytes {
            return Err(FetchFault::Short { got_bytes: entry.bytes, want_bytes: total_bytes });
        }
        let rest = total_bytes.saturating_sub(offset).min(buffer.len() as u64);
        let buffer = &mut buffer[..rest as usize];
        self.file.read_exact_at(buffer, entry.offset + offset).map_err(|error| self.unreadable(&error))?;
        Ok(buffer.len())
    }
}

/// Reads the list of files of an archive of `total` bytes, with `read` to fill a buffer from an offset.
///
/// # Errors
/// It is no such archive, or was cut off; in words, with the offset.
pub fn entries(total: u64, read: &dyn Fn(&mut [u8], u64) -> io::Result<()>) -> Result<Vec<Entry>, String> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut long_name = None;
    let mut at = 0;
    let mut headers = 0;
    loop {
        let mut header = [0; BLOCK];
        let wrong = |what: &str| Err(format!("not a bundle, or damaged: {what} at byte {at}"));
        if at + BLOCK as u64 > total {
            return Err(format!("the bundle is cut off at byte {total}"));
        }
        read(&mut header, at).map_err(|error| error.to_string())?;
        if header.iter().all(|&byte| byte == 0) {
            return Ok(entries);
        }
        let (Some(bytes), true) = (number(&header[124..136]), is_header(&header)) else {
            return wrong("no tar header");
        };
        let offset = at + BLOCK as u64;
        // At most 8 GiB in eleven octal digits: no overflow.
        let next = offset + bytes.next_multiple_of(BLOCK as u64);
        if offset + bytes > total {
            return Err(format!("the bundle is cut off at byte {total}, in a file of {bytes} bytes"));
        }
        headers += 1;
        match header[156] {
            _ if headers > ENTRIES_MAX => return wrong("too many files"),
            b'0' | 0 => {
                let name = long_name.take().unwrap_or_else(|| name(&header));
                entries.push(Entry { name, offset, bytes });
            }
            // A folder has no content.
            b'5' => long_name = None,
            // GNU's way to write a name that does not fit: as a file before the file.
            b'L' if bytes <= NAME_BYTES_MAX => {
                let mut name = vec![0; bytes as usize];
                read(&mut name, offset).map_err(|error| error.to_string())?;
                // One zero byte may end it; within it others would read another name.
                name.pop_if(|last| *last == 0);
                if name.contains(&0) {
                    return wrong("a name with a zero byte");
                }
                long_name = Some(name);
            }
            _ => return wrong("a kind of entry that no bundle has"),
        }
        at = next;
    }
}

/// Format and checksum are those of a header.
fn is_header(header: &[u8; BLOCK]) -> bool {
    let sum = |bytes: &[u8]| bytes.iter().map(|&byte| u64::from(byte)).sum::<u64>();
    let expected = sum(&header[..148]) + 8 * u64::from(b' ') + sum(&header[156..]);
    [POSIX, GNU].contains(&&header[257..265]) && number(&header[148..156]) == Some(expected)
}

/// Octal digits, ended by a blank or a zero byte.
fn number(field: &[u8]) -> Option<u64> {
    let end = field.iter().position(|byte| matches!(byte, b' ' | 0)).unwrap_or(field.len());
    let digits = &field[..end];
    let octal = digits.iter().all(|digit| (b'0'..=b'7').contains(digit));
    (octal && !digits.is_empty())
        .then(|| digits.iter().fold(0, |number, digit| number * 8 + u64::from(digit - b'0')))
}

fn name(header: &[u8; BLOCK]) -> Vec<u8> {
    let mut name = Vec::new();
    // GNU's own header has other things where POSIX has the first part of a long name.
    if header[257..265] == *POSIX && header[345] != 0 {
        name.extend(until_zero(&header[345..500]));
        name.push(b'/');
    }
    name.extend(until_zero(&header[..100]));
    name
}

fn until_zero(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header as POSIX has it, with its checksum.
    fn header(kind: u8, name: &[u8], prefix: &[u8], bytes: u64) -> Vec<u8> {
        let mut header = vec![0; BLOCK];
        header[..name.len()].copy_from_slice(name);
        header[124..135].copy_from_slice(format!("{bytes:011o}").as_bytes());
        header[148..156].fill(b' ');
        header[156] = kind;
        header[257..265].copy_from_slice(b"ustar\x0000");
        header[345..345 + prefix.len()].copy_from_slice(prefix);
        let sum: u64 = header.iter().map(|&byte| u64::from(byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        header
    }

    fn list(archive: &[u8]) -> Result<Vec<Entry>, String> {
        entries(archive.len() as u64, &|buffer, offset| {
            let from = archive.get(offset as usize..).unwrap_or_default();
            buffer.copy_from_slice(from.get(..buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        })
    }

    const END: [u8; BLOCK] = [0; BLOCK];

    #[test]
    fn names_are_read_in_all_three_ways() {
        let long = [b"targets/".as_slice(), &[b'x'; 200]].concat();
        let mut block = long.clone();
        block.resize(BLOCK, 0);
        let archive = [
            header(b'5', b"metadata/", b"", 0),
            header(b'0', b"metadata/1.root.json", b"", 3),
            vec![b'!'; BLOCK],
            header(0, b"b.img", b"targets/images", 0),
            header(b'L', b"././@LongLink", b"", long.len() as u64),
            block,
            header(b'0', b"targets/xxx", b"", 512),
            vec![b'?'; BLOCK],
            END.to_vec(),
        ]
        .concat();
        let entry = |name: &[u8], offset, bytes| Entry { name: name.into(), offset, bytes };
        let expected = [
            entry(b"metadata/1.root.json", 1024, 3),
            entry(b"targets/images/b.img", 2048, 0),
            entry(&long, 3584, 512),
        ];
        assert_eq!(list(&archive).unwrap(), expected);
    }

    #[test]
    fn what_no_bundle_has_is_refused_with_its_place() {
        let good = header(b'0', b"metadata/timestamp.json", b"", 0);
        let mut wrong_sum = good.clone();
        wrong_sum[0] ^= 1;
        let mut not_octal = good.clone();
        not_octal[130] = b'9';
        let many = good.repeat(ENTRIES_MAX + 1);
        for (archive, words) in [
            ([&good[..], &wrong_sum, &END].concat(), "no tar header at byte 512"),
            ([&not_octal[..], &END].concat(), "no tar header at byte 0"),
            ([&header(b'2', b"metadata/1.root.json", b"", 0)[..], &END].concat(), "a kind of entry"),
            ([&header(b'x', b"PaxHeader", b"", 512)[..], &END, &END].concat(), "a kind of entry"),
            ([&header(b'L', b"x", b"", 1201)[..], &END, &END, &END, &END].concat(), "a kind of entry"),
            ([&many[..], &END].concat(), "too many files at byte 524288"),
            (good.clone(), "cut off at byte 512"),
            (
                [&header(b'0', b"x", b"", 513)[..], &END].concat(),
                "cut off at byte 1024, in a file of 513 bytes",
            ),
            ([&header(b'0', b"x", b"", 0o77_777_777_777)[..], &END].concat(), "cut off at byte 1024"),
        ] {
            let why = list(&archive).unwrap_err();
            assert!(why.contains(words), "{words}: {why}");
        }
    }
}
