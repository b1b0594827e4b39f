//! The device's id: read from the file that the settings name; where that is not there, a stand-in, because nothing but the
//! spreading of a fleet depends on it.

use crate::os::files;
use std::io;
use std::path::Path;

/// Largest file of an id, in bytes.
const ID_BYTES_MAX: u64 = 4096;
/// The place where most systems keep an id of the installation.
const MACHINE_ID: &str = "/etc/machine-id";

/// The first line of a file; `None`: it is empty.
///
/// # Errors
/// Those of the file system; the file may come later.
pub fn in_file(path: &Path) -> io::Result<Option<String>> {
    let bytes = files::read(path, ID_BYTES_MAX)?.ok_or(io::ErrorKind::NotFound)?;
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().next().unwrap_or_default().trim();
    Ok((!line.is_empty()).then(|| line.to_owned()))
}

/// The id that this device had last, or the system's; empty where there is none.
pub(super) fn stand_in(state: &Path) -> String {
    let of = |path: &Path| in_file(path).ok().flatten();
    of(&kept(state)).or_else(|| of(Path::new(MACHINE_ID))).unwrap_or_default()
}

/// Keeps the id for a start without its file. Written once: an id does not change.
///
/// # Errors
/// Those of the file system.
pub fn keep(state: &Path, id: &str) -> io::Result<()> {
    let path = kept(state);
    match in_file(&path) {
        Ok(Some(before)) if before == id => Ok(()),
        _ => files::replace(&path, format!("{id}\n").as_bytes()),
    }
}

fn kept(state: &Path) -> std::path::PathBuf {
    state.join("id")
}
