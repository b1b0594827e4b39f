//! Tests of integrity, with real files.

use super::*;
use komainu_core::wall::judge::integrity::Change;
use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};

struct Fixture {
    top: PathBuf,
    integrity: Vec<ProtectedPath>,
    guard: IntegrityGuard,
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.top);
    }
}

impl Fixture {
    /// A device with a file, a folder of start scripts, a link, and the path of a file that is not there.
    fn new(name: &str) -> Fixture {
        let top = std::env::temp_dir().join(format!("komainu-guard-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&top);
        fs::create_dir_all(top.join("etc/cron.d")).unwrap();
        fs::create_dir_all(top.join("run")).unwrap();
        let top = fs::canonicalize(top).unwrap();
        let integrity = ["hosts", "cron.d", "resolv.conf", "ld.so.preload"].map(|name| ProtectedPath {
            path: top.join("etc").join(name).to_str().unwrap().into(),
            what: name.into(),
            restore: true,
        });
        let fixture =
            Fixture { integrity: integrity.into(), guard: IntegrityGuard::new(&top.join("state")), top };
        fixture.write("etc/hosts", "192.0.2.1 gate\n");
        fixture.write("etc/cron.d/daily", "0 3 * * * backup\n");
        fixture.write("run/resolv.conf", "nameserver 192.0.2.1\n");
        symlink(fixture.top.join("run/resolv.conf"), fixture.top.join("etc/resolv.conf")).unwrap();
        fixture
    }

    fn path(&self, name: &str) -> String {
        self.top.join(name).to_str().unwrap().into()
    }

    fn write(&self, name: &str, content: &str) {
        let mut file = fs::File::create(self.top.join(name)).unwrap();
        file.write_all(content.as_bytes()).unwrap();
        file.set_permissions(Permissions::from_mode(0o644)).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.top.join(name)).unwrap()
    }

    /// The differing files, by name.
    fn differs(&mut self, owner: Owner) -> Vec<(String, Change, bool)> {
        let seen = self.guard.look(&self.integrity, owner);
        assert_eq!((seen.damaged, seen.doubt), (None, None));
        let top = self.path("");
        let name = |path: &str| path.strip_prefix(&top).unwrap().to_owned();
        seen.different.iter().map(|it| (name(&it.path), it.change, it.can_restore)).collect()
    }

    fn restart(&mut self) {
        self.guard = IntegrityGuard::new(&self.top.join("state"));
    }

    fn list(&self) -> PathBuf {
        self.top.join("state/wall/baseline")
    }
}

#[test]
fn what_a_stranger_changes_is_found_and_put_back() {
    let mut fixture = Fixture::new("restore");
    assert_eq!(fixture.differs(Owner::Away), [], "seen for the first time");
    fixture.restart();
    fixture.write("etc/hosts", "203.0.113.9 update.example\n");
    fs::remove_file(fixture.path("etc/cron.d/daily")).unwrap();
    fixture.write("etc/cron.d/bot", "* * * * * /tmp/x\n");
    fixture.write("run/resolv.conf", "nameserver 203.0.113.9\n");
    fixture.write("etc/ld.so.preload", "/tmp/x.so\n");
    let all = [
        ("etc/hosts".into(), Change::Changed, true),
        ("etc/cron.d/bot".into(), Change::New, false),
        ("etc/cron.d/daily".into(), Change::Gone, true),
        ("run/resolv.conf".into(), Change::Changed, true),
        ("etc/ld.so.preload".into(), Change::New, false),
    ];
    assert_eq!(fixture.differs(Owner::Away), all);
    // The owner comes, but these changes are not theirs.
    assert_eq!(fixture.differs(Owner::Here), all);
    fixture.restart();
    for name in ["etc/hosts", "etc/cron.d/daily", "run/resolv.conf"] {
        fixture.guard.restore(&fixture.path(name)).unwrap();
    }
    for name in ["etc/cron.d/bot", "etc/ld.so.preload"] {
        let path = fixture.path(name);
        assert!(fixture.guard.restore(&path).is_err(), "nothing to put back");
        fs::remove_file(path).unwrap();
    }
    assert_eq!(fixture.differs(Owner::Away), []);
    assert_eq!(fixture.read("etc/hosts"), "192.0.2.1 gate\n");
    assert_eq!(fixture.read("etc/cron.d/daily"), "0 3 * * * backup\n");
}

#[test]
fn what_changes_while_the_owner_is_there_is_the_new_rule() {
    let mut fixture = Fixture::new("owner");
    fixture.differs(Owner::Away);
    fixture.write("etc/hosts", "192.0.2.2 gate\n");
    fs::remove_file(fixture.path("etc/cron.d/daily")).unwrap();
    assert_eq!(fixture.differs(Owner::Here), []);
    fixture.restart();
    assert_eq!(fixture.differs(Owner::Away), []);
    fixture.write("etc/hosts", "x");
    assert_eq!(fixture.differs(Owner::Away).len(), 1);
    fixture.guard.restore(&fixture.path("etc/hosts")).unwrap();
    assert_eq!(fixture.read("etc/hosts"), "192.0.2.2 gate\n");
}

#[test]
fn learning_makes_everything_good_and_keeps_no_more_copies_than_needed() {
    let mut fixture = Fixture::new("learn");
    fixture.differs(Owner::Away);
    fixture.write("etc/hosts", "other\n");
    fixture.write("etc/cron.d/bot", "x\n");
    assert_eq!(fixture.differs(Owner::Away).len(), 2);
    fixture.guard.accept_changes(&fixture.integrity).unwrap();
    assert_eq!(fixture.differs(Owner::Away), []);
    // hosts, daily, bot, the link, and its target.
    assert_eq!(fs::read_dir(fixture.path("state/wall/copies")).unwrap().count(), 5);
}

#[test]
fn permissions_and_links_are_guarded_too() {
    let mut fixture = Fixture::new("modes");
    fixture.differs(Owner::Away);
    fs::set_permissions(fixture.path("etc/hosts"), Permissions::from_mode(0o666)).unwrap();
    fs::set_permissions(fixture.path("etc/cron.d"), Permissions::from_mode(0o777)).unwrap();
    fs::remove_file(fixture.path("etc/resolv.conf")).unwrap();
    symlink("/tmp/elsewhere", fixture.path("etc/resolv.conf")).unwrap();
    let found = fixture.differs(Owner::Away);
    let names: Vec<&str> = found.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, ["etc/hosts", "etc/cron.d", "etc/resolv.conf"]);
    for name in names {
        fixture.guard.restore(&fixture.path(name)).unwrap();
    }
    assert_eq!(fixture.differs(Owner::Away), []);
    let mode = fs::metadata(fixture.path("etc/hosts")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o644);
}

