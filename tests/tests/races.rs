//! A racing attacker against every place that touches a file which others may have a hand in: while a user without
//! privileges swaps folders, files, links, hard links and pipes, root's files elsewhere stay as they are: content, owner,
//! permissions, and which there are. Two seconds a place; `KOMAINU_RACE_SECONDS=60` runs longer by hand.
//!
//! The layout is that of much firmware: `/var` is a link to `/tmp`, which everybody may write.
#![allow(clippy::unwrap_used, reason = "a panic is the report")]
#![expect(clippy::disallowed_methods, reason = "it measures time, and lays files")]

use komainu_agent::config::settings::DeviceSettings;
use komainu_agent::gate::credential_store::CredentialStore;
use komainu_agent::wall::accounts::lock::{lock_account, remove_key};
use komainu_agent::wall::accounts::password_trial::Trial;
use komainu_agent::wall::accounts::survey::{AccountSurvey, Places, WebFormat};
use komainu_agent::wall::autostart::Autostart;
use komainu_agent::wall::integrity::IntegrityGuard;
use komainu_agent::wall::{forensics, quarantine};
use komainu_core::device::Account;
use komainu_core::wall::judge::integrity::Owner;
use komainu_core::wall::policy::ProtectedPath;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The user who attacks.
const NOBODY: u32 = 65_534;
const VICTIMS: [&str; 6] = ["passwd", "shadow", "authorized_keys", "hosts", "bad", "root"];
const PRINT: &str = "SHA256:fe85JkIjo8VPe+XqXJGH5Mau1EMFdK1OdKvJUFicyA8";

/// A device under attack: `etc`, which is to stay as it is, and `var`, a link to `tmp`, which everybody may write.
struct Attacked {
    top: PathBuf,
    racer: Option<Child>,
    before: Vec<String>,
    end: Instant,
}

