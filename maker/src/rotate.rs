//! Changing keys: a new root, signed by the old root keys and the new ones, and whatever the changed keys sign.
//! What changes is decided here; who signs is another step ([`crate::publish`] at once, [`crate::sign`] by request).

use crate::metadata;
use crate::metadata::{signed_part, take_object};
use crate::public_key::{key_id, key_json};
use crate::publish;
use crate::publish::{Change, NewTargets, PublishOptions, Published};
use crate::rehearsal::Images;
use crate::revoke::Revocation;
use crate::transaction::Transaction;
use crate::workshop::{Current, Workshop, read_root};
use anyhow::{Result, bail};
use komainu_trust::Moment;
use komainu_trust::json::{Json, Object};
use komainu_trust::keys::Key;
use komainu_trust::roles::{Role, Root};
use komainu_trust::signatures::RoleKeys;
use std::collections::{BTreeMap, BTreeSet};

/// A change of one role's keys.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// Whose keys.
    pub role: Role,
    /// Public keys that come in.
    pub add: Vec<Key>,
    /// Identifiers of keys that go, or the first letters of them.
    pub remove: Vec<String>,
    /// The new threshold; without one it stays.
    pub threshold: Option<u32>,
    /// The private halves of the removed keys are lost: sign with the new keys only. Devices refuse what they
    /// see until both the root and the timestamp have arrived at the mirror.
    pub old_keys_are_lost: bool,
}

/// What the next root changes.
#[derive(Clone, Debug)]
pub enum KeyChange {
    /// The keys of one role, or only root's expiry.
    Rotate(Rotation),
    /// A key that goes wherever it is.
    Revoke(Revocation),
}

/// The next root, as far as keys are concerned.
pub(crate) struct NextKeys {
    pub keys: Object,
    pub roles: BTreeMap<Role, RoleKeys>,
    pub old_keys_are_lost: bool,
}

impl Workshop {
    /// Publishes the next root, with this change. Without any change it only renews root's expiry.
    ///
    /// # Errors
    /// The change makes no sense, a device would not follow it, or private keys are missing. Nothing is
    /// visible then.
    pub fn rotate(&mut self, rotation: &Rotation, now: Moment) -> Result<Published> {
        self.change_keys(&KeyChange::Rotate(rotation.clone()), now)
    }

    /// Publishes the next root, in which a key is trusted with nothing any more.
    ///
    /// # Errors
    /// No role has the key, a threshold could not be reached without it, or as with [`Workshop::rotate`].
    pub fn revoke(&mut self, revocation: &Revocation, now: Moment) -> Result<Published> {
        self.change_keys(&KeyChange::Revoke(revocation.clone()), now)
    }

    /// Publishes the next root, signed at once by keys within reach.
    ///
    /// # Errors
    /// As [`Workshop::rotate`].
    pub fn change_keys(&mut self, change: &KeyChange, now: Moment) -> Result<Published> {
        let _lock = self.lock()?;
        let mut published = Published::default();
        let mut files = self.complete(now, PublishOptions::default(), &mut published.warnings)?;
        let current = self.current()?;
        let next = NextKeys::of(&current, change)?;
        let old = &current.root;
        let (name, signed) = next.unsigned_root(old, now.plus_seconds(self.expiry_seconds(Role::Root)));
        let mut ring = self.key_ring()?;
        let root_keys = [old.role(Role::Root), &next.roles[&Role::Root]];
        let root_bytes = metadata::sign(&name, &signed, &root_keys, &mut ring)?;
        let new = read_root(&name, &root_bytes)?;

        let targets = next.changes(old, Role::Targets).then(|| NewTargets::Contents(current.targets.clone()));
        let change = Change { targets, ..change_between(old, &new, root_bytes) };
        let roots = if next.old_keys_are_lost { vec![&new] } else { vec![old, &new] };
        let composed = publish::compose(self, Some(&current), &roots, change, now, &mut ring)?;
        let transaction = Transaction::prepare(&self.dir, &[], &composed)?;
        publish::rehearse(self, Some(&current), &transaction, Images::LengthOnly, now)?;
        files.extend(transaction.commit()?.finish()?);
        Ok(Published { versions: self.current()?.trusted.versions(), files, ..published })
    }
}

impl NextKeys {
    /// Applies a change to the keys of the root in force.
    pub fn of(current: &Current, change: &KeyChange) -> Result<NextKeys> {
        let mut next = NextKeys {
            keys: take_object(&mut signed_part("root.json", &current.stored.root)?, "keys")?,
            roles: current.root.roles.clone(),
            old_keys_are_lost: false,
        };
        match change {
            KeyChange::Rotate(rotation) => next.rotate(rotation)?,
            KeyChange::Revoke(revocation) => next.revoke(revocation)?,
        }
        let used: BTreeSet<&String> = next.roles.values().flat_map(|role| &role.key_ids).collect();
        next.keys.retain(|id, _| used.contains(id));
        Ok(next)
    }

    /// The signed part of the next root, and its name.
    pub fn unsigned_root(&self, old: &Root, expires: Moment) -> (String, Json) {
        let version = old.common.version + 1;
        (format!("{version}.root.json"), metadata::root(version, expires, &self.keys, &self.roles))
    }

    /// True if the role has other keys, or another threshold, than in `old`.
    pub fn changes(&self, old: &Root, role: Role) -> bool {
        self.roles[&role] != *old.role(role)
    }

    fn rotate(&mut self, rotation: &Rotation) -> Result<()> {
        let role = rotation.role;
        let nothing = rotation.add.is_empty() && rotation.remove.is_empty() && rotation.threshold.is_none();
        if nothing && role != Role::Root {
            bail!("nothing to change for {}: say --add FILE, --remove KEYID or --threshold N", role.name());
        }
        for key in &rotation.add {
            self.add(role, key)?;
        }
        let mut changed = self.roles[&role].clone();
        let mut incoming: Vec<String> = rotation.add.iter().map(key_id).rev().collect();
        for beginning in &rotation.remove {
            let matching = |id: &&String| id.starts_with(beginning.as_str());
            let found: Vec<String> = changed.key_ids.iter().filter(matching).cloned().collect();
            let [id] = found.as_slice() else {
                bail!(
                    "`{beginning}` fits {} of the keys of {}, which are {}",
                    found.len(),
                    role.name(),
                    changed.key_ids.join(", ")
                );
            };
            let id = id.clone();
            remove_in_place(&mut changed.key_ids, &id, &mut incoming);
        }
        changed.threshold = rotation.threshold.unwrap_or(changed.threshold);
        if changed.threshold == 0 || changed.threshold as usize > changed.key_ids.len() {
            bail!(
                "{} would have {} keys and a threshold of {}, which nobody can reach; say --threshold N",
                role.name(),
                changed.key_ids.len(),
                changed.threshold
            );
        }
        self.roles.insert(role, changed);
        self.old_keys_are_lost = rotation.old_keys_are_lost;
        Ok(())
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

/// What must be published with a new root, but for targets metadata.
pub(crate) fn change_between(old: &Root, new: &Root, root_bytes: Vec<u8>) -> Change {
    let changes = |role| old.role(role) != new.role(role);
    Change {
        new_root: Some(root_bytes),
        snapshot: changes(Role::Snapshot),
        root_only: ![Role::Targets, Role::Snapshot, Role::Timestamp].into_iter().any(changes),
        ..Change::default()
    }
}
