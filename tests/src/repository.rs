//! A TUF repository in memory, written from the specification and not with the maker's code, so that the two check
//! each other. Honest by default; tests change it to make it lie.

use ed25519_dalek::{Signer, SigningKey};
use komainu_trust::{Moment, hex, json};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// A release as a test describes it.
#[derive(Clone, Debug)]
pub struct Draft {
    pub number: u64,
    pub images: Vec<(String, Vec<u8>)>,
    /// Fields of the manifest that differ from the usual.
    pub fields: Value,
}

impl Draft {
    /// A release with two parts whose bytes follow from its number.
    pub fn new(number: u64, kernel_bytes: usize, rootfs_bytes: usize) -> Draft {
        let images = vec![
            ("kernel".into(), image(number, 1, kernel_bytes)),
            ("rootfs".into(), image(number, 2, rootfs_bytes)),
        ];
        Draft { number, images, fields: json!({}) }
    }

    #[must_use]
    pub fn with(mut self, fields: Value) -> Draft {
        self.fields = fields;
        self
    }
}

/// Bytes that follow from a release and a part; no block of them is all zero.
pub fn image(release: u64, part: u64, length: usize) -> Vec<u8> {
    let mut state = release * 1000 + part + 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8 | 1
    };
    (0..length).map(|_| next()).collect()
}

/// A repository: files below `metadata/` and `targets/`, and the publisher's state.
#[derive(Clone)]
pub struct Repository {
    pub metadata: BTreeMap<String, Vec<u8>>,
    pub targets: BTreeMap<String, Vec<u8>>,
    pub keys: BTreeMap<&'static str, SigningKey>,
    pub versions: BTreeMap<&'static str, u64>,
    pub expires: Moment,
    pub issued: Option<Moment>,
    /// Releases that the next timestamp halts.
    pub halted: Vec<String>,
    listed: BTreeMap<String, Value>,
    /// Delegated roles by name: the key that signs, and the targets that the role lists.
    delegated: BTreeMap<String, (SigningKey, BTreeMap<String, Value>)>,
    /// `delegations` of the top-level targets role, if it has any.
    pub delegations: Option<Value>,
    /// `delegations` of delegated roles, by name.
    pub delegated_delegations: BTreeMap<String, Value>,
}

pub const BOARD: &str = "gate-1";
pub const CHANNEL: &str = "stable";
/// The time at which the tests take place.
pub const TODAY: Moment = Moment(1_800_000_000);

impl Default for Repository {
    fn default() -> Self {
        Repository::new()
    }
}

impl Repository {
    /// One key a role, threshold 1, nothing published but root 1 and empty metadata.
    pub fn new() -> Repository {
        let roles = ["root", "timestamp", "snapshot", "targets"];
        let keys = roles.iter().enumerate().map(|(index, role)| (*role, key(index as u8 + 1))).collect();
        let mut repository = Repository {
            metadata: BTreeMap::new(),
            targets: BTreeMap::new(),
            keys,
            versions: roles.iter().map(|role| (*role, 0)).collect(),
            expires: TODAY.plus_seconds(30 * 86_400),
            issued: None,
            halted: Vec::new(),
            listed: BTreeMap::new(),
            delegated: BTreeMap::new(),
            delegations: None,
            delegated_delegations: BTreeMap::new(),
        };
        repository.publish_root();
        repository.publish_metadata();
        repository
    }

    /// The first root, which a device ships with.
    pub fn shipped_root(&self) -> Vec<u8> {
        self.metadata["1.root.json"].clone()
    }

    /// Lists a release and publishes metadata for it.
    pub fn publish(&mut self, draft: &Draft) {
        self.list(draft);
        self.publish_metadata();
    }

    /// Puts manifest and images among the targets.
    pub fn list(&mut self, draft: &Draft) {
        self.list_for(BOARD, draft);
    }