#[test]
fn a_folder_that_was_taken_away_comes_back_with_its_files() {
    let mut fixture = Fixture::new("folder");
    fixture.differs(Owner::Away);
    fs::remove_dir_all(fixture.path("etc/cron.d")).unwrap();
    assert_eq!(fixture.differs(Owner::Away), [("etc/cron.d".into(), Change::Gone, true)]);
    fixture.guard.restore(&fixture.path("etc/cron.d")).unwrap();
    assert_eq!(fixture.differs(Owner::Away), [("etc/cron.d/daily".into(), Change::Gone, true)]);
    fixture.guard.restore(&fixture.path("etc/cron.d/daily")).unwrap();
    assert_eq!(fixture.differs(Owner::Away), []);
    // A link in its place is not followed.
    fs::remove_dir_all(fixture.path("etc/cron.d")).unwrap();
    symlink(fixture.path("run"), fixture.path("etc/cron.d")).unwrap();
    let why = fixture.guard.restore(&fixture.path("etc/cron.d")).unwrap_err();
    assert!(why.ends_with("etc/cron.d: it is no folder any more"), "{why}");
}

#[test]
fn what_a_link_leads_to_may_come_later_and_is_guarded_from_then_on() {
    let mut fixture = Fixture::new("later");
    fs::remove_file(fixture.path("run/resolv.conf")).unwrap();
    assert_eq!(fixture.differs(Owner::Away), []);
    fixture.write("run/resolv.conf", "nameserver 192.0.2.1\n");
    assert_eq!(fixture.differs(Owner::Away), []);
    fixture.write("run/resolv.conf", "nameserver 203.0.113.9\n");
    assert_eq!(fixture.differs(Owner::Away), [("run/resolv.conf".into(), Change::Changed, true)]);
}

