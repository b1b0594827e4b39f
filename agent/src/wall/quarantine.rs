//! Quarantine: harmful files are taken from their places and kept in `wall/quarantine/` of the state folder.

use crate::os::files;
use crate::os::files::cannot;
use crate::os::foreign_file::Tree;
use crate::os::safe_names::escape;
use komainu_core::fault::Text;
use std::fs;
use std::path::{Path, PathBuf};

/// Most files that are kept; for another the oldest goes.
const KEPT_MAX: usize = 16;
/// Most that is kept of one, in bytes: evidence, not a store.
const KEPT_BYTES_MAX: u64 = 128 * 1024;
/// Most names that are looked at in the folder.
const NAMES_MAX: usize = 256;
/// Longest part of a name that is kept.
const NAME_BYTES_MAX: usize = 64;

/// Takes a file away and keeps it, without any permissions, as `<state>/wall/quarantine/<number>-<name>`. One that is
/// not there any more is no error. Of a large one only the beginning is kept.
///
/// # Errors
/// Path and cause. While it cannot be kept it stays where it is.
pub fn move_away(state: &Path, file: &Path) -> Result<(), Text> {
    let Some(place) = Tree::device()?.find_itself(file)? else { return Ok(()) };
    match place.metadata() {
        None => return Ok(()),
        Some(metadata) if metadata.is_dir() => return Err(cannot("set aside", file, &"it is a folder")),
        Some(_) => {}
    }
    let folder = state.join("wall/quarantine");
    fs::create_dir_all(&folder).map_err(|error| cannot("make", &folder, &error))?;
    // Of a link its target is kept, and not what stands there; of a pipe or a device the name tells enough.
    let bytes = match place.target().map_err(|error| cannot("read", file, &error))? {
        Some(target) => target.into_encoded_bytes(),
        None => place.read(KEPT_BYTES_MAX)?.map(|found| found.bytes).unwrap_or_default(),
    };
    let kept = next_place(&folder, file)?;
    files::replace_as(&kept, &bytes, 0).map_err(|error| cannot("write", &kept, &error))?;
    place.remove()
}

/// Where the next one is kept; the oldest goes if there are too many.
fn next_place(folder: &Path, file: &Path) -> Result<PathBuf, Text> {
    let entries = fs::read_dir(folder).map_err(|error| cannot("read", folder, &error))?;
    let mut numbered: Vec<(u64, PathBuf)> = Vec::new();
    for entry in entries.take(NAMES_MAX) {
        let path = entry.map_err(|error| cannot("read", folder, &error))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let number = name.split('-').next().and_then(|number| number.parse().ok()).unwrap_or(0);
        numbered.push((number, path));
    }
    numbered.sort_unstable_by_key(|(number, _)| *number);
    let too_many = (numbered.len() + 1).saturating_sub(KEPT_MAX);
    for (_, oldest) in &numbered[..too_many] {
        files::remove(oldest).map_err(|error| cannot("remove", oldest, &error))?;
    }
    let number = numbered.last().map_or(1, |(number, _)| number.saturating_add(1));
    let mut name = escape(&file.file_name().unwrap_or_default().to_string_lossy());
    // It is ASCII now. A point in it would make its ending another one while it is written.
    name.truncate(NAME_BYTES_MAX);
    Ok(folder.join(format!("{number}-{}", name.replace('.', "_"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_is_kept_as_evidence_and_the_oldest_goes() {
        let folder = std::env::temp_dir().join(format!("komainu-aside-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("authorized_keys.old");
        for round in 0..KEPT_MAX + 3 {
            files::replace(&file, format!("round {round}").as_bytes()).unwrap();
            move_away(&folder, &file).unwrap();
            assert!(!file.exists());
        }
        move_away(&folder, &file).unwrap();
        let mut kept: Vec<_> = fs::read_dir(folder.join("wall/quarantine"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        kept.sort();
        assert_eq!(kept.len(), KEPT_MAX);
        assert_eq!(kept[0].file_name().unwrap(), "10-authorized_keys_old");
        assert_eq!(fs::metadata(&kept[0]).unwrap().permissions().mode() & 0o777, 0);
        fs::set_permissions(&kept[0], fs::Permissions::from_mode(0o400)).unwrap();
        assert_eq!(fs::read(&kept[0]).unwrap(), b"round 9");
        std::os::unix::fs::symlink("/nowhere", &file).unwrap();
        move_away(&folder, &file).unwrap();
        assert!(fs::symlink_metadata(&file).is_err());
        assert!(move_away(&folder, &folder).is_err());
        fs::remove_dir_all(folder).unwrap();
    }
}
