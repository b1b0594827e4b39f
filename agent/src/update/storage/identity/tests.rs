//! The identity of parts: in folders laid out as the kernel lays out sysfs, and on real loop devices with partitions.
#![expect(clippy::disallowed_methods, reason = "files of a test may be torn")]

use super::*;
use crate::os::test_namespace::apart_as_root;
use komainu_core::identifiers::{Name, Slot};
use komainu_core::update::part_identity::contradiction;
use std::os::unix::fs::symlink;
use std::process::Command;

/// A folder of a test, removed at its end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let folder = std::env::temp_dir().join(format!("komainu-identity-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Place(folder)
    }

    fn file(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A block device below `devices/`, with its link in `dev/block`.
    fn block(&self, folder: &str, number: &str, sectors: u64) {
        self.file(&format!("devices/{folder}/dev"), &format!("{number}\n"));
        self.file(&format!("devices/{folder}/size"), &format!("{sectors}\n"));
        self.link(&format!("dev/block/{number}"), &format!("devices/{folder}"));
    }

    fn partition(&self, folder: &str, number: &str, start: u64, sectors: u64) {
        self.block(folder, number, sectors);
        self.file(&format!("devices/{folder}/partition"), "1\n");
        self.file(&format!("devices/{folder}/start"), &format!("{start}\n"));
    }

    fn mtd(&self, folder: &str, index: u32, bytes: u64, offset: Option<u64>) {
        self.file(&format!("devices/{folder}/size"), &format!("{bytes}\n"));
        if let Some(offset) = offset {
            self.file(&format!("devices/{folder}/offset"), &format!("{offset}\n"));
        }
        self.link(&format!("class/mtd/mtd{index}"), &format!("devices/{folder}"));
        self.link(&format!("dev/char/90:{}", 2 * index), &format!("devices/{folder}"));
    }

    fn volume(&self, ubi: u32, volume: u32, name: &str) {
        let folder = format!("devices/virtual/ubi/ubi{ubi}/ubi{ubi}_{volume}");
        self.file(&format!("{folder}/name"), &format!("{name}\n"));
        self.link(&format!("class/ubi/ubi{ubi}_{volume}"), &folder);
        self.link(&format!("dev/char/25{ubi}:{}", volume + 1), &folder);
    }

    fn link(&self, name: &str, target: &str) {
        let name = self.0.join(name);
        fs::create_dir_all(name.parent().unwrap()).unwrap();
        symlink(self.0.join(target), name).unwrap();
    }

    fn is(&self, kind: &str, number: &str) -> PartIdentity {
        self.try_is(kind, number).unwrap()
    }

    fn try_is(&self, kind: &str, number: &str) -> io::Result<PartIdentity> {
        let finder = Finder { sysfs: &self.0 };
        let folder = finder.device(kind, number)?;
        if kind == "block" { finder.of_block(&folder, LAYERS_MAX) } else { finder.of_flash_node(&folder) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn range(major: u32, minor: u32, start: u64, bytes: u64) -> PartIdentity {
    PartIdentity::of(Extent { medium: Medium::Disk { major, minor }, start, bytes })
}

#[test]
fn a_partition_is_a_range_of_its_disk_and_a_mapping_is_what_it_is_made_of() {
    let sys = Place::new("block");
    sys.block("mmc/block/mmcblk0", "179:0", 1 << 20);
    sys.partition("mmc/block/mmcblk0/mmcblk0p1", "179:1", 2048, 8192);
    sys.partition("mmc/block/mmcblk0/mmcblk0p2", "179:2", 10_240, 8192);
    sys.block("mmc/block/mmcblk0boot0", "179:8", 8192);
    assert_eq!(sys.is("block", "179:0"), range(179, 0, 0, 512 << 20));
    assert_eq!(sys.is("block", "179:1"), range(179, 0, 1 << 20, 4 << 20));
    assert_eq!(sys.is("block", "179:8"), range(179, 8, 0, 4 << 20));
    assert_eq!(sys.is("block", "179:1").overlap(&sys.is("block", "179:2")), None);
    for (name, number, slaves) in [
        ("dm-0", "253:0", &["mmcblk0p1"][..]),
        ("dm-1", "253:1", &["mmcblk0p2"]),
        ("dm-2", "253:2", &["mmcblk0p1", "mmcblk0p2"]),
    ] {
        sys.block(&format!("virtual/block/{name}"), number, 100);
        for slave in slaves {
            let target = format!("devices/mmc/block/mmcblk0/{slave}");
            sys.link(&format!("devices/virtual/block/{name}/slaves/{slave}"), &target);
        }
    }
    assert_eq!(sys.is("block", "253:0"), sys.is("block", "179:1"), "verity over slot a is slot a");
    assert_eq!(sys.is("block", "253:0").overlap(&sys.is("block", "253:1")), None);
    for whole in ["253:0", "253:1", "179:1"] {
        assert!(sys.is("block", "253:2").overlap(&sys.is("block", whole)).is_some(), "{whole}");
    }
    // A partition of a mapping may be anywhere in it.
    sys.partition("virtual/block/dm-2/dm-2p1", "259:9", 8, 8);
    assert_eq!(sys.is("block", "259:9"), sys.is("block", "253:2"));
    let why = sys.try_is("block", "8:1").unwrap_err().to_string();
    assert!(why.starts_with("cannot find out what it is: ") && why.contains("dev/block/8:1"), "{why}");
}

#[test]
fn devices_that_lie_on_one_another_in_a_circle_come_to_an_end() {
    let sys = Place::new("circle");
    sys.block("virtual/block/dm-0", "253:0", 8);
    sys.link("devices/virtual/block/dm-0/slaves/dm-0", "devices/virtual/block/dm-0");
    let why = sys.try_is("block", "253:0").unwrap_err().to_string();
    assert!(why.ends_with("more than 8 devices lie on one another"), "{why}");
}

#[test]
fn a_loop_device_is_a_range_of_its_file() {
    let sys = Place::new("loop");
    sys.file("images/both.img", "");
    let file = sys.0.join("images/both.img");
    for (index, offset, limit) in [(0, 0, 4096), (1, 4096, 0), (2, 0, 0)] {
        sys.block(&format!("virtual/block/loop{index}"), &format!("7:{index}"), 64);
        let folder = format!("devices/virtual/block/loop{index}/loop");
        sys.file(&format!("{folder}/backing_file"), &format!("{}\n", file.display()));
        sys.file(&format!("{folder}/offset"), &format!("{offset}\n"));
        sys.file(&format!("{folder}/sizelimit"), &format!("{limit}\n"));
    }
    let whole = identity_of(&file).unwrap();
    let overlaps =
        |one: u32, other: &PartIdentity| sys.is("block", &format!("7:{one}")).overlap(other).is_some();
    assert!(!overlaps(0, &sys.is("block", "7:1")));
    assert!(overlaps(0, &sys.is("block", "7:2")) && overlaps(1, &sys.is("block", "7:2")));
    assert!(overlaps(0, &whole) && overlaps(1, &whole));
    // Its partitions are ranges of the file as well.
    sys.partition("virtual/block/loop1/loop1p1", "259:0", 8, 8);
    let is = sys.is("block", "259:0").extents[0];
    assert_eq!((is.medium, is.start, is.bytes), (whole.extents[0].medium, 8192, 4096));
    // A file that has lost its name: the device is itself.
    fs::remove_file(file).unwrap();
    assert_eq!(sys.is("block", "7:1"), range(7, 1, 0, 64 * 512));
}

#[test]
fn mtd_partitions_of_one_chip_are_compared_by_their_offsets() {
    let sys = Place::new("mtd");
    let nor = "spi0.0/mtd";
    sys.mtd(&format!("{nor}/mtd0"), 0, 0x10000, Some(0));
    sys.mtd(&format!("{nor}/mtd1"), 1, 0x20000, Some(0x10000));
    // Over all of them: the vendor's partition "firmware".
    sys.mtd(&format!("{nor}/mtd2"), 2, 0x30000, Some(0));
    // A partition of a partition counts from there.
    sys.mtd(&format!("{nor}/mtd1/mtd3"), 3, 0x8000, Some(0x8000));
    sys.mtd("nand/mtd/mtd4", 4, 0x10000, Some(0));
    // A chip that the kernel keeps beside its partitions.
    sys.mtd("other/mtd/mtd5", 5, 0x100000, None);
    sys.mtd("other/mtd/mtd5/mtd6", 6, 0x10000, Some(0x10000));
    sys.mtd("other/mtd/mtd5/mtd7", 7, 0x10000, Some(0x20000));
    let is = |index: u32| sys.is("char", &format!("90:{}", 2 * index));
    let one = [(0, 2), (1, 2), (1, 3), (2, 3), (5, 6), (5, 7)];
    for first in 0..8 {
        for second in first + 1..8 {
            let overlap = is(first).overlap(&is(second)).is_some();
            assert_eq!(overlap, one.contains(&(first, second)), "mtd{first} and mtd{second}");
        }
    }
    assert_eq!((is(3).extents[0].start, is(3).extents[0].bytes), (0x18000, 0x8000));
    // JFFS2 has the number of mtdblock also where no driver made such a device: its state is found all the same.
    let jffs2 = Finder { sysfs: &sys.0 }.of_mounted(31 << 8 | 1, b"mtd:state").unwrap();
    assert_eq!(jffs2, Some(is(1)));
    // By its read-only node, and by mtdblock, it is the same.
    sys.link("dev/char/90:3", "devices/spi0.0/mtd/mtd1/mtd1ro");
    sys.file("devices/spi0.0/mtd/mtd1/mtd1ro/dev", "90:3\n");
    assert_eq!(sys.is("char", "90:3"), is(1));
    sys.block("spi0.0/mtd/mtd1/mtdblock1", "31:1", 256);
    assert_eq!(sys.is("block", "31:1"), is(1));
    // Kernels before 4.1 tell no offset: every MTD device is a place of its own.
    sys.mtd("old/mtd/mtd8", 8, 0x10000, None);
    sys.mtd("old/mtd/mtd9", 9, 0x10000, None);
    assert_eq!(is(8).overlap(&is(9)), None);
    assert!(is(8).overlap(&is(8)).is_some());
}

#[test]
fn ubi_volumes_are_apart_from_each_other_and_not_from_their_flash() {
    let sys = Place::new("ubi");
    sys.mtd("nand/mtd/mtd0", 0, 0x100000, Some(0));
    sys.mtd("nand/mtd/mtd1", 1, 0x100000, Some(0x100000));
    sys.file("devices/virtual/ubi/ubi0/mtd_num", "1\n");
    sys.link("class/ubi/ubi0", "devices/virtual/ubi/ubi0");
    sys.link("dev/char/250:0", "devices/virtual/ubi/ubi0");
    sys.volume(0, 0, "kernel");
    sys.volume(0, 4, "rootfs");
    let (kernel, rootfs) = (sys.is("char", "250:1"), sys.is("char", "250:5"));
    assert_eq!(kernel.overlap(&rootfs), None);
    assert_eq!(kernel.overlap(&sys.is("char", "90:0")), None);
    assert!(kernel.overlap(&sys.is("char", "90:2")).is_some(), "the MTD device that UBI is attached to");
    sys.block("virtual/block/ubiblock0_4", "252:0", 64);
    assert_eq!(sys.is("block", "252:0"), rootfs);
    let why = sys.try_is("char", "250:0").unwrap_err().to_string();
    assert_eq!(why, "ubi0 is a whole UBI device; name a volume of it");
    // UBIFS has a device number of its own; the source of its mount says the volume.
    let finder = Finder { sysfs: &sys.0 };
    for source in ["ubi0:rootfs", "ubi:rootfs", "ubi0!rootfs", "ubi0_4", "/dev/ubi0_4", "ubi4"] {
        assert_eq!(finder.of_mounted(21, source.as_bytes()).unwrap().as_ref(), Some(&rootfs), "{source}");
    }
    for source in ["tmpfs", "ubi0:data", "ubi1:rootfs", "overlay", ""] {
        assert_eq!(finder.of_mounted(21, source.as_bytes()).unwrap(), None, "{source}");
    }
}

#[test]
fn what_holds_no_part_is_refused() {
    let place = Place::new("kinds");
    assert_eq!(identity_of(&place.0.join("nothing")).unwrap_err().kind(), ErrorKind::NotFound);
    assert!(identity_of(&place.0).unwrap_err().to_string().starts_with("neither a block device"));
    let why = identity_of(Path::new("/dev/null")).unwrap_err().to_string();
    assert_eq!(why, "null is a character device, and neither flash nor a UBI volume");
}

#[test]
fn two_names_of_a_file_are_one_place() {
    let place = Place::new("names");
    place.file("a", "x");
    place.file("b", "x");
    place.link("link", "a");
    fs::hard_link(place.0.join("a"), place.0.join("second")).unwrap();
    let is = |name: &str| identity_of(&place.0.join(name)).unwrap();
    assert_eq!(is("a"), is("link"));
    assert_eq!(is("a"), is("second"));
    assert_eq!(is("a").overlap(&is("b")), None);
}

/// A loop device with three partitions of 1 MiB, and nodes of them in a folder; freed at the end.
struct Loop(PathBuf);

impl Loop {
    fn new(place: &Place) -> Loop {
        let image = place.0.join("disk.img");
        fs::File::create(&image).unwrap().set_len(8 << 20).unwrap();
        let found = run("losetup", &["--find", "--show", &image.to_string_lossy()]);
        let device = Loop(PathBuf::from(found.trim()));
        for (number, start) in [("1", "2048"), ("2", "4096"), ("3", "6144")] {
            run("addpart", &[&device.0.to_string_lossy(), number, start, "2048"]);
            let name = format!("{}p{number}", device.0.file_name().unwrap().to_string_lossy());
            let numbers =
                fs::read_to_string(format!("/sys/class/block/{name}/dev")).expect("the kernel's own look");
            let (major, minor) = numbers.trim().split_once(':').unwrap();
            run("mknod", &[&place.0.join(format!("p{number}")).to_string_lossy(), "b", major, minor]);
        }
        device
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        for number in ["1", "2", "3"] {
            let _ = Command::new("delpart").args([self.0.as_os_str(), number.as_ref()]).status();
        }
        let _ = Command::new("losetup").arg("--detach").arg(&self.0).status();
    }
}

fn run(program: &str, arguments: &[&str]) -> String {
    let ended = Command::new(program).args(arguments).output().expect(program);
    assert!(ended.status.success(), "{program}: {}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stdout).unwrap()
}

#[test]
fn a_label_on_the_wrong_partition_is_refused() {
    apart_as_root("update::storage::identity::tests::a_label_on_the_wrong_partition_is_refused", || {
        let place = Place::new("label");
        let device = Loop::new(&place);
        place.link("by-partlabel/kernel_a", "p1");
        place.link("by-partlabel/kernel_b", "p1");
        place.link("by-partlabel/rootfs_a", "p2");
        place.link("by-partlabel/rootfs_b", "p3");
        let part = |name: &str, slot, label: &str| {
            let path = place.0.join("by-partlabel").join(label);
            (Name::parse(name).unwrap(), slot, identity_of(&path).unwrap())
        };
        let parts = [
            part("kernel", Slot::A, "kernel_a"),
            part("kernel", Slot::B, "kernel_b"),
            part("rootfs", Slot::A, "rootfs_a"),
            part("rootfs", Slot::B, "rootfs_b"),
        ];
        let why = contradiction(&parts).expect("the label of kernel b leads to kernel a");
        assert!(why.starts_with("part kernel of slot a and part kernel of slot b are one place: "), "{why}");
        assert!(why.ends_with(" from byte 1048576 to 2097152"), "{why}");
        assert_eq!(contradiction(&parts[1..]), None);
        // The loop device itself, and the file under it, hold all partitions.
        for whole in [&device.0, &place.0.join("disk.img")] {
            let whole = identity_of(whole).unwrap();
            assert!(parts.iter().all(|part| part.2.overlap(&whole).is_some()));
        }
        // A second loop device over a range of the same file is the same place again.
        let image = place.0.join("disk.img");
        let found = run(
            "losetup",
            &["--find", "--show", "--offset", "1048576", "--sizelimit", "4096", &image.to_string_lossy()],
        );
        let second = Loop(PathBuf::from(found.trim()));
        let is = identity_of(&second.0).unwrap();
        let one: Vec<bool> = parts.iter().map(|part| part.2.overlap(&is).is_some()).collect();
        assert_eq!(one, [true, true, false, false]);
    });
}
