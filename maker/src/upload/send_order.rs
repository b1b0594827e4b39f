//! The order in which files are sent: each names only what is there already, and a device that polls in between sees the
//! old state or the new one.

use super::store::Item;
use crate::staging;
use crate::target_paths::fetch_path;
use crate::workshop::Workshop;
use anyhow::{Context, Result, anyhow, bail};
use std::path::PathBuf;

/// The one file that is replaced.
pub(crate) const TIMESTAMP: &str = "metadata/timestamp.json";

/// The files that make up what is published now.
pub(crate) struct SendOrder {
    /// Manifests, images, patches.
    pub targets: Vec<Item>,
    /// Targets metadata, hash bins before the file that delegates to them, and the snapshot.
    pub metadata: Vec<Item>,
    pub timestamp: Timestamp,
    /// All roots, the newest last. They follow the timestamp, because the keys of the old root and of the new one have
    /// signed that, and the keys of the new root alone did not sign the timestamp before it.
    pub roots: Vec<Item>,
}

/// The timestamp that belongs to the others: another publication may replace the file meanwhile.
pub(crate) struct Timestamp {
    pub bytes: Vec<u8>,
    pub from: PathBuf,
}

impl SendOrder {
    /// Reads what is published now.
    pub fn of(workshop: &Workshop) -> Result<SendOrder> {
        let current = workshop.current()?;
        let item = |path: String, sha256: Option<[u8; 32]>| -> Result<Item> {
            let from = workshop.repository().join(&path);
            let Some(about) = from.metadata().ok().filter(std::fs::Metadata::is_file) else {
                bail!("{path} is missing in {}", workshop.repository().display());
            };
            Ok(Item { path, from, length: about.len(), sha256, is_damaged_there: false })
        };
        let mut targets = Vec::new();
        for (path, target) in &current.targets {
            let sha256 =
                staging::listed_hash(target).ok_or_else(|| anyhow!("{path} is listed without SHA-256"))?;
            targets.push(item(format!("targets/{}", fetch_path(path, &sha256)), Some(sha256))?);
        }
        let [root, _, snapshot, _] = current.trusted.versions();
        let files = current.targets_files.iter().rev().map(|file| file.name());
        let metadata = files.chain([format!("{snapshot}.snapshot.json")]);
        let metadata = metadata.map(|name| item(format!("metadata/{name}"), None)).collect::<Result<_>>()?;
        let roots = (1..=root).map(|version| item(format!("metadata/{version}.root.json"), None));
        let roots = roots.collect::<Result<_>>()?;
        let bytes = current.stored.timestamp.context("timestamp.json is missing")?;
        let timestamp = Timestamp { bytes, from: workshop.repository().join(TIMESTAMP) };
        Ok(SendOrder { targets, metadata, timestamp, roots })
    }
}

/// The files that make up what is published now, below `repository/`, in the order in which to upload them.
///
/// # Errors
/// The repository is incomplete.
pub fn upload_order(workshop: &Workshop) -> Result<Vec<String>> {
    let order = SendOrder::of(workshop)?;
    let paths = |items: Vec<Item>| items.into_iter().map(|item| item.path).collect::<Vec<_>>();
    Ok([paths(order.targets), paths(order.metadata), vec![TIMESTAMP.to_owned()], paths(order.roots)].concat())
}
