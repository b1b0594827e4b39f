//! A whole refresh, and a search behind it, in which one file comes from the fuzzer and every other one is honest.
//!
//! The first byte decides: bit 0 the rest is the signed part, which the right key signs (else it is the whole file);
//! bit 1 the device has older metadata already; bits 2 and 3 its clock; bits 4 and 5 what is wrong with the signature,
//! if anything; bit 6 the file is not served, but what the flash gives back. So the code behind the signatures is
//! reached, and the code before them too.

use crate::input::Input;
use crate::oracle::{signed_by, signed_field};
use ed25519_dalek::{Signer, SigningKey};
use komainu_tests::repository::{TODAY, key, key_id, sign};
use komainu_trust::delegations::{Found, Wanted};
use komainu_trust::limits::{DELEGATIONS_MAX, ROOT_BYTES_MAX, SNAPSHOT_BYTES_MAX, TARGETS_BYTES_MAX};
use komainu_trust::refresh::{Answer, Ask, Keep};
use komainu_trust::roles::Role;
use komainu_trust::trusted::{Clock, Stored};
use komainu_trust::{Moment, Refresh, Trusted, hex, json};
use serde_json::{Value, json};
use std::sync::LazyLock;

/// The file that comes from the fuzzer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fuzzed {
    /// `2.root.json`, after the shipped one.
    Root,
    /// `timestamp.json`
    Timestamp,
    /// Version 7, as the honest timestamp lists it.
    Snapshot,
    /// Version 7, as the honest snapshot lists it.
    Targets,
    /// The role `team`, to which the honest targets role delegates.
    Delegated,
}

/// Delegated roles that the honest metadata knows; all of them are signed by the same key.
const DELEGATED: [&str; 4] = ["team", "sub", "a/b", "other"];

/// Honest metadata of one version, as its files.
struct Honest {
    root: Vec<u8>,
    timestamp: Vec<u8>,
    snapshot: Vec<u8>,
    targets: Vec<u8>,
    delegated: Vec<u8>,
}

impl Honest {
    fn of_version(version: u64) -> Honest {
        let part = |kind: &str, of: u64, fields: Value| {
            let expires = TODAY.plus_seconds(30 * 86_400).to_string();
            let mut signed =
                json!({ "_type": kind, "spec_version": "1.0.34", "version": of, "expires": expires });
            for (name, value) in fields.as_object().into_iter().flatten() {
                signed[name] = value.clone();
            }
            signed
        };
        let keys: serde_json::Map<String, Value> =
            [1, 2, 3, 4, 50].into_iter().map(|n| (key_id(&key(n)), public(&key(n)))).collect();
        let role = |n| json!({ "keyids": [key_id(&key(n))], "threshold": 1 });
        let roles = json!({ "root": role(1), "timestamp": role(2), "snapshot": role(3), "targets": role(4) });
        let listed = json!({ "version": version });
        let meta: serde_json::Map<String, Value> = ["targets"]
            .iter()
            .chain(&DELEGATED)
            .map(|name| (format!("{name}.json"), listed.clone()))
            .collect();
        let target = json!({ "length": 1, "hashes": { "sha256": "ab".repeat(32) } });
        let delegation = json!({ "name": "team", "keyids": [key_id(&key(50))], "threshold": 1, "terminating": false,
            "paths": ["*", "*/*"] });
        let delegations = json!({ "keys": { key_id(&key(50)): public(&key(50)) }, "roles": [delegation] });
        let root = part("root", 1, json!({ "consistent_snapshot": true, "keys": keys, "roles": roles }));
        let timestamp = part("timestamp", version, json!({ "meta": { "snapshot.json": listed } }));
        let targets = json!({ "targets": { "a": target }, "delegations": delegations });
        Honest {
            root: sign(&root, &[&key(1)]),
            timestamp: sign(&timestamp, &[&key(2)]),
            snapshot: sign(&part("snapshot", version, json!({ "meta": meta })), &[&key(3)]),
            targets: sign(&part("targets", version, targets), &[&key(4)]),
            delegated: sign(
                &part("targets", version, json!({ "targets": { "team/a": target } })),
                &[&key(50)],
            ),
        }
    }
}

/// The signers of the fuzzer's file, in the order of [`Fuzzed`].
static SIGNERS: LazyLock<[SigningKey; 5]> = LazyLock::new(|| [1, 2, 3, 4, 50].map(key));
/// A key that nobody trusts.
static OTHER: LazyLock<SigningKey> = LazyLock::new(|| key(66));

static BEFORE: LazyLock<Honest> = LazyLock::new(|| Honest::of_version(5));
static NOW: LazyLock<Honest> = LazyLock::new(|| Honest::of_version(7));

fn public(key: &SigningKey) -> Value {
    let public = hex::encode(key.verifying_key().as_bytes());
    json!({ "keytype": "ed25519", "scheme": "ed25519", "keyval": { "public": public } })
}

