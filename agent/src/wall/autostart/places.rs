//! The files of this device from which programs are started, in the places that the core lists, and their layers.

use crate::os::foreign_file::Tree;
use crate::os::procfs::mountinfo::TABLE;
use crate::os::procfs::text_reader::{BUFFER_BYTES, read_lines};
use crate::wall::scan::executable::OnDevice;
use crate::wall::scan::medium::Mounts;
use komainu_core::wall::judge::autostart::entry::{Kind, Origin};
use komainu_core::wall::judge::autostart::start_places;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Lists the names of all such files that may be there, below the root, at most `names_max`; `folders` gets the folders that
/// were asked for names. False: there are more.
pub fn each(
    tree: &Tree,
    names_max: usize,
    folders: &mut Vec<PathBuf>,
    take: &mut dyn FnMut(PathBuf, Kind),
) -> bool {
    let mut left = names_max;
    start_places::each(
        &mut |folder| names(tree, Path::new(folder), &mut left, folders),
        &mut |path, kind| take(path.into(), kind),
    );
    left > 0
}

/// The names in a folder, by their bytes; the folder is added to `asked`. A name that is no text is none of a start script's.
pub fn names(tree: &Tree, folder: &Path, left: &mut usize, asked: &mut Vec<PathBuf>) -> Vec<String> {
    asked.push(folder.into());
    let place = tree.find(folder).ok().flatten();
    let names = place.and_then(|place| place.names(*left).ok()).unwrap_or_default();
    *left -= names.len().min(*left);
    let mut names: Vec<String> = names.into_iter().filter_map(|name| name.into_string().ok()).collect();
    names.sort_unstable();
    names
}

/// The layer of a file, and the path of the firmware's file below it.
pub(super) fn layer(root: &Path, real: &Path) -> (Origin, Option<PathBuf>) {
    if root != Path::new("/") {
        return (Origin::Unknown, None);
    }
    let mut mounts = Mounts::default();
    let mut buffer = vec![0; BUFFER_BYTES];
    if read_lines(TABLE, &mut buffer, &mut |line| mounts.take(line)).is_err() {
        return (Origin::Unknown, None);
    }
    let (origin, lower) = mounts.origin(real.as_os_str().as_bytes(), &OnDevice(&mounts));
    (origin, lower.map(|path| PathBuf::from(std::ffi::OsString::from_vec(path))))
}
