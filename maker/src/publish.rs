//! Publishing: decides what has to be signed anew, composes it, rehearses it with the device's own code, and
//! only then lets [`crate::transaction`] make it visible.

use crate::files;
use crate::files::Fingerprint;
use crate::keyring::KeyRing;
use crate::metadata;
use crate::rehearsal;
use crate::rehearsal::Images;
use crate::release;
use crate::shelf::Shelf;
use crate::target_paths::fetch_path;
use crate::transaction::{Decided, Transaction};
use crate::workshop::{Current, Workshop};
use anyhow::{Context, Result, anyhow, bail};
use komainu_trust::Moment;
use komainu_trust::json::{Json, Object};
use komainu_trust::limits::ROOT_BYTES_MAX;
use komainu_trust::roles::{Role, Root};
use komainu_trust::signatures::RoleKeys;
use komainu_trust::trusted::{Stored, Trusted};
use std::collections::{BTreeMap, BTreeSet};

/// How to publish.
#[derive(Clone, Copy, Debug, Default)]
pub struct PublishOptions {
    /// Renew snapshot and timestamp even where they are not close to their expiry.
    pub renew: bool,
    /// Renew targets metadata too, which needs the offline targets key.
    pub renew_targets: bool,
    /// Leave releases that are put aside where they are: for a renewal that nobody watches.
    pub online_only: bool,
    /// **Dangerous.** Publish without asking whether a device would accept it. For demonstrations and tests of
    /// what a device does with a bad repository; the command line does not offer it.
    pub without_rehearsal: bool,
}

/// What was published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// Versions of root, timestamp, snapshot and targets that devices see now.
    pub versions: [u64; 4],
    /// The files that appeared, below `repository/`, in upload order; empty if there was nothing to do.
    pub files: Vec<String>,
    /// What a person should do something about, such as a root that expires soon.
    pub warnings: Vec<String>,
    /// Root or targets metadata that has expired, so that devices take no release until a person renews it.
    pub expired: Vec<String>,
    /// What a person may like to know, such as a release that waits for signatures.
    pub notes: Vec<String>,
}

/// What a publication changes.
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
        /// Its version.
        version: u64,
        /// The whole file.
        bytes: Vec<u8>,
    },
}

impl Workshop {
    /// Publishes what was added, or renews what is close to its expiry, or does nothing. A publication that
    /// was cut off is completed first.
    ///
    /// # Errors
    /// A device would refuse the result, a key is missing, or a file cannot be written. Devices go on seeing
    /// what was published before.
    pub fn publish(&mut self, now: Moment, options: &PublishOptions) -> Result<Published> {
        let _lock = self.lock()?;
        let mut warnings = Vec::new();
        let mut files = self.complete(now, *options, &mut warnings)?;

        let current = self.current()?;
        let mut notes = Vec::new();
        let held = options.online_only || self.waits_for_signatures(&current, options, &mut notes)?;
        let staged = if held { BTreeMap::new() } else { release::staged(&self.dir)? };
        if options.online_only && notes.is_empty() && !release::staged(&self.dir)?.is_empty() {
            notes.push("something is put aside and stays there: `publish` makes it visible".into());
        }
        let mut change = Change::default();
        if !staged.is_empty() || options.renew_targets {
            change.targets = Some(NewTargets::Contents(self.next_targets(&current, &staged)?));
        }
        change.snapshot = options.renew || self.is_due(&current, Role::Snapshot, now);
        let due = change.snapshot || self.is_due(&current, Role::Timestamp, now);
        if change.targets.is_some() || due {
            let images = if change.targets.is_some() { Images::Hash } else { Images::LengthOnly };
            let renews_targets = change.targets.is_some();
            let mut ring = self.key_ring()?;
            let composed = compose(self, Some(&current), &[&current.root], change, now, &mut ring)?;
            let staged_files: Vec<String> =
                staged.iter().map(|(path, print)| fetch_path(path, &print.sha256)).collect();
            let transaction = Transaction::prepare(&self.dir, &staged_files, &composed)?;
            if !options.without_rehearsal {
                let expired = self.expired(&current, now, renews_targets);
                rehearse(self, Some(&current), &transaction, images, now).map_err(|fault| {
                    if expired.is_empty() { fault } else { fault.context(expired.join("; ")) }
                })?;
            }
            files.extend(transaction.commit()?.finish()?);
        }
        let current = self.current()?;
        self.forget_stale_requests(&current)?;
        warnings.extend(self.warnings(&current, now));
        let expired = self.expired(&current, now, false);
        Ok(Published { versions: current.trusted.versions(), files, warnings, expired, notes })
    }

    /// What targets metadata lists when these are published.
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

    /// True if what is put aside belongs to a signing request, so that publishing it here would overtake that.
    fn waits_for_signatures(
        &self,
        current: &Current,
        options: &PublishOptions,
        notes: &mut Vec<String>,
    ) -> Result<bool> {
        let Some(id) = self.waiting_targets(current)? else { return Ok(false) };
        if options.renew_targets {
            bail!(
                "the signing request {id} for targets metadata waits for its signatures; finish it with `sign publish`, \
                 or give it up with `sign drop {id}`"
            );
        }
        notes.push(format!("the signing request {id} for targets metadata waits for its signatures"));
        Ok(true)
    }

