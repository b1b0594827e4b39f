//! Paths of targets: which kind of target a path names, and where its file lies.

use komainu_core::advisory::ADVISORIES;
use komainu_trust::hex;

/// True if a target of this path is a manifest: `boards/<board>/<channel>.json`, but for the board's advisories.
pub fn is_manifest(path: &str) -> bool {
    let inner = path.strip_prefix("boards/").and_then(|rest| rest.strip_suffix(".json"));
    inner.is_some_and(|inner| inner.split('/').count() == 2) && !is_advisories(path)
}

/// True if a target of this path is a board's advisories.
pub fn is_advisories(path: &str) -> bool {
    let board = path.strip_prefix("boards/").and_then(|rest| rest.strip_suffix(".json"));
    let board = board.and_then(|rest| rest.strip_suffix(ADVISORIES)?.strip_suffix('/'));
    board.is_some_and(|board| !board.contains('/'))
}

/// Where a target lies below `targets/`: `folder/HASH.name`.
pub(crate) fn fetch_path(path: &str, sha256: &[u8; 32]) -> String {
    let hash = hex::encode(sha256);
    match path.rsplit_once('/') {
        Some((folder, name)) => format!("{folder}/{hash}.{name}"),
        None => format!("{hash}.{path}"),
    }
}
