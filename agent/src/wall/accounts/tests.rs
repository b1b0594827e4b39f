//! Accounts and keys in a folder of their own: found, locked, removed.

use super::lock::{lock_account, remove_key};
use super::password_trial::{Progress, Trial, digest_of};
use super::survey::{AccountSurvey, Places, WebFormat};
use crate::os::files;
use komainu_bootstrap::credential::crypt::{Method, make};
use komainu_core::wall::judge::accounts::PasswordSeen::{Empty, Locked, Set, Untried};
use komainu_core::wall::judge::accounts::{AccountsSeen, Of, Whose};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c";
const KEY_PRINT: &str = "SHA256:fe85JkIjo8VPe+XqXJGH5Mau1EMFdK1OdKvJUFicyA8";

/// A device's files, which go with it.
struct DeviceSettings {
    folder: PathBuf,
    places: Places,
    trial: Trial,
}

impl DeviceSettings {
    fn new(name: &str) -> DeviceSettings {
        let folder = std::env::temp_dir().join(format!("komainu-accounts-{}-{name}", std::process::id()));
        fs::create_dir_all(folder.join("root/.ssh")).unwrap();
        let places = Places {
            passwd: folder.join("passwd"),
            shadow: folder.join("shadow"),
            owner: "admin".into(),
            owner_file: folder.join("shadow"),
            keys: vec![folder.join("dropbear")],
            web: vec![
                (folder.join("htpasswd"), WebFormat::Htpasswd),
                (folder.join("plain"), WebFormat::Clear),
            ],
        };
        DeviceSettings { folder, places, trial: Trial::new(&settings()) }
    }

    fn write(&self, name: &str, bytes: &str, mode: u32) {
        files::replace_as(&self.folder.join(name), bytes.as_bytes(), mode).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(name)).unwrap()
    }

    /// The accounts that are there, with every password tried.
    fn seen(&mut self) -> AccountsSeen {
        let mut survey = AccountSurvey::new(self.places.clone());
        survey.look(&mut self.trial);
        while self.trial.step(10) != Progress::Done {}
        survey.look(&mut self.trial)
    }
}

