//! Makes signing requests: for a new root, or for new targets metadata. Nothing is signed and nothing is published.

use super::signing_request::{Asked, Request};
use crate::compose::unsigned_targets;
use crate::files;
use crate::key_change::KeyChange;
use crate::metadata::Signatures;
use crate::next_keys::NextKeys;
use crate::shelf::Shelf;
use crate::staging;
use crate::target_paths::{fetch_path, is_manifest};
use crate::workshop::{Current, Workshop};
use anyhow::{Context, Result, bail};
use komainu_core::update::manifest::MANIFEST_BYTES_MAX;
use komainu_trust::Moment;
use komainu_trust::json::{Json, Object};
use komainu_trust::limits::ROOT_BYTES_MAX;
use komainu_trust::roles::Role;
use std::collections::BTreeMap;

impl Workshop {
    /// Asks for the signatures of a new root. Nothing is published, and nothing is signed.
    ///
    /// # Errors
    /// The change makes no sense, or a request for root waits already.
    pub fn request_keys(&mut self, change: &KeyChange, now: Moment) -> Result<Request> {
        let _lock = self.lock()?;
        self.refuse_if_cut_off()?;
        let current = self.current()?;
        let next = NextKeys::of(&current, change)?;
        let expires = now.plus_seconds(self.expiry_seconds(Role::Root));
        let mut files = vec![next.unsigned_root(&current.root, expires)];
        if next.changes(&current.root, Role::Targets) {
            files.push(self.unsigned_targets(&current, current.targets.clone(), now)?);
        }
        self.ask(&current, files, next.old_keys_are_lost, now)
    }

    /// Asks for the signatures of new targets metadata: with the releases that are put aside, or renewed.
    ///
    /// # Errors
    /// A request for targets metadata waits already, or a file cannot be read.
    pub fn request_targets(&mut self, now: Moment) -> Result<Request> {
        let _lock = self.lock()?;
        self.refuse_if_cut_off()?;
        let current = self.current()?;
        let contents = self.next_targets(&current, &staging::staged(&self.dir)?)?;
        let files = vec![self.unsigned_targets(&current, contents, now)?];
        self.ask(&current, files, false, now)
    }

    fn unsigned_targets(&self, current: &Current, contents: Object, now: Moment) -> Result<(String, Json)> {
        let (version, signed) = unsigned_targets(self, current, contents, now)?;
        Ok((format!("{version}.targets.json"), signed))
    }

    fn ask(
        &self,
        current: &Current,
        files: Vec<(String, Json)>,
        old_keys_are_lost: bool,
        now: Moment,
    ) -> Result<Request> {
        for waiting in self.waiting(current)? {
            let role = |name: &str| name.split_once('.').map(|(_, role)| role.to_owned());
            if let Some((name, _)) =
                files.iter().find(|(name, _)| waiting.asked.keys().any(|other| role(other) == role(name)))
            {
                bail!(
                    "request {id} waits for signatures already and would come into the way of {name}; finish it with \
                     `sign publish`, or give it up with `sign drop {id}`",
                    id = waiting.id()
                );
            }
        }
        let mut manifests = BTreeMap::new();
        for (name, signed) in files.iter().filter(|(name, _)| name.ends_with(".targets.json")) {
            manifests.extend(self.manifests_of(name, signed)?);
        }
        let asked = |(name, signed): (String, Json)| (name, Asked { signed, signatures: Signatures::new() });
        let request = Request {
            made: now,
            old_keys_are_lost,
            asked: files.into_iter().map(asked).collect(),
            roots: self.roots_so_far(current)?,
            targets: as_text(current.stored.targets.clone().unwrap_or_default())?,
            manifests,
        };
        // The signers would meet the same refusal.
        request.judge(&current.root, now)?;
        files::replace(&self.request_file(&request.id()), &request.to_bytes())?;
        Ok(request)
    }

    fn roots_so_far(&self, current: &Current) -> Result<Vec<String>> {
        let shelf = Shelf::of(&self.repository());
        let mut roots = Vec::new();
        for version in 1..current.root.common.version {
            let name = format!("{version}.root.json");
            let bytes = shelf.metadata(&name, ROOT_BYTES_MAX)?;
            roots.push(as_text(bytes.with_context(|| format!("metadata/{name} is missing"))?)?);
        }
        roots.push(as_text(current.stored.root.clone())?);
        Ok(roots)
    }

    /// Every manifest, also those that stay: a signer sees all that is installed.
    fn manifests_of(&self, name: &str, signed: &Json) -> Result<BTreeMap<String, String>> {
        let mut manifests = BTreeMap::new();
        let Json::Object(fields) = signed else { bail!("{name} is not an object") };
        let Some(Json::Object(targets)) = fields.get("targets") else { bail!("{name} has no targets") };
        for (path, target) in targets.iter().filter(|(path, _)| is_manifest(path)) {
            let hash = staging::listed_hash(target).with_context(|| format!("{path} has no SHA-256"))?;
            let file = fetch_path(path, &hash);
            let staged = self.dir.join("staging/targets").join(&file);
            let bytes = match files::read_at_most(&staged, MANIFEST_BYTES_MAX)? {
                Some(bytes) => bytes,
                None => {
                    files::read_at_most(&self.repository().join("targets").join(&file), MANIFEST_BYTES_MAX)?
                        .with_context(|| format!("targets/{file} is missing"))?
                }
            };
            let text = String::from_utf8(bytes).ok().with_context(|| format!("{path} is not UTF-8"))?;
            manifests.insert(path.clone(), text);
        }
        Ok(manifests)
    }
}

fn as_text(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).context("metadata is not UTF-8")
}