    /// Completes a publication that was cut off, if there is one.
    pub(crate) fn complete(
        &self,
        now: Moment,
        options: PublishOptions,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<String>> {
        let Some(decided) = Decided::left_over(&self.dir)? else { return Ok(Vec::new()) };
        let rehearsed = devices(self, &decided.shelf(), None, Images::LengthOnly, now);
        match rehearsed {
            Err(refusal) if !options.without_rehearsal => {
                warnings.push(format!(
                    "a publication that was cut off is given up, because devices would refuse it by now: \
                     {refusal:#}. Releases stay put aside and are published anew; a key rotation must be repeated"
                ));
                decided.forget()?;
                Ok(Vec::new())
            }
            _ => decided.finish(),
        }
    }

    /// Less than half of its time is left.
    fn is_due(&self, current: &Current, role: Role, now: Moment) -> bool {
        let expires = expiry(&current.trusted, role);
        expires <= now.plus_seconds(self.expiry_seconds(role) / 2)
    }

    /// So little time is left that a person must act.
    fn ends_soon(&self, current: &Current, role: Role, now: Moment) -> bool {
        expiry(&current.trusted, role) <= now.plus_seconds(self.expiry_seconds(role) / 8)
    }

    fn warnings(&self, current: &Current, now: Moment) -> Vec<String> {
        let renew = [
            (Role::Root, "`key rotate root` with the root keys, or `ceremony rotate`"),
            (Role::Targets, "`publish --renew-targets` with the targets key, or `sign request`"),
        ];
        let mut warnings = Vec::new();
        for (role, with) in renew {
            let expires = expiry(&current.trusted, role);
            if expires > now && self.ends_soon(current, role, now) {
                let name = role.name();
                let left = days(now, expires);
                warnings.push(format!("{name}.json expires {expires}, {left} left: renew it with {with}"));
            }
        }
        warnings
    }

    /// What only a person can renew and nobody did in time.
    fn expired(&self, current: &Current, now: Moment, renews_targets: bool) -> Vec<String> {
        let renew = [
            (
                Role::Root,
                "People with root keys: `komainu-maker key rotate root --keys DIR` (with the targets key too, if targets.json \
                 has expired), or `komainu-maker ceremony rotate`",
            ),
            (
                Role::Targets,
                "A person with the targets key: `komainu-maker publish --renew-targets --keys DIR`",
            ),
        ];
        let mut expired = Vec::new();
        for (role, with) in renew {
            let expires = expiry(&current.trusted, role);
            if expires <= now && !(role == Role::Targets && renews_targets) {
                let name = role.name();
                let ago = days(expires, now);
                expired.push(format!("{name}.json EXPIRED {ago} ago: devices take no release since. {with}"));
            }
        }
        expired
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

/// The time between two moments, for people.
fn days(from: Moment, to: Moment) -> String {
    match (to.0 - from.0) / 86_400 {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

fn expiry(trusted: &Trusted, role: Role) -> Moment {
    let [root, timestamp, snapshot, targets] = trusted.expiries();
    let expires = match role {
        Role::Root => root,
        Role::Timestamp => timestamp,
        Role::Snapshot => snapshot,
        Role::Targets => targets,
    };
    expires.unwrap_or(Moment(0))
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

/// Plays devices against a publication that is not visible yet.
pub(crate) fn rehearse(
    workshop: &Workshop,
    current: Option<&Current>,
    transaction: &Transaction,
    images: Images,
    now: Moment,
) -> Result<()> {
    let stored = current.map(|current| current.stored.clone());
    devices(workshop, &transaction.shelf(), stored, images, now)
        .context("not published: a device would refuse it")
}

fn devices(
    workshop: &Workshop,
    shelf: &Shelf,
    stored: Option<Stored>,
    images: Images,
    now: Moment,
) -> Result<()> {
    // A new device, with the first root that was ever built into a firmware.
    let first = shelf.metadata("1.root.json", ROOT_BYTES_MAX)?.context("metadata/1.root.json is missing")?;
    let mut new = Stored { root: first, ..Stored::default() };
    let trusted = rehearsal::refresh(shelf, &mut new, now)
        .map_err(|fault| anyhow::Error::from(fault).context("a device fresh from the factory"))?;
    rehearsal::check_targets(shelf, &trusted, images, workshop.progress)?;

    // One that has everything that was published before.
    if let Some(mut stored) = stored {
        let followed = rehearsal::refresh(shelf, &mut stored, now)
            .map_err(|fault| anyhow::Error::from(fault).context("a device that is up to date"))?;
        if followed.versions() != trusted.versions() {
            bail!(
                "an up-to-date device would see versions {:?} and a new one {:?} of root, timestamp, snapshot, targets",
                followed.versions(),
                trusted.versions()
            );
        }
    }
    Ok(())
}

/// The files that make up what is published now, below `repository/`, in the order in which to upload them.
///
/// # Errors
/// The repository is incomplete.
pub fn upload_order(workshop: &Workshop) -> Result<Vec<String>> {
    let current = workshop.current()?;
    let mut order = Vec::new();
    for (path, target) in &current.targets {
        let sha256 =
            release::listed_hash(target).ok_or_else(|| anyhow!("{path} is listed without SHA-256"))?;
        order.push(format!("targets/{}", fetch_path(path, &sha256)));
    }
    let [root, _, snapshot, targets] = current.trusted.versions();
    order.push(format!("metadata/{targets}.targets.json"));
    order.push(format!("metadata/{snapshot}.snapshot.json"));
    order.push("metadata/timestamp.json".to_owned());
    order.extend((1..=root).map(|version| format!("metadata/{version}.root.json")));
    for path in &order {
        if !workshop.repository().join(path).is_file() {
            bail!("{path} is missing in {}", workshop.repository().display());
        }
    }
    Ok(order)
}
