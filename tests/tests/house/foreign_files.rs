//! One way to touch a foreign file: outside of `agent/src/os/foreign_file`, the agent writes, moves, removes and gives away
//! only files of its own, in the places of this table. Each row says why others have no hand in them.

use super::{files, top};
use std::collections::BTreeSet;
use std::fs;

/// Ways to change a file by its path, or to follow a path to where it leads and come back by name.
const WAYS: [&str; 25] = [
    "fs::write(",
    "fs::rename(",
    "fs::copy(",
    "remove_file(",
    "remove_dir(",
    "remove_dir_all(",
    "set_permissions(",
    "hard_link(",
    "File::create(",
    "File::create_new(",
    ".write(true)",
    ".append(true)",
    "chown(",
    "lchown(",
    "fchown(",
    "fchownat(",
    "fchmodat(",
    "symlink(",
    "symlinkat(",
    "unlinkat(",
    "renameat(",
    "canonicalize(",
    "files::replace",
    "files::remove(",
    "files::rename(",
];

/// Which file may use which way, and why.
type Row = (&'static str, &'static [&'static str], &'static str);

const DEVICE: &str = "a device that the maker's settings name, and folders of /sys";
const OWN: &str = "its own files in the folder of the state or of the run, which root alone can change";
const ALLOWED: &[Row] = &[
    ("os/foreign_file/replace.rs", &["fchown(", "symlinkat(", "unlinkat(", "renameat("], "this is the way"),
    ("os/foreign_file/wipe.rs", &["unlinkat(", "renameat("], "this is the way"),
    ("os/foreign_file/in_place.rs", &["files::remove(", "files::replace"], OWN),
    ("os/files.rs", &["remove_file(", ".write(true)", "set_permissions(", "fs::rename("], OWN),
    ("os/log_output.rs", &[".write(true)"], "the kernel's log, a device"),
    ("os/privileges.rs", &[".write(true)"], "a file of /proc"),
    ("os/watchdog.rs", &[".write(true)"], "the watchdog, a device"),
    ("wall/sysctl.rs", &[".write(true)"], "a file of /proc/sys"),
    ("update/boot/uboot/env_storage.rs", &[".write(true)"], "the environment that the settings name"),
    (
        "update/boot/uboot/env_lock.rs",
        &[".write(true)"],
        "the lock of fw_setenv, in which nothing is written",
    ),
    ("update/boot/part.rs", &[".write(true)"], "the flags that the boot profile names"),
    ("update/boot/flash_devices.rs", &["files::replace"], OWN),
    ("update/storage/block.rs", &[".write(true)"], "the slots that the settings name"),
    ("update/runtime_state.rs", &[".write(true)", "files::replace", "files::remove("], OWN),
    ("update/ddi/action_file.rs", &["files::replace", "files::remove("], OWN),
    ("update/owner_snapshot.rs", &["files::replace", "files::rename(", "files::remove("], OWN),
    ("update/store.rs", &["files::replace", "files::remove("], OWN),
    ("gate/credential_store.rs", &["files::replace", "files::rename(", "files::remove("], OWN),
    ("daemon/control_socket.rs", &["remove_file("], OWN),
    ("daemon/device_names.rs", &["files::replace"], OWN),
    ("daemon/known_browsers.rs", &["files::replace", "files::remove("], OWN),
    ("daemon/login_state.rs", &["files::replace", "files::remove("], OWN),
    ("daemon/event_loop.rs", &["files::replace"], OWN),
    ("daemon/linux_device.rs", &["files::replace", "files::remove("], OWN),
    (
        "daemon/state_room.rs",
        &["remove_file(", ".write(true)", "canonicalize("],
        "its own file; and the mount of the state folder, which is only looked at",
    ),
    ("update/storage/identity.rs", &["canonicalize("], "folders of /sys, which are only read"),
    ("update/kept_places.rs", &["canonicalize("], "the mount of the state folder, which is only looked at"),
    (
        "firewall/link_closer.rs",
        &["files::replace", "files::remove(", ".write(true)"],
        "its own file, and files of /proc/sys",
    ),
    ("daemon/wall_job.rs", &["files::replace"], OWN),
    ("wall/firmware_identity.rs", &["files::replace"], OWN),
    ("os/flash/mtd_device.rs", &[".write(true)"], DEVICE),
    ("os/flash/ubi_device.rs", &["canonicalize(", ".write(true)"], DEVICE),
    ("update/storage/force_ro.rs", &[".write(true)"], "an attribute of /sys"),
    ("update/storage/locate.rs", &["canonicalize("], "a folder of /sys"),
    ("wall/forensics.rs", &["files::rename(", "remove_file(", ".write(true)"], OWN),
    ("wall/incident_store.rs", &["files::replace"], OWN),
    ("wall/integrity.rs", &["files::replace", "files::remove(", "remove_file("], OWN),
    ("wall/quarantine.rs", &["files::replace", "files::remove("], OWN),
    (
        "wall/autostart.rs",
        &["canonicalize(", "files::replace", "files::rename(", "files::remove("],
        "not yet: this row goes with the change that takes start lines away through held folders",
    ),
    ("wall/autostart/edits.rs", &["files::replace"], OWN),
    ("wall/known_events.rs", &["files::replace"], OWN),
    ("wall/security_log.rs", &["files::rename(", ".append(true)"], OWN),
];

/// Whether a line of code takes a way: as a name of its own, not as the end of a longer one.
fn takes(code: &str, way: &str) -> bool {
    let begins = |at: usize| {
        code[..at].chars().next_back().is_none_or(|before| !before.is_alphanumeric() && before != '_')
    };
    code.match_indices(way).any(|(at, _)| way.starts_with('.') || begins(at))
}

/// The code of a file without its tests.
fn code_of(text: &str) -> &str {
    text.split("\n#[cfg(test)]\nmod tests {").next().unwrap()
}

#[test]
fn no_file_of_others_is_touched_by_its_path() {
    let source = top().join("agent/src");
    let mut found = Vec::new();
    files(&source, ".rs", &mut found);
    let (mut wrong, mut used) = (Vec::new(), BTreeSet::new());
    for path in found {
        let name = path.strip_prefix(&source).unwrap().to_str().unwrap().to_owned();
        if name.ends_with("tests.rs") || name.contains("/tests/") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for (number, line) in code_of(&text).lines().enumerate() {
            let code = line.split("//").next().unwrap();
            for way in WAYS.into_iter().filter(|way| takes(code, way)) {
                let row =
                    ALLOWED.iter().position(|(file, ways, _)| name.starts_with(file) && ways.contains(&way));
                match row {
                    Some(row) => drop(used.insert((row, way))),
                    None => wrong.push(format!("{name}:{}: {way}", number + 1)),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "go through os/foreign_file, or say why not in a row here: {wrong:#?}");
    for (row, (file, ways, why)) in ALLOWED.iter().enumerate() {
        if !source.join(file).exists() || why.starts_with("not yet:") {
            continue;
        }
        for way in *ways {
            assert!(used.contains(&(row, *way)), "{file} does not use {way} any more ({why}): take it out");
        }
    }
}
