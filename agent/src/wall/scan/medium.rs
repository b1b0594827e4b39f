//! The mounts and their places (`/proc/self/mountinfo`), and from that the medium on which a program lies. Reading is
//! pure; a judgement is given the facts that it needs of the files themselves.

use crate::os::procfs::mountinfo::{MOUNTS_MAX, MountLine, is_remote, line, options, unescaped};
use crate::os::procfs::text_reader::Go;
use komainu_core::wall::process_snapshot::Medium;

/// The use of a file system to a program that lies on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Memory,
    /// It cannot be written, by its kind or by the kernel's flags.
    Unwritable,
    /// One that can be written laid over one that cannot.
    Overlay,
    /// A file system of another party, over a network or a program: asking it may take for ever.
    Remote,
    Writable,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where, as bytes.
    pub point: Vec<u8>,
    /// The number of its device, as `stat` tells it of the files on it.
    pub device: u64,
    /// Its kind, for programs.
    pub kind: Kind,
    /// Of an overlay: the place of the files written since.
    pub upper: Option<Vec<u8>>,
}

/// The mounts, in the order of mounting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mounts(Vec<Mount>);

/// The questions about files that a judgement may ask.
pub trait Files {
    /// There is a file, a folder or anything else of this name.
    fn is_there(&self, path: &[u8]) -> bool;
}

/// In memory, and gone with a restart.
const MEMORY: [&[u8]; 7] = [b"tmpfs", b"ramfs", b"devtmpfs", b"rootfs", b"proc", b"sysfs", b"hugetlbfs"];
/// Never written to.
const UNWRITABLE: [&[u8]; 5] = [b"squashfs", b"cramfs", b"romfs", b"erofs", b"iso9660"];
const OVERLAY: [&[u8]; 3] = [b"overlay", b"overlayfs", b"mini_fo"];

/// Where an OpenWrt has the firmware's own files, below those that were written since.
const ROM: &[u8] = b"/rom";

/// Reads one line of the table.
pub fn mount(bytes: &[u8]) -> Option<Mount> {
    let MountLine { device, point, filesystem, super_options, .. } = line(bytes)?;
    let upper = options(super_options).find_map(|option| option.strip_prefix(b"upperdir="));
    let kind = if MEMORY.contains(&filesystem) {
        Kind::Memory
    } else if OVERLAY.contains(&filesystem) {
        Kind::Overlay
    } else if is_remote(filesystem) {
        Kind::Remote
    } else if UNWRITABLE.contains(&filesystem) || options(super_options).any(|option| option == b"ro") {
        Kind::Unwritable
    } else {
        Kind::Writable
    };
    let upper = upper.filter(|_| kind == Kind::Overlay).map(unescaped);
    Some(Mount { point, device, kind, upper })
}

impl Mounts {
    /// Takes one line of the file.
    pub fn take(&mut self, line: &[u8]) -> Go {
        self.0.extend(mount(line));
        if self.0.len() < MOUNTS_MAX { Go::On } else { Go::Stop }
    }

    /// The mount that a path leads to: of those with the longest name the last, which lies on top.
    pub fn holding(&self, path: &[u8]) -> Option<&Mount> {
        let mut found: Option<&Mount> = None;
        for mount in &self.0 {
            let longer = found.is_none_or(|found| mount.point.len() >= found.point.len());
            if longer && is_below(path, &mount.point) {
                found = Some(mount);
            }
        }
        found
    }

    /// Asking about a file there may take for ever.
    pub fn may_hang(&self, path: &[u8]) -> bool {
        self.holding(path).is_some_and(|mount| mount.kind == Kind::Remote)
    }

    /// The medium on which the file at this path lies.
    ///
    /// The root is the firmware's, of any kind: a development board has a writable one, a small device one in memory.
    /// An overlay is the firmware's too, but for files written since, which lie in its upper folder; where that cannot
    /// be seen, an overlay at the root is taken for the firmware's, and any other for storage.
    pub fn medium(&self, path: &[u8], files: &dyn Files) -> Medium {
        let Some(mount) = self.holding(path) else { return Medium::Firmware };
        self.medium_on(mount, path, files)
    }

