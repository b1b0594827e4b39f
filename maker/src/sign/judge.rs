//! Judges a request: whether it may be signed, whose signatures it needs, and whether those that it has are theirs.

use super::{Asked, Request};
use crate::keys::key_id;
use anyhow::{Context, Result, anyhow, bail};
use komainu_trust::Moment;
use komainu_trust::fields::Field;
use komainu_trust::json::Json;
use komainu_trust::keys::Key;
use komainu_trust::limits::TARGETS_BYTES_MAX;
use komainu_trust::roles::{Metadata, Role, Root, Targets};
use komainu_trust::signatures::{Envelope, RoleKeys};
use std::collections::{BTreeMap, BTreeSet};

/// A request that was found to be in order: which keys it needs, and what they have signed.
pub struct Judged {
    /// A line for each file and each set of keys that must sign it.
    pub needs: Vec<Need>,
    pub(super) new_root: Option<Root>,
    pub(super) new_targets: Option<Targets>,
    pub(super) old_targets: Targets,
}

/// A set of keys that must sign a file, and how many have.
pub struct Need {
    /// The file.
    pub file: String,
    /// Whose keys, in words.
    pub whose: &'static str,
    /// How many have signed.
    pub have: u32,
    /// The keys, and how many of them must.
    pub role: RoleKeys,
    keys: BTreeMap<String, Key>,
}

impl Request {
    /// Looks whether it may be signed, and by whom. `current` is the root in force.
    ///
    /// # Errors
    /// What is wrong with it: stale, expired, changed after somebody signed, signed by a key that has no say.
    pub fn judge(&self, current: &Root, now: Moment) -> Result<Judged> {
        let old_targets = self.published_targets(current)?;
        let mut judged = Judged { needs: Vec::new(), new_root: None, new_targets: None, old_targets };
        for (name, asked) in &self.asked {
            match name.split_once('.').map(|(_, file)| file) {
                Some("root.json") => {
                    judged.new_root = Some(next_root(name, &asked.signed, current, now)?);
                }
                Some("targets.json") => {
                    let old = judged.old_targets.common.version;
                    judged.new_targets = Some(next_targets(name, &asked.signed, old, now)?);
                }
                _ => bail!("it asks to sign {name}, which is neither root nor targets metadata"),
            }
        }
        self.needs(current, &mut judged)?;
        for (name, asked) in &self.asked {
            self.check_signatures(name, asked, &judged)?;
        }
        for need in &mut judged.needs {
            need.have = self.envelope(&need.file)?.count(&need.role, &need.keys);
        }
        Ok(judged)
    }

    fn published_targets(&self, current: &Root) -> Result<Targets> {
        let name = "the targets metadata that it calls published";
        let envelope = Envelope::open(name, "4.5", self.targets.as_bytes(), TARGETS_BYTES_MAX);
        let envelope = envelope.map_err(|fault| anyhow!("{fault}"))?;
        if envelope.meets(current.role(Role::Targets), &current.keys).is_err() {
            bail!("{name} is not signed by the targets keys: what would change cannot be told");
        }
        read(name, &envelope.signed)
    }

    fn needs(&self, current: &Root, judged: &mut Judged) -> Result<()> {
        let need = |file: &String, whose, root: &Root, role| Need {
            file: file.clone(),
            whose,
            have: 0,
            role: root.role(role).clone(),
            keys: root.keys.clone(),
        };
        let same = |root: &Root, role| root.role(role) == current.role(role);
        let targets_change = judged.new_root.as_ref().is_some_and(|root| !same(root, Role::Targets));
        if targets_change && judged.new_targets.is_none() {
            bail!("it changes the targets keys without targets metadata that the new keys sign");
        }
        for name in self.asked.keys() {
            let role = if name.ends_with(".root.json") { Role::Root } else { Role::Targets };
            let new = judged.new_root.as_ref().filter(|root| !same(root, role));
            let (old_words, new_words) = match role {
                Role::Root => ("root keys of now", "new root keys"),
                _ => ("targets keys of now", "new targets keys"),
            };
            // The old root keys always sign: nobody follows a root that they did not.
            if new.is_none() || role == Role::Root || !self.old_keys_are_lost {
                judged.needs.push(need(name, old_words, current, role));
            }
            judged.needs.extend(new.map(|root| need(name, new_words, root, role)));
        }
        Ok(())
    }

