//! The memory of a signer: the newest root, and the targets metadata that was signed last. It is kept beside the
//! signer's root.json, so that a request cannot choose what it is compared with.

use super::judged::Judged;
use super::next::read;
use super::signing_request::{REQUEST_BYTES_MAX, Request};
use crate::files;
use crate::json_writer::{object, pretty, text};
use crate::metadata::signed_part;
use crate::target_paths::is_manifest;
use anyhow::{Context, Result, anyhow, bail};
use komainu_core::printable;
use komainu_core::update::manifest::Manifest;
use komainu_trust::fields::{Field, FieldFault};
use komainu_trust::json;
use komainu_trust::json::Json;
use komainu_trust::roles::Targets;
use std::collections::BTreeMap;
use std::path::Path;

/// The name of the file that it is kept in.
pub const SEEN_FILE: &str = "seen.json";
const FORMAT: &str = "komainu seen 1";

/// The memory of a signer; empty, to begin with.
#[derive(Clone, Default)]
pub struct Seen {
    /// Let a request go back behind it.
    pub allow_older: bool,
    root: Option<String>,
    /// The targets metadata that was signed last, and the one that it was compared with.
    targets: Option<String>,
    before: Option<String>,
    manifests: BTreeMap<String, String>,
}

impl Seen {
    /// Reads it; nothing was seen where there is no file.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn load(path: &Path) -> Result<Seen> {
        let Some(bytes) = files::read_at_most(path, REQUEST_BYTES_MAX)? else { return Ok(Seen::default()) };
        let wrong = || format!("cannot read {}, which remembers the last signature here", path.display());
        let whole =
            json::parse(&bytes).map_err(|why| anyhow!("not acceptable JSON: {why}")).with_context(wrong)?;
        let parse = || -> Result<Seen, FieldFault> {
            let top = Field::top(&whole);
            if top.field("format")?.text()? != FORMAT {
                return Err(top.field("format")?.fault(FORMAT));
            }
            let optional = |name: &str| -> Result<Option<String>, FieldFault> {
                top.optional(name)?.map(|field| field.text().map(str::to_owned)).transpose()
            };
            let mut seen = Seen { root: optional("root")?, ..Seen::default() };
            (seen.targets, seen.before) = (optional("targets")?, optional("before")?);
            for (path, manifest) in top.field("manifests")?.entries()? {
                seen.manifests.insert(path.to_owned(), manifest.text()?.to_owned());
            }
            Ok(seen)
        };
        parse().map_err(|fault| anyhow!("{} must be {}", fault.path, fault.must_be)).with_context(wrong)
    }

    /// Keeps it, whole or not at all.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let manifests = self.manifests.iter().map(|(path, manifest)| (path.clone(), text(manifest)));
        let whole = object([("format", text(FORMAT)), ("manifests", Json::Object(manifests.collect()))]);
        let Json::Object(mut fields) = whole else { bail!("cannot write {}", path.display()) };
        for (name, value) in [("root", &self.root), ("targets", &self.targets), ("before", &self.before)] {
            fields.extend(value.as_ref().map(|value| (name.to_owned(), text(value))));
        }
        files::replace(path, &pretty(&Json::Object(fields)))
    }

    /// For the workshop that made the request: it knows its own published metadata.
    pub fn published_here(request: &Request) -> Seen {
        Seen { targets: Some(request.targets.clone()), ..Seen::default() }
    }

    /// The newest root that was found to follow from the trusted one.
    pub fn root(&self) -> Option<&[u8]> {
        self.root.as_deref().map(str::as_bytes)
    }

    /// Remembers a request that was signed.
    ///
    /// # Errors
    /// The memory cannot be read.
    pub fn remember(&mut self, request: &Request, judged: &Judged) -> Result<()> {
        self.root = request.roots.last().cloned();
        let Some(new) = &judged.new_targets else { return Ok(()) };
        let last = self.targets.as_deref().map(read_targets).transpose()?;
        if last.is_none_or(|last| last.common.version != new.common.version) {
            self.before = self.targets.take();
        }
        let file = request.file(&format!("{}.targets.json", new.common.version)).unwrap_or_default();
        self.targets = Some(String::from_utf8(file).context("metadata is not UTF-8")?);
        // Those that are gone stay known: they must not come back with an older release.
        let listed = request.manifests.iter().filter(|(path, _)| new.targets.contains_key(*path));
        self.manifests.extend(listed.map(|(path, manifest)| (path.clone(), manifest.clone())));
        Ok(())
    }

    fn release_number(&self, path: &str) -> Option<u64> {
        let manifest = Manifest::read(self.manifests.get(path)?.as_bytes()).ok()?;
        Some(manifest.release.number)
    }
}

impl Request {
    pub(super) fn look_at_manifests(&self, judged: &mut Judged) {
        let Some(new) = &judged.new_targets else { return };
        for path in new.targets.keys().filter(|path| is_manifest(path)) {
            if let Err(why) = self.manifest(path, new) {
                judged.unseen.push(format!("{}: {}", path.escape_debug(), printable::line(why)));
            }
        }
    }

    /// Chooses what the new targets metadata is compared with, and refuses what goes back.
    pub(super) fn compare(&self, judged: &mut Judged, seen: &Seen) -> Result<()> {
        let Some(new) = &judged.new_targets else { return Ok(()) };
        let version = new.common.version;
        let published = judged.old_targets.common.version;
        let Some(last) = seen.targets.as_deref().map(read_targets).transpose()? else {
            judged.warnings.push(format!(
                "THE CHANGES BEFORE TARGETS VERSION {version} ARE NOT KNOWN HERE: none was signed or seen here so far, \
                 and the request itself says what is published. Every release is listed; look at each"
            ));
            return Ok(());
        };
        let mut older = Vec::new();
        if version < last.common.version {
            older.push(format!(
                "targets version {version} is older than version {}, which was signed or seen here",
                last.common.version
            ));
        }
        for path in seen.manifests.keys() {
            let number = self.manifest(path, new).ok().map(|manifest| manifest.release.number);
            if let (Some(number), Some(before)) = (number, seen.release_number(path))
                && number < before
            {
                let path = path.escape_debug();
                older.push(format!(
                    "{path} goes back to release {number} from {before}, which was signed here"
                ));
            }
        }
        let again = version == last.common.version;
        let base =
            if again { seen.before.as_deref().map(read_targets).transpose()? } else { Some(last.clone()) };
        if again && *new != last {
            judged.warnings.push(format!(
                "ANOTHER TARGETS VERSION {version} WAS SIGNED HERE BEFORE. Only one of the two can have been meant"
            ));
        } else {
            judged.base_is_known = base.as_ref().is_some_and(|base| base.common.version + 1 == version);
        }
        if let Some(base) = base {
            if published < base.common.version {
                older.push(format!(
                    "it calls targets version {published} published, but version {} was signed or seen here",
                    base.common.version
                ));
            }
            judged.base = base;
        }
        if !judged.base_is_known {
            judged.warnings.push(format!(
                "THE CHANGES BETWEEN TARGETS VERSION {} AND {version} ARE NOT KNOWN HERE. Every release is listed; look at \
                 each",
                judged.base.common.version
            ));
        }
        if !older.is_empty() && !seen.allow_older {
            bail!("{}. Do not sign it; if it is meant to go back, say --allow-older", older.join("; "));
        }
        judged.warnings.extend(older.into_iter().map(|why| format!("IT GOES BACK: {why}")));
        Ok(())
    }
}

fn read_targets(text: &str) -> Result<Targets> {
    read("targets.json", &Json::Object(signed_part("targets.json", text.as_bytes())?))
}
