//! Composes a publication: which files a change needs, in which order they appear, and the signatures on them.

use crate::expiry::expiry;
use crate::files;
use crate::files::Fingerprint;
use crate::keyring::KeyRing;
use crate::metadata;
use crate::release;
use crate::workshop::{Current, Workshop};
use anyhow::Result;
use komainu_trust::Moment;
use komainu_trust::json::{Json, Object};
use komainu_trust::roles::{Role, Root};
use komainu_trust::signatures::RoleKeys;
use std::collections::{BTreeMap, BTreeSet};

/// The changes of a publication.
#[derive(Default)]
pub(crate) struct Change {
    /// The next root, signed.
    pub new_root: Option<Vec<u8>>,
    /// New targets metadata.
    pub targets: Option<NewTargets>,
    /// A new snapshot, which new targets always need.
    pub snapshot: bool,
    /// A root and nothing else.
    pub root_only: bool,
}

/// New targets metadata,
pub(crate) enum NewTargets {
    /// to be signed by keys within reach,
    Contents(Object),
    /// or signed elsewhere.
    Signed {
        version: u64,
        /// The whole file.
        bytes: Vec<u8>,
    },
}

/// Builds and signs the files of a change, in the order in which they must appear: each names only what is
/// there already, and the timestamp makes all of it current at once.
///
/// A new root comes last. Where it replaces keys of other roles, `roots` names the old one and the new one and
/// everything below is signed by the keys of both: a device that has the old root accepts it, and so does one
/// that has the new root, so that there is no moment in between. (With the root first there would be one: the
/// new root in place, and a timestamp that its keys did not sign.)
pub(crate) fn compose(
    workshop: &Workshop,
    current: Option<&Current>,
    roots: &[&Root],
    mut change: Change,
    now: Moment,
    ring: &mut KeyRing,
) -> Result<Vec<(String, Vec<u8>)>> {
    if let Some(current) = current.filter(|_| change.new_root.is_some()) {
        workshop.renew_with_root(current, roots, &mut change, now, ring)?;
    }
    let expires = |role| now.plus_seconds(workshop.expiry_seconds(role));
    let keys = |role| roots.iter().map(|root| root.role(role)).collect::<Vec<&RoleKeys>>();
    let versions = current.map_or([0; 4], |current| current.trusted.versions());
    let stored = current.map(|current| &current.stored);
    let mut composed = Vec::new();

    if !change.root_only {
        let mut snapshot_needed = change.snapshot;
        let (mut targets_version, mut targets) =
            (versions[3], stored.and_then(|stored| stored.targets.clone()).unwrap_or_default());
        if let Some(new) = change.targets {
            (targets_version, targets) = match new {
                NewTargets::Signed { version, bytes } => (version, bytes),
                NewTargets::Contents(contents) => {
                    let (version, signed) = unsigned_targets(workshop, versions[3], contents, now)?;
                    let name = format!("{version}.targets.json");
                    (version, metadata::sign(&name, &signed, &keys(Role::Targets), ring)?)
                }
            };
            composed.push((format!("{targets_version}.targets.json"), targets.clone()));
            snapshot_needed = true;
        }
        let (mut snapshot_version, mut snapshot) =
            (versions[2], stored.and_then(|stored| stored.snapshot.clone()).unwrap_or_default());
        if snapshot_needed {
            snapshot_version = next_version(workshop, Role::Snapshot, versions[2])?;
            let name = format!("{snapshot_version}.snapshot.json");
            let signed =
                metadata::snapshot(snapshot_version, expires(Role::Snapshot), targets_version, &targets);
            snapshot = metadata::sign(&name, &signed, &keys(Role::Snapshot), ring)?;
            composed.push((name, snapshot.clone()));
        }
        let name = Role::Timestamp.file().to_owned();
        let signed =
            metadata::timestamp(versions[1] + 1, now, expires(Role::Timestamp), snapshot_version, &snapshot);
        composed.push((name.clone(), metadata::sign(&name, &signed, &keys(Role::Timestamp), ring)?));
    }
    if let Some(root) = change.new_root {
        let version = roots.last().map_or(1, |root| root.common.version);
        composed.push((format!("{version}.root.json"), root));
    }
    Ok(composed)
}

impl Workshop {
    /// The list of targets once these are published.
    pub(crate) fn next_targets(
        &self,
        current: &Current,
        staged: &BTreeMap<String, Fingerprint>,
    ) -> Result<Object> {
        let mut targets = current.targets.clone();
        targets.extend(staged.iter().map(|(path, print)| (path.clone(), metadata::target(print))));
        let staged_paths: BTreeSet<&str> = staged.keys().map(String::as_str).collect();
        release::drop_unused_images(self, &mut targets, &staged_paths)?;
        Ok(targets)
    }

    /// With a new root goes a renewal of whatever has expired or will soon, where its keys are at hand: devices
    /// would refuse the rest, and then nothing could be published that heals it.
    fn renew_with_root(
        &self,
        current: &Current,
        roots: &[&Root],
        change: &mut Change,
        now: Moment,
        ring: &mut KeyRing,
    ) -> Result<()> {
        let mut at_hand = |role| {
            roots.iter().all(|root| {
                let keys = root.role(role);
                let found = keys.key_ids.iter().filter(|id| matches!(ring.find(id), Ok(Some(_))));
                found.take(keys.threshold as usize).count() == keys.threshold as usize
            })
        };
        if !at_hand(Role::Timestamp) {
            return Ok(());
        }
        let mut renewed = self.is_due(current, Role::Timestamp, now);
        if at_hand(Role::Snapshot) {
            let expired = expiry(&current.trusted, Role::Targets) <= now;
            // A request that waits for the targets key would be stale.
            if change.targets.is_none()
                && self.ends_soon(current, Role::Targets, now)
                && (expired || self.waiting_targets(current)?.is_none())
                && at_hand(Role::Targets)
            {
                change.targets = Some(NewTargets::Contents(current.targets.clone()));
                renewed = true;
            }
            if self.is_due(current, Role::Snapshot, now) {
                change.snapshot = true;
                renewed = true;
            }
        }
        change.root_only &= !renewed;
        Ok(())
    }
}

/// The signed part of the next targets metadata, and its version.
pub(crate) fn unsigned_targets(
    workshop: &Workshop,
    current: u64,
    contents: Object,
    now: Moment,
) -> Result<(u64, Json)> {
    let version = next_version(workshop, Role::Targets, current)?;
    let expires = now.plus_seconds(workshop.expiry_seconds(Role::Targets));
    Ok((version, metadata::targets(version, expires, contents)))
}

/// The next version that was never used, not even by a publication that was given up: caches may hold that.
fn next_version(workshop: &Workshop, role: Role, current: u64) -> Result<u64> {
    let mut newest = current;
    for path in files::list(&workshop.repository().join("metadata"))? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let version = name.strip_suffix(role.file()).and_then(|rest| rest.strip_suffix('.'));
        newest = newest.max(version.and_then(|version| version.parse().ok()).unwrap_or(0));
    }
    Ok(newest + 1)
}
