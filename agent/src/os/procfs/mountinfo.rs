//! The kernel's table of mounts (`/proc/self/mountinfo`), a line each. `/proc/mounts` does not tell stacked mounts apart.

use super::process_files::number;
use super::text_reader::{BUFFER_BYTES, Go, each_line};
use std::fs::File;
use std::io;
use std::path::Path;

/// The table of our own namespace.
pub const TABLE: &str = "/proc/self/mountinfo";
/// Most mounts that are kept of the table; a device has thirty.
pub const MOUNTS_MAX: usize = 512;
/// Most layers of one overlay that are looked at; the others are out of sight.
pub const LAYERS_MAX: usize = 16;

/// File systems of another party, over a network; those of programs begin with `fuse`. Asking them may take for ever.
const REMOTE: [&[u8]; 8] = [b"nfs", b"nfs4", b"cifs", b"smb3", b"9p", b"ceph", b"afs", b"autofs"];

/// One line of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct MountLine<'a> {
    /// The number of the device, as `stat` tells it of the files on it.
    pub device: u64,
    /// The folder of the file system that is mounted there: `/` where it is all of it.
    pub root: Vec<u8>,
    /// The mount point: an absolute path of any bytes.
    pub point: Vec<u8>,
    /// The options of this mount.
    pub options: &'a [u8],
    /// The type of the file system: `tmpfs`, `squashfs`.
    pub filesystem: &'a [u8],
    /// The file system's own word for where it lies: `/dev/mmcblk0p3`, `ubi0:rootfs`, `tmpfs`.
    pub source: Vec<u8>,
    /// The options of the file system as a whole.
    pub super_options: &'a [u8],
}

/// Shows each mount of our own namespace.
///
/// # Errors
/// The table cannot be read.
pub fn each_mount(each: &mut dyn FnMut(MountLine<'_>)) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut take = |bytes: &[u8]| {
        line(bytes).map(&mut *each);
        Go::On
    };
    each_line(&mut File::open(TABLE)?, &mut buffer, &mut take).map(|_| ())
}

/// Whether a file system of this type may never answer.
pub fn is_remote(filesystem: &[u8]) -> bool {
    REMOTE.contains(&filesystem) || filesystem.starts_with(b"fuse")
}

/// Reads `36 35 98:0 /root /point options [optional…] - type source super-options`.
pub fn line(bytes: &[u8]) -> Option<MountLine<'_>> {
    let mut words = bytes.split(|byte| *byte == b' ');
    let device = device_number(words.nth(2)?)?;
    let root = unescaped(words.next()?);
    let point = unescaped(words.next()?);
    let options = words.next()?;
    words.find(|word| *word == b"-")?;
    let filesystem = words.next()?;
    // The source may be empty, and then there are two blanks in a row.
    let source = unescaped(words.next()?);
    let super_options = words.next()?;
    let line = MountLine { device, root, point, options, filesystem, source, super_options };
    line.point.starts_with(b"/").then_some(line)
}

/// A mount that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The number of the device, as `stat` tells it of the files on it.
    pub device: u64,
    pub point: Vec<u8>,
    pub filesystem: Vec<u8>,
    pub source: Vec<u8>,
    /// Nothing can be written through it.
    pub is_read_only: bool,
    /// Of an overlay: the place of the files written since.
    pub upper: Option<Vec<u8>>,
    /// Of an overlay: the places of the layers below, the uppermost first.
    pub lower: Vec<Vec<u8>>,
}

/// The mounts of a table like [`TABLE`], in the order of mounting.
///
/// # Errors
/// The table cannot be read.
pub fn mounts(table: &Path) -> io::Result<Vec<Mount>> {
    let (mut all, mut buffer) = (Vec::new(), vec![0; BUFFER_BYTES]);
    let mut take = |bytes: &[u8]| {
        all.extend(line(bytes).map(|line| {
            Mount {
                device: line.device,
                is_read_only: [line.options, line.super_options]
                    .into_iter()
                    .any(|list| options(list).any(|option| option == b"ro")),
                upper: upper_layer(line.super_options),
                lower: lower_layers(line.super_options),
                point: line.point,
                filesystem: line.filesystem.to_vec(),
                source: line.source,
            }
        }));
        if all.len() < MOUNTS_MAX { Go::On } else { Go::Stop }
    };
    each_line(&mut File::open(table)?, &mut buffer, &mut take)?;
    Ok(all)
}

