//! Changing keys: a new root, signed by the old root keys and the new ones, and whatever the changed keys sign.

use crate::keys::{key_id, key_json};
use crate::metadata::{self, signed_part, take_object};
use crate::publish::{self, Change, PublishOptions, Published};
use crate::rehearsal::Images;
use crate::transaction::Transaction;
use crate::workshop::{Workshop, read_root};
use anyhow::{Result, bail};
use komainu_trust::Moment;
use komainu_trust::keys::Key;
use komainu_trust::roles::Role;
use std::collections::BTreeSet;

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

impl Workshop {
    /// Publishes the next root, with this change. Without any change it only renews root's expiry.
    ///
    /// # Errors
    /// The change makes no sense, a device would not follow it, or private keys are missing. Nothing is
    /// visible then.
    pub fn rotate(&mut self, rotation: &Rotation, now: Moment) -> Result<Published> {
        let _lock = self.lock()?;
        let mut warnings = Vec::new();
        let mut files = self.complete(now, PublishOptions::default(), &mut warnings)?;
        let current = self.current()?;
        let old = &current.root;
        let role = rotation.role;
        let nothing = rotation.add.is_empty() && rotation.remove.is_empty() && rotation.threshold.is_none();
        if nothing && role != Role::Root {
            bail!("nothing to change for {}: say --add FILE, --remove KEYID or --threshold N", role.name());
        }

        let mut keys = take_object(&mut signed_part("root.json", &current.stored.root)?, "keys")?;
        let mut roles = old.roles.clone();
        let mut changed = old.role(role).clone();
        for key in &rotation.add {
            let id = key_id(key);
            if changed.key_ids.contains(&id) {
                bail!("{id} is a key of {} already", role.name());
            }
            keys.insert(id.clone(), key_json(key));
            changed.key_ids.push(id);
        }
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
            changed.key_ids.retain(|other| other != id);
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
        roles.insert(role, changed);
        let used: BTreeSet<&String> = roles.values().flat_map(|role| &role.key_ids).collect();
        keys.retain(|id, _| used.contains(id));

        let version = old.common.version + 1;
        let name = format!("{version}.root.json");
        let expires = now.plus_seconds(self.config.expiry_days.seconds(Role::Root));
        let signed = metadata::root(version, expires, &keys, &roles);
        let mut ring = self.key_ring()?;
        let root_bytes =
            metadata::sign(&name, &signed, &[old.role(Role::Root), &roles[&Role::Root]], &mut ring)?;
        let new = read_root(&name, &root_bytes)?;

        let roots = if rotation.old_keys_are_lost { vec![&new] } else { vec![old, &new] };
        let change = Change {
            new_root: Some(root_bytes),
            targets: (role == Role::Targets).then(|| current.targets.clone()),
            snapshot: role == Role::Snapshot,
            root_only: role == Role::Root,
        };
        let composed = publish::compose(self, Some(&current), &roots, change, now, &mut ring)?;
        let transaction = Transaction::prepare(&self.dir, &[], &composed)?;
        publish::rehearse(self, Some(&current), &transaction, Images::LengthOnly, now)?;
        files.extend(transaction.commit()?.finish()?);
        Ok(Published { versions: self.current()?.trusted.versions(), files, warnings })
    }
}