    /// The same for any board.
    pub fn list_for(&mut self, board: &str, draft: &Draft) {
        let folder = if board == BOARD { String::new() } else { format!("{board}/") };
        let mut images = Vec::new();
        for (part, bytes) in &draft.images {
            let target = format!("images/{folder}{}/{part}.img", draft.number);
            images.push(
                json!({ "part": part, "target": target, "length": bytes.len(), "sha256": sha256(bytes) }),
            );
            self.list_target(&target, bytes);
        }
        let mut manifest = json!({
            "format": 1, "board": board, "channel": CHANNEL, "release": draft.number,
            "version": format!("1.{}", draft.number), "images": images,
        });
        for (name, value) in draft.fields.as_object().unwrap() {
            manifest[name] = value.clone();
        }
        self.list_target(&format!("boards/{board}/{CHANNEL}.json"), manifest.to_string().as_bytes());
    }

    /// Puts a file among the targets.
    pub fn list_target(&mut self, path: &str, bytes: &[u8]) {
        let hash = sha256(bytes);
        self.listed.insert(path.into(), json!({ "length": bytes.len(), "hashes": { "sha256": hash } }));
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let stored =
            if folder.is_empty() { format!("{hash}.{name}") } else { format!("{folder}/{hash}.{name}") };
        self.targets.insert(stored, bytes.to_vec());
    }

    /// Takes a file from among the targets; a server may still have it.
    pub fn unlist_target(&mut self, path: &str) {
        self.listed.remove(path);
    }

    /// The targets of the top-level role.
    pub fn listed(&self) -> &BTreeMap<String, Value> {
        &self.listed
    }

    /// Lets the top-level role list a target that is among the files already.
    pub fn list_as(&mut self, path: &str, target: Value) {
        self.listed.insert(path.into(), target);
    }

    /// Lets a delegated role, signed by `key`, list a release; the top-level role lists it no more.
    pub fn delegate(&mut self, role: &str, key: &SigningKey, draft: &Draft) {
        let before = std::mem::take(&mut self.listed);
        self.list(draft);
        let listed = std::mem::replace(&mut self.listed, before);
        self.listed.retain(|path, _| !listed.contains_key(path));
        self.delegated.insert(role.into(), (key.clone(), listed));
    }

    /// Lets a delegated role, signed by `key`, list all that the top-level role lists, and that one nothing.
    pub fn delegate_all(&mut self, role: &str, key: &SigningKey) {
        self.delegated.insert(role.into(), (key.clone(), std::mem::take(&mut self.listed)));
    }

    /// Lets a delegated role list nothing.
    pub fn empty_delegated(&mut self, role: &str) {
        self.delegated.get_mut(role).unwrap().1.clear();
    }

    /// One delegation in the top-level role.
    pub fn delegation(role: &str, key: &SigningKey, paths: &[&str], terminating: bool) -> Value {
        json!({ "name": role, "keyids": [key_id(key)], "threshold": 1, "paths": paths, "terminating": terminating })
    }

    /// Sets the delegations of the top-level role.
    pub fn delegates(&mut self, keys: &[&SigningKey], roles: &[Value]) {
        self.delegations = Some(Repository::delegations(keys, roles));
    }

    /// The field `delegations` of any targets role.
    pub fn delegations(keys: &[&SigningKey], roles: &[Value]) -> Value {
        let keys: serde_json::Map<String, Value> =
            keys.iter().map(|key| (key_id(key), public(key))).collect();
        json!({ "keys": keys, "roles": roles })
    }

    /// Publishes a new root; with `keys` changed before, signed by old and new root keys.
    pub fn publish_root(&mut self) {
        self.publish_root_signed_by(vec![self.keys["root"].clone()]);
    }

    pub fn publish_root_signed_by(&mut self, signers: Vec<SigningKey>) {
        let version = self.next("root");
        let mut keys = serde_json::Map::new();
        let mut roles = serde_json::Map::new();
        for (role, key) in &self.keys {
            keys.insert(key_id(key), public(key));
            roles.insert((*role).into(), json!({ "keyids": [key_id(key)], "threshold": 1 }));
        }
        let signed = json!({
            "_type": "root", "spec_version": "1.0.34", "version": version, "expires": self.expires.to_string(),
            "consistent_snapshot": true, "keys": keys, "roles": roles,
        });
        let signers: Vec<&SigningKey> = signers.iter().collect();
        self.metadata.insert(format!("{version}.root.json"), sign(&signed, &signers));
    }

