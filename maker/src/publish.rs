//! Publishes: decides which files have to be signed anew, composes them, rehearses it with the device's own code, and
//! only then lets [`crate::transaction`] make it visible.

use crate::compose::{Change, NewTargets, compose};
use crate::rehearsal;
use crate::rehearsal::Images;
use crate::staging;
use crate::target_paths::fetch_path;
use crate::transaction::{Decided, Transaction};
use crate::workshop::{Current, Workshop};
use anyhow::{Result, bail};
use komainu_trust::Moment;
use komainu_trust::roles::Role;
use std::collections::BTreeMap;

/// How to publish.
#[derive(Clone, Copy, Debug, Default)]
pub struct PublishOptions {
    /// Renew snapshot and timestamp even where they are not close to their expiry.
    pub renew: bool,
    /// Renew targets metadata too, which needs the offline targets key.
    pub renew_targets: bool,
    /// Leave releases that are put aside where they are: for a renewal without a person.
    pub online_only: bool,
    /// **Dangerous.** Publish without asking whether a device would accept it. For demonstrations and tests of
    /// what a device does with a bad repository; the command line does not offer it.
    pub without_rehearsal: bool,
}

/// The result of a publication.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// Versions of root, timestamp, snapshot and targets that devices see now.
    pub versions: [u64; 4],
    /// The files that appeared, below `repository/`, in upload order; empty if there was nothing to do.
    pub files: Vec<String>,
    /// Things that a person must act on, such as a root that expires soon.
    pub warnings: Vec<String>,
    /// Root or targets metadata that has expired, so that devices take no release until a person renews it.
    pub expired: Vec<String>,
    /// Things that a person may like to know, such as a release that waits for signatures.
    pub notes: Vec<String>,
}

impl Workshop {
    /// Publishes what was added, or renews what is close to its expiry or tells the time of a wave that has begun, or does
    /// nothing. A publication that
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
        let staged = if held { BTreeMap::new() } else { staging::staged(&self.dir)? };
        if options.online_only && notes.is_empty() && !staging::staged(&self.dir)?.is_empty() {
            notes.push("something is put aside and stays there: `publish` makes it visible".into());
        }
        let mut change = Change::default();
        if !staged.is_empty() || options.renew_targets {
            let list = self.next_targets(&current, &staged)?;
            // With the targets keys at hand, bins that end before a person would bring them again are signed too.
            let all = options.renew_targets || self.is_due(&current, Role::Targets, now);
            change.targets = Some(if all { NewTargets::Renewed(list) } else { NewTargets::Contents(list) });
        }
        change.snapshot = options.renew || self.is_due(&current, Role::Snapshot, now);
        let due =
            change.snapshot || self.is_due(&current, Role::Timestamp, now) || self.wave_began(&current, now);
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
                transaction.rehearse(Some(&current.stored), images, self.progress, now).map_err(|fault| {
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
        let rehearsed = rehearsal::rehearse(&decided.shelf(), None, Images::LengthOnly, self.progress, now);
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
}