    /// The medium of a file that is not at its path any more, or never was in our sight, by the number of its device. A
    /// file on a device that is mounted nowhere here counts as memory: an intruder took care to hide it.
    pub fn medium_of_lost(&self, path: &[u8], device: u64, files: &dyn Files) -> Medium {
        let here = self.holding(path).filter(|mount| mount.device == device || mount.kind == Kind::Overlay);
        match here.or_else(|| self.0.iter().rev().find(|mount| mount.device == device)) {
            // Its upper folder has forgotten it. A file that the firmware had at this path was the firmware's.
            Some(mount) if mount.kind == Kind::Overlay => {
                let in_rom = files.is_there(&[ROM, path].concat());
                if in_rom { Medium::Firmware } else { Medium::Storage }
            }
            Some(mount) => self.medium_on(mount, path, files),
            None => Medium::Memory,
        }
    }

    /// The medium of a file that was not deleted and is not at its path: it is in another view of the files, as a
    /// container's. A file on a device that is mounted nowhere here counts as storage: the firmware's it is not.
    pub fn medium_elsewhere(&self, path: &[u8], device: u64, files: &dyn Files) -> Medium {
        if self.0.iter().any(|mount| mount.device == device) {
            self.medium_of_lost(path, device, files)
        } else {
            Medium::Storage
        }
    }

    fn medium_on(&self, mount: &Mount, path: &[u8], files: &dyn Files) -> Medium {
        let is_root = mount.point == b"/";
        match mount.kind {
            Kind::Overlay => {
                let beyond = if is_root { Medium::Firmware } else { Medium::Storage };
                let Some(upper) = &mount.upper else { return Medium::Firmware };
                if !files.is_there(upper) {
                    return beyond;
                }
                let inside = path.strip_prefix(&mount.point[..]).unwrap_or_default();
                let inside = inside.strip_prefix(b"/").unwrap_or(inside);
                let written = [upper, &b"/"[..], inside].concat();
                if !files.is_there(&written) {
                    return Medium::Firmware;
                }
                let in_memory = self.holding(upper).is_some_and(|below| below.kind == Kind::Memory);
                if in_memory { Medium::Memory } else { Medium::Storage }
            }
            _ if is_root => Medium::Firmware,
            Kind::Memory => Medium::Memory,
            Kind::Unwritable => Medium::Firmware,
            Kind::Remote | Kind::Writable => Medium::Storage,
        }
    }
}

