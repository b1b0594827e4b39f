//! Foreign files: what is followed, read, changed and refused.

use super::*;
use crate::os::test_namespace::apart;
use komainu_core::fault::Text;
use nix::sys::stat::Mode;
use std::fs;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

/// A folder of root's, or of the user who runs the test, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("komainu-foreign-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("etc")).unwrap();
        Folder(fs::canonicalize(path).unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, bytes: &str, mode: u32) {
        let _ = fs::remove_file(self.path(name));
        let mut file = File::create_new(self.path(name)).unwrap();
        io::Write::write_all(&mut file, bytes.as_bytes()).unwrap();
        file.set_permissions(fs::Permissions::from_mode(mode)).unwrap();
    }

    fn find(&self, name: &str) -> Result<Option<Place>, Text> {
        Tree::device().unwrap().find(&self.path(name))
    }

    /// Reads and changes a file as the wall does.
    fn change(&self, name: &str, bytes: &str) -> Result<(), Text> {
        let place = self.find(name)?.unwrap();
        let before = place.read(100).unwrap().unwrap();
        place.change(&before, bytes.as_bytes(), &self.path("state"))
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn set_mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The number of a user that nobody is; only root can give a file away.
const STRANGER: u32 = 61_234;

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[test]
fn a_file_is_changed_and_keeps_owner_group_and_permissions() {
    let folder = Folder::new("kept");
    for (name, mode, now) in
        [("shadow", 0o640, 0o640), ("passwd", 0o600, 0o600), ("script", 0o755, 0o755), ("odd", 0o6667, 0o665)]
    {
        folder.write(&format!("etc/{name}"), "old", mode);
        if is_root() {
            // Giving a file away takes bits of power from it.
            chown(folder.path("etc").join(name), Some(0), Some(42)).unwrap();
            folder.set_mode(&format!("etc/{name}"), mode);
        }
        folder.change(&format!("etc/{name}"), "new").unwrap();
        let metadata = fs::metadata(folder.path("etc").join(name)).unwrap();
        assert_eq!((folder.read(&format!("etc/{name}")), metadata.mode() & 0o7777), ("new".into(), now));
        assert!(!is_root() || (metadata.uid(), metadata.gid()) == (0, 42));
    }
    assert_eq!(fs::read_dir(folder.path("etc")).unwrap().count(), 4, "nothing is left beside them");
}

#[test]
fn links_of_root_are_followed_as_firmware_lays_them() {
    let folder = Folder::new("links");
    fs::create_dir_all(folder.path("tmp/etc")).unwrap();
    fs::remove_dir(folder.path("etc")).unwrap();
    folder.set_mode("tmp", 0o1777);
    // `/etc -> /tmp/etc`, `/var -> tmp`, and a link that leads up again.
    symlink(folder.path("tmp/etc"), folder.path("etc")).unwrap();
    symlink("tmp", folder.path("var")).unwrap();
    folder.write("tmp/etc/passwd", "old", 0o644);
    symlink("../../tmp/../tmp/./etc/passwd", folder.path("tmp/etc/users")).unwrap();
    folder.change("etc/users", "new").unwrap();
    assert_eq!(folder.read("tmp/etc/passwd"), "new");
    assert!(folder.path("tmp/etc/users").is_symlink(), "the link stays");
    let place = folder.find("var/etc/users").unwrap().unwrap();
    assert_eq!(place.real(), folder.path("tmp/etc/passwd"));
    let itself = Tree::device().unwrap().find_itself(&folder.path("etc/users")).unwrap().unwrap();
    assert_eq!(itself.target().unwrap().unwrap(), "../../tmp/../tmp/./etc/passwd");
    assert!(itself.read(100).unwrap().is_none());
    assert!(folder.find("var/none/x").unwrap().is_none());
    assert!(folder.find("var/none").unwrap().unwrap().metadata().is_none());
}

#[test]
fn circles_and_ways_out_of_a_tree_end() {
    let folder = Folder::new("circle");
    symlink("round", folder.path("round")).unwrap();
    assert!(folder.find("round").err().unwrap().contains("more than 16 links"));
    symlink("/etc/passwd", folder.path("out")).unwrap();
    symlink("../../../..", folder.path("up")).unwrap();
    let tree = Tree::at(&folder.0).unwrap();
    assert!(tree.find(&folder.path("out")).err().unwrap().contains("outside of"));
    assert!(tree.find(&folder.path("up/x")).err().unwrap().contains("above"));
    assert!(tree.find(Path::new("/")).is_err() && tree.find(&folder.0).is_err());
    assert!(
        Tree::device().unwrap().find(Path::new("/../../etc/passwd")).unwrap().unwrap().metadata().is_some()
    );
}

#[test]
fn what_a_user_links_to_is_never_opened() {
    let folder = Folder::new("opened");
    nix::unistd::mkfifo(&folder.path("etc/pipe"), Mode::S_IRWXU).unwrap();
    assert!(
        folder.find("etc/pipe").unwrap().unwrap().read(10).unwrap().is_none(),
        "nobody waits for a writer"
    );
    assert!(read(Path::new("/dev/null"), 10).unwrap().is_none());
    if !is_root() {
        return;
    }
    // `authorized_keys` of a user leads to a watchdog, to the kernel's log, to a network.
    folder.write("etc/keys", "secret", 0o600);
    symlink(folder.path("etc/keys"), folder.path("etc/theirs")).unwrap();
    std::os::unix::fs::lchown(folder.path("etc/theirs"), Some(STRANGER), None).unwrap();
    let why = folder.find("etc/theirs").err().unwrap();
    assert!(why.contains("etc/theirs: it is a link of user 61234"), "{why}");
    // A link of root's counts for nothing where others can put another in its place.
    symlink(folder.path("etc/keys"), folder.path("link")).unwrap();
    for mode in [0o777, 0o1777, 0o775] {
        chown(&folder.0, Some(0), Some(STRANGER)).unwrap();
        fs::set_permissions(&folder.0, fs::Permissions::from_mode(mode)).unwrap();
        assert!(folder.find("link").err().unwrap().contains("others than root may write"), "{mode:o}");
    }
    chown(&folder.0, Some(STRANGER), Some(0)).unwrap();
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(folder.find("link").is_err());
    assert!(folder.find("etc/keys").unwrap().unwrap().read(10).unwrap().is_some(), "looking is no power");
}

#[test]
fn what_others_may_write_is_not_changed() {
    if !is_root() {
        return;
    }
    let folder = Folder::new("others");
    folder.write("etc/crontab", "old", 0o600);
    let refused = |folder: &Folder| folder.change("etc/crontab", "new").err();
    for (user, group, mode) in
        [(STRANGER, 0, 0o755), (0, STRANGER, 0o775), (0, 0, 0o777), (0, 0, 0o757), (STRANGER, 0, 0o1777)]
    {
        for way in ["etc", ""] {
            let at = folder.path(way);
            chown(&at, Some(user), Some(group)).unwrap();
            fs::set_permissions(&at, fs::Permissions::from_mode(mode)).unwrap();
            let why = refused(&folder).expect("it may not be changed");
            assert!(
                why.starts_with(&format!("{}: ", at.display().to_string().trim_end_matches('/'))),
                "{why}"
            );
            chown(&at, Some(0), Some(0)).unwrap();
            fs::set_permissions(&at, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    fs::hard_link(folder.path("etc/crontab"), folder.path("etc/second")).unwrap();
    assert!(refused(&folder).unwrap().contains("hard link"));
    fs::remove_file(folder.path("etc/second")).unwrap();
    // In a sticky folder root's entries are root's, and others' are not.
    folder.set_mode("etc", 0o1777);
    chown(folder.path("etc/crontab"), Some(STRANGER), None).unwrap();
    assert!(refused(&folder).unwrap().contains("another user"));
    chown(folder.path("etc/crontab"), Some(0), None).unwrap();
    assert_eq!(refused(&folder), None);
    assert_eq!(folder.read("etc/crontab"), "new");
}

#[test]
fn what_a_stranger_laid_in_the_way_lends_nothing_and_stops_nothing() {
    let folder = Folder::new("way");
    folder.set_mode("etc", 0o1777);
    folder.write("etc/hosts", "old", 0o644);
    folder.write("victim", "whole", 0o600);
    let beside = folder.path("etc/.komainu-new");
    symlink(folder.path("victim"), &beside).unwrap();
    folder.change("etc/hosts", "new").unwrap();
    fs::create_dir(&beside).unwrap();
    folder.write("etc/.komainu-new/x", "", 0o644);
    folder.change("etc/hosts", "newer").unwrap();
    assert_eq!((folder.read("etc/hosts"), folder.read("victim")), ("newer".into(), "whole".into()));
    assert_eq!(fs::read_dir(folder.path("etc")).unwrap().count(), 2);
}

#[test]
fn what_changed_since_it_was_read_stays() {
    let folder = Folder::new("since");
    folder.write("etc/hosts", "old", 0o644);
    let place = folder.find("etc/hosts").unwrap().unwrap();
    let before = place.read(100).unwrap().unwrap();
    folder.write("etc/hosts", "other", 0o644);
    let why = place.change(&before, b"new", &folder.path("state")).unwrap_err();
    assert!(why.contains("changed meanwhile"), "{why}");
    assert!(place.remove().unwrap_err().contains("changed meanwhile"));
    assert_eq!(folder.read("etc/hosts"), "other");
    let cut = place.read(1).unwrap();
    assert!(cut.is_some_and(|cut| place.change(&cut, b"n", &folder.path("state")).is_err()), "half was read");
}

#[test]
fn a_folder_that_is_swapped_for_a_link_after_the_walk_changes_nothing_elsewhere() {
    let folder = Folder::new("swap");
    folder.write("etc/passwd", "victim", 0o644);
    fs::create_dir(folder.path("crontabs")).unwrap();
    folder.write("crontabs/passwd", "old", 0o600);
    let place = folder.find("crontabs/passwd").unwrap().unwrap();
    let before = place.read(100).unwrap().unwrap();
    crate::os::files::rename(&folder.path("crontabs"), &folder.path("moved")).unwrap();
    symlink("etc", folder.path("crontabs")).unwrap();
    place.change(&before, b"new", &folder.path("state")).unwrap();
    assert_eq!((folder.read("etc/passwd"), folder.read("moved/passwd")), ("victim".into(), "new".into()));
    folder.find("moved/passwd").unwrap().unwrap().remove().unwrap();
    assert_eq!(folder.read("etc/passwd"), "victim");
}

#[test]
fn a_wipe_empties_a_folder_of_any_depth_and_follows_nothing() {
    let folder = Folder::new("wipe");
    folder.write("victim", "whole", 0o600);
    fs::create_dir(folder.path("outside")).unwrap();
    folder.write("outside/x", "whole", 0o600);
    let data = folder.path("data");
    fs::create_dir(&data).unwrap();
    symlink(folder.path("outside"), data.join("link")).unwrap();
    fs::hard_link(folder.path("victim"), data.join("second")).unwrap();
    let mut deep = data.clone();
    for level in 0..100 {
        deep = deep.join(format!("level{level}"));
        fs::create_dir(&deep).unwrap();
        drop(File::create_new(deep.join("file")).unwrap());
    }
    for number in 0..1500 {
        drop(File::create_new(data.join(number.to_string())).unwrap());
    }
    wipe(&Tree::device().unwrap(), &data).unwrap();
    assert_eq!(fs::read_dir(&data).unwrap().count(), 0, "and the folder stays");
    assert_eq!((folder.read("victim"), folder.read("outside/x")), ("whole".into(), "whole".into()));
    // A link in the folder's place goes, and what it leads to stays.
    fs::remove_dir(&data).unwrap();
    symlink(folder.path("outside"), &data).unwrap();
    wipe(&Tree::device().unwrap(), &data).unwrap();
    wipe(&Tree::device().unwrap(), &data).unwrap();
    assert!(!data.is_symlink() && folder.path("outside/x").exists());
}

/// Mounts of a test, in a namespace of its own.
fn mount(from: &Path, to: &Path, kind: Option<&str>, flags: nix::mount::MsFlags) {
    nix::mount::mount(Some(from), to, kind, flags, None::<&str>).unwrap();
}

#[test]
fn a_file_that_is_a_mount_of_its_own_is_written_in_place() {
    apart("os::foreign_file::tests::a_file_that_is_a_mount_of_its_own_is_written_in_place", || {
        let folder = Folder::new("mounted");
        folder.write("kept", "old and long", 0o640);
        folder.write("etc/shadow", "below", 0o600);
        folder.write("etc/hosts", "below", 0o600);
        // The firmware's folder cannot be written, as on squashfs.
        let (bind, none) = (nix::mount::MsFlags::MS_BIND, Path::new("none"));
        mount(&folder.path("etc"), &folder.path("etc"), None, bind);
        let read_only = bind | nix::mount::MsFlags::MS_REMOUNT | nix::mount::MsFlags::MS_RDONLY;
        mount(none, &folder.path("etc"), None, read_only);
        mount(&folder.path("kept"), &folder.path("etc/shadow"), None, nix::mount::MsFlags::MS_BIND);
        for bytes in ["new", "longer than the old one was", ""] {
            let inode = fs::metadata(folder.path("kept")).unwrap().ino();
            // In a namespace of users `/` may belong to nobody.
            let tree = Tree::at(&folder.0).unwrap();
            let place = tree.find(&folder.path("etc/shadow")).unwrap().unwrap();
            assert!(place.is_mount().unwrap() && place.is_writable().unwrap().contains("in place"));
            let before = place.read(100).unwrap().unwrap();
            place.change(&before, bytes.as_bytes(), &folder.path("state")).unwrap();
            let now = fs::metadata(folder.path("kept")).unwrap();
            assert_eq!((folder.read("kept"), now.ino(), now.mode() & 0o777), (bytes.into(), inode, 0o640));
        }
        assert_eq!(fs::read_dir(folder.path("state/unfinished")).unwrap().count(), 0);
        // What others may write is not written, in place or otherwise.
        folder.set_mode("kept", 0o646);
        let place = Tree::at(&folder.0).unwrap().find(&folder.path("etc/shadow")).unwrap().unwrap();
        let before = place.read(100).unwrap().unwrap();
        assert!(place.change(&before, b"x", &folder.path("state")).unwrap_err().contains("may write it"));
        let place = Tree::at(&folder.0).unwrap().find(&folder.path("etc/hosts")).unwrap().unwrap();
        assert!(place.is_writable().unwrap_err().contains("read-only"));
        drop(place);
        // The places above are still held.
        for name in ["etc/shadow", "etc"] {
            nix::mount::umount2(&folder.path(name), nix::mount::MntFlags::MNT_DETACH).unwrap();
        }
    });
}

#[test]
fn a_wipe_leaves_what_is_mounted_inside() {
    apart("os::foreign_file::tests::a_wipe_leaves_what_is_mounted_inside", || {
        let folder = Folder::new("inside");
        for name in ["data/a/mounted", "data/b", "data/bound", "outside"] {
            fs::create_dir_all(folder.path(name)).unwrap();
        }
        folder.write("outside/x", "whole", 0o600);
        folder.write("data/file", "bound over", 0o600);
        mount(Path::new("none"), &folder.path("data/a/mounted"), Some("tmpfs"), nix::mount::MsFlags::empty());
        mount(&folder.path("outside"), &folder.path("data/bound"), None, nix::mount::MsFlags::MS_BIND);
        mount(&folder.path("outside/x"), &folder.path("data/file"), None, nix::mount::MsFlags::MS_BIND);
        folder.write("data/a/mounted/y", "whole", 0o600);
        folder.write("data/a/z", "", 0o600);
        wipe(&Tree::at(&folder.0).unwrap(), &folder.path("data")).unwrap();
        assert_eq!(
            (folder.read("outside/x"), folder.read("data/a/mounted/y")),
            ("whole".into(), "whole".into())
        );
        assert!(!folder.path("data/b").exists() && !folder.path("data/a/z").exists());
        for name in ["data/a/mounted", "data/bound", "data/file"] {
            nix::mount::umount(&folder.path(name)).unwrap();
        }
    });
}

/// What none of us laid: the settings of the system that runs the test, with their links.
#[test]
fn every_file_of_this_systems_etc_is_found_as_it_is() {
    let tree = Tree::device().unwrap();
    let (mut folders, mut seen) = (vec![PathBuf::from("/etc")], 0);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let kind = entry.file_type().unwrap();
            let itself = tree.find_itself(&path).unwrap().unwrap();
            assert_eq!(itself.target().unwrap().is_some(), kind.is_symlink(), "{}", path.display());
            if kind.is_dir() {
                folders.push(path);
                continue;
            }
            // `alternatives` has links to programs of a hundred megabytes.
            let is_small = |seen: &Metadata| seen.is_file() && seen.len() < 1 << 20;
            let Some(expected) = fs::metadata(&path).ok().filter(is_small) else { continue };
            let read = tree.find(&path).unwrap().and_then(|place| place.read(1 << 20).ok().flatten());
            let same =
                read.map_or(!is_root(), |read| read.whole && stamp(&read.metadata) == stamp(&expected));
            assert!(same, "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen} files");
}

#[test]
fn a_file_below_an_overlay_is_changed_above_it() {
    apart("os::foreign_file::tests::a_file_below_an_overlay_is_changed_above_it", || {
        let folder = Folder::new("overlay");
        fs::create_dir(folder.path("o")).unwrap();
        mount(Path::new("none"), &folder.path("o"), Some("tmpfs"), nix::mount::MsFlags::empty());
        for name in ["o/lower", "o/upper", "o/work", "o/all"] {
            fs::create_dir(folder.path(name)).unwrap();
        }
        folder.write("o/lower/inittab", "old", 0o640);
        let options = "lowerdir=o/lower,upperdir=o/upper,workdir=o/work"
            .replace("=o", &format!("={}/o", folder.0.display()));
        let none = Some("none");
        let flags = nix::mount::MsFlags::empty();
        let mounted =
            nix::mount::mount(none, &folder.path("o/all"), Some("overlay"), flags, Some(options.as_str()));
        assert_eq!(mounted, Ok(()));
        {
            let place = Tree::at(&folder.0).unwrap().find(&folder.path("o/all/inittab")).unwrap().unwrap();
            let before = place.read(100).unwrap().unwrap();
            place.change(&before, b"new", &folder.path("state")).unwrap();
        }
        assert_eq!(
            (folder.read("o/upper/inittab"), folder.read("o/lower/inittab")),
            ("new".into(), "old".into())
        );
        assert_eq!(fs::metadata(folder.path("o/all/inittab")).unwrap().mode() & 0o777, 0o640);
        nix::mount::umount(&folder.path("o/all")).unwrap();
        nix::mount::umount(&folder.path("o")).unwrap();
    });
}

#[test]
fn a_security_label_stays() {
    if !is_root() {
        return;
    }
    let folder = Folder::new("label");
    folder.write("etc/shadow", "old", 0o600);
    let file = File::open(folder.path("etc/shadow")).unwrap();
    // This kernel may have no such module, and then keeps the words as they are.
    let name = c"security.SMACK64";
    let label = b"System";
    let set = crate::os::sys::set_extended_attribute(std::os::fd::AsFd::as_fd(&file), name, label);
    if matches!(set, Err(nix::Error::EOPNOTSUPP | nix::Error::EPERM)) {
        // This file system keeps no labels.
        return;
    }
    set.unwrap();
    folder.change("etc/shadow", "new").unwrap();
    let file = File::open(folder.path("etc/shadow")).unwrap();
    let mut read = [0; 32];
    let size = crate::os::sys::extended_attribute(std::os::fd::AsFd::as_fd(&file), name, &mut read).unwrap();
    assert_eq!(&read[..size], label);
}