impl Drop for DeviceSettings {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn settings() -> crate::config::gate_settings::GateSettings {
    let text = "[device]\nboard = \"gate-1\"\nid = \"x\"\n[server]\nmetadata_url = \"http://127.0.0.1/m/\"\n\
                targets_url = \"http://127.0.0.1/t/\"\n[wall]\nkeep = false\n[gate]\nfirewall = \"none\"\nvendor = \"Koma\"\n\
                [[part]]\nname = \"rootfs\"\na = \"/a\"\nb = \"/b\"\n";
    crate::config::settings::DeviceSettings::read(text).unwrap().gate.unwrap()
}

fn crypt(password: &str) -> String {
    make(password, Method::Md5, [9; 12])
}

#[test]
fn accounts_of_all_files_are_seen_tried_and_locked() {
    let mut device = DeviceSettings::new("all");
    let home = device.folder.join("root");
    let passwd = format!(
        "root:x:0:0::{}:/bin/sh\nadmin:x:1000:0::/:/bin/sh\nguest:{}:5:5::relative:/bin/sh\nold:absxcfbgXtb3o:7:7::/:\n\
         new:$y$j9T$abcdefghijk$x:8:8::/:\n",
        home.display(),
        crypt("guest123")
    );
    device.write("passwd", &passwd, 0o644);
    device.write("shadow", &format!("root::1::::::\nadmin:{}:1::::::\n", crypt("a good password")), 0o600);
    device.write(
        "htpasswd",
        &format!("user:{}\nother:$2y$05$abcdefghijk\noff:!x\n", crypt("koma1234")),
        0o640,
    );
    device.write("plain", "admin:admin\nguest:nobody knows\n", 0o600);
    let seen = device.seen();
    let told: Vec<_> = seen.accounts.iter().map(|one| (one.name.as_str(), one.password, one.known)).collect();
    let set = |name: &str, password: &str| Set(digest_of(name, &crypt(password)));
    let clear = |name: &str, password: &str| Set(digest_of(name, password));
    assert_eq!(
        told,
        [
            ("admin", set("admin", "a good password"), Some(false)),
            ("root", Empty, None),
            ("guest", set("guest", "guest123"), Some(true)),
            ("old", Set(digest_of("old", "absxcfbgXtb3o")), Some(true)),
            ("new", Untried("yescrypt"), None),
            ("user", set("user", "koma1234"), Some(true)),
            ("other", Untried("bcrypt"), None),
            ("off", Locked, None),
            ("admin", clear("admin", "admin"), Some(true)),
            ("guest", clear("guest", "nobody knows"), Some(false)),
        ]
    );
    assert_eq!(seen.unread, None);
    for account in seen.accounts.iter().filter(|one| one.of != Of::WebInFixed && one.whose == Whose::Other) {
        lock_account(&device.places, &device.folder, &account.file, &account.name).unwrap();
        lock_account(&device.places, &device.folder, &account.file, &account.name).unwrap();
    }
    let after = device.seen();
    let open: Vec<_> =
        after.accounts.iter().filter(|one| one.password != Locked).map(|one| &*one.name).collect();
    assert_eq!(open, ["admin", "admin", "guest"]);
    assert!(device.read("passwd").contains(&format!("guest:!{}:5:5:", crypt("guest123"))));
    assert_eq!(
        device.read("htpasswd"),
        format!("user:!{}\nother:!$2y$05$abcdefghijk\noff:!x\n", crypt("koma1234"))
    );
    for (name, mode) in [("passwd", 0o644), ("shadow", 0o600), ("htpasswd", 0o640)] {
        let metadata = fs::metadata(device.folder.join(name)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{name}");
    }
}

#[test]
fn the_owners_account_is_never_locked_here() {
    let device = DeviceSettings::new("owner");
    device.write("shadow", "admin:x$1$abcdefghijkl:1::::::\n", 0o600);
    let file = device.folder.join("shadow").display().to_string();
    assert!(lock_account(&device.places, &device.folder, &file, "admin").is_err());
    assert!(
        lock_account(&device.places, &device.folder, &file, "nobody").is_ok(),
        "who is not there is locked out"
    );
    assert_eq!(device.read("shadow"), "admin:x$1$abcdefghijkl:1::::::\n");
}

#[test]
fn what_bypasses_the_owners_password_goes() {
    let mut device = DeviceSettings::new("bypass");
    device.write("passwd", "root:*:0:0::/:\nadmin::1000:0::/:/bin/sh\n", 0o644);
    device.write("shadow", &format!("admin:{}:1::::::\n", crypt("a good password")), 0o600);
    let admin = device.seen().accounts.remove(0);
    assert_eq!((admin.whose, admin.password), (Whose::OwnerBypassed, Empty));
    lock_account(&device.places, &device.folder, &admin.file, "admin").unwrap();
    lock_account(&device.places, &device.folder, &admin.file, "admin").unwrap();
    assert_eq!(device.read("passwd"), "root:*:0:0::/:\nadmin:x:1000:0::/:/bin/sh\n");
    let admin = device.seen().accounts.remove(0);
    assert_eq!((admin.whose, admin.known), (Whose::Owner, Some(false)));
}

#[test]
fn keys_are_found_and_go_one_by_one() {
    let mut device = DeviceSettings::new("keys");
    let home = device.folder.join("root");
    device.write("passwd", &format!("root:x:0:0::{0}:/bin/sh\nx:*:0:0::{0}:\n", home.display()), 0o644);
    let other = KEY.replace("IIqI", "IIqJ");
    device.write("root/.ssh/authorized_keys", &format!("{other} a\nno-pty {KEY} b\n"), 0o600);
    device.write("dropbear", KEY, 0o600);
    nix::unistd::mkfifo(&home.join(".ssh/authorized_keys2"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let keys = device.seen().keys;
    let told: Vec<_> = keys.iter().map(|key| (key.line, key.fingerprint == KEY_PRINT)).collect();
    assert_eq!(told, [(1, true), (1, false), (2, true)]);
    // Only root can give a file away.
    let theirs = if nix::unistd::geteuid().is_root() { 1234 } else { nix::unistd::getuid().as_raw() };
    std::os::unix::fs::chown(home.join(".ssh/authorized_keys"), Some(theirs), None).unwrap();
    remove_key(&device.folder, &keys[1].file, KEY_PRINT).unwrap();
    remove_key(&device.folder, &keys[1].file, KEY_PRINT).unwrap();
    assert_eq!(fs::metadata(home.join(".ssh/authorized_keys")).unwrap().uid(), theirs);
    assert_eq!(device.read("root/.ssh/authorized_keys"), format!("{other} a\n"));
    remove_key(&device.folder, "/nowhere/keys", KEY_PRINT).unwrap();
}

#[test]
fn what_a_user_links_keys_to_is_neither_opened_nor_changed() {
    let mut device = DeviceSettings::new("links");
    let home = device.folder.join("root");
    device.write("passwd", &format!("root:x:0:0::{}:/bin/sh\n", home.display()), 0o644);
    device.write("elsewhere", &format!("{KEY}\n"), 0o644);
    let keys = home.join(".ssh/authorized_keys");
    std::os::unix::fs::symlink(device.folder.join("elsewhere"), &keys).unwrap();
    assert_eq!(device.seen().keys.len(), 1, "a link of root's leads where root wants");
    // Only root can give a link away.
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    std::os::unix::fs::lchown(&keys, Some(1234), Some(1234)).unwrap();
    let seen = device.seen();
    assert!(seen.keys.is_empty());
    assert!(seen.unread.unwrap().contains("a link of user 1234"));
    remove_key(&device.folder, &keys.display().to_string(), KEY_PRINT).unwrap_err();
    assert_eq!(device.read("elsewhere"), format!("{KEY}\n"));
}

#[test]
fn keys_in_the_home_of_a_user_are_told_and_not_changed() {
    let mut device = DeviceSettings::new("homes");
    let home = device.folder.join("root");
    device.write("passwd", &format!("user:x:1234:0::{}:/bin/sh\n", home.display()), 0o644);
    device.write("root/.ssh/authorized_keys", &format!("{KEY}\n"), 0o600);
    assert!(device.seen().keys[0].is_roots);
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    std::os::unix::fs::chown(&home, Some(1234), None).unwrap();
    let keys = device.seen().keys;
    assert!(!keys[0].is_roots, "the user can lay another folder there at any moment");
    remove_key(&device.folder, &keys[0].file, KEY_PRINT).unwrap_err();
    assert_eq!(device.read("root/.ssh/authorized_keys"), format!("{KEY}\n"));
}

#[test]
fn accounts_that_are_kept_elsewhere_are_a_doubt() {
    let mut device = DeviceSettings::new("elsewhere");
    device.write("nsswitch.conf", "passwd: files systemd\n", 0o644);
    assert_eq!(device.seen().unread, None);
    device.write("nsswitch.conf", "passwd: files ldap\n", 0o644);
    assert!(device.seen().unread.unwrap().contains("accounts of ldap"));
    device.write("nsswitch.conf", "", 0o644);
    fs::create_dir(device.folder.join("tcb")).unwrap();
    assert!(device.seen().unread.unwrap().contains("tcb: passwords of single accounts"));
}

/// A web program lists as many users as it likes in its own file: none of them costs a remediation.
#[test]
fn nothing_is_locked_in_a_file_that_others_can_write() {
    let mut device = DeviceSettings::new("webs");
    device.write("htpasswd", "one:admin\ntwo:admin\n", 0o644);
    for (mode, of) in [(0o755, Of::Web), (0o777, Of::WebInFixed)] {
        fs::set_permissions(&device.folder, fs::Permissions::from_mode(mode)).unwrap();
        let seen = device.seen().accounts;
        assert_eq!(seen.iter().map(|one| one.of).collect::<Vec<_>>(), [of, of]);
    }
}

#[test]
fn a_pipe_of_keys_is_a_doubt() {
    let mut device = DeviceSettings::new("pipe");
    device.write("dropbear", &format!("{KEY}\n"), 0o600);
    assert_eq!(device.seen().unread, None);
    let pipe = device.folder.join("dropbear");
    fs::remove_file(&pipe).unwrap();
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(device.seen().unread.unwrap().contains("it is a pipe"));
}

#[test]
fn what_cannot_be_read_is_said() {
    let mut device = DeviceSettings::new("unread");
    assert_eq!(device.seen(), AccountsSeen::default());
    device.write("passwd", &"x".repeat(300_000), 0o644);
    assert!(device.seen().unread.is_some());
    let file = device.folder.join("passwd").display().to_string();
    assert!(lock_account(&device.places, &device.folder, &file, "root").is_err());
}

#[test]
fn accounts_and_keys_that_change_are_seen_at_once_by_a_survey_that_knows_them() {
    let mut device = DeviceSettings::new("again");
    let mut survey = AccountSurvey::new(device.places.clone());
    let home = device.folder.join("root");
    device.write("passwd", &format!("root:x:0:0::{}:/bin/sh\n", home.display()), 0o644);
    device.write("shadow", "root:!:1::::::\n", 0o600);
    let mut seen = || {
        let seen = survey.look(&mut device.trial);
        // After two looks more it goes by the files' metadata alone.
        for _ in 0..2 {
            survey.look(&mut device.trial);
        }
        seen
    };
    assert_eq!((seen().accounts.remove(0).password, seen().keys.len()), (Locked, 0));
    let write =
        |name: &str, bytes: &str| files::replace_as(&device.folder.join(name), bytes.as_bytes(), 0o600);
    write("shadow", "root::1::::::\n").unwrap();
    assert_eq!(seen().accounts.remove(0).password, Empty);
    write("dropbear", &format!("{KEY} a\n")).unwrap();
    write("root/.ssh/authorized_keys", &format!("{KEY} b\n")).unwrap();
    assert_eq!(seen().keys.len(), 2);
    fs::remove_file(device.folder.join("dropbear")).unwrap();
    assert_eq!(seen().keys.len(), 1);
    write("plain", "admin:admin\n").unwrap();
    assert!(seen().accounts.iter().any(|account| account.name == "admin"));
    while device.trial.step(10) != Progress::Done {}
    let known = survey.look(&mut device.trial);
    assert!(known.accounts.iter().any(|account| account.known == Some(true)), "what was tried since is told");
}