fn is_below(path: &[u8], point: &[u8]) -> bool {
    let point = point.strip_suffix(b"/").unwrap_or(point);
    path.strip_prefix(point).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    struct These<'a>(&'a [&'a str]);

    impl Files for These<'_> {
        fn is_there(&self, path: &[u8]) -> bool {
            self.0.iter().any(|file| file.as_bytes() == path)
        }
    }

    fn mounts(lines: &[&str]) -> Mounts {
        let mut mounts = Mounts::default();
        for line in lines {
            mounts.take(line.as_bytes());
        }
        mounts
    }

    /// An OpenWrt after its start.
    const OPENWRT: [&str; 7] = [
        "20 25 31:2 / /rom ro,relatime - squashfs /dev/root ro",
        "21 25 0:5 / /proc rw,nosuid - proc proc rw",
        "22 25 0:19 / /tmp rw,nosuid,nodev - tmpfs tmpfs rw",
        "23 25 31:3 / /overlay rw,noatime - jffs2 /dev/mtdblock3 rw",
        "25 1 0:17 / / rw,noatime - overlay overlayfs:/overlay rw,lowerdir=/,upperdir=/overlay/upper,workdir=/overlay/work",
        "26 25 0:20 / /dev rw - tmpfs tmpfs rw,size=512k",
        "30 25 8:1 / /mnt/usb\\040disk rw - ext4 /dev/sda1 rw",
    ];

    #[test]
    fn a_file_system_that_is_read_only_as_a_whole_cannot_be_written() {
        let mount = mount(b"30 25 8:1 / /mnt rw - ext4 /dev/x ro,seclabel").unwrap();
        assert_eq!((&mount.point[..], mount.kind), (&b"/mnt"[..], Kind::Unwritable));
    }

    #[test]
    fn what_came_with_an_openwrt_is_firmware_and_what_was_written_since_is_storage() {
        let files = These(&["/overlay/upper", "/overlay/upper/usr/bin/bot", "/rom/usr/sbin/dnsmasq"]);
        for (path, medium) in [
            ("/usr/sbin/dnsmasq", Medium::Firmware),
            ("/usr/bin/bot", Medium::Storage),
            ("/rom/bin/busybox", Medium::Firmware),
            ("/overlay/upper/usr/bin/bot", Medium::Storage),
            ("/tmp/bot", Medium::Memory),
            ("/tmpfoo", Medium::Firmware),
            ("/dev/.bot", Medium::Memory),
            ("/mnt/usb disk/bot", Medium::Storage),
            ("/mnt/usb", Medium::Firmware),
        ] {
            assert_eq!(mounts(&OPENWRT).medium(path.as_bytes(), &files), medium, "{path}");
        }
        let lost = |path: &str, device| mounts(&OPENWRT).medium_of_lost(path.as_bytes(), device, &files);
        assert_eq!(lost("/usr/sbin/dnsmasq", 0x11), Medium::Firmware, "upgraded");
        assert_eq!(lost("/usr/bin/bot", 0x11), Medium::Storage);
        assert_eq!(lost("/tmp/bot", 19), Medium::Memory);
        assert_eq!(lost("/mnt/elsewhere", 99), Medium::Storage, "an overlay hides its devices");
    }

    #[test]
    fn an_overlay_whose_upper_folder_is_not_seen_is_firmware_at_the_root_only() {
        let overlay = |point: &str, options: &str| {
            mounts(&[
                "1 0 8:1 / / ro - ext4 /dev/sda1 ro",
                &format!("25 1 0:17 / {point} rw - overlay x rw,{options}"),
            ])
        };
        let medium = |mounts: Mounts| mounts.medium(b"/usr/bin/x", &These(&["/ram", "/ram/bin/x"]));
        assert_eq!(medium(overlay("/", "lowerdir=/,upperdir=/gone")), Medium::Firmware);
        assert_eq!(medium(overlay("/usr", "lowerdir=/usr,upperdir=/gone")), Medium::Storage);
        assert_eq!(medium(overlay("/usr", "lowerdir=/usr")), Medium::Firmware, "nothing can be written");
        let mut in_memory = overlay("/usr", "lowerdir=/usr,upperdir=/ram");
        assert_eq!(medium(in_memory.clone()), Medium::Storage);
        in_memory.take(b"30 1 0:9 / /ram rw - tmpfs tmpfs rw");
        assert_eq!(medium(in_memory), Medium::Memory);
    }

    #[test]
    fn the_root_is_firmware_even_where_it_can_be_written() {
        let board =
            mounts(&["1 0 179:2 / / rw - ext4 /dev/mmcblk0p2 rw", "2 1 179:3 / /data rw - ext4 x rw"]);
        let none = These(&[]);
        assert_eq!(board.medium(b"/usr/bin/x", &none), Medium::Firmware);
        assert_eq!(board.medium(b"/data/x", &none), Medium::Storage);
        assert_eq!(board.medium_of_lost(b"/usr/bin/x", 179 << 8 | 2, &none), Medium::Firmware);
        assert_eq!(
            board.medium_of_lost(b"/usr/bin/x", 179 << 8 | 3, &none),
            Medium::Storage,
            "a lie about its path"
        );
        assert_eq!(
            board.medium_of_lost(b"/usr/bin/x", 77, &none),
            Medium::Memory,
            "mounted where we do not see it"
        );
        let small = mounts(&["1 0 0:2 / / rw - rootfs rootfs rw"]);
        assert_eq!(small.medium(b"/bin/x", &none), Medium::Firmware);
    }

    #[test]
    fn what_is_mounted_on_top_counts() {
        let twice = mounts(&[
            "1 0 8:1 / / rw - ext4 a rw",
            "2 1 8:2 / /data rw - ext4 b rw",
            "3 2 0:9 / /data rw - tmpfs tmpfs rw",
        ]);
        assert_eq!(twice.medium(b"/data/x", &These(&[])), Medium::Memory);
    }

    #[test]
    fn a_network_may_hang() {
        let nas = mounts(&["1 0 8:1 / / rw - ext4 a rw", "2 1 0:9 / /share rw - nfs4 host:/x rw"]);
        assert!(nas.may_hang(b"/share/x") && !nas.may_hang(b"/shared"));
    }
}
