//! The device's id: read from the file that the settings name; where that is not there, a stand-in, because nothing but the
//! spreading of a fleet depends on it.

use super::settings_file;
use std::io;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Largest file of an id, in bytes.
const ID_BYTES_MAX: u64 = 4096;
/// The place where most systems keep an id of the installation.
const MACHINE_ID: &str = "/etc/machine-id";

/// The first line of a file; `None`: it is empty.
///
/// # Errors
/// Those of the file system; the file may come later.
pub fn in_file(path: &Path) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    settings_file::open(path)?.take(ID_BYTES_MAX).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().next().unwrap_or_default().trim();
    Ok((!line.is_empty()).then(|| line.to_owned()))
}

/// The id that this device had last, or the system's; empty where there is none.
pub(super) fn stand_in(state: &Path) -> String {
    let of = |path: &Path| in_file(path).ok().flatten();
    of(&kept(state)).or_else(|| of(Path::new(MACHINE_ID))).unwrap_or_default()
}

/// The file that keeps the id for a start without its own file.
pub fn kept(state: &Path) -> PathBuf {
    state.join("id")
}
