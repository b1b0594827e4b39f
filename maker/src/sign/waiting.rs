//! The requests that a workshop made and that wait for their signatures; a request that can never be published any more
//! is removed.

use super::signing_request::{REQUEST_BYTES_MAX, Request};
use crate::files;
use crate::json_writer::number;
use crate::metadata::signed_part;
use crate::public_key::key_json;
use crate::workshop::{Current, Workshop, read_root};
use anyhow::{Context, Result, bail};
use komainu_trust::json::Json;
use komainu_trust::roles::{Role, Root};
use std::path::PathBuf;

impl Workshop {
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

    /// The requests of this workshop that are not published yet.
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

    pub(super) fn waiting(&self, current: &Current) -> Result<Vec<Request>> {
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

    pub(super) fn request_file(&self, id: &str) -> PathBuf {
        self.dir.join("requests").join(format!("{id}.json"))
    }
}

/// Why a request can never be published any more.
pub(super) fn stale(request: &Request, current: &Current) -> Result<Option<String>> {
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
        if published.get("version") != Some(&number(targets)) {
            return Ok(Some(format!(
                "the workshop moved on: targets metadata is version {targets} by now, and {name} was made before \
                 that. Make the request anew"
            )));
        }
        // With other targets keys in force its signatures are worth nothing.
        let Json::Object(_) = &asked.signed else { bail!("{name} is not an object") };
        let last = request.roots.last().context("the request has no roots")?;
        let last = read_root("root.json", last.as_bytes())?;
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
