//! Tests of the snapshot: in a folder of their own, which stands for the device's root.

use super::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

struct Device {
    top: PathBuf,
    state: PathBuf,
}

impl Device {
    fn new(name: &str) -> Device {
        let top = std::env::temp_dir().join(format!("komainu-snapshot-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&top);
        let state = top.join("state");
        for folder in ["state", "etc/config/deep"] {
            fs::create_dir_all(top.join(folder)).unwrap();
        }
        let device = Device { top, state };
        device.write("etc/config/network", "lan 10.0.0.1");
        device.write("etc/config/deep/wifi", "key secret");
        device.write("etc/hosts", "127.0.0.1 localhost");
        device
    }

    fn path(&self, name: &str) -> PathBuf {
        self.top.join(name)
    }

    fn write(&self, name: &str, text: &str) {
        files::replace_as(&self.path(name), text.as_bytes(), 0o644).unwrap();
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn tree(&self) -> Tree {
        Tree::at(&self.top).unwrap()
    }

    fn take(&self, bytes_max: u32) -> Result<(), Text> {
        let paths = [self.path("etc/config"), self.path("etc/hosts"), self.path("etc/none")];
        take(&self.tree(), &paths, bytes_max, 2, &self.state)
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.top);
    }
}

#[test]
fn settings_come_back_as_they_were_and_new_files_stay() {
    let device = Device::new("back");
    fs::set_permissions(device.path("etc/config/network"), fs::Permissions::from_mode(0o640)).unwrap();
    device.take(1000).unwrap();
    let mode = fs::metadata(device.state.join(NAME)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "the owner's passwords are in it");
    device.write("etc/config/network", "format 2");
    fs::set_permissions(device.path("etc/config/network"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::remove_file(device.path("etc/config/deep/wifi")).unwrap();
    device.write("etc/config/new", "of release 2");
    let untouched = fs::metadata(device.path("etc/hosts")).unwrap().ino();
    restore(&device.tree(), 3, &device.state).unwrap();
    assert_eq!(device.text("etc/config/network"), "format 2", "it is the snapshot of another release");
    restore(&device.tree(), 2, &device.state).unwrap();
    assert_eq!(device.text("etc/config/network"), "lan 10.0.0.1");
    assert_eq!(fs::metadata(device.path("etc/config/network")).unwrap().mode() & 0o777, 0o640);
    assert_eq!(device.text("etc/config/deep/wifi"), "key secret");
    assert_eq!(device.text("etc/config/new"), "of release 2");
    assert_eq!(fs::metadata(device.path("etc/hosts")).unwrap().ino(), untouched, "it was not written");
    forget(true, &device.state).unwrap();
    assert!(!device.state.join(NAME).exists());
}

#[test]
fn a_cut_anywhere_leaves_the_settings_old_and_whole() {
    let device = Device::new("cut");
    device.take(1000).unwrap();
    let whole = fs::read(device.state.join(NAME)).unwrap();
    // Hooks ran after the snapshot, and the power went: the second call must not keep what they made.
    device.write("etc/config/network", "format 2");
    device.take(1000).unwrap();
    assert_eq!(fs::read(device.state.join(NAME)).unwrap(), whole);
    // While it is put back: whatever was written by then, the next start does the rest.
    for done in ["etc/config/network", "etc/config/deep/wifi", "etc/hosts"] {
        for name in ["etc/config/network", "etc/config/deep/wifi", "etc/hosts"] {
            device.write(name, "format 2");
        }
        let (_, kept) = read(&device.state.join(NAME)).unwrap();
        let first = kept.iter().find(|file| file.path == device.path(done)).unwrap();
        put_back(&device.tree(), first, &device.state).unwrap();
        restore(&device.tree(), 2, &device.state).unwrap();
        assert_eq!(device.text("etc/config/network"), "lan 10.0.0.1");
        assert_eq!(device.text("etc/hosts"), "127.0.0.1 localhost");
    }
    // A ledger that is not whole is none: nothing is put back from it, and the next activation takes another.
    for length in 0..whole.len() - 1 {
        files::replace(&device.state.join(NAME), &whole[..length]).unwrap();
        assert!(read(&device.state.join(NAME)).is_none(), "cut at {length}");
    }
    device.take(1000).unwrap();
    assert_eq!(fs::read(device.state.join(NAME)).unwrap(), whole);
}

#[test]
fn more_than_may_be_kept_is_refused_with_its_path() {
    let device = Device::new("more");
    let bytes = "lan 10.0.0.1key secret127.0.0.1 localhost".len() as u32;
    device.take(bytes).unwrap();
    forget(true, &device.state).unwrap();
    let why = device.take(bytes - 1).unwrap_err();
    assert!(why.contains("etc/hosts") && why.contains("owner_settings_bytes"), "{why}");
    assert!(!device.state.join(NAME).exists());
}

#[test]
fn neither_links_nor_strangers_lead_elsewhere() {
    let device = Device::new("links");
    device.write("secret", "of others");
    symlink(device.path("secret"), device.path("etc/config/leads-out")).unwrap();
    device.take(1000).unwrap();
    let (_, kept) = read(&device.state.join(NAME)).unwrap();
    assert_eq!(kept.len(), 3, "what a link in the folder leads to is not the owner's setting");
    // A link that took a file's place is replaced; what it leads to stays.
    fs::remove_file(device.path("etc/hosts")).unwrap();
    symlink(device.path("secret"), device.path("etc/hosts")).unwrap();
    restore(&device.tree(), 2, &device.state).unwrap();
    assert_eq!(
        (device.text("etc/hosts").as_str(), device.text("secret").as_str()),
        ("127.0.0.1 localhost", "of others")
    );
    // In a folder that everybody may write, nothing is put back.
    fs::set_permissions(device.path("etc"), fs::Permissions::from_mode(0o777)).unwrap();
    device.write("etc/hosts", "a stranger's");
    assert!(restore(&device.tree(), 2, &device.state).is_err());
    assert_eq!(device.text("etc/hosts"), "a stranger's");
    forget(false, &device.state).unwrap();
    assert!(device.state.join(NOT_RESTORED).exists() && !device.state.join(NAME).exists());
}