    fn check_signatures(&self, name: &str, asked: &Asked, judged: &Judged) -> Result<()> {
        let envelope = self.envelope(name)?;
        for key_id in asked.signatures.keys() {
            let need =
                judged.needs.iter().find(|need| need.file == name && need.role.key_ids.contains(key_id));
            let Some(need) = need else {
                bail!(
                    "{name} has a signature by {key_id}, which has no say in it: somebody else had this file"
                );
            };
            let alone = RoleKeys { key_ids: vec![key_id.clone()], threshold: 1 };
            if envelope.count(&alone, &need.keys) == 0 {
                bail!(
                    "the signature by {key_id} does not fit {name}: it was changed after that key signed, or is \
                     damaged. Do not sign it; ask for the request anew"
                );
            }
        }
        Ok(())
    }
}

impl Judged {
    /// True if every set of keys has signed.
    pub fn is_complete(&self) -> bool {
        self.needs.iter().all(|need| need.have >= need.role.threshold)
    }

    /// How many signatures there are of how many, a line for each set of keys.
    pub fn count_in_words(&self) -> String {
        let line = |need: &Need| {
            format!(
                "{}: {} of {} signatures by the {}\n",
                need.file, need.have, need.role.threshold, need.whose
            )
        };
        self.needs.iter().map(line).collect()
    }
}

fn next_root(name: &str, signed: &Json, current: &Root, now: Moment) -> Result<Root> {
    let root: Root = read(name, signed)?;
    let (version, in_force) = (root.common.version, current.common.version);
    if name != format!("{version}.root.json") {
        bail!("what it calls {name} is root version {version}");
    }
    if version <= in_force {
        bail!("{name} is stale: root is version {in_force} by now. Make the request anew");
    }
    if version != in_force + 1 {
        bail!("{name} cannot follow root version {in_force}: versions go up one by one");
    }
    unexpired(name, root.common.expires, now)?;
    if !root.consistent_snapshot {
        bail!("{name} gives up consistent snapshots, which this repository is made of");
    }
    for (role, keys) in &root.roles {
        let mut different = BTreeSet::new();
        for id in &keys.key_ids {
            let key = root.keys.get(id).with_context(|| format!("{name}: key {id} is missing"))?;
            if !current.keys.contains_key(id) && key_id(key) != *id {
                bail!("{name}: key {id} has the identifier of another key");
            }
            different.insert(key.material());
        }
        if different.len() < keys.threshold as usize {
            bail!("{name}: {} has {} keys and needs {}", role.name(), different.len(), keys.threshold);
        }
    }
    Ok(root)
}

fn next_targets(name: &str, signed: &Json, published: u64, now: Moment) -> Result<Targets> {
    let targets: Targets = read(name, signed)?;
    let version = targets.common.version;
    if name != format!("{version}.targets.json") {
        bail!("what it calls {name} is targets version {version}");
    }
    if version <= published {
        bail!("{name} is stale: targets metadata is version {published} by now. Make the request anew");
    }
    unexpired(name, targets.common.expires, now)?;
    if targets.delegations.is_some() {
        bail!("{name} delegates to other keys, which this komainu-maker never asks for");
    }
    Ok(targets)
}

fn unexpired(name: &str, expires: Moment, now: Moment) -> Result<()> {
    if expires <= now {
        bail!("{name} would be good until {expires}, which is over (this machine's clock says {now})");
    }
    Ok(())
}

fn read<M: Metadata>(name: &str, signed: &Json) -> Result<M> {
    M::read(&Field::top(signed)).map_err(|fault| anyhow!("{name}: {} must be {}", fault.path, fault.must_be))
}
