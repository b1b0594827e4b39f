//! The workshop's side of signing in two steps: it asks, remembers what it asked for, and publishes that and
//! nothing else when enough keys have signed.

use super::judge::Judged;
use super::{Asked, REQUEST_BYTES_MAX, Request};
use crate::compose::{Change, NewTargets, compose, unsigned_targets};
use crate::files;
use crate::key_change;
use crate::key_change::KeyChange;
use crate::metadata::{Signatures, signed_part};
use crate::next_keys::NextKeys;
use crate::public_key::key_json;
use crate::publish::{PublishOptions, Published};
use crate::rehearsal::Images;
use crate::shelf::Shelf;
use crate::staging;
use crate::target_paths::fetch_path;
use crate::target_paths::is_manifest;
use crate::transaction::Transaction;
use crate::workshop::{Current, Workshop};
use anyhow::{Context, Result, bail};
use komainu_core::update::manifest::MANIFEST_BYTES_MAX;
use komainu_trust::Moment;
use komainu_trust::json::{Json, Object};
use komainu_trust::limits::ROOT_BYTES_MAX;
use komainu_trust::roles::{Role, Root};
use std::collections::BTreeMap;
use std::path::PathBuf;

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
            bail!("it has not enough signatures:\n{}", judged.count_in_words());
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

    /// Gives up a request that waits; `id` is its identifier, or the first letters of it.
    ///
    /// # Errors
    /// There is none, or more than one.
    pub fn drop_request(&mut self, id: &str) -> Result<String> {
        let _lock = self.lock()?;
        let waiting = self.requests_waiting()?;
        let found: Vec<String> =
            waiting.iter().map(Request::id).filter(|known| known.starts_with(id)).collect();
        let [id] = found.as_slice() else {
            bail!("`{id}` fits {} of the {} requests that wait", found.len(), waiting.len());
        };
        files::remove(&self.request_file(id))?;
        Ok(id.clone())
    }

    /// What this workshop asked for and has not published.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn requests_waiting(&self) -> Result<Vec<Request>> {
        self.waiting(&self.current()?)
    }

    /// The request for targets metadata that waits, if there is one.
    pub(crate) fn waiting_targets(&self, current: &Current) -> Result<Option<String>> {
        let waiting = self.waiting(current)?;
        Ok(waiting.iter().find(|request| request.changes_targets()).map(Request::id))
    }

    /// Removes what can never be published any more.
    pub(crate) fn forget_stale_requests(&self, current: &Current) -> Result<()> {
        for (path, request) in self.remembered()? {
            if stale(&request, current)?.is_some() {
                files::remove(&path)?;
            }
        }
        Ok(())
    }

    fn waiting(&self, current: &Current) -> Result<Vec<Request>> {
        let mut waiting = Vec::new();
        for (_, request) in self.remembered()? {
            if stale(&request, current)?.is_none() {
                waiting.push(request);
            }
        }
        Ok(waiting)
    }

    fn remembered(&self) -> Result<Vec<(PathBuf, Request)>> {
        let mut requests = Vec::new();
        for path in files::list(&self.dir.join("requests"))? {
            if path.extension().is_some_and(|extension| extension == "json") {
                let bytes = files::read_at_most(&path, REQUEST_BYTES_MAX)?.unwrap_or_default();
                let request =
                    Request::read(&bytes).with_context(|| format!("cannot read {}", path.display()))?;
                requests.push((path, request));
            }
        }
        Ok(requests)
    }

    fn request_file(&self, id: &str) -> PathBuf {
        self.dir.join("requests").join(format!("{id}.json"))
    }

    fn unsigned_targets(&self, current: &Current, contents: Object, now: Moment) -> Result<(String, Json)> {
        let (version, signed) = unsigned_targets(self, current.trusted.versions()[3], contents, now)?;
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
        // Whoever is to sign would find the same.
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

    /// Every manifest, also those that stay: whoever signs sees what all of it installs.
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

    /// What the signed files change, and the staged files that become visible with them.
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

/// Why a request can never be published any more.
fn stale(request: &Request, current: &Current) -> Result<Option<String>> {
    let [root, _, _, targets] = current.trusted.versions();
    for (name, asked) in &request.asked {
        let Some((version, file)) = name.split_once('.') else { continue };
        if file == Role::Root.file() && version.parse() != Ok(root + 1) {
            return Ok(Some(format!(
                "the workshop moved on: root is version {root} by now, so {name} cannot follow. Make the request anew"
            )));
        }
        if file != Role::Targets.file() {
            continue;
        }
        let published = signed_part("targets.json", request.targets.as_bytes())?;
        if published.get("version") != Some(&crate::json_writer::number(targets)) {
            return Ok(Some(format!(
                "the workshop moved on: targets metadata is version {targets} by now, and {name} was made before \
                 that. Make the request anew"
            )));
        }
        // With other targets keys in force its signatures are worth nothing.
        let Json::Object(_) = &asked.signed else { bail!("{name} is not an object") };
        let last = request.roots.last().context("the request has no roots")?;
        let last = crate::workshop::read_root("root.json", last.as_bytes())?;
        if last.role(Role::Targets) != current.root.role(Role::Targets) || keys_differ(&last, &current.root) {
            return Ok(Some(format!("the workshop moved on: {name} was made for other targets keys")));
        }
    }
    Ok(None)
}

fn keys_differ(one: &Root, other: &Root) -> bool {
    let json = |root: &Root, id: &String| root.keys.get(id).map(key_json);
    one.role(Role::Targets).key_ids.iter().any(|id| json(one, id) != json(other, id))
}

fn as_text(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).context("metadata is not UTF-8")
}
