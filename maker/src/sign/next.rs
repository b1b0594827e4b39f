//! Decides whether a root or targets file may be signed: it must be the file that this komainu-maker would have written
//! itself, without anything that the words for the signer would leave out.

use crate::metadata;
use crate::public_key::{key_id, key_json};
use anyhow::{Context, Result, anyhow, bail};
use komainu_trust::Moment;
use komainu_trust::fields::Field;
use komainu_trust::json;
use komainu_trust::json::{Json, Object};
use komainu_trust::roles::{Metadata, Root, Targets};
use std::collections::BTreeSet;

/// Reads the next root. `in_force` is the signed part of `current`, with the fields that reading leaves out.
pub(super) fn next_root(
    name: &str,
    signed: &Json,
    current: &Root,
    in_force: &Object,
    now: Moment,
    notes: &mut Vec<String>,
) -> Result<Root> {
    let root: Root = read(name, signed)?;
    let (version, before) = (root.common.version, current.common.version);
    if name != format!("{version}.root.json") {
        bail!("the file called {name} is root version {version}");
    }
    if version <= before {
        bail!("{name} is stale: root is version {before} by now. Make the request anew");
    }
    if version != before + 1 {
        bail!("{name} cannot follow root version {before}: versions go up one by one");
    }
    unexpired(name, root.common.expires, now)?;
    if !root.consistent_snapshot {
        bail!("{name} gives up consistent snapshots, which this repository is made of");
    }
    let in_force = Json::Object(in_force.clone());
    if read::<Root>("the last root in it", &in_force)? != *current {
        bail!("the last root in it is not the one in force: do not sign it");
    }
    let keys = object_in(name, signed, "keys")?;
    known_keys(name, &root, current, keys, object_in("root.json", &in_force, "keys")?)?;
    for (role, keys) in &root.roles {
        let mut different = BTreeSet::new();
        for id in &keys.key_ids {
            let key = root.keys.get(id).with_context(|| format!("{name}: key {id} is missing"))?;
            different.insert(key.material());
        }
        if different.len() < keys.threshold as usize {
            bail!("{name}: {} has {} keys and needs {}", role.name(), different.len(), keys.threshold);
        }
    }
    only_known_fields(name, signed, metadata::root(version, root.common.expires, keys, &root.roles))?;
    let spec = |value: &Json| field(value, "spec_version").map(json::canonical).unwrap_or_default();
    if spec(signed) != spec(&in_force) {
        let text = String::from_utf8_lossy(&spec(signed)).escape_debug().to_string();
        notes.push(format!("spec_version changes to {text}: it names the edition of TUF, and no key"));
    }
    Ok(root)
}

/// A key that stays is the same to the last field; one that comes has the identifier that its content gives it. So an
/// identifier says which key is meant, and people can compare identifiers.
fn known_keys(name: &str, root: &Root, current: &Root, new: &Object, old: &Object) -> Result<()> {
    for (id, key) in &root.keys {
        let shown = id.escape_debug();
        if !root.roles.values().any(|keys| keys.key_ids.contains(id)) {
            bail!("{name}: no role has key {shown}");
        }
        if let Some(before) = current.keys.get(id) {
            if before != key || old.get(id) != new.get(id) {
                bail!(
                    "{name}: key {shown} is another key than the one of that identifier in force: do not sign it"
                );
            }
        } else if key_id(key) != *id || new.get(id) != Some(&key_json(key)) {
            bail!("{name}: key {shown} has the identifier of another key");
        }
    }
    Ok(())
}

/// Reads the next targets metadata. `before` is the signed part of what is published.
pub(super) fn next_targets(
    name: &str,
    signed: &Json,
    published: u64,
    before: &Object,
    now: Moment,
) -> Result<Targets> {
    let targets: Targets = read(name, signed)?;
    let version = targets.common.version;
    if name != format!("{version}.targets.json") {
        bail!("the file called {name} is targets version {version}");
    }
    if version <= published {
        bail!("{name} is stale: targets metadata is version {published} by now. Make the request anew");
    }
    unexpired(name, targets.common.expires, now)?;
    if targets.delegations.is_some() {
        bail!("{name} delegates to other keys, which this komainu-maker never asks for");
    }
    let listed = object_in(name, signed, "targets")?;
    let before = Json::Object(before.clone());
    let old = object_in("the published targets metadata", &before, "targets")?;
    for (path, file) in &targets.targets {
        let shown = path.escape_debug();
        if file.hashes.sha256.is_none() {
            bail!("{name}: {shown} has no SHA-256, so its content is not known");
        }
        let plain = match listed.get(path) {
            Some(Json::Object(fields)) => {
                fields.keys().all(|field| ["length", "hashes"].contains(&field.as_str()))
            }
            _ => false,
        };
        if !plain && listed.get(path) != old.get(path) {
            bail!("{name}: {shown} has fields that this komainu-maker does not know and cannot show");
        }
    }
    only_known_fields(
        name,
        signed,
        metadata::targets(version, targets.common.expires, listed.clone(), None),
    )?;
    Ok(targets)
}

/// Refuses what reading would pass over. `ours` is what this komainu-maker would write; of that only the edition of
/// TUF may be another.
fn only_known_fields(name: &str, signed: &Json, ours: Json) -> Result<()> {
    let Json::Object(mut ours) = ours else { bail!("{name} is not an object") };
    if let Some(spec) = field(signed, "spec_version") {
        ours.insert("spec_version".into(), spec.clone());
    }
    if Json::Object(ours) != *signed {
        bail!("{name} has fields that this komainu-maker does not know and cannot show: do not sign it");
    }
    Ok(())
}

fn unexpired(name: &str, expires: Moment, now: Moment) -> Result<()> {
    if expires <= now {
        bail!("{name} would be good until {expires}, which is over (this machine's clock says {now})");
    }
    Ok(())
}

fn field<'a>(value: &'a Json, name: &str) -> Option<&'a Json> {
    let Json::Object(fields) = value else { return None };
    fields.get(name)
}

fn object_in<'a>(file: &str, value: &'a Json, name: &str) -> Result<&'a Object> {
    match field(value, name) {
        Some(Json::Object(inner)) => Ok(inner),
        _ => bail!("{file} has no object `{name}`"),
    }
}

pub(super) fn read<M: Metadata>(name: &str, signed: &Json) -> Result<M> {
    M::read(&Field::top(signed)).map_err(|fault| anyhow!("{name}: {} must be {}", fault.path, fault.must_be))
}
