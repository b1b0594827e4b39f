//! Revoking a key: it goes out of every role that has it, in one new root. The consequences in words: the damage that a
//! thief of the key could have done, and the other keys that must be replaced before devices forget it.

use crate::next_keys::{NextKeys, remove_in_place};
use crate::public_key::key_id;
use crate::workshop::Workshop;
use anyhow::{Result, bail};
use komainu_trust::keys::Key;
use komainu_trust::roles::{Role, Root};

/// A key that is not to be trusted any more.
#[derive(Clone, Debug)]
pub struct Revocation {
    /// Its identifier, or the first letters of it.
    pub key_id: String,
    /// The key that takes its place in every role that had it.
    pub replace_with: Option<Key>,
    /// The private half is lost: sign with the keys that remain and the new one only.
    pub old_keys_are_lost: bool,
}

impl NextKeys {
    pub(crate) fn revoke(&mut self, revocation: &Revocation) -> Result<()> {
        let id = self.only_key(&revocation.key_id)?;
        let roles: Vec<Role> =
            self.roles.iter().filter(|(_, keys)| keys.key_ids.contains(&id)).map(|(role, _)| *role).collect();
        for role in roles {
            if let Some(key) = &revocation.replace_with {
                self.add(role, key)?;
            }
            let Some(keys) = self.roles.get_mut(&role) else { continue };
            let mut incoming: Vec<String> = revocation.replace_with.iter().map(key_id).collect();
            remove_in_place(&mut keys.key_ids, &id, &mut incoming);
            if keys.key_ids.len() < keys.threshold as usize {
                bail!(
                    "without {id} {name} has {} keys, and {} of them must sign, which is impossible. Make a new one with \
                     `komainu-maker key new` and name its public half with --replace-with FILE, or add one first with \
                     `komainu-maker key rotate {name} --add FILE`",
                    keys.key_ids.len(),
                    keys.threshold,
                    name = role.name()
                );
            }
        }
        self.old_keys_are_lost = revocation.old_keys_are_lost;
        Ok(())
    }

    fn only_key(&self, beginning: &str) -> Result<String> {
        let found: Vec<&String> = self.keys.keys().filter(|id| id.starts_with(beginning)).collect();
        match found.as_slice() {
            [id] => Ok((*id).clone()),
            [] => bail!("no role has a key `{beginning}`; `komainu-maker key show root.json` lists them"),
            more => bail!("`{beginning}` fits {} keys; give more letters of the identifier", more.len()),
        }
    }
}

impl Workshop {
    /// The damage that a thief of this key could have done, and the next steps, a sentence each.
    ///
    /// # Errors
    /// The workshop cannot be read, or no role has the key.
    pub fn consequences(&self, beginning: &str) -> Result<Vec<String>> {
        let root = self.current()?.root;
        let found: Vec<&String> = root.keys.keys().filter(|id| id.starts_with(beginning)).collect();
        let [id] = found.as_slice() else {
            bail!("`{beginning}` fits {} keys; `komainu-maker key show root.json` lists them", found.len())
        };
        Ok(consequences(&root, id))
    }
}

fn consequences(root: &Root, id: &str) -> Vec<String> {
    let mut sentences = Vec::new();
    for (role, keys) in root.roles.iter().filter(|(_, keys)| keys.key_ids.iter().any(|other| other == id)) {
        let name = role.name();
        if keys.threshold > 1 {
            sentences.push(format!(
                "{name}: {} keys must sign, so this one alone could sign nothing. Find out how it got away before a \
                 second one does",
                keys.threshold
            ));
        }
        let alone = if keys.threshold > 1 { "with enough others" } else { "alone" };
        let (could, then) = match role {
            Role::Root => (
                "make roots of its own and so take over every device that it reaches",
                "Devices that followed such a root are lost to you: they need your firmware from outside. `komainu \
                 status` on a device says which version and keys of root it has",
            ),
            Role::Targets => (
                "sign any release; devices install it where snapshot and timestamp name it, so this needs those keys too, \
                 or a way into the workshop before it publishes",
                "Look at every target that is published (`komainu-maker inspect`). If it ran versions up, devices \
                 remember that through the snapshot: replace the snapshot key too, so that they forget \
                 (`komainu-maker key rotate snapshot --add FILE --remove KEYID`, TUF 5.3.11). Devices go on \
                 remembering release numbers: number the next release above anything that was ever published, by you \
                 or by the thief",
            ),
            Role::Snapshot => (
                "together with the timestamp key: run versions of snapshot and targets up, so that devices refuse \
                 yours, or withhold a release. It can install nothing",
                "Devices forget what it said with this new root (TUF 5.3.11). Nothing else needs replacing for it",
            ),
            Role::Timestamp => (
                "run versions of the timestamp up, so that devices refuse yours, put their clocks forward, and hold \
                 them at a state that you once signed. It can install nothing",
                "Devices forget what it said with this new root (TUF 5.3.11). Nothing else needs replacing for it",
            ),
        };
        sentences.push(format!("{name}: a thief of the key could, {alone}, {could}"));
        sentences.push(format!("{name}: {then}"));
    }
    sentences
}
