//! Builds and signs the four TUF files. Everything that a device reads comes into being here.

use crate::files::Fingerprint;
use crate::json_writer::{fetched, number, object, text};
use crate::keyring::KeyRing;
use anyhow::{Context, Result, bail};
use komainu_trust::json;
use komainu_trust::json::{Json, Object};
use komainu_trust::roles::Role;
use komainu_trust::signatures::RoleKeys;
use komainu_trust::{Moment, hex};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

const SPEC_VERSION: &str = "1.0.34";

/// A new root's signed part.
pub fn root(version: u64, expires: Moment, keys: &Object, roles: &BTreeMap<Role, RoleKeys>) -> Json {
    let role_json = |role: &RoleKeys| {
        object([
            ("keyids", Json::List(role.key_ids.iter().map(|key_id| text(key_id)).collect())),
            ("threshold", number(u64::from(role.threshold))),
        ])
    };
    let roles = roles.iter().map(|(role, keys)| (role.name().to_owned(), role_json(keys))).collect();
    let mut signed = common(Role::Root, version, expires);
    signed.insert("consistent_snapshot".into(), Json::Bool(true));
    signed.insert("keys".into(), Json::Object(keys.clone()));
    signed.insert("roles".into(), Json::Object(roles));
    Json::Object(signed)
}

/// The signed part of targets metadata, or of a delegated role.
pub fn targets(version: u64, expires: Moment, targets: Object, delegations: Option<Json>) -> Json {
    let mut signed = common(Role::Targets, version, expires);
    signed.insert("targets".into(), Json::Object(targets));
    if let Some(delegations) = delegations {
        signed.insert("delegations".into(), delegations);
    }
    Json::Object(signed)
}

/// The signed part of a snapshot that lists these targets files.
pub fn snapshot(version: u64, expires: Moment, files: &[TargetsFile]) -> Json {
    let mut signed = common(Role::Snapshot, version, expires);
    let entry = |file: &TargetsFile| (format!("{}.json", file.role), listed(file.version, &file.bytes));
    signed.insert("meta".into(), Json::Object(files.iter().map(entry).collect()));
    Json::Object(signed)
}

/// `targets.json`, or the file of a delegated role, as it is published.
#[derive(Clone, Debug)]
pub struct TargetsFile {
    pub role: String,
    pub version: u64,
    /// The whole file.
    pub bytes: Vec<u8>,
}

impl TargetsFile {
    /// Its name on the server.
    pub fn name(&self) -> String {
        format!("{}.{}.json", self.version, self.role)
    }
}

/// The signed part of a timestamp. `issued` is when it was made: a device whose clock stands in 1970 learns
/// from it that it must be at least so late. `halts` are releases that no device may begin to take.
pub fn timestamp(
    version: u64,
    issued: Moment,
    expires: Moment,
    halts: &[String],
    snapshot_version: u64,
    snapshot: &[u8],
) -> Json {
    let mut signed = common(Role::Timestamp, version, expires);
    signed.insert("issued".into(), text(&issued.to_string()));
    if !halts.is_empty() {
        signed.insert("halted".into(), Json::List(halts.iter().map(|halt| text(halt)).collect()));
    }
    signed.insert("meta".into(), object([("snapshot.json", listed(snapshot_version, snapshot))]));
    Json::Object(signed)
}

/// The entry of targets metadata for one file.
pub fn target(print: &Fingerprint) -> Json {
    object([
        ("length", number(print.length)),
        ("hashes", object([("sha256", text(&hex::encode(&print.sha256)))])),
    ])
}

/// Signatures by key identifier.
pub type Signatures = BTreeMap<String, Vec<u8>>;

/// Signs with as many keys of each of `roles` as its threshold asks for, and gives the whole file.
///
/// More than one is named where keys change: a file that both the old and the new keys signed is accepted by
/// every device, whichever root it has got to.
///
/// # Errors
/// Too few private keys are at hand: says which are missing.
pub fn sign(file: &str, signed: &Json, roles: &[&RoleKeys], ring: &mut KeyRing) -> Result<Vec<u8>> {
    let message = json::canonical(signed);
    let mut signatures = Signatures::new();
    for role in roles {
        let mut have = role.key_ids.iter().filter(|key_id| signatures.contains_key(*key_id)).count();
        for key_id in &role.key_ids {
            if have >= role.threshold as usize {
                break;
            }
            have += usize::from(sign_with(key_id, &message, &mut signatures, ring)?);
        }
        if have < role.threshold as usize {
            bail!(
                "{file} needs {} signatures, but only {have} of its private keys are at hand. Its keys are {}; \
                 looked in {}. Bring the medium with the keys and name its folder with --keys",
                role.threshold,
                role.key_ids.join(", "),
                ring.folders()
            );
        }
    }
    Ok(fetched(&envelope(signed, &signatures)))
}

/// Adds the signature of one key, if it is within reach and did not sign; true if there is one more now.
///
/// # Errors
/// The key is there and cannot sign.
pub fn sign_with(
    key_id: &str,
    message: &[u8],
    signatures: &mut Signatures,
    ring: &mut KeyRing,
) -> Result<bool> {
    if signatures.contains_key(key_id) {
        return Ok(false);
    }
    let Some(key) = ring.find(key_id)? else { return Ok(false) };
    signatures.insert(key_id.to_owned(), key.sign(message)?);
    Ok(true)
}

/// A metadata file: the signed part, and the signatures.
pub fn envelope(signed: &Json, signatures: &Signatures) -> Json {
    let signature = |(key_id, signature): (&String, &Vec<u8>)| {
        object([("keyid", text(key_id)), ("sig", text(&hex::encode(signature)))])
    };
    let signatures = Json::List(signatures.iter().map(signature).collect());
    object([("signatures", signatures), ("signed", signed.clone())])
}

/// The signed part of a metadata file. Nothing is believed of it by reading it.
///
/// # Errors
/// It is not a metadata file.
pub fn signed_part(name: &str, bytes: &[u8]) -> Result<Object> {
    let whole = json::parse(bytes).map_err(|why| anyhow::anyhow!("{name} is not acceptable JSON: {why}"))?;
    let Json::Object(mut fields) = whole else { bail!("{name} is not a metadata file: not an object") };
    match fields.remove("signed") {
        Some(Json::Object(signed)) => Ok(signed),
        _ => bail!("{name} is not a metadata file: it has no object `signed`"),
    }
}

/// The object of that name among the fields.
///
/// # Errors
/// There is none.
pub fn take_object(fields: &mut Object, name: &str) -> Result<Object> {
    match fields.remove(name) {
        Some(Json::Object(inner)) => Ok(inner),
        _ => None.with_context(|| format!("the metadata has no object `{name}`")),
    }
}

fn common(role: Role, version: u64, expires: Moment) -> Object {
    let Json::Object(fields) = object([
        ("_type", text(role.name())),
        ("spec_version", text(SPEC_VERSION)),
        ("version", number(version)),
        ("expires", text(&expires.to_string())),
    ]) else {
        unreachable!("object makes an object")
    };
    fields
}

fn listed(version: u64, bytes: &[u8]) -> Json {
    object([
        ("version", number(version)),
        ("length", number(bytes.len() as u64)),
        ("hashes", object([("sha256", text(&hex::encode(&Sha256::digest(bytes))))])),
    ])
}
