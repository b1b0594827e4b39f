//! The files that a process holds open, as far as the wall cares: sockets that are asked for, watchdogs, flash.

use super::medium::Mounts;
use crate::os::procfs::mountinfo::major_and_minor;
use crate::os::procfs::process_files::number;
use nix::dir::Dir;
use std::ffi::OsStr;
use std::fs::{File, Metadata, metadata, read_link};
use std::io::{Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

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
}

/// Looks through so many of the open files in a folder of `/proc`, beginning with this number; `wanted` are the sockets
/// that are asked for, in order. Gives how many were looked at, and the number of the next one where there are more. A
/// process that ends in between holds nothing.
pub fn held_from(
    folder: &Path,
    from: u32,
    files_max: usize,
    wanted: &[u64],
    mounts: &Mounts,
    held: &mut Held,
) -> (usize, Option<u32>) {
    // The kernel tells the open files in the order of their numbers, after the two that each folder has.
    let opened = File::open(folder.join("fd")).and_then(|mut folder| {
        folder.seek(SeekFrom::Start(u64::from(from) + 2))?;
        Ok(Dir::from_fd(folder.into())?)
    });
    let Ok(mut entries) = opened else { return (1, None) };
    let mut count = 0;
    for entry in entries.iter().flatten() {
        let name = entry.file_name().to_bytes();
        let Some(number) = number(name).and_then(|number| u32::try_from(number).ok()) else { continue };
        if number < from {
            continue;
        }
        if count >= files_max {
            return (count, Some(number));
        }
        count += 1;
        held.take(folder, OsStr::from_bytes(name), wanted, mounts);
    }
    (count.max(1), None)
}

impl Held {
    fn take(&mut self, folder: &Path, name: &OsStr, wanted: &[u64], mounts: &Mounts) {
        let path = folder.join("fd").join(name);
        let Ok(target) = read_link(&path) else { return };
        let target = target.as_os_str().as_bytes();
        if let Some(inode) = socket_number(target) {
            if wanted.binary_search(&inode).is_ok() && !self.sockets.contains(&inode) {
                self.sockets.push(inode);
            }
        } else if target.starts_with(b"/") && target != b"/dev/null" && !mounts.may_hang(target) {
            let Some(device) = metadata(&path).ok().and_then(|file| Device::of(&file)) else { return };
            self.watchdog |= device.is_watchdog(target);
            if !self.flash && device.is_flash(target) {
                self.flash = is_writable(&folder.join("fdinfo").join(name));
            }
        }
    }
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
        let mut held = Held::default();
        let (_, next) =
            held_from(Path::new("/proc/self"), 0, usize::MAX, &[number], &Mounts::default(), &mut held);
        assert_eq!(next, None);
        assert_eq!(held.sockets, [number]);
        assert!(!held.watchdog && !held.flash);
    }

    #[test]
    fn a_look_through_many_files_goes_on_where_it_ended() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let many: Vec<TcpListener> = (0..40).map(|_| listener.try_clone().unwrap()).collect();
        let last = TcpListener::bind("127.0.0.1:0").unwrap();
        // The last of them has a number beyond all of those.
        let (highest, of) = (last.as_raw_fd().max(many[39].as_raw_fd()), |one: &TcpListener| {
            let link = format!("/proc/self/fd/{}", one.as_raw_fd());
            socket_number(read_link(link).unwrap().as_os_str().as_bytes()).unwrap()
        });
        let mut wanted = [of(&listener), of(&last)];
        wanted.sort_unstable();
        let (mut held, mut next, mut turns) = (Held::default(), Some(0), 0);
        while let Some(from) = next {
            let spent;
            (spent, next) =
                held_from(Path::new("/proc/self"), from, 7, &wanted, &Mounts::default(), &mut held);
            assert!(spent <= 7 && next.is_none_or(|next| next > from));
            turns += 1;
        }
        held.sockets.sort_unstable();
        assert_eq!(held.sockets, wanted);
        assert!(turns >= 40 / 7 && highest >= 40, "{turns}");
    }
}