/// One refresh with the fuzzer's file.
///
/// # Panics
/// Something did not hold.
pub fn check(fuzzed: Fuzzed, bytes: &[u8]) {
    let mut input = Input(bytes);
    let mode = input.byte();
    let signer = &SIGNERS[fuzzed as usize];
    let file = if mode & 1 == 1 { enveloped(input.0, signer, mode >> 4 & 3) } else { input.0.to_vec() };
    let mut stored = Stored { root: NOW.root.clone(), ..Stored::default() };
    if mode & 2 == 2 {
        stored.timestamp = Some(BEFORE.timestamp.clone());
        stored.snapshot = Some(BEFORE.snapshot.clone());
        stored.targets = Some(BEFORE.targets.clone());
        stored.delegated = vec![("team".into(), BEFORE.delegated.clone())];
    }
    let systems = [TODAY, Moment(0), TODAY.plus_seconds(40 * 86_400), Moment(i64::MAX)];
    let clock = Clock { system: systems[usize::from(mode >> 2 & 3)], built: Moment(0) };
    let rotten = mode & 0x40 > 0 && fuzzed != Fuzzed::Root;
    if rotten {
        match fuzzed {
            Fuzzed::Timestamp => stored.timestamp = Some(file.clone()),
            Fuzzed::Snapshot => stored.snapshot = Some(file.clone()),
            Fuzzed::Targets => stored.targets = Some(file.clone()),
            _ => stored.delegated = vec![("team".into(), file.clone())],
        }
    }
    let before = stored.clone();
    let mut device = Device { fuzzed, file, signer, stored, clock, rotten, used: rotten, accepted: false };
    device.refresh();
    if fuzzed == Fuzzed::Root {
        device.shipped_root();
    }
    // What was accepted would not have been without its signature: [`Device::accepted`] sees to that.
    if device.accepted && mode & 1 == 1 {
        let file = enveloped(input.0, signer, 1 + (input.0.len() % 3) as u8);
        Device { file, stored: before, used: false, ..device }.refresh();
    }
}

