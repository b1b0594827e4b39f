//! Tables of real devices' mounts, and the medium of programs on them.

use super::*;
use crate::os::procfs::mountinfo::LAYERS_MAX;

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
    assert_eq!(
        medium(in_memory.clone()),
        Medium::Unknown,
        "the folder below is covered by the overlay itself"
    );
    in_memory.take(b"30 1 0:9 / /ram rw - tmpfs tmpfs rw");
    assert_eq!(medium(in_memory), Medium::Memory);
}

#[test]
fn the_root_is_firmware_even_where_it_can_be_written() {
    let board = mounts(&["1 0 179:2 / / rw - ext4 /dev/mmcblk0p2 rw", "2 1 179:3 / /data rw - ext4 x rw"]);
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

/// What a program at this path is on such a device, whose files are these.
fn medium_on(lines: &[&str], files: &[&str], path: &str) -> Medium {
    mounts(lines).medium(path.as_bytes(), &These(files))
}

#[test]
fn a_file_over_one_of_the_firmwares_is_an_upgrade_and_a_new_one_is_not() {
    use Medium::{Firmware, Memory, Storage, Unknown, Upgraded};
    // OpenWrt: the layer below is named `/`, and was moved to /rom.
    let files = [
        "/overlay/upper",
        "/overlay/upper/usr/sbin/dnsmasq",
        "/overlay/upper/usr/bin/bot",
        "/rom/usr/sbin/dnsmasq",
    ];
    for (path, medium) in [
        ("/usr/sbin/dnsmasq", Upgraded),
        ("/usr/bin/bot", Storage),
        ("/bin/busybox", Firmware),
        // The place of the files written since is storage like all of its device.
        ("/overlay/upper/usr/sbin/dnsmasq", Storage),
    ] {
        assert_eq!(medium_on(&OPENWRT, &files, path), medium, "{path}");
    }
    // Without /rom: nobody can tell. A folder of that name, which anything can make, is not the firmware's.
    let without: Vec<&str> = OPENWRT.iter().copied().filter(|line| !line.contains("/rom")).collect();
    assert_eq!(medium_on(&without, &files, "/usr/sbin/dnsmasq"), Unknown);
    assert_eq!(medium_on(&without, &files, "/usr/bin/bot"), Unknown);
    let writable = "20 25 0:77 / /rom rw - tmpfs tmpfs rw";
    assert_eq!(medium_on(&[&without[..], &[writable]].concat(), &files, "/usr/sbin/dnsmasq"), Unknown);

    // Debian live: everything that is written lies in memory.
    let live = [
        "28 1 0:25 / / rw,noatime - overlay overlay rw,lowerdir=/run/live/rootfs/filesystem.squashfs/,upperdir=/run/live/overlay/rw,workdir=/run/live/overlay/work",
        "23 28 0:21 / /run rw - tmpfs tmpfs rw",
        "29 23 7:0 / /run/live/rootfs/filesystem.squashfs ro,noatime - squashfs /dev/loop0 ro,errors=continue",
        "30 23 0:24 / /run/live/overlay rw,noatime - tmpfs tmpfs rw",
    ];
    let files = [
        "/run/live/overlay/rw",
        "/run/live/rootfs/filesystem.squashfs/",
        "/run/live/rootfs/filesystem.squashfs/usr/sbin/sshd",
        "/run/live/overlay/rw/usr/sbin/sshd",
        "/run/live/overlay/rw/usr/bin/bot",
    ];
    for (path, medium) in [("/usr/sbin/sshd", Upgraded), ("/usr/bin/bot", Memory), ("/usr/bin/cat", Firmware)]
    {
        assert_eq!(medium_on(&live, &files, path), medium, "{path}");
    }

    // A board whose start image laid an overlay over its card, and left both layers where no path leads to.
    let board = [
        "1 0 179:2 / /boot rw - vfat /dev/mmcblk0p1 rw",
        "2 1 0:30 / / rw - overlay overlay rw,lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work",
    ];
    // What an intruder makes of those names lies in the overlay itself.
    let files = ["/upper/data", "/upper/data/usr/bin/bot", "/lower", "/lower/usr/bin/bot"];
    assert_eq!(medium_on(&board, &files, "/usr/bin/bot"), Firmware, "as before: no layer is in sight");

    // A phone or a box: the partition of the system is read-only, and a debug build lays writable ones over it.
    let phone = [
        "1 0 253:0 / / ro - ext4 /dev/block/dm-0 ro,seclabel",
        "2 1 253:9 / /mnt/scratch rw - f2fs /dev/block/dm-9 rw",
        "3 1 253:1 / /vendor ro - erofs /dev/block/dm-1 ro",
        "4 3 0:40 / /vendor rw - overlay overlay-vendor rw,lowerdir=/vendor,upperdir=/mnt/scratch/overlay/vendor/upper,workdir=/mnt/scratch/overlay/vendor/work",
        "5 1 253:5 / /data rw - f2fs /dev/block/dm-5 rw",
    ];
    let upper = "/mnt/scratch/overlay/vendor/upper";
    let files = [upper, &[upper, "/bin/hw/x"].concat()];
    assert_eq!(medium_on(&phone, &files, "/vendor/bin/hw/x"), Unknown, "the overlay covers the layer below");
    assert_eq!(medium_on(&phone, &files, "/vendor/bin/hw/y"), Firmware);
    assert_eq!(medium_on(&phone, &files, "/data/x"), Storage);
}

#[test]
fn the_layers_of_containers_are_what_they_lie_on() {
    let docker = |root: &str, lower: &str| {
        [
            root.to_owned(),
            "2 1 8:17 / /data rw - ext4 /dev/sdb1 rw".to_owned(),
            format!(
                "40 2 0:50 / /data/docker/overlay2/7f/merged rw - overlay overlay rw,{lower},upperdir=/data/docker/overlay2/7f/diff,workdir=/data/docker/overlay2/7f/work"
            ),
        ]
    };
    let root = "1 0 31:2 / / ro - squashfs /dev/root ro";
    let files = [
        "/data/docker/overlay2/7f/diff",
        "/data/docker/overlay2/7f/diff/usr/bin/new",
        "/data/docker/overlay2/7f/diff/usr/sbin/nginx",
        "/data/docker/overlay2/l/AA",
        "/data/docker/overlay2/l/AA/usr/sbin/nginx",
        "/data/docker/overlay2/l/B:B",
        "/data/docker/overlay2/l/B:B/usr/bin/old",
    ];
    for lower in [
        "lowerdir=/data/docker/overlay2/l/AA:/data/docker/overlay2/l/B\\134:B",
        "lowerdir+=/data/docker/overlay2/l/AA,lowerdir+=/data/docker/overlay2/l/B:B",
        "lowerdir=l/AA:l/BB",
    ] {
        let lines = docker(root, lower);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        for inside in ["/usr/bin/new", "/usr/sbin/nginx", "/usr/bin/old", "/usr/bin/none"] {
            let path = ["/data/docker/overlay2/7f/merged", inside].concat();
            assert_eq!(medium_on(&lines, &files, &path), Medium::Storage, "{lower} {path}");
        }
    }
    // Layers are the firmware's where it brings the images.
    let lines = docker(root, "lowerdir=/usr/share/images/one");
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let files = [&files[..], &["/usr/share/images/one", "/usr/share/images/one/usr/sbin/nginx"]].concat();
    for (inside, medium) in [("/usr/sbin/nginx", Medium::Upgraded), ("/usr/bin/new", Medium::Storage)] {
        assert_eq!(medium_on(&lines, &files, &["/data/docker/overlay2/7f/merged", inside].concat()), medium);
    }
    // Layers without end are not followed without end.
    let many = format!("lowerdir={}", ["/data/docker/overlay2/l/AA"; 100].join(":"));
    let lines = docker(root, &many);
    assert!(mount(lines[2].as_bytes()).unwrap().lower.len() <= LAYERS_MAX + 1);
}

#[test]
fn who_lays_an_overlay_in_memory_over_the_firmwares_folder_has_a_program_in_memory() {
    let lines = [
        "1 0 31:2 / / ro - squashfs /dev/root ro",
        "2 1 0:9 / /tmp rw - tmpfs tmpfs rw",
        "3 1 0:50 / /usr/sbin rw - overlay x rw,lowerdir=/rom/usr/sbin,upperdir=/tmp/u,workdir=/tmp/w",
    ];
    let files = ["/tmp/u", "/tmp/u/dnsmasq", "/rom/usr/sbin", "/rom/usr/sbin/dnsmasq"];
    assert_eq!(medium_on(&lines, &files, "/usr/sbin/dnsmasq"), Medium::Memory);
}

#[test]
fn a_program_in_another_view_is_found_under_its_path_in_ours() {
    let ours = mounts(&[
        "1 0 31:2 / / ro - squashfs /dev/root ro",
        "2 1 8:17 / /data rw - ext4 /dev/sdb1 rw",
        "3 1 8:18 /pool /srv rw - ext4 /dev/sdb2 rw",
        "4 2 0:50 / /data/docker/7f/merged rw - overlay overlay rw,lowerdir=/data/l,upperdir=/data/u",
    ]);
    let theirs = |lines: &[&str]| mounts(lines);
    for (lines, path, device, here) in [
        // A container of layers, and one in a folder of a disk.
        (
            &["9 8 0:50 / / rw - overlay overlay rw,lowerdir=/data/l,upperdir=/data/u"][..],
            "/usr/bin/x",
            50,
            Some("/data/docker/7f/merged/usr/bin/x"),
        ),
        (
            &["9 8 8:17 /lxc/c/rootfs / rw - ext4 /dev/sdb1 rw"],
            "/usr/sbin/dnsmasq",
            8 << 8 | 17,
            Some("/data/lxc/c/rootfs/usr/sbin/dnsmasq"),
        ),
        (&["9 8 8:18 /pool/c / rw - ext4 /dev/sdb2 rw"], "/x", 8 << 8 | 18, Some("/srv/c/x")),
        (&["9 8 8:18 /other/c / rw - ext4 /dev/sdb2 rw"], "/x", 8 << 8 | 18, None),
        // One file laid over another.
        (
            &["9 8 31:2 / / ro - squashfs a ro", "10 9 8:17 /bot /usr/sbin/dnsmasq rw - ext4 x rw"],
            "/usr/sbin/dnsmasq",
            8 << 8 | 17,
            Some("/data/bot"),
        ),
        // A file system that is mounted there alone.
        (
            &["9 8 31:2 / / ro - squashfs a ro", "10 9 0:77 / /usr/sbin rw - tmpfs x rw"],
            "/usr/sbin/dnsmasq",
            77,
            None,
        ),
        (&[], "/x", 50, None),
    ] {
        let found = ours.path_here(&theirs(lines), path.as_bytes(), device);
        assert_eq!(found.as_deref().map(String::from_utf8_lossy).as_deref(), here, "{lines:?}");
    }
    for (device, medium) in [
        (31 << 8 | 2, Medium::Firmware),
        (8 << 8 | 17, Medium::Storage),
        (50, Medium::Storage),
        (77, Medium::Storage),
    ] {
        assert_eq!(ours.medium_elsewhere(device), medium);
    }
    assert_eq!(mounts(&OPENWRT).medium_elsewhere(19), Medium::Memory);
    assert_eq!(mounts(&OPENWRT).medium_elsewhere(0x11), Medium::Storage, "an overlay may hold anything");
}

#[test]
fn the_layer_of_a_file_tells_the_firmwares_own_from_what_was_written_since() {
    let files = These(&[
        "/overlay/upper",
        "/overlay/upper/etc/rc.local",
        "/overlay/upper/etc/init.d/dropbear",
        "/rom/etc/init.d/dropbear",
        "/up",
        "/up/a",
        "/up/b",
        "/low",
        "/low/b",
    ]);
    let origin = |mounts: &Mounts, path: &str| {
        let (origin, lower) = mounts.origin(path.as_bytes(), &files);
        (origin, lower.map(|lower| String::from_utf8(lower).unwrap()))
    };
    let openwrt = mounts(&OPENWRT);
    assert_eq!(origin(&openwrt, "/etc/inittab"), (Origin::Firmware, None));
    assert_eq!(origin(&openwrt, "/rom/etc/inittab"), (Origin::Firmware, None));
    assert_eq!(origin(&openwrt, "/etc/rc.local"), (Origin::Added, None));
    let lower = Some("/rom/etc/init.d/dropbear".into());
    assert_eq!(origin(&openwrt, "/etc/init.d/dropbear"), (Origin::OverFirmware, lower));
    assert_eq!(origin(&openwrt, "/tmp/etc/rc.local"), (Origin::Unknown, None));
    let etc = mounts(&[
        "1 0 8:1 / / ro - squashfs /dev/root ro",
        "2 1 0:17 / /etc rw - overlay x rw,lowerdir=/low:/lower,upperdir=/up",
    ]);
    assert_eq!(origin(&etc, "/etc/b"), (Origin::OverFirmware, Some("/low/b".into())));
    assert_eq!(origin(&mounts(&["1 0 8:1 / / rw - ext4 x rw"]), "/etc/a"), (Origin::Unknown, None));
}
