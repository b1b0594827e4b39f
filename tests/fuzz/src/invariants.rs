//! What must hold for a device that refreshes from any server, whatever happened before. Each is a sentence.

use crate::history::{DELEGATED_KEYS, HISTORY};
use crate::oracle::{signed_by, signed_field};
use komainu_trust::limits::{DELEGATIONS_MAX, ROOTS_MAX};
use komainu_trust::roles::Role;
use komainu_trust::trusted::{Clock, Stored, Target};
use komainu_trust::{Trusted, Verified};
use std::collections::BTreeMap;

/// The highest that was accepted, as somebody remembers who looks at the files only.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Version of the root.
    pub root: u64,
    /// Version of the timestamp, and of the snapshot that it names.
    pub timestamp: (u64, u64),
    /// Version of every file that the snapshot lists.
    pub listed: BTreeMap<String, u64>,
    /// Version of the top-level targets metadata.
    pub targets: u64,
}

/// What is kept was signed by the key that the root in force names for its role.
pub fn invariant_nothing_unsigned_is_trusted(role: Role, file: &[u8], root: u64) {
    let key = |version: u64| &HISTORY.keys[version as usize - 1][role.name()];
    assert!(signed_by(file, key(root)), "{} was not signed by its key", role.file());
    if role == Role::Root && root > 1 {
        assert!(signed_by(file, key(root - 1)), "the old root's key did not sign the new one");
    }
}

/// A delegated role that is kept was signed by a key that the maker once named for it.
pub fn invariant_no_unsigned_delegated_role_is_trusted(file: &[u8]) {
    assert!(DELEGATED_KEYS.iter().any(|key| signed_by(file, key)), "nobody signed the delegated role");
}

/// No version goes below one that was accepted; every new file is remembered.
pub fn invariant_versions_never_go_back(memory: &mut Memory, role: Role, file: &[u8]) {
    let version = signed_field(file, "version").as_u64().expect("accepted metadata has a version");
    match role {
        Role::Root => {
            assert_eq!(version, memory.root + 1, "root after root, one at a time");
            memory.root = version;
        }
        Role::Timestamp => {
            let snapshot =
                signed_field(file, "meta")["snapshot.json"]["version"].as_u64().unwrap_or_default();
            assert!(version > memory.timestamp.0, "{version} after {:?}", memory.timestamp);
            assert!(snapshot >= memory.timestamp.1, "snapshot {snapshot} after {:?}", memory.timestamp);
            memory.timestamp = (version, snapshot);
        }
        Role::Snapshot => {
            assert_eq!(version, memory.timestamp.1, "the snapshot is the one that the timestamp names");
            let meta = signed_field(file, "meta");
            for (name, before) in &memory.listed {
                let now = meta[name]["version"].as_u64();
                assert!(now.is_some_and(|now| now >= *before), "{name}: {now:?} after {before}");
            }
            let listed = meta.as_object().into_iter().flatten();
            memory.listed =
                listed.map(|(name, of)| (name.clone(), of["version"].as_u64().unwrap_or(0))).collect();
        }
        Role::Targets => {
            assert!(version >= memory.targets, "{version} after {}", memory.targets);
            assert_eq!(Some(&version), memory.listed.get("targets.json"), "the one that the snapshot lists");
            memory.targets = version;
        }
    }
}

/// A root that replaces the timestamp or snapshot key makes the device forget what the old keys said, and no other
/// root does.
pub fn invariant_only_new_keys_make_a_device_forget(new_root: u64, forgets: bool) {
    let [old, new] = [new_root - 1, new_root].map(|version| &HISTORY.keys[version as usize - 1]);
    let replaced = ["timestamp", "snapshot"].iter().any(|role| old[role] != new[role]);
    assert_eq!(forgets, replaced, "root {new_root}");
}

/// What is stored loads again, and nothing of it is lost but by a power cut between two files.
pub fn invariant_what_is_stored_loads_again(stored: &Stored, memory: &Memory, clock: Clock) {
    let trusted = Trusted::load(stored, clock).expect("the stored root loads");
    let [root, timestamp, ..] = trusted.versions();
    assert_eq!(root, memory.root);
    assert_eq!(timestamp, memory.timestamp.0, "the stored timestamp counts");
}

/// A refresh ends, whatever the server says: so many requests, and no more.
pub fn invariant_a_refresh_ends(requests: u32) {
    assert!(requests <= ROOTS_MAX + 4, "{requests} requests");
}

/// A search ends, whatever the server says.
pub fn invariant_a_search_ends(requests: usize) {
    assert!(requests <= DELEGATIONS_MAX, "{requests} delegated roles");
}

/// A target that is found is one that the maker once listed.
pub fn invariant_a_found_target_is_the_makers(target: &Verified<Target>) {
    let listed = (target.path.clone(), target.file.length, target.file.hashes.prefix());
    assert!(HISTORY.targets.contains(&listed), "{target:?} was never listed");
}
