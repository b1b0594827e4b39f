//! Signs that agree and that contradict each other, and roots that are mounted for real.
#![expect(clippy::disallowed_methods, reason = "files of a test may be torn")]

use super::*;
use crate::os::test_namespace::{apart_as_root, is_apart};
use komainu_core::identifiers::Name;
use std::fs;
use std::process::Command;

struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        Place::at(std::env::temp_dir().join(format!("komainu-running-{name}-{}", std::process::id())))
    }

    fn at(folder: PathBuf) -> Place {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Place(folder)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn line(&self, text: &str) -> RunningSign {
        let file = self.file("cmdline", text);
        RunningSign::CommandLine { file, key: "komainu.slot".into(), values: ["a".into(), "b".into()] }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn good(slot: Slot) -> BootChoice {
    BootChoice { slot, tries_left: None, release: None }
}

/// The running slot of signs, where the choice is this, and a rollback leaves this.
fn found(signs: Vec<RunningSign>, choice: BootChoice, leaving: Option<Slot>) -> Result<Slot, String> {
    let mut running = RunningSlot::new(Vec::new());
    running.find(&signs, &mut || (Ok(choice.clone()), leaving)).map_err(|why| why.to_string())
}

#[test]
fn every_occurrence_on_the_command_line_must_name_the_same_slot() {
    let place = Place::new("line");
    let cmdline = place.0.join("cmdline");
    for (line, wanted) in [
        ("console=ttyS0 komainu.slot=b quiet\n", Ok(Slot::B)),
        ("komainu.slot=b root=x komainu.slot=b", Ok(Slot::B)),
        (r#"foo="x komainu.slot=a y" komainu.slot=b"#, Ok(Slot::B)),
        (r#"komainu.slot="b" -- single"#, Ok(Slot::B)),
        (
            "komainu.slot=a root=x komainu.slot=b",
            Err("CMDLINE says komainu.slot=a, and CMDLINE says komainu.slot=b: one of them is wrong"),
        ),
        (
            "komainu.slot=a -- komainu.slot=b",
            Err("CMDLINE says komainu.slot=a, and CMDLINE says komainu.slot=b: one of them is wrong"),
        ),
        (
            "komainu.slot=b komainu.slot=recovery",
            Err("CMDLINE says komainu.slot=recovery, which is neither slot"),
        ),
        ("komainu.slot=b komainu.slot", Err("CMDLINE says komainu.slot=, which is neither slot")),
        (r#"foo="x komainu.slot=b y""#, Err("CMDLINE has no komainu.slot=…")),
        ("xkomainu.slot=b", Err("CMDLINE has no komainu.slot=…")),
    ] {
        let wanted = wanted.map_err(|why: &str| why.replace("CMDLINE", &cmdline.display().to_string()));
        assert_eq!(found(vec![place.line(line)], good(Slot::B), None), wanted, "{line}");
    }
    fs::remove_file(&cmdline).unwrap();
    let missing =
        RunningSign::CommandLine { file: cmdline, key: "k".into(), values: ["a".into(), "b".into()] };
    assert!(found(vec![missing], good(Slot::A), None).unwrap_err().starts_with("cannot read "));
}

#[test]
fn a_good_boot_choice_of_the_other_slot_leaves_the_running_slot_unknown() {
    let place = Place::new("choice");
    let cmdline = place.0.join("cmdline").display().to_string();
    let named = || vec![place.line("komainu.slot=a")];
    let on_trial = BootChoice { tries_left: Some(0), ..good(Slot::B) };
    assert_eq!(found(named(), good(Slot::A), None), Ok(Slot::A));
    assert_eq!(found(named(), on_trial, None), Ok(Slot::A), "a trial that did not start");
    assert_eq!(found(named(), good(Slot::B), Some(Slot::A)), Ok(Slot::A), "on the way back to b");
    let why = found(named(), good(Slot::B), None).unwrap_err();
    let wanted = format!("{cmdline} says komainu.slot=a, and the boot choice names slot b as good");
    assert!(why.starts_with(&wanted), "{why}");
    assert!(found(named(), good(Slot::B), Some(Slot::B)).is_err());
}

#[test]
fn a_file_of_the_device_tree_is_a_sign_and_must_agree_with_the_others() {
    let place = Place::new("file");
    let path = place.file("boot-image-slot", "1\0");
    let property = |path: &Path| RunningSign::File { path: path.into(), values: ["0".into(), "1".into()] };
    assert_eq!(found(vec![property(&path)], good(Slot::B), None), Ok(Slot::B));
    let both = vec![property(&path), place.line("komainu.slot=a")];
    let why = found(both, good(Slot::B), None).unwrap_err();
    assert!(why.contains("boot-image-slot says 1, and ") && why.contains("says komainu.slot=a"), "{why}");
    let neither = place.file("other", "2\n");
    let why = found(vec![property(&neither)], good(Slot::B), None).unwrap_err();
    assert!(why.ends_with("other says 2, which is neither slot"), "{why}");
    assert_eq!(
        found(vec![RunningSign::MountedRoot], good(Slot::A), None).unwrap_err(),
        "the mounted root lies in no part of a slot"
    );
    assert_eq!(found(Vec::new(), good(Slot::A), None).unwrap_err(), "no sign of the running slot is known");
}

fn table(lines: &[&str]) -> Vec<Mount> {
    let file = std::env::temp_dir().join(format!("komainu-mounts-{}", std::process::id()));
    fs::write(&file, lines.join("\n")).unwrap();
    let read = mounts(&file).unwrap();
    fs::remove_file(file).unwrap();
    read
}

#[test]
fn the_layer_of_an_overlay_is_found_where_it_lies_now() {
    let rom = "15 20 31:3 / /rom ro,relatime - squashfs /dev/root ro";
    let data = "16 20 31:4 / /overlay rw,noatime - jffs2 /dev/mtdblock4 rw";
    let overlay = "20 1 0:15 / / rw - overlay overlayfs:/overlay rw,lowerdir=/,upperdir=/overlay/upper";
    let initramfs = "1 1 0:2 / / rw - rootfs rootfs rw";
    let (openwrt, early) = ([initramfs, rom, data, overlay], [initramfs, overlay]);
    let layer = |lines: &[&str], layer: &[u8]| {
        let mounts = table(lines);
        let root = holding(&mounts, b"/").unwrap();
        assert_eq!(root.filesystem, b"overlay");
        layer_mount(&mounts, root, layer).map(|mount| mount.filesystem.clone())
    };
    assert_eq!(layer(&openwrt, b"/").unwrap(), b"squashfs");
    assert_eq!(layer(&openwrt, b"/overlay/lower").unwrap(), b"jffs2");
    assert_eq!(layer(&early, b"/").unwrap(), b"rootfs");
    assert_eq!(layer(&[overlay], b"/"), None);
}

fn run(program: &str, arguments: &[&Path]) -> String {
    let ended = Command::new(program).args(arguments).output().expect(program);
    assert!(ended.status.success(), "{program}: {}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stdout).unwrap()
}

/// Two slots, each a file with a squashfs in it, mounted through loop devices that end with their mounts. Gives the parts,
/// as files and as those devices, and the root of a device that runs slot b: an overlay over it.
fn slot_b_mounted(place: &Path) -> (Vec<[PathBuf; 2]>, PathBuf) {
    let path = |name: &str| place.join(name);
    for folder in ["tree/proc", "tree/sys", "tree/tmp", "rom-a", "rom-b", "data", "root"] {
        fs::create_dir_all(path(folder)).unwrap();
    }
    let mut devices = Vec::new();
    for slot in ["a", "b"] {
        fs::write(path("tree/slot"), slot).unwrap();
        run("mksquashfs", &[&path("tree"), &path(slot), "-quiet".as_ref()]);
        let found = run("losetup", &["--find".as_ref(), "--show".as_ref(), "-r".as_ref(), &path(slot)]);
        let device = Path::new(found.trim());
        let mounted = [device, &path(&format!("rom-{slot}"))];
        run("mount", &[&["-t", "squashfs"].map(Path::new), &mounted[..]].concat());
        run("losetup", &["--detach".as_ref(), device]);
        let numbers =
            fs::read_to_string(Path::new("/sys/class/block").join(device.file_name().unwrap()).join("dev"));
        let numbers = numbers.unwrap();
        let (major, minor) = numbers.trim().split_once(':').unwrap();
        let node = path(&format!("device-{slot}"));
        run("mknod", &[&node, "b".as_ref(), major.as_ref(), minor.as_ref()]);
        devices.push(node);
    }
    run("mount", &["-t".as_ref(), "tmpfs".as_ref(), "data".as_ref(), &path("data")]);
    fs::create_dir_all(path("data/upper")).unwrap();
    fs::create_dir_all(path("data/work")).unwrap();
    let layers = format!(
        "lowerdir={},upperdir={},workdir={}",
        path("rom-b").display(),
        path("data/upper").display(),
        path("data/work").display()
    );
    let words = ["-t", "overlay", "overlay", "-o", &layers].map(Path::new);
    run("mount", &[&words[..], &[&path("root")]].concat());
    // The slots' files and the layers are to be found at the same paths from within.
    for folder in [place, Path::new("/proc"), Path::new("/sys")] {
        let there = path("root").join(folder.strip_prefix("/").unwrap());
        fs::create_dir_all(&there).unwrap();
        run("mount", &["--rbind".as_ref(), folder, &there]);
    }
    (vec![[path("a"), path("b")], [devices[0].clone(), devices[1].clone()]], path("root"))
}

/// The folder of the test, made and removed by the process outside, which does not see what is mounted in it.
fn folder_of(process: u32) -> PathBuf {
    std::env::temp_dir().join(format!("komainu-root-{process}"))
}

#[test]
fn the_mounted_root_contradicts_a_command_line_that_lies() {
    let _outside = (!is_apart()).then(|| Place::at(folder_of(std::process::id())));
    let test = "update::boot::running_slot::tests::the_mounted_root_contradicts_a_command_line_that_lies";
    apart_as_root(test, || {
        let place = folder_of(std::os::unix::process::parent_id());
        for slot in ["a", "b"] {
            fs::write(place.join(format!("says-{slot}")), format!("komainu.slot={slot}\n")).unwrap();
        }
        let (ways, root) = slot_b_mounted(&place);
        nix::unistd::chroot(&root).unwrap();
        std::env::set_current_dir("/").unwrap();
        assert_eq!(fs::read_to_string("/slot").unwrap(), "b", "slot b is what runs");
        let line = |slot: &str| RunningSign::CommandLine {
            file: place.join(format!("says-{slot}")),
            key: "komainu.slot".into(),
            values: ["a".into(), "b".into()],
        };
        for paths in ways {
            let parts = vec![PartPaths { name: Name::parse("rootfs").unwrap(), paths }];
            let find = |sign, choice| {
                RunningSlot::new(parts.clone()).find(&[sign], &mut || (Ok(good(choice)), None))
            };
            assert_eq!(find(line("b"), Slot::B), Ok(Slot::B), "{parts:?}");
            // The root has proven it: the planner puts the choice right, as ever.
            assert_eq!(find(line("b"), Slot::A), Ok(Slot::B), "{parts:?}");
            assert_eq!(find(RunningSign::MountedRoot, Slot::A), Ok(Slot::B), "{parts:?}");
            let why = find(line("a"), Slot::A).unwrap_err();
            assert!(
                why.contains("says komainu.slot=a, and the mounted root lies in a part of slot b"),
                "{why}"
            );
        }
    });
}