/// The signed part in an envelope, as it is spelled, with a signature over its canonical form; or with one that is
/// another key's, over something else, or none.
fn enveloped(signed: &[u8], signer: &SigningKey, fault: u8) -> Vec<u8> {
    let mut message = json::parse(signed).map_or_else(|_| signed.to_vec(), |value| json::canonical(&value));
    let key_id = key_id(signer);
    let signature = match fault {
        0 => signer.sign(&message).to_bytes().to_vec(),
        1 => OTHER.sign(&message).to_bytes().to_vec(),
        2 => {
            message.push(b' ');
            signer.sign(&message).to_bytes().to_vec()
        }
        _ => Vec::new(),
    };
    let signature = hex::encode(&signature);
    let head = format!(r#"{{"signatures":[{{"keyid":"{key_id}","sig":"{signature}"}}],"signed":"#);
    [head.as_bytes(), signed, b"}"].concat()
}

struct Device {
    fuzzed: Fuzzed,
    file: Vec<u8>,
    signer: &'static SigningKey,
    stored: Stored,
    clock: Clock,
    /// The fuzzer's file is in the store: no server has it.
    rotten: bool,
    /// The fuzzer's file was given.
    used: bool,
    /// And it was accepted.
    accepted: bool,
}

impl Device {
    fn refresh(&mut self) {
        let mut refresh = Refresh::begin(self.stored.clone(), self.clock).expect("an honest store loads");
        let mut asked = 0;
        while let Some(ask) = refresh.ask() {
            asked += 1;
            assert!(asked <= 6, "a refresh ends: {ask:?}");
            let before = refresh.trusted().versions();
            let (is_ours, bytes) = self.answer(&ask);
            let answer = bytes.as_deref().map_or(Answer::NotThere, Answer::Bytes);
            match refresh.give(answer) {
                Ok(keep) => {
                    let bytes = bytes.unwrap_or_default();
                    self.keep(keep, &bytes);
                    if is_ours && keep != Keep::Nothing {
                        self.accepted(&before, &refresh.trusted().versions());
                    }
                }
                Err(fault) => {
                    assert!(!fault.to_string().is_empty());
                    assert_eq!(refresh.ask(), None, "a refusal ends the refresh");
                }
            }
        }
        let mut trusted = refresh.into_trusted();
        let again = Trusted::load(&self.stored, self.clock).expect("what was kept loads again");
        if trusted.usable().is_ok() {
            assert_eq!(again.versions(), trusted.versions(), "what was kept is what is trusted");
            assert_eq!(again.expiries(), trusted.expiries());
        }
        assert!(trusted.now() >= self.clock.system);
        if self.rotten && self.clock.system <= TODAY && !signed_by(&self.file, self.signer) {
            assert!(trusted.usable().is_ok(), "rotten flash is made good by the next refresh");
            assert!(self.finds(&mut trusted, "team/a"), "and so is a delegated role");
        }
        let listed: Vec<String> = trusted.target_paths().take(2).map(str::to_owned).collect();
        for path in ["team/a", "a", "team/sub/x", "é"].into_iter().chain(listed.iter().map(String::as_str)) {
            self.finds(&mut trusted, path);
        }
    }

    /// What the server says: the fuzzer's file in its place, once, and honest files elsewhere.
    fn answer(&mut self, ask: &Ask) -> (bool, Option<Vec<u8>>) {
        let (place, honest, most) = match ask.name.split('.').collect::<Vec<_>>()[..] {
            [version, "root", "json"] if is_number(version) => (Fuzzed::Root, None, ROOT_BYTES_MAX),
            ["timestamp", "json"] => (Fuzzed::Timestamp, Some(&NOW.timestamp), 16 * 1024),
            [version, "snapshot", "json"] if is_number(version) => {
                (Fuzzed::Snapshot, Some(&NOW.snapshot), SNAPSHOT_BYTES_MAX)
            }
            [version, "targets", "json"] if is_number(version) => {
                (Fuzzed::Targets, Some(&NOW.targets), TARGETS_BYTES_MAX)
            }
            // A root without consistent snapshots.
            ["snapshot", "json"] => (Fuzzed::Snapshot, Some(&NOW.snapshot), SNAPSHOT_BYTES_MAX),
            ["targets", "json"] => (Fuzzed::Targets, Some(&NOW.targets), TARGETS_BYTES_MAX),
            _ => panic!("asks for a file that there cannot be: {ask:?}"),
        };
        assert!(ask.bytes_max <= most, "{ask:?}");
        if place == self.fuzzed && !self.used {
            self.used = true;
            return (true, Some(self.file.clone()));
        }
        (false, honest.cloned())
    }

    fn keep(&mut self, keep: Keep, bytes: &[u8]) {
        match keep {
            Keep::Nothing => {}
            Keep::Given(Role::Root) => self.stored.root = bytes.to_vec(),
            Keep::Given(Role::Timestamp) => self.stored.timestamp = Some(bytes.to_vec()),
            Keep::Given(Role::Snapshot) => self.stored.snapshot = Some(bytes.to_vec()),
            Keep::Given(Role::Targets) => self.stored.targets = Some(bytes.to_vec()),
            Keep::GivenRootForgetRest => {
                self.stored.root = bytes.to_vec();
                self.stored.timestamp = None;
                self.stored.snapshot = None;
            }
        }
    }

    /// The fuzzer's file was accepted: then the right key signed it, and its version is one that may come next.
    fn accepted(&mut self, before: &[u64; 4], after: &[u64; 4]) {
        assert!(signed_by(&self.file, self.signer), "nobody signed this");
        self.accepted = true;
        let version = signed_field(&self.file, "version").as_u64();
        match self.fuzzed {
            Fuzzed::Root => assert_eq!((version, after[0]), (Some(2), 2)),
            Fuzzed::Timestamp => assert!(after[1] > before[1] && version == Some(after[1])),
            Fuzzed::Snapshot => assert_eq!((version, after[2]), (Some(7), 7)),
            Fuzzed::Targets => assert_eq!((version, after[3]), (Some(7), 7)),
            Fuzzed::Delegated => assert_eq!(version, Some(7)),
        }
    }

    /// Searches a target, with every delegated role that it takes.
    fn finds(&mut self, trusted: &mut Trusted, path: &str) -> bool {
        for _ in 0..=DELEGATIONS_MAX {
            match trusted.find(path) {
                Ok(Found::Wanted(wanted)) => {
                    if self.give_delegated(trusted, &wanted).is_none() {
                        return false;
                    }
                }
                Ok(Found::Target(target)) => {
                    assert_eq!(target.path, path);
                    assert!(target.fetch_path().ends_with(path.rsplit('/').next().unwrap_or_default()));
                    assert!(target.prove(b"no file has this content".to_vec()).is_err());
                    return true;
                }
                Ok(Found::Nothing) => return false,
                Err(fault) => {
                    assert!(!fault.to_string().is_empty());
                    return false;
                }
            }
        }
        panic!("a search ends: {path}");
    }

    fn give_delegated(&mut self, trusted: &mut Trusted, wanted: &Wanted) -> Option<()> {
        assert!(wanted.ask.bytes_max <= TARGETS_BYTES_MAX);
        assert!(wanted.ask.name.ends_with(&format!("{}.json", wanted.role)));
        let is_ours = self.fuzzed == Fuzzed::Delegated && wanted.role == "team" && !self.rotten;
        let bytes = if is_ours { self.file.clone() } else { NOW.delegated.clone() };
        trusted.give_delegated(wanted, Some(&bytes)).ok()?;
        assert!(
            signed_by(&bytes, &SIGNERS[Fuzzed::Delegated as usize]) || self.fuzzed != Fuzzed::Delegated,
            "nobody signed this"
        );
        if is_ours {
            self.accepted(&[0; 4], &[0; 4]);
        }
        Some(())
    }

    /// The fuzzer's file as the root that a device is shipped with: it is there or it is not, and stays so.
    fn shipped_root(&self) {
        let stored = Stored { root: self.file.clone(), ..Stored::default() };
        let Ok(trusted) = Trusted::load(&stored, self.clock) else { return };
        assert!(trusted.versions()[0] >= 1);
        assert!(self.file.len() as u64 <= ROOT_BYTES_MAX);
        assert!(Refresh::begin(stored, self.clock).is_ok());
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