impl Attacked {
    /// Lays everything out, with the folder that the attacker swaps at `inside` of `/var`; the attack begins. `None`: only root can.
    fn new(name: &str, inside: &str, learn: impl FnOnce(&Attacked)) -> Option<Attacked> {
        if !nix::unistd::geteuid().is_root() {
            assert!(
                std::env::var_os("CI").is_none(),
                "the races need root: an attacker must be another user"
            );
            eprintln!("not run: only root can be attacked by another user");
            return None;
        }
        let top = std::env::temp_dir().join(format!("komainu-race-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&top);
        for folder in ["etc/cron.d", "tmp", "state", "run"] {
            fs::create_dir_all(top.join(folder)).unwrap();
        }
        let top = fs::canonicalize(top).unwrap();
        fs::set_permissions(top.join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
        symlink("tmp", top.join("var")).unwrap();
        for name in VICTIMS {
            let path = top.join("etc").join(name);
            fs::write(&path, format!("root:!{name}:0:0:whole:/:/bin/sh\n")).unwrap();
            chown(&path, Some(0), Some(42)).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        }
        let inner = top.join("tmp").join(inside);
        let folder = inner.parent().unwrap();
        fs::create_dir_all(folder).unwrap();
        // The kernel of a device may let a user make hard links to files of others; ours may not.
        for name in VICTIMS {
            fs::hard_link(top.join("etc").join(name), folder.join(format!("hard-{name}"))).unwrap();
        }
        let mut path = folder;
        while path != top.join("tmp") {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
            path = path.parent().unwrap();
        }
        // The attacker must be able to start it, whoever owns the folder of the build.
        let program = top.join("racer");
        let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_racer")).arg(&program).status().unwrap();
        assert!(copied.success());
        let seconds = std::env::var("KOMAINU_RACE_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
        let seconds: u64 = seconds.unwrap_or(2);
        let mut attacked = Attacked { before: Vec::new(), racer: None, end: Instant::now(), top };
        attacked.start(&inner, 1);
        attacked.racer.take().unwrap().wait().unwrap();
        learn(&attacked);
        attacked.before = attacked.state_of_etc();
        attacked.start(&inner, seconds * 1000);
        attacked.end = Instant::now() + Duration::from_secs(seconds);
        Some(attacked)
    }

    fn start(&mut self, inner: &Path, milliseconds: u64) {
        let mut racer = Command::new(self.top.join("racer"))
            .arg(inner)
            .arg(self.top.join("etc"))
            .arg(milliseconds.to_string())
            .uid(NOBODY)
            .gid(NOBODY)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(racer.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "laid\n");
        self.racer = Some(racer);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.top.join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().into()
    }

    fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// Acts again and again while the attack lasts, then once more in peace; tells what was won.
    fn race(mut self, place: &str, mut act: impl FnMut(&Attacked)) {
        let mut tries = 0;
        while Instant::now() < self.end {
            act(&self);
            tries += 1;
        }
        let ended = self.racer.take().unwrap().wait().unwrap();
        act(&self);
        let after = self.state_of_etc();
        println!("{place}: {tries} tries");
        assert_eq!(self.before, after, "{place}: a file elsewhere was won");
        assert_eq!(ended.code(), Some(0), "{place}: 3 means that a user's pipe was opened");
        assert!(tries > 0, "{place}: nothing was tried");
    }

    /// Each file of `etc` on a line: what it is, whose, and what is in it.
    fn state_of_etc(&self) -> Vec<String> {
        fn add(folder: &Path, lines: &mut Vec<String>) {
            let mut paths: Vec<_> =
                fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
            paths.sort();
            for path in paths {
                let seen = fs::symlink_metadata(&path).unwrap();
                let bytes = if seen.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
                lines.push(format!(
                    "{} {:o} {}:{} {}",
                    path.display(),
                    seen.mode(),
                    seen.uid(),
                    seen.gid(),
                    String::from_utf8_lossy(&bytes)
                ));
                if seen.is_dir() {
                    add(&path, lines);
                }
            }
        }
        let mut lines = vec![format!("{:o}", fs::metadata(self.path("etc")).unwrap().mode())];
        add(&self.path("etc"), &mut lines);
        lines
    }

    fn settings(&self, account_file: &str, wipe: &str) -> DeviceSettings {
        let at = self.top.display();
        let text = format!(
            "[device]\nboard = \"gate-1\"\nid = \"x\"\n[server]\nmetadata_url = \"http://127.0.0.1/m/\"\n\
             targets_url = \"http://127.0.0.1/t/\"\n[wall]\nkeep = false\n[gate]\nfirewall = \"none\"\n\
             account_file = \"{at}/{account_file}\"\nhooks_directory = \"{at}/hooks\"\n\
             wipe = [{wipe}]\n\
             [[part]]\nname = \"rootfs\"\na = \"{at}/a\"\nb = \"{at}/b\"\n"
        );
        DeviceSettings::read(&text).unwrap()
    }

    /// The owner's credentials. Where their file is in `etc`, a reset wipes the attacker's folder.
    fn credentials(&self, account_file: &str) -> CredentialStore {
        let at = self.top.display();
        let places = ["/bad", "/cron.d", ""].map(|name| format!("\"{at}/var/spool/a{name}\""));
        let wipe = if account_file.starts_with("etc") { places.join(", ") } else { String::new() };
        let settings = self.settings(account_file, &wipe);
        let store = CredentialStore::new(settings.gate.as_ref().unwrap(), &self.state());
        store.make().unwrap();
        store
    }
}

impl Drop for Attacked {
    fn drop(&mut self) {
        if let Some(mut racer) = self.racer.take() {
            let _ = racer.kill();
            let _ = racer.wait();
        }
        let _ = fs::remove_dir_all(&self.top);
    }
}

#[test]
fn no_race_is_won_against_the_lock_of_an_account() {
    let Some(attacked) = Attacked::new("accounts", "spool/a", |_| {}) else { return };
    let file = attacked.text("var/spool/a/passwd");
    let mut places = Places::new("admin", &attacked.path("var/spool/a/shadow"));
    places.passwd = file.clone().into();
    attacked.race("accounts", |attacked| {
        let _ = lock_account(&places, &attacked.state(), &file, "mallory");
    });
}

#[test]
fn no_race_is_won_against_the_removal_of_a_key() {
    let Some(attacked) = Attacked::new("keys", "spool/a", |_| {}) else { return };
    let file = attacked.text("var/spool/a/authorized_keys");
    attacked.race("keys", |attacked| {
        let _ = remove_key(&attacked.state(), &file, PRINT);
    });
}

/// A user's file of keys, or a web program's file of users, is a pipe, leads to one, or to a file of root's: the look opens none.
#[test]
fn no_race_is_won_against_a_look_at_accounts_and_keys() {
    let Some(attacked) = Attacked::new("look", "spool/a", |_| {}) else { return };
    let within = |name: &str| attacked.path("var/spool/a").join(name);
    let mut places = Places::new("admin", &within("shadow"));
    places.passwd = within("passwd");
    places.keys = vec![within("authorized_keys")];
    places.web = vec![(within("hosts"), WebFormat::Htpasswd)];
    let mut trial = Trial::new(attacked.settings("etc/shadow", "").gate.as_ref().unwrap());
    attacked.race("look", |_| drop(AccountSurvey::new(places.clone()).look(&mut trial)));
}

#[test]
fn no_race_is_won_against_what_is_put_back() {
    let mut guard = None;
    let listed = ["hosts", "passwd", "cron.d"];
    let attacked = Attacked::new("integrity", "spool/a", |attacked| {
        let integrity = listed.map(|name| ProtectedPath {
            path: attacked.text("var/spool/a/") + name,
            what: name.into(),
            restore: true,
        });
        let mut new = IntegrityGuard::new(&attacked.state());
        new.look(&integrity, Owner::Away);
        guard = Some((new, integrity));
    });
    let (Some(attacked), Some((mut guard, integrity))) = (attacked, guard) else { return };
    attacked.race("integrity", |_| {
        guard.look(&integrity, Owner::Away);
        for one in &integrity {
            let _ = guard.restore(&one.path);
        }
    });
}

#[test]
fn no_race_is_won_against_quarantine() {
    let Some(attacked) = Attacked::new("quarantine", "spool/a", |_| {}) else { return };
    attacked.race("quarantine", |attacked| {
        for name in ["bad", "hosts"] {
            let _ = quarantine::move_away(&attacked.state(), &attacked.path("var/spool/a").join(name));
        }
    });
}

#[test]
fn no_race_is_won_against_evidence() {
    let Some(attacked) = Attacked::new("evidence", "spool/a", |_| {}) else { return };
    let files = VICTIMS.map(|name| attacked.path("var/spool/a").join(name));
    attacked.race("evidence", |attacked| {
        let wanted = forensics::Wanted { why: "race", time: &"boot+1", processes: &[], files: &files };
        forensics::keep(&attacked.state(), &wanted).unwrap();
    });
}

#[test]
fn no_race_is_won_against_the_credential_store() {
    let Some(attacked) = Attacked::new("credentials", "spool/a", |_| {}) else { return };
    let store = attacked.credentials("var/spool/a/shadow");
    attacked.race("credentials", |_| {
        let _ = store.account();
        let _ = store.write_account(Account::Locked);
    });
}

#[test]
fn no_race_is_won_against_a_factory_reset() {
    let Some(attacked) = Attacked::new("reset", "spool/a", |_| {}) else { return };
    let store = attacked.credentials("etc/shadow");
    attacked.race("reset", |_| {
        let _ = store.wipe();
    });
}

/// A user lays `/var/spool/cron/crontabs/passwd`, which starts telnet, and swaps the folder for a link to `/etc` while the
/// agent takes the line away.
#[test]
fn a_folder_of_start_files_that_becomes_a_link_to_etc_wins_nothing() {
    let Some(attacked) = Attacked::new("starters", "spool/cron/crontabs", |_| {}) else { return };
    let file = attacked.text("var/spool/cron/crontabs/passwd");
    let mut autostart = Autostart::new(&attacked.top);
    attacked.race("starters", |attacked| {
        autostart.look();
        let _ = autostart.stop_starting(&attacked.state(), &file, 1, "@reboot telnetd", 0);
    });
}
