//! Copies the published files to another folder, such as a mounted web space, in an order that never breaks a
//! device that polls it meanwhile. Files with a version or hash in their name never change and are copied once.

use crate::files;
use crate::staging;
use crate::target_paths::fetch_path;
use crate::workshop::Workshop;
use anyhow::{Context, Result, anyhow, bail};
use std::path::Path;

/// Copies files that are missing or different; gives the files that were copied, in order.
///
/// # Errors
/// A file cannot be read or written. Run it again: it goes on where it stopped.
pub fn mirror(workshop: &Workshop, to: &Path) -> Result<Vec<String>> {
    let mut copied = Vec::new();
    for path in upload_order(workshop)? {
        let (from, to) = (workshop.repository().join(&path), to.join(&path));
        if !path.ends_with("/timestamp.json") && same_length(&from, &to) {
            continue;
        }
        let length = from.metadata().with_context(|| format!("cannot read {}", from.display()))?.len();
        let bar = workshop.progress.bar(&path, length);
        let folder = to.parent().unwrap_or(Path::new("."));
        let name = to.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files::copy_into(folder, &from, u64::MAX, &mut |bytes| bar.add(bytes), |_| name)?;
        copied.push(path);
    }
    Ok(copied)
}

// A file appears under its name only when it is whole, and its name says what is in it.
fn same_length(from: &Path, to: &Path) -> bool {
    match (from.metadata(), to.metadata()) {
        (Ok(from), Ok(to)) => to.is_file() && from.len() == to.len(),
        _ => false,
    }
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
            staging::listed_hash(target).ok_or_else(|| anyhow!("{path} is listed without SHA-256"))?;
        order.push(format!("targets/{}", fetch_path(path, &sha256)));
    }
    let [root, _, snapshot, _] = current.trusted.versions();
    // Bins before the file that delegates to them.
    order.extend(current.targets_files.iter().rev().map(|file| format!("metadata/{}", file.name())));
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
