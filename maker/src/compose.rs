//! Composes a publication: which files a change needs, in which order they appear, and the signatures on them.

use crate::expiry::expiry;
use crate::files;
use crate::files::Fingerprint;
use crate::hash_bins;
use crate::keyring::KeyRing;
use crate::metadata;
use crate::metadata::TargetsFile;
use crate::release;
use crate::workshop::{Current, Workshop};
use anyhow::{Result, bail};
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
    /// The halts in the new timestamp; `None`: those that are left of the published ones.
    pub halts: Option<Vec<String>>,
    /// A root and nothing else.
    pub root_only: bool,
}

/// New targets metadata,
pub(crate) enum NewTargets {
    /// to be signed by keys within reach, as far as it changes,
    Contents(Object),
    /// the same, and signed anew where it does not change,
    Renewed(Object),
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
        let mut files = current.map_or(Vec::new(), |current| current.targets_files.clone());
        let mut snapshot_needed = change.snapshot;
        let halts = change.halts.unwrap_or_else(|| {
            let list = match &change.targets {
                Some(NewTargets::Contents(list) | NewTargets::Renewed(list)) => Some(list),
                _ => current.map(|current| &current.targets),
            };
            current.zip(list).map_or(Vec::new(), |(current, list)| workshop.halts_after(current, list))
        });
        if let Some(new) = change.targets {
            let new = match new {
                NewTargets::Signed { version, bytes } => {
                    vec![TargetsFile { role: Role::Targets.name().into(), version, bytes }]
                }
                NewTargets::Contents(list) => {
                    targets_files(workshop, current, roots, list, Renew::Changes, now, ring)?
                }
                NewTargets::Renewed(list) => {
                    targets_files(workshop, current, roots, list, Renew::Everything, now, ring)?
                }
            };
            composed.extend(new.iter().map(|file| (file.name(), file.bytes.clone())));
            files.retain(|file| new.iter().all(|new| new.role != file.role));
            files.extend(new);
            snapshot_needed = true;
        }
        let (mut snapshot_version, mut snapshot) =
            (versions[2], stored.and_then(|stored| stored.snapshot.clone()).unwrap_or_default());
        if snapshot_needed {
            snapshot_version = next_version(workshop, |file| file == Role::Snapshot.file(), versions[2])?;
            let name = format!("{snapshot_version}.snapshot.json");
            let signed = metadata::snapshot(snapshot_version, expires(Role::Snapshot), &files);
            snapshot = metadata::sign(&name, &signed, &keys(Role::Snapshot), ring)?;
            composed.push((name, snapshot.clone()));
        }
        let name = Role::Timestamp.file().to_owned();
        let signed = metadata::timestamp(
            versions[1] + 1,
            now,
            expires(Role::Timestamp),
            &halts,
            snapshot_version,
            &snapshot,
        );
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
                change.targets = Some(NewTargets::Renewed(current.targets.clone()));
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

/// Which targets files are signed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Renew {
    Changes,
    Everything,
}

/// Signs the targets files that a list needs and that are not published already, bins before the file that delegates to
/// them. All of them get the same version: the next one that no targets file ever had.
fn targets_files(
    workshop: &Workshop,
    current: Option<&Current>,
    roots: &[&Root],
    list: Object,
    renew: Renew,
    now: Moment,
    ring: &mut KeyRing,
) -> Result<Vec<TargetsFile>> {
    let Some(newest_root) = roots.last() else { bail!("a publication has a root") };
    let published = current.map_or(&[][..], |current| &current.targets_files);
    let before = published.iter().map(|file| file.version).max().unwrap_or(0);
    let version = next_version(workshop, is_targets_file, before)?;
    let expires = now.plus_seconds(workshop.expiry_seconds(Role::Targets));
    let bins = hash_bins::number_for(&list, current.map_or(0, Current::bins));
    // A device opens a bin with the keys that `targets.json` names: those of the newest root.
    let bin_keys = [newest_root.role(Role::Targets)];
    let top_keys: Vec<&RoleKeys> = roots.iter().map(|root| root.role(Role::Targets)).collect();
    let mut wanted = Vec::new();
    let (listed, delegations) = match bins {
        0 => (list, None),
        _ => {
            let divided = hash_bins::divide(&list, bins).into_iter();
            wanted.extend(divided.map(|(role, list)| (role, list, None, &bin_keys[..])));
            (Object::new(), Some(hash_bins::delegations(bins, newest_root)))
        }
    };
    wanted.push((Role::Targets.name().to_owned(), listed, delegations, &top_keys[..]));

    let signed = |list: &Object, delegations: &Option<Json>| {
        metadata::targets(version, expires, list.clone(), delegations.clone())
    };
    let is_published = |role: &str, signed: &Json| {
        published.iter().any(|file| file.role == role && says_the_same(file, signed))
    };
    // With a new file at the top all bins are new: none of them ends before it, so that its end is the one to watch.
    let keeps = renew == Renew::Changes
        && bins > 0
        && wanted
            .last()
            .is_some_and(|(role, list, delegations, _)| is_published(role, &signed(list, delegations)));
    let mut files = Vec::new();
    for (role, list, delegations, keys) in wanted {
        let signed = signed(&list, &delegations);
        if keeps && is_published(&role, &signed) {
            continue;
        }
        let bytes = metadata::sign(&format!("{version}.{role}.json"), &signed, keys, ring)?;
        files.push(TargetsFile { role, version, bytes });
    }
    Ok(files)
}

/// True if a published file differs in nothing but version and expiry.
fn says_the_same(published: &TargetsFile, signed: &Json) -> bool {
    let Ok(before) = metadata::signed_part(&published.role, &published.bytes) else { return false };
    let Json::Object(signed) = signed else { return false };
    ["targets", "delegations"].iter().all(|field| before.get(field) == signed.get(field))
}

fn is_targets_file(file: &str) -> bool {
    file == Role::Targets.file() || file.strip_suffix(".json").is_some_and(hash_bins::is_bin)
}

/// The signed part of the next targets metadata, and its version, to be signed elsewhere: one file for everything.
pub(crate) fn unsigned_targets(
    workshop: &Workshop,
    current: &Current,
    list: Object,
    now: Moment,
) -> Result<(u64, Json)> {
    if current.bins() > 0 {
        bail!(
            "this repository has its list of targets divided into {} hash bins, which a signing request does not \
             carry: publish on a machine that the targets keys are brought to, with `publish --keys DIR`",
            current.bins()
        );
    }
    let version = next_version(workshop, is_targets_file, current.trusted.versions()[3])?;
    let expires = now.plus_seconds(workshop.expiry_seconds(Role::Targets));
    Ok((version, metadata::targets(version, expires, list, None)))
}

/// The next version that was never used, not even by a publication that was given up: caches may hold that.
fn next_version(workshop: &Workshop, is_one: impl Fn(&str) -> bool, current: u64) -> Result<u64> {
    let mut newest = current;
    for path in files::list(&workshop.repository().join("metadata"))? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let version = name.split_once('.').filter(|(_, file)| is_one(file)).map(|(version, _)| version);
        newest = newest.max(version.and_then(|version| version.parse().ok()).unwrap_or(0));
    }
    Ok(newest + 1)
}
