//! The files that a process holds open, as far as the wall cares: sockets that are asked for, watchdogs, flash.

use super::medium::Mounts;
use crate::os::procfs::mountinfo::major_and_minor;
use crate::os::procfs::process_files::number;
use std::fs::{Metadata, metadata, read_dir, read_link};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

/// Most open files of one process that are looked at.
pub const FILES_MAX: usize = 4096;

/// Numbers of devices that never change.
const MISCELLANEOUS: u64 = 10;
const WATCHDOG: u64 = 130;
const FLASH: u64 = 90;
/// Disks that are no disks: in memory, and files that are mounted.
const NO_DISKS: [u64; 2] = [1, 7];

/// The open files of one process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Those of the requested sockets that it holds.
    pub sockets: Vec<u64>,
    pub watchdog: bool,
    /// Flash or a whole disk, open for writing.
    pub flash: bool,
    /// It had more open than is looked at.
    pub cut_short: bool,
}

/// Looks through the open files in a folder of `/proc`; `wanted` are the sockets that are asked for, in order. A process
/// that ends in between holds nothing.
pub fn held(folder: &Path, wanted: &[u64], mounts: &Mounts) -> Held {
    let mut held = Held::default();
    let Ok(entries) = read_dir(folder.join("fd")) else { return held };
    for (count, entry) in entries.flatten().enumerate() {
        if count == FILES_MAX {
            held.cut_short = true;
            break;
        }
        let path = entry.path();
        let Ok(target) = read_link(&path) else { continue };
        let target = target.as_os_str().as_bytes();
        if let Some(inode) = socket_number(target) {
            if wanted.binary_search(&inode).is_ok() {
                held.sockets.push(inode);
            }
        } else if target.starts_with(b"/") && target != b"/dev/null" && !mounts.may_hang(target) {
            let Some(device) = metadata(&path).ok().and_then(|file| Device::of(&file)) else { continue };
            held.watchdog |= device.is_watchdog(target);
            if !held.flash && device.is_flash(target) {
                held.flash = is_writable(&folder.join("fdinfo").join(entry.file_name()));
            }
        }
    }
    held
}

/// `socket:[1061]`
pub fn socket_number(target: &[u8]) -> Option<u64> {
    numbered(target, b"socket")
}

/// The number of something of the kernel's that has no path: `KIND:[1061]`.
pub fn numbered(target: &[u8], kind: &[u8]) -> Option<u64> {
    number(target.strip_prefix(kind)?.strip_prefix(b":[")?.strip_suffix(b"]")?)
}

/// A device that is open, by its major and minor number.
#[derive(Clone, Copy)]
enum Device {
    /// One that is read and written as a stream.
    Character(u64, u64),
    /// A disk, or a device that passes for one.
    Block(u64),
}

impl Device {
    fn of(file: &Metadata) -> Option<Device> {
        let (major, minor) = major_and_minor(file.rdev());
        let of_type = file.file_type();
        if of_type.is_char_device() {
            Some(Device::Character(major, minor))
        } else {
            of_type.is_block_device().then_some(Device::Block(major))
        }
    }

    /// By its name, or by its number under any other name.
    fn is_watchdog(self, target: &[u8]) -> bool {
        let named =
            [&b"/dev/watchdog"[..], b"/dev/misc/watchdog"].iter().any(|name| target.starts_with(name));
        match self {
            Device::Character(major, minor) => named || (major, minor) == (MISCELLANEOUS, WATCHDOG),
            Device::Block(_) => false,
        }
    }

    fn is_flash(self, target: &[u8]) -> bool {
        match self {
            Device::Character(major, _) => major == FLASH || target.starts_with(b"/dev/ubi"),
            Device::Block(major) => !NO_DISKS.contains(&major) && !target.starts_with(b"/dev/zram"),
        }
    }
}

fn is_writable(fdinfo: &Path) -> bool {
    let mut buffer = [0; 256];
    crate::os::procfs::text_reader::beginning(fdinfo, &mut buffer).is_ok_and(opens_for_writing)
}

/// `flags:\t0100002` in `/proc/PID/fdinfo/N`, octal: the last digits tell the mode of opening.
pub fn opens_for_writing(fdinfo: &[u8]) -> bool {
    let mut lines = fdinfo.split(|byte| *byte == b'\n');
    let flags = lines.find_map(|line| line.strip_prefix(b"flags:"));
    let last = flags.and_then(|flags| flags.trim_ascii().last());
    matches!(last, Some(digit @ b'0'..=b'7') if matches!(digit & 3, 1 | 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::os::fd::AsRawFd;

    #[test]
    fn a_socket_is_known_by_its_number() {
        assert_eq!(socket_number(b"socket:[1061]"), Some(1061));
        for target in [&b"socket:[]"[..], b"socket:[x]", b"pipe:[1]", b"/tmp/socket:[1]", b"socket:[1", b""] {
            assert_eq!(socket_number(target), None);
        }
    }

    #[test]
    fn how_a_file_was_opened_is_read() {
        for (flags, writes) in
            [("0100000", false), ("0100001", true), ("0100002", true), ("02", true), ("", false)]
        {
            assert_eq!(
                opens_for_writing(format!("pos:\t0\nflags:\t{flags}\nmnt_id:\t9\n").as_bytes()),
                writes
            );
        }
        assert!(!opens_for_writing(b""));
    }

    #[test]
    fn watchdogs_and_flash_are_known_by_their_numbers_under_any_name() {
        for (device, target, watchdog, flash) in [
            (Device::Character(10, 130), "/dev/watchdog", true, false),
            (Device::Character(248, 0), "/dev/watchdog0", true, false),
            (Device::Character(10, 130), "/tmp/x", true, false),
            (Device::Character(10, 131), "/dev/temperature", false, false),
            (Device::Character(90, 8), "/dev/mtd4", false, true),
            (Device::Character(90, 8), "/tmp/x", false, true),
            (Device::Character(250, 1), "/dev/ubi0_1", false, true),
            (Device::Character(4, 64), "/dev/ttyS0", false, false),
            (Device::Block(31), "/dev/mtdblock4", false, true),
            (Device::Block(179), "/tmp/x", false, true),
            (Device::Block(8), "/dev/sda", false, true),
            (Device::Block(7), "/dev/loop0", false, false),
            (Device::Block(1), "/dev/ram0", false, false),
            (Device::Block(252), "/dev/zram0", false, false),
        ] {
            let target = target.as_bytes();
            assert_eq!(
                (device.is_watchdog(target), device.is_flash(target)),
                (watchdog, flash),
                "{target:?}"
            );
        }
    }

    #[test]
    fn our_own_socket_is_found_among_what_we_hold() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let link = format!("/proc/self/fd/{}", listener.as_raw_fd());
        let number = socket_number(read_link(link).unwrap().as_os_str().as_bytes()).unwrap();
        let held = held(Path::new("/proc/self"), &[number], &Mounts::default());
        assert_eq!(held.sockets, [number]);
        assert!(!held.watchdog && !held.flash);
    }
}
