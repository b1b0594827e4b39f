//! Publishes a request that has enough signatures, together with the files that the online keys sign.

use super::judged::Judged;
use super::signing_request::Request;
use super::waiting::stale;
use crate::compose::{Change, NewTargets, compose};
use crate::key_change;
use crate::publish::{PublishOptions, Published};
use crate::rehearsal::Images;
use crate::target_paths::fetch_path;
use crate::transaction::Transaction;
use crate::workshop::{Current, Workshop};
use anyhow::{Context, Result, bail};
use komainu_trust::Moment;
use komainu_trust::roles::Root;

impl Workshop {
    /// Publishes what enough keys have signed, together with what the online keys sign.
    ///
    /// # Errors
    /// Signatures are missing; the workshop moved on meanwhile; it asked for something else; or a device would
    /// refuse the result.
    pub fn publish_request(&mut self, request: &Request, now: Moment) -> Result<Published> {
        let _lock = self.lock()?;
        let mut published = Published::default();
        let mut files = self.complete(now, PublishOptions::default(), &mut published.warnings)?;
        let current = self.current()?;
        if let Some(why) = stale(request, &current)? {
            bail!("{why}");
        }
        if !self.waiting(&current)?.iter().any(|known| known.asks_the_same_as(request)) {
            bail!(
                "this workshop did not ask for that (request {}): it was changed on its way, given up, or made \
                 elsewhere. Make the request anew",
                request.id()
            );
        }
        let judged = request.judge(&current.root, now)?;
        if !judged.is_complete() {
            let count = judged.count_in_words().trim_end().replace('\n', "; ");
            bail!("it has not enough signatures: {count}");
        }
        let (change, staged) = self.signed_change(request, &judged, &current)?;
        let new = judged.new_root.as_ref();
        let roots: Vec<&Root> = match new {
            Some(new) if request.old_keys_are_lost => vec![new],
            Some(new) => vec![&current.root, new],
            None => vec![&current.root],
        };
        let images = if staged.is_empty() { Images::LengthOnly } else { Images::Hash };
        let composed = compose(self, Some(&current), &roots, change, now, &mut self.key_ring()?)?;
        let transaction = Transaction::prepare(&self.dir, &staged, &composed)?;
        transaction.rehearse(Some(&current.stored), images, self.progress, now)?;
        files.extend(transaction.commit()?.finish()?);
        let current = self.current()?;
        self.forget_stale_requests(&current)?;
        Ok(Published { versions: current.trusted.versions(), files, ..published })
    }

    /// The change that the signed files make, and the staged files that become visible with them.
    fn signed_change(
        &self,
        request: &Request,
        judged: &Judged,
        current: &Current,
    ) -> Result<(Change, Vec<String>)> {
        let mut change = Change::default();
        let mut staged = Vec::new();
        if let Some(new) = &judged.new_root {
            let bytes = request.file(&format!("{}.root.json", new.common.version)).unwrap_or_default();
            change = key_change::change_between(&current.root, new, bytes);
        }
        if let Some(new) = &judged.new_targets {
            let version = new.common.version;
            let bytes = request.file(&format!("{version}.targets.json")).unwrap_or_default();
            for (path, target) in &new.targets {
                let hash = target.hashes.sha256.with_context(|| format!("{path} has no SHA-256"))?;
                let file = fetch_path(path, &hash);
                if self.repository().join("targets").join(&file).is_file() {
                    continue;
                }
                if !self.dir.join("staging/targets").join(&file).is_file() {
                    bail!("{path} is not put aside any more; give the request up and add the release again");
                }
                staged.push(file);
            }
            change.targets = Some(NewTargets::Signed { version, bytes });
            change.root_only = false;
        }
        Ok((change, staged))
    }
}
