//! Rotating keys: the keys of one role come and go, and its threshold changes.

use crate::next_keys::{NextKeys, remove_in_place};
use crate::public_key::key_id;
use anyhow::{Result, bail};
use komainu_trust::keys::Key;
use komainu_trust::roles::Role;

/// A change of one role's keys.
#[derive(Clone, Debug)]
pub struct Rotation {
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

impl NextKeys {
    pub(crate) fn rotate(&mut self, rotation: &Rotation) -> Result<()> {
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
                "{} would have {} keys and a threshold of {}, which cannot be reached; say --threshold N",
                role.name(),
                changed.key_ids.len(),
                changed.threshold
            );
        }
        self.roles.insert(role, changed);
        self.old_keys_are_lost = rotation.old_keys_are_lost;
        Ok(())
    }
}
