//! Publishes a change of keys: a new root, signed by the old root keys and the new ones, and the files that the changed
//! keys sign. Keys within reach sign at once here; [`crate::sign`] asks for signatures elsewhere.

use crate::compose::{Change, NewTargets, compose};
use crate::metadata;
use crate::metadata::{signed_part, take_object};
use crate::next_keys::NextKeys;
use crate::publish::{PublishOptions, Published};
use crate::rehearsal::Images;
use crate::revoke::Revocation;
use crate::rotate::Rotation;
use crate::transaction::Transaction;
use crate::workshop::{Current, Workshop, read_root};
use anyhow::Result;
use komainu_trust::Moment;
use komainu_trust::roles::{Role, Root};
use std::collections::BTreeSet;

/// The change that the next root makes.
#[derive(Clone, Debug)]
pub enum KeyChange {
    /// The keys of one role, or only root's expiry.
    Rotate(Rotation),
    /// A key that goes wherever it is.
    Revoke(Revocation),
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

        let targets = next.changes(old, Role::Targets).then(|| NewTargets::Renewed(current.targets.clone()));
        let change = Change { targets, ..change_between(old, &new, root_bytes) };
        let roots = if next.old_keys_are_lost { vec![&new] } else { vec![old, &new] };
        let composed = compose(self, Some(&current), &roots, change, now, &mut ring)?;
        let transaction = Transaction::prepare(&self.dir, &[], &composed)?;
        transaction.rehearse(Some(&current.stored), Images::LengthOnly, self.progress, now)?;
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
}

/// The files that must be published with a new root, but for targets metadata.
pub(crate) fn change_between(old: &Root, new: &Root, root_bytes: Vec<u8>) -> Change {
    let changes = |role| old.role(role) != new.role(role);
    Change {
        new_root: Some(root_bytes),
        snapshot: changes(Role::Snapshot),
        root_only: ![Role::Targets, Role::Snapshot, Role::Timestamp].into_iter().any(changes),
        ..Change::default()
    }
}