#[test]
fn a_damaged_list_is_learned_anew_and_told_once() {
    let mut fixture = Fixture::new("damaged");
    fixture.differs(Owner::Away);
    let mut bytes = fs::read(fixture.list()).unwrap();
    bytes[40] ^= 1;
    fs::File::create(fixture.list()).unwrap().write_all(&bytes).unwrap();
    fixture.restart();
    let seen = fixture.guard.look(&fixture.integrity, Owner::Away);
    assert_eq!(
        seen.damaged.as_deref(),
        Some("the baseline of guarded files is damaged: its checksum is wrong")
    );
    assert_eq!(fixture.differs(Owner::Away), []);
    fixture.restart();
    assert_eq!(fixture.differs(Owner::Away), []);
}

#[test]
fn a_damaged_copy_is_never_put_back() {
    let mut fixture = Fixture::new("copy");
    fixture.differs(Owner::Away);
    for copy in fs::read_dir(fixture.path("state/wall/copies")).unwrap() {
        fs::File::create(copy.unwrap().path()).unwrap().write_all(b"spoilt").unwrap();
    }
    fixture.write("etc/hosts", "bad\n");
    let why = fixture.guard.restore(&fixture.path("etc/hosts")).unwrap_err();
    assert!(why.starts_with("the copy ") && why.ends_with("is lost: it is damaged"), "{why}");
    assert_eq!(fixture.read("etc/hosts"), "bad\n");
}

#[test]
fn a_cut_before_the_list_is_written_leaves_the_old_rule() {
    let mut fixture = Fixture::new("cut");
    fixture.differs(Owner::Away);
    let before = fs::read(fixture.list()).unwrap();
    fixture.write("etc/hosts", "new\n");
    // The list cannot be replaced: a folder has the new list's name and cannot be removed.
    fs::create_dir_all(fixture.path("state/wall/baseline.new/x")).unwrap();
    let seen = fixture.guard.look(&fixture.integrity, Owner::Here);
    assert!(seen.doubt.unwrap().starts_with("cannot write "));
    assert_eq!(fs::read(fixture.list()).unwrap(), before);
    fixture.restart();
    assert_eq!(fixture.differs(Owner::Away).len(), 1);
    fixture.guard.restore(&fixture.path("etc/hosts")).unwrap();
    assert_eq!(fixture.read("etc/hosts"), "192.0.2.1 gate\n");
}

#[test]
fn a_list_that_could_not_be_written_is_written_later() {
    let mut fixture = Fixture::new("unwritten");
    fixture.differs(Owner::Away);
    fixture.write("etc/hosts", "new\n");
    fs::create_dir_all(fixture.path("state/wall/baseline.new/x")).unwrap();
    assert!(fixture.guard.look(&fixture.integrity, Owner::Here).doubt.is_some());
    fs::remove_dir_all(fixture.path("state/wall/baseline.new")).unwrap();
    assert_eq!(fixture.differs(Owner::Away), []);
    fixture.restart();
    assert_eq!(fixture.differs(Owner::Away), []);
}

