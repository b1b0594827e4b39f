//! The keys of the next root, while a change is applied to them.

use crate::metadata;
use crate::public_key::{key_id, key_json};
use anyhow::{Result, bail};
use komainu_trust::Moment;
use komainu_trust::json::{Json, Object};
use komainu_trust::keys::Key;
use komainu_trust::roles::{Role, Root};
use komainu_trust::signatures::RoleKeys;
use std::collections::BTreeMap;

/// The next root, as far as keys are concerned.
pub(crate) struct NextKeys {
    pub keys: Object,
    pub roles: BTreeMap<Role, RoleKeys>,
    pub old_keys_are_lost: bool,
}

impl NextKeys {
    /// The signed part of the next root, and its name.
    pub fn unsigned_root(&self, old: &Root, expires: Moment) -> (String, Json) {
        let version = old.common.version + 1;
        (format!("{version}.root.json"), metadata::root(version, expires, &self.keys, &self.roles))
    }

    /// True if the role has other keys, or another threshold, than in `old`.
    pub fn changes(&self, old: &Root, role: Role) -> bool {
        self.roles[&role] != *old.role(role)
    }

    /// Lets a key in.
    pub fn add(&mut self, role: Role, key: &Key) -> Result<()> {
        let id = key_id(key);
        let changed = self.roles.entry(role).or_insert(RoleKeys { key_ids: Vec::new(), threshold: 1 });
        if changed.key_ids.contains(&id) {
            bail!("{id} is a key of {} already", role.name());
        }
        changed.key_ids.push(id.clone());
        self.keys.insert(id, key_json(key));
        Ok(())
    }
}

/// Takes a key out of a role's list. The next of those that came in takes its place, so that "root key 2" goes on
/// being the second one for people.
pub(crate) fn remove_in_place(key_ids: &mut Vec<String>, goes: &str, incoming: &mut Vec<String>) {
    incoming.retain(|id| id != goes);
    let Some(at) = key_ids.iter().position(|id| id == goes) else { return };
    match incoming.pop() {
        Some(comes) => {
            key_ids.retain(|id| *id != comes);
            key_ids[at] = comes;
        }
        None => _ = key_ids.remove(at),
    }
}
