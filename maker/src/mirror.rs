//! Copies what is published to another folder, such as a mounted web space, in an order that never breaks a
//! device that polls it meanwhile. Files with a version or hash in their name never change and are copied once.

use crate::files;
use crate::publish::upload_order;
use crate::workshop::Workshop;
use anyhow::{Context, Result};
use std::path::Path;

/// Copies what is missing or different; gives the files that were copied, in order.
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