    /// Publishes targets, snapshot and timestamp.
    pub fn publish_metadata(&mut self) {
        let version = self.next("targets");
        let role = |targets: &BTreeMap<String, Value>| {
            json!({ "_type": "targets", "spec_version": "1.0.34", "version": version,
                "expires": self.expires.to_string(), "targets": targets })
        };
        let mut signed = role(&self.listed);
        if let Some(delegations) = &self.delegations {
            signed["delegations"] = delegations.clone();
        }
        let mut files = vec![("targets".to_owned(), sign(&signed, &[&self.keys["targets"]]))];
        for (name, (key, listed)) in &self.delegated {
            let mut signed = role(listed);
            if let Some(delegations) = self.delegated_delegations.get(name) {
                signed["delegations"] = delegations.clone();
            }
            files.push((name.clone(), sign(&signed, &[key])));
        }
        for (name, bytes) in files {
            self.metadata.insert(format!("{version}.{name}.json"), bytes);
        }
        self.publish_snapshot();
    }

    pub fn publish_snapshot(&mut self) {
        let (version, targets) = (self.next("snapshot"), self.versions["targets"]);
        let mut meta = json!({ "targets.json": { "version": targets } });
        for name in self.delegated.keys() {
            meta[format!("{name}.json")] = json!({ "version": targets });
        }
        let signed = json!({
            "_type": "snapshot", "spec_version": "1.0.34", "version": version,
            "expires": self.expires.to_string(), "meta": meta,
        });
        let bytes = sign(&signed, &[&self.keys["snapshot"]]);
        self.metadata.insert(format!("{version}.snapshot.json"), bytes);
        self.publish_timestamp();
    }

    pub fn publish_timestamp(&mut self) {
        let (version, snapshot) = (self.next("timestamp"), self.versions["snapshot"]);
        let listed = &self.metadata[&format!("{snapshot}.snapshot.json")];
        let mut signed = json!({
            "_type": "timestamp", "spec_version": "1.0.34", "version": version,
            "expires": self.expires.to_string(),
            "meta": { "snapshot.json": { "version": snapshot, "length": listed.len(),
                "hashes": { "sha256": sha256(listed) } } },
        });
        if let Some(issued) = self.issued {
            signed["issued"] = json!(issued.to_string());
        }
        if !self.halted.is_empty() {
            signed["halted"] = json!(self.halted);
        }
        let bytes = sign(&signed, &[&self.keys["timestamp"]]);
        self.metadata.insert("timestamp.json".into(), bytes);
    }

    /// Changes a metadata file's signed part, and signs it again with these keys: with none of them, the old
    /// signatures stay.
    pub fn alter(&mut self, file: &str, signers: &[&SigningKey], change: impl FnOnce(&mut Value)) {
        let mut whole: Value = serde_json::from_slice(&self.metadata[file]).unwrap();
        change(&mut whole["signed"]);
        let bytes = if signers.is_empty() {
            serde_json::to_vec(&whole).unwrap()
        } else {
            sign(&whole["signed"], signers)
        };
        self.metadata.insert(file.into(), bytes);
    }

    fn next(&mut self, role: &'static str) -> u64 {
        let version = self.versions.get_mut(role).unwrap();
        *version += 1;
        *version
    }
}

/// A key that follows from a number.
pub fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn public(key: &SigningKey) -> Value {
    let public = hex::encode(key.verifying_key().as_bytes());
    json!({ "keytype": "ed25519", "scheme": "ed25519", "keyval": { "public": public } })
}

/// The identifier that securesystemslib gives a key.
pub fn key_id(key: &SigningKey) -> String {
    sha256(&json::canonical(&json::parse(public(key).to_string().as_bytes()).unwrap()))
}

/// Signs and wraps.
pub fn sign(signed: &Value, signers: &[&SigningKey]) -> Vec<u8> {
    let canonical = json::canonical(&json::parse(signed.to_string().as_bytes()).unwrap());
    let signature = |key: &&SigningKey| json!({ "keyid": key_id(key), "sig": hex::encode(&key.sign(&canonical).to_bytes()) });
    let signatures: Vec<Value> = signers.iter().map(signature).collect();
    serde_json::to_vec(&json!({ "signed": signed, "signatures": signatures })).unwrap()
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(&Sha256::digest(bytes))
}
