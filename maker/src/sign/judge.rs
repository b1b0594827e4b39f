//! Judges a request: whether it may be signed, whose signatures it needs, and whether those that it has are theirs.

use super::judged::{Judged, Need};
use super::next::{next_root, next_targets, read};
use super::signer_state::Seen;
use super::signing_request::{Asked, Request};
use crate::metadata::signed_part;
use anyhow::{Context, Result, anyhow, bail};
use komainu_trust::Moment;
use komainu_trust::json;
use komainu_trust::limits::TARGETS_BYTES_MAX;
use komainu_trust::roles::{Role, Root, Targets};
use komainu_trust::signatures::{Envelope, RoleKeys};

impl Request {
    /// Judges whether it may be signed, and by which keys, for a signer without a memory, who knows only `current`, the
    /// root in force.
    ///
    /// # Errors
    /// It is stale, expired, changed after a key signed, or signed by a key that has no say.
    pub fn judge(&self, current: &Root, now: Moment) -> Result<Judged> {
        self.judge_after(current, &Seen::default(), now)
    }

    /// The same for a signer with a memory.
    ///
    /// # Errors
    /// As [`Request::judge`]; or it goes back behind the memory.
    pub fn judge_after(&self, current: &Root, seen: &Seen, now: Moment) -> Result<Judged> {
        let old_targets = self.published_targets(current)?;
        let mut judged = Judged {
            needs: Vec::new(),
            new_root: None,
            new_targets: None,
            base: old_targets.clone(),
            old_targets,
            base_is_known: false,
            warnings: Vec::new(),
            notes: Vec::new(),
            unseen: Vec::new(),
        };
        for (name, asked) in &self.asked {
            match name.split_once('.').map(|(_, file)| file) {
                Some("root.json") if judged.new_root.is_none() => {
                    let last = self.roots.last().context("it has no roots in it")?;
                    let in_force = signed_part("root.json", last.as_bytes())?;
                    judged.new_root =
                        Some(next_root(name, &asked.signed, current, &in_force, now, &mut judged.notes)?);
                }
                Some("targets.json") if judged.new_targets.is_none() => {
                    let published = signed_part("targets.json", self.targets.as_bytes())?;
                    let old = judged.old_targets.common.version;
                    judged.new_targets = Some(next_targets(name, &asked.signed, old, &published, now)?);
                }
                Some("root.json" | "targets.json") => {
                    bail!("it asks to sign {name} besides another file of that role: one at a time is shown")
                }
                _ => bail!("it asks to sign {name}, which is neither root nor targets metadata"),
            }
        }
        if self.asked.is_empty() {
            bail!("it asks for nothing");
        }
        self.needs(current, &mut judged)?;
        for (name, asked) in &self.asked {
            self.check_signatures(name, asked, &judged)?;
        }
        for need in &mut judged.needs {
            need.have = self.envelope(&need.file)?.count(&need.role, &need.keys);
        }
        self.look_at_manifests(&mut judged);
        self.compare(&mut judged, seen)?;
        Ok(judged)
    }

    fn published_targets(&self, current: &Root) -> Result<Targets> {
        let name = "the targets metadata that it calls published";
        let envelope = Envelope::open(name, "4.5", self.targets.as_bytes(), TARGETS_BYTES_MAX);
        let envelope = envelope.map_err(|fault| anyhow!("{fault}"))?;
        if envelope.meets(current.role(Role::Targets), &current.keys).is_err() {
            bail!("{name} is not signed by the targets keys: the changes cannot be told");
        }
        read(name, &envelope.signed)
    }

    fn needs(&self, current: &Root, judged: &mut Judged) -> Result<()> {
        let same = |root: &Root, role| root.role(role) == current.role(role);
        let targets_change = judged.new_root.as_ref().is_some_and(|root| !same(root, Role::Targets));
        if targets_change && judged.new_targets.is_none() {
            bail!("it changes the targets keys without targets metadata that the new keys sign");
        }
        // Only files that were read above are signed: no other file gets a need here.
        let root = judged.new_root.as_ref().map(|new| (Role::Root, new.common.version));
        let targets = judged.new_targets.as_ref().map(|new| (Role::Targets, new.common.version));
        for (role, version) in root.into_iter().chain(targets) {
            let file = format!("{version}.{}", role.file());
            let asked = self.asked.get(&file).with_context(|| format!("it does not ask for {file}"))?;
            let need = |whose, root: &Root| Need {
                file: file.clone(),
                whose,
                have: 0,
                role: root.role(role).clone(),
                keys: root.keys.clone(),
                message: json::canonical(&asked.signed),
            };
            let new = judged.new_root.as_ref().filter(|root| !same(root, role));
            let (old_words, new_words) = match role {
                Role::Root => ("root keys of now", "new root keys"),
                _ => ("targets keys of now", "new targets keys"),
            };
            // The old root keys always sign: no device follows a root without them.
            if new.is_none() || role == Role::Root || !self.old_keys_are_lost {
                judged.needs.push(need(old_words, current));
            }
            judged.needs.extend(new.map(|root| need(new_words, root)));
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
                    "{name} has a signature by {key_id}, which has no say in it: the file was in other hands"
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
