//! What servers have, made once: an honest repository at many points of its life, and the forks of a thief who has
//! its online keys, and of somebody who has none.

use crate::oracle::signed_field;
use ed25519_dalek::SigningKey;
use komainu_tests::repository::{Draft, Repository, TODAY, key, key_id};
use komainu_trust::Moment;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

const DAY: i64 = 86_400;

/// A server at some moment.
pub struct State {
    /// Metadata by name.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Made with stolen online keys: what it says is rightly signed.
    pub stolen: bool,
}

/// The keys that one root names.
pub type Keys = BTreeMap<&'static str, SigningKey>;

/// All that there is.
pub struct History {
    /// Honest states in their order, then the forks.
    pub states: Vec<State>,
    /// Path, length and hash of every target that the maker ever listed.
    pub targets: BTreeSet<(String, u64, String)>,
    /// What every device is shipped with.
    pub shipped_root: Vec<u8>,
    /// The keys of root 1, 2, …
    pub keys: Vec<Keys>,
    /// Later than every honest state, with the same keys as the last.
    pub later: State,
    /// Later still, with new online keys: what a maker publishes after a theft.
    pub mended: State,
}

/// The one history; the same in every run.
pub static HISTORY: LazyLock<History> = LazyLock::new(History::new);

/// Keys that ever signed for the delegated role.
pub static DELEGATED_KEYS: LazyLock<[SigningKey; 2]> = LazyLock::new(|| [key(50), key(51)]);

struct Writer {
    repository: Repository,
    past: Vec<Repository>,
    keys: Vec<Keys>,
}

impl Writer {
    fn metadata(&mut self) {
        self.repository.publish_metadata();
        self.past.push(self.repository.clone());
    }

    /// Publishes a root in which some roles have other keys.
    fn root(&mut self, changes: &[(&'static str, u8)]) {
        let before = self.repository.keys["root"].clone();
        for (role, seed) in changes {
            self.repository.keys.insert(role, key(*seed));
        }
        let now = self.repository.keys["root"].clone();
        let signers = if before == now { vec![now] } else { vec![before, now] };
        self.repository.publish_root_signed_by(signers);
        self.keys.push(self.repository.keys.clone());
    }

    fn team(&mut self, seed: u8, draft: u64) {
        let paths = ["boards/gate-1/*", "images/*/*"];
        self.repository.delegate("team", &key(seed), &Draft::new(draft, 10, 10));
        let delegation = Repository::delegation("team", &key(seed), &paths, false);
        self.repository.delegates(&[&key(seed)], &[delegation]);
    }
}

impl History {
    fn new() -> History {
        let repository = Repository::new();
        let keys = vec![repository.keys.clone()];
        let mut writer = Writer { past: vec![repository.clone()], repository, keys };
        writer.repository.list_target("a", b"1");
        writer.metadata();
        writer.repository.issued = Some(TODAY.plus_seconds(-DAY));
        writer.team(50, 2);
        writer.metadata();
        writer.root(&[("timestamp", 12)]);
        writer.metadata();
        // It does not live long.
        writer.repository.expires = TODAY.plus_seconds(2 * DAY);
        writer.metadata();
        writer.repository.expires = TODAY.plus_seconds(30 * DAY);
        writer.root(&[("root", 11)]);
        writer.metadata();
        writer.team(51, 3);
        writer.metadata();
        // Two roots at once, the first of them out of date.
        writer.repository.expires = TODAY.plus_seconds(-DAY);
        writer.root(&[("snapshot", 13)]);
        writer.repository.expires = TODAY.plus_seconds(300 * DAY);
        writer.root(&[("targets", 14)]);
        writer.repository.issued = None;
        writer.metadata();
        writer.repository.issued = Some(TODAY);
        writer.metadata();

        let mut states: Vec<State> = writer.past.iter().map(|past| state(past, false)).collect();
        for past in &writer.past {
            forks(past, &mut states);
        }
        let shipped_root = writer.repository.shipped_root();
        writer.repository.list_target("b", b"2");
        writer.metadata();
        let later = state(&writer.repository, false);
        writer.root(&[("timestamp", 22), ("snapshot", 23)]);
        writer.metadata();
        let mended = state(&writer.repository, false);
        let targets = mended.files.values().flat_map(|file| listed(file)).collect();
        History { states, targets, shipped_root, keys: writer.keys, later, mended }
    }
}

/// Path, length and hash of every target in a file; none if it is no targets metadata.
fn listed(file: &[u8]) -> Vec<(String, u64, String)> {
    let Value::Object(targets) = signed_field(file, "targets") else { return Vec::new() };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let one = |(path, of): (String, Value)| {
        (path, of["length"].as_u64().unwrap_or(0), text(&of["hashes"]["sha256"]))
    };
    targets.into_iter().map(one).collect()
}

fn state(repository: &Repository, stolen: bool) -> State {
    State { files: repository.metadata.clone(), stolen }
}

/// What others make of an honest state.
fn forks(past: &Repository, states: &mut Vec<State>) {
    // The timestamp key is stolen: versions and the clock are counted up.
    let mut thief = past.clone();
    thief.expires = TODAY.plus_seconds(3000 * DAY);
    thief.issued = Some(TODAY.plus_seconds(2000 * DAY));
    thief.versions.insert("timestamp", 1000);
    thief.publish_timestamp();
    states.push(state(&thief, true));
    // The snapshot key too: targets metadata that there will never be, or that the past had.
    for targets in [1, 1000] {
        thief.versions.insert("snapshot", 2000);
        thief.versions.insert("targets", targets);
        thief.publish_snapshot();
        states.push(state(&thief, true));
    }
    // The newest time there is.
    thief.expires = Moment::parse("9999-12-31T23:59:59Z").expect("a moment");
    thief.issued = Some(thief.expires.plus_seconds(-1));
    thief.versions.insert("timestamp", i64::MAX as u64 - 1);
    thief.publish_timestamp();
    states.push(state(&thief, true));
    // No key is stolen: everything is signed by others, under their own names or the rightful ones.
    let (mut own, mut lying, mut wrong_role) = (state(past, false), state(past, false), past.clone());
    for (file, bytes) in &past.metadata {
        let mut forger = past.clone();
        forger.alter(file, &[&key(66)], |signed| {
            let version = signed["version"].as_u64().unwrap_or_default();
            signed["version"] = Value::from(version + 1);
        });
        let forged = forger.metadata[file].clone();
        let text = String::from_utf8_lossy(&forged).replace(&key_id(&key(66)), &rightful(bytes));
        lying.files.insert(file.clone(), text.into_bytes());
        own.files.insert(file.clone(), forged);
        wrong_role.alter(file, &[&past.keys["targets"], &key(50)], |_| {});
    }
    for file in past.metadata.keys().filter(|file| file.contains("targets") || file.contains("team")) {
        wrong_role.alter(file, &[&past.keys["timestamp"], &past.keys["snapshot"]], |_| {});
    }
    states.extend([own, lying, state(&wrong_role, false)]);
}

/// The identifier under which a file is rightly signed.
fn rightful(bytes: &[u8]) -> String {
    let whole: Value = serde_json::from_slice(bytes).unwrap_or_default();
    whole["signatures"][0]["keyid"].as_str().unwrap_or_default().to_owned()
}
