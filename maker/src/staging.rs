//! The staging area: the targets that are put aside for the next publication, listed as targets metadata lists them.

use crate::files;
use crate::files::Fingerprint;
use crate::json_writer::pretty;
use crate::metadata;
use crate::target_paths::fetch_path;
use anyhow::{Result, bail};
use komainu_trust::hex;
use komainu_trust::json;
use komainu_trust::json::{Json, Object};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const STAGED_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The targets that were added and are not yet published, by path.
pub(crate) fn staged(dir: &Path) -> Result<BTreeMap<String, Fingerprint>> {
    let path = staged_file(dir);
    let Some(bytes) = files::read_at_most(&path, STAGED_BYTES_MAX)? else { return Ok(BTreeMap::new()) };
    match json::parse(&bytes) {
        Ok(Json::Object(targets)) => Ok(listed_prints(&targets)),
        _ => bail!("{} cannot be read; `komainu-maker release drop` starts over", path.display()),
    }
}

/// Writes the list of targets that are put aside.
pub(crate) fn write_staged(dir: &Path, staged: &BTreeMap<String, Fingerprint>) -> Result<()> {
    let targets = staged.iter().map(|(path, print)| (path.clone(), metadata::target(print))).collect();
    files::replace(&staged_file(dir), &pretty(&Json::Object(targets)))
}

/// Forgets the targets that were moved into the repository; later ones stay put aside.
pub(crate) fn forget_published(dir: &Path) -> Result<()> {
    let mut left = staged(dir)?;
    left.retain(|path, print| dir.join("staging/targets").join(fetch_path(path, &print.sha256)).is_file());
    if left.is_empty() { files::remove(&dir.join("staging")) } else { write_staged(dir, &left) }
}

pub(crate) fn staged_file(dir: &Path) -> PathBuf {
    dir.join("staging/staged.json")
}

/// Length and hash of every target, by path, as targets metadata lists them.
pub(crate) fn listed_prints(targets: &Object) -> BTreeMap<String, Fingerprint> {
    let print = |(path, target): (&String, &Json)| {
        let Json::Object(fields) = target else { return None };
        let Some(Json::Int(length)) = fields.get("length") else { return None };
        let length = u64::try_from(*length).ok()?;
        Some((path.clone(), Fingerprint { length, sha256: listed_hash(target)? }))
    };
    targets.iter().filter_map(print).collect()
}

/// The hash that targets metadata lists for a target.
pub(crate) fn listed_hash(target: &Json) -> Option<[u8; 32]> {
    let Json::Object(target) = target else { return None };
    let Some(Json::Object(hashes)) = target.get("hashes") else { return None };
    match hashes.get("sha256") {
        Some(Json::Text(hash)) => hex::decode_array(hash),
        _ => None,
    }
}