#[test]
fn what_has_no_room_does_not_have_the_list_written_at_every_look() {
    let mut fixture = Fixture::new("room");
    let name = |number: usize| format!("etc/cron.d/{number:04}");
    (0..komainu_core::wall::judge::integrity::ITEMS_MAX).for_each(|number| fixture.write(&name(number), ""));
    assert!(fixture.guard.look(&fixture.integrity, Owner::Here).doubt.is_some());
    // Other files in the places of those that are remembered.
    for number in 0..100 {
        fs::remove_file(fixture.path(&name(number))).unwrap();
        fixture.write(&name(number + 5000), "");
    }
    fixture.guard.look(&fixture.integrity, Owner::Here);
    let written = fs::metadata(fixture.list()).unwrap();
    fixture.guard.look(&fixture.integrity, Owner::Here);
    let inode = |seen: &fs::Metadata| std::os::unix::fs::MetadataExt::ino(seen);
    assert_eq!(inode(&fs::metadata(fixture.list()).unwrap()), inode(&written));
}

#[test]
fn odd_things_are_told_and_never_waited_for() {
    let mut fixture = Fixture::new("odd");
    nix::unistd::mkfifo(Path::new(&fixture.path("etc/cron.d/pipe")), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(fixture.differs(Owner::Away), [], "a pipe is remembered as one");
    fs::File::create(fixture.path("etc/hosts")).unwrap().set_len(2 << 20).unwrap();
    let seen = fixture.guard.look(&fixture.integrity, Owner::Away);
    assert!(seen.doubt.unwrap().ends_with("etc/hosts: larger than 1048576 bytes"));
    // Names that are no lines and no text.
    let odd = std::os::unix::ffi::OsStrExt::from_bytes(b"etc/cron.d/\n\xff");
    fs::File::create(fixture.top.join::<&std::ffi::OsStr>(odd)).unwrap();
    fixture.write("etc/hosts", "192.0.2.1 gate\n");
    let seen = fixture.guard.look(&fixture.integrity, Owner::Away);
    assert!(seen.doubt.unwrap().ends_with("not a name that can be guarded"));
}

#[test]
fn a_file_that_is_too_large_for_a_copy_is_compared_all_the_same() {
    let mut fixture = Fixture::new("large");
    fixture.write("etc/hosts", &"x".repeat(COPY_BYTES_MAX + 1));
    fixture.differs(Owner::Away);
    fixture.write("etc/hosts", &"y".repeat(COPY_BYTES_MAX + 1));
    assert_eq!(fixture.differs(Owner::Away), [("etc/hosts".into(), Change::Changed, false)]);
    assert!(fixture.guard.restore(&fixture.path("etc/hosts")).unwrap_err().starts_with("no copy of "));
}

#[test]
fn a_change_that_hides_behind_old_times_is_found_when_all_is_read_again() {
    let fixture = Fixture::new("stamp");
    let mut memory = ScanCache::default();
    let baseline = Baseline::default();
    let hash =
        |memory: &mut ScanCache, now| memory.look(&fixture.integrity, &baseline, now).all[0].found.mark.hash;
    let first = hash(&mut memory, 0);
    // As if the file system's account of the file had not changed with it.
    memory.pretend(&fixture.path("etc/hosts"), [7; 32]);
    assert_eq!(hash(&mut memory, 599_999), [7; 32], "not read");
    assert_eq!(hash(&mut memory, 1_200_000), first, "read again at the first walk after ten minutes");
}

#[test]
fn an_unchanged_device_is_not_walked_through_again_and_every_change_is_seen_at_once() {
    let mut fixture = Fixture::new("glance");
    fixture.differs(Owner::Away);
    let calm = |fixture: &mut Fixture| {
        // The first look finds the names, the second knows them from before, the third needs no walk.
        for _ in 0..2 {
            fixture.differs(Owner::Away);
        }
        let walks = fixture.guard.memory.walks;
        fixture.differs(Owner::Away);
        assert_eq!(fixture.guard.memory.walks, walks, "nothing has changed");
    };
    calm(&mut fixture);
    type Change = fn(&Fixture);
    let changes: [(&str, Change, &str); 7] = [
        ("of the same length, its time set back", in_place, "etc/hosts"),
        ("a new file in a folder", |fixture| fixture.write("etc/cron.d/x", "x"), "etc/cron.d/x"),
        (
            "a file is gone from a folder",
            |fixture| fs::remove_file(fixture.top.join("etc/cron.d/daily")).unwrap(),
            "etc/cron.d/daily",
        ),
        ("a file that was not there", |fixture| fixture.write("etc/ld.so.preload", "x"), "etc/ld.so.preload"),
        ("the file behind a link", |fixture| fixture.write("run/resolv.conf", "x"), "run/resolv.conf"),
        (
            "a link to the same file by other words",
            |fixture| {
                fs::remove_file(fixture.top.join("etc/resolv.conf")).unwrap();
                symlink("../run/resolv.conf", fixture.top.join("etc/resolv.conf")).unwrap();
            },
            "etc/resolv.conf",
        ),
        (
            "the permissions of a folder",
            |fixture| {
                fs::set_permissions(fixture.top.join("etc/cron.d"), Permissions::from_mode(0o700)).unwrap();
            },
            "etc/cron.d",
        ),
    ];
    for (what, change, name) in changes {
        change(&fixture);
        assert!(fixture.differs(Owner::Away).iter().any(|(path, ..)| path == name), "{what}");
        calm(&mut fixture);
    }
}

fn in_place(fixture: &Fixture) {
    let path = fixture.top.join("etc/hosts");
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    fixture.write("etc/hosts", "192.0.2.9 gate\n");
    fs::File::options().write(true).open(&path).unwrap().set_modified(before).unwrap();
}

#[test]
fn what_is_to_be_learned_after_a_trial_is_still_known_after_a_power_cut() {
    let mut fixture = Fixture::new("trial");
    fixture.differs(Owner::Away);
    assert!(!fixture.guard.owes_learning());
    fixture.guard.owe_learning();
    fixture.write("etc/hosts", "192.0.2.2 of the new release\n");
    fixture.guard = IntegrityGuard::new(&fixture.top.join("state"));
    assert!(fixture.guard.owes_learning());
    fixture.guard.accept_changes(&fixture.integrity).unwrap();
    fixture.guard = IntegrityGuard::new(&fixture.top.join("state"));
    assert!(!fixture.guard.owes_learning());
    assert_eq!(fixture.differs(Owner::Away), []);
}

#[test]
fn what_a_user_lays_is_never_put_back() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let mut fixture = Fixture::new("laid");
    let crontabs = fixture.path("etc/cron.d");
    let give = |user| std::os::unix::fs::chown(&crontabs, Some(user), Some(0)).unwrap();
    // A user's folder when it is seen first, which becomes root's at the next start: what was in it is not root's.
    give(61_234);
    assert_eq!(fixture.differs(Owner::Away), []);
    give(0);
    fs::remove_file(fixture.path("etc/cron.d/daily")).unwrap();
    let gone = ("etc/cron.d/daily".to_owned(), Change::Gone, false);
    assert!(fixture.differs(Owner::Away).contains(&gone), "told, and without a copy");
    assert!(fixture.guard.restore(&fixture.path("etc/cron.d/daily")).is_err());
    // Nor with permissions that are never given.
    let mut fixture = Fixture::new("given");
    fs::set_permissions(fixture.path("etc/hosts"), Permissions::from_mode(0o666)).unwrap();
    fs::set_permissions(fixture.path("etc/cron.d"), Permissions::from_mode(0o1777)).unwrap();
    fixture.differs(Owner::Away);
    fixture.write("etc/hosts", "x");
    fs::set_permissions(fixture.path("etc/cron.d"), Permissions::from_mode(0o755)).unwrap();
    let told = fixture.differs(Owner::Away);
    assert!(told.len() == 2 && told.iter().all(|(_, _, can_restore)| !can_restore), "{told:?}");
}