/// The mount that a path leads to: of those with the longest name the last, which lies on top.
pub fn holding<'a>(mounts: &'a [Mount], path: &[u8]) -> Option<&'a Mount> {
    mounts.iter().filter(|mount| is_below(path, &mount.point)).max_by_key(|mount| mount.point.len())
}

/// Whether a path is a mount point or below it.
pub fn is_below(path: &[u8], point: &[u8]) -> bool {
    let point = point.strip_suffix(b"/").unwrap_or(point);
    path.strip_prefix(point).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

/// The layer of an overlay that takes what is written.
pub fn upper_layer(super_options: &[u8]) -> Option<Vec<u8>> {
    options(super_options).find_map(|option| option.strip_prefix(b"upperdir=")).map(unescaped)
}

/// The words of a list of options.
pub fn options(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| *byte == b',')
}

/// The layers below of an overlay: `lowerdir=/a:/b`, or `lowerdir+=/a` for each. A colon or backslash that is meant is
/// written after a backslash. One more than [`LAYERS_MAX`], without a name, stands for all others.
pub fn lower_layers(super_options: &[u8]) -> Vec<Vec<u8>> {
    let mut layers = Vec::new();
    for option in options(super_options) {
        if let Some(one) = option.strip_prefix(b"lowerdir+=") {
            layers.push(unescaped(one));
        } else if let Some(all) = option.strip_prefix(b"lowerdir=") {
            let mut layer = Vec::new();
            let all = unescaped(all);
            let mut bytes = all.iter();
            while let Some(byte) = bytes.next() {
                match byte {
                    b':' => layers.push(std::mem::take(&mut layer)),
                    b'\\' => layer.extend(bytes.next()),
                    other => layer.push(*other),
                }
            }
            layers.push(layer);
        }
    }
    layers.retain(|layer| !layer.is_empty());
    if layers.len() > LAYERS_MAX {
        layers.truncate(LAYERS_MAX);
        layers.push(Vec::new());
    }
    layers
}

/// A word of the table as it is meant: blanks, line ends and backslashes are written there as three octal digits.
pub fn unescaped(word: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.first_chunk::<3>().filter(|digits| first == b'\\' && is_octal(digits));
        rest = match digits {
            Some(&[high, middle, low]) => {
                bytes.push((high - b'0') << 6 | (middle - b'0') << 3 | (low - b'0'));
                &after[3..]
            }
            None => {
                bytes.push(first);
                after
            }
        };
    }
    bytes
}

fn is_octal(digits: &[u8; 3]) -> bool {
    digits[0] <= b'3' && digits.iter().all(|digit| (b'0'..=b'7').contains(digit))
}

/// `8:1` as `stat` tells it: the kernel's new numbers of devices.
fn device_number(field: &[u8]) -> Option<u64> {
    let colon = field.iter().position(|byte| *byte == b':')?;
    let major = number(&field[..colon]).filter(|major| *major <= 0xfff)?;
    let minor = number(&field[colon + 1..]).filter(|minor| *minor <= 0xf_ffff)?;
    Some(major << 8 | minor & 0xff | (minor & !0xff) << 12)
}

/// Major and minor number of a device, from what `stat` tells.
pub fn major_and_minor(device: u64) -> (u64, u64) {
    (device >> 8 & 0xfff, device & 0xff | device >> 12 & !0xff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_with_what_its_path_holds() {
        let bytes = b"30 25 259:300 / /mnt/a\\040b\\134\\012 rw shared:1 master:2 - ext4 /dev/x ro,seclabel";
        let read = line(bytes).unwrap();
        assert_eq!((&read.root[..], &read.point[..]), (&b"/"[..], &b"/mnt/a b\\\n"[..]));
        assert_eq!((read.filesystem, major_and_minor(read.device)), (&b"ext4"[..], (259, 300)));
        assert_eq!((read.options, read.super_options), (&b"rw"[..], &b"ro,seclabel"[..]));
        for bytes in
            [&b""[..], b"1 2 3:4 / /x rw", b"1 2 3 / /x rw - ext4 a rw", b"1 2 3:4 / x rw - ext4 a rw"]
        {
            assert_eq!(line(bytes), None);
        }
        assert_eq!(line(b"1 2 3:4 / /x rw - tmpfs  rw").unwrap().super_options, b"rw", "an empty source");
    }
}
