//! A staging whose slot lies on the boot environment, on flags, or on the storage of the state is refused before its first
//! write.
#![expect(clippy::disallowed_methods, reason = "files of a test may be torn")]

use super::*;
use crate::config::profile_reader;
use crate::config::settings::PartPaths;
use crate::os::test_namespace::apart_as_root;
use crate::update::storage::slot_table::SlotTable;
use komainu_core::device::Slots;
use komainu_core::identifiers::{Name, Slot};
use std::fs;
use std::process::Command;

/// A folder with a part for each slot, and what a test lays beside them; removed at the end.
struct Place(PathBuf);

impl Place {
    fn new(test: &str) -> Place {
        let folder = std::env::temp_dir().join(format!("komainu-kept-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("state")).unwrap();
        for part in ["a", "b", "environment"] {
            fs::write(folder.join(part), [0x5a; 16384]).unwrap();
        }
        Place(folder)
    }

    fn boot(&self, profile: &str, environment: &str) -> Boot {
        fs::write(self.0.join("fw_env.config"), environment.replace("DIR", &self.0.to_string_lossy()))
            .unwrap();
        Boot {
            environment: self.0.join("fw_env.config"),
            profile: profile_reader::read(&profile.replace("DIR", &self.0.to_string_lossy())).unwrap(),
            booted_file: PathBuf::new(),
            booted_key: String::new(),
            booted_values: Default::default(),
            reboot_command: Vec::new(),
        }
    }

    /// Begins a staging into slot b, in the part of this name.
    fn stage(&self, boot: &Boot, b: &str) -> Result<(), Text> {
        let paths = [self.0.join("a"), self.0.join(b)];
        let part = PartPaths { name: Name::parse("rootfs").unwrap(), paths };
        let mut slots = SlotTable::new(vec![part], KeptPlaces::new(&self.0.join("state"), boot));
        slots.invalidate(Slot::B, 0)
    }

    fn is_untouched(&self, file: &str) -> bool {
        fs::read(self.0.join(file)).unwrap() == [0x5a; 16384]
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const BOOTCOUNT: &str = include_str!("../../../dist/boot/bootcount.toml");

#[test]
fn a_staging_into_the_boot_environment_is_refused_before_its_first_write() {
    let place = Place::new("environment");
    // The second copy of the pair lies in the part.
    let pair = "DIR/environment 0x0 0x1000\nDIR/b 0x1000 0x1000\n";
    let why = place.stage(&place.boot(BOOTCOUNT, pair), "b").expect_err("slot b holds a copy");
    assert!(why.starts_with("part rootfs of slot b and the boot environment are one place: "), "{why}");
    assert!(place.is_untouched("b"));
    // A link to it is the same place.
    std::os::unix::fs::symlink(place.0.join("b"), place.0.join("link")).unwrap();
    assert!(place.stage(&place.boot(BOOTCOUNT, pair), "link").is_err());
    assert!(place.is_untouched("b"));
    // Beside it, nothing is refused.
    let beside = "DIR/environment 0x0 0x1000\nDIR/environment 0x1000 0x1000\n";
    place.stage(&place.boot(BOOTCOUNT, beside), "b").unwrap();
    assert!(!place.is_untouched("b"));
}

#[test]
fn a_staging_into_the_flags_of_the_boot_loader_is_refused_before_its_first_write() {
    let place = Place::new("flags");
    let mstc = include_str!("../../../dist/boot/mstc.toml");
    let bootconfig = include_str!("../../../dist/boot/bootconfig.toml").replace("0:bootconfig", "DIR/a");
    for profile in [mstc.replace("\"persist\"", "\"DIR/b\""), bootconfig.replace("DIR/a1", "DIR/b")] {
        let why = place.stage(&place.boot(&profile, ""), "b").expect_err("slot b holds flags");
        assert!(why.contains("of slot b and the boot loader's flags are one place: "), "{why}");
        assert!(place.is_untouched("b"));
    }
    // Flags that cannot be found may be anywhere.
    let gone = mstc.replace("\"persist\"", "\"DIR/none\"");
    let why = place.stage(&place.boot(&gone, ""), "b").expect_err("the flags are nowhere");
    assert!(why.starts_with("cannot find out whether a part is the boot loader's flags "), "{why}");
    assert!(place.is_untouched("b"));
}

fn run(program: &str, arguments: &[&str]) {
    let ended = Command::new(program).args(arguments).output().expect(program);
    assert!(ended.status.success(), "{program}: {}", String::from_utf8_lossy(&ended.stderr));
}

#[test]
fn a_staging_into_the_storage_of_the_state_is_refused_before_its_first_write() {
    let test = "update::kept_places::tests::a_staging_into_the_storage_of_the_state_is_refused_before_its_first_write";
    apart_as_root(test, || {
        let place = Place::new("state");
        let boot = place.boot(BOOTCOUNT, "DIR/environment 0x0 0x1000\n");
        let (image, state) = (place.0.join("b"), place.0.join("state"));
        let shown = |path: &Path| path.to_string_lossy().into_owned();
        fs::File::create(&image).unwrap().set_len(4 << 20).unwrap();
        run("mkfs.ext4", &["-q", &shown(&image)]);
        run("mount", &["-o", "loop", &shown(&image), &shown(&state)]);
        let why = place.stage(&boot, "b").expect_err("slot b holds the state");
        // And where the state lies in the upper layer of an overlay.
        let (upper, over) = (state.join("upper"), place.0.join("over"));
        for folder in [&upper, &state.join("work"), &over] {
            fs::create_dir_all(folder).unwrap();
        }
        let layers = format!(
            "lowerdir={},upperdir={},workdir={}",
            shown(&place.0.join("over")),
            shown(&upper),
            shown(&state.join("work"))
        );
        run("mount", &["-t", "overlay", "-o", &layers, "overlay", &shown(&over)]);
        let part =
            PartPaths { name: Name::parse("rootfs").unwrap(), paths: [place.0.join("a"), image.clone()] };
        let overlaid = SlotTable::new(vec![part], KeptPlaces::new(&over, &boot)).invalidate(Slot::B, 0);
        run("umount", &[&shown(&over)]);
        run("umount", &[&shown(&state)]);
        for why in [why, overlaid.expect_err("slot b holds the state below the overlay")] {
            assert!(
                why.starts_with("part rootfs of slot b and the state folder's medium are one place: "),
                "{why}"
            );
        }
        // Its file system is as it was.
        run("fsck.ext4", &["-n", &shown(&image)]);
        place.stage(&boot, "b").unwrap();
    });
}
