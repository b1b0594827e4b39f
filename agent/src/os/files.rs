//! The agent's own files, in folders that root alone can change: replaced whole, or not at all. Every other file is
//! touched by `foreign_file`.
#![expect(clippy::disallowed_methods, reason = "this is the file that the ban in clippy.toml points to")]

use komainu_core::fault::{Text, text};
use std::fmt::Display;
use std::fs;
use std::fs::{DirEntry, File, OpenOptions, Permissions};
use std::io;
use std::io::{ErrorKind, Read, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Replaces a file: after a power cut it has all of the old bytes or all of the new. Durable when it returns.
///
/// # Errors
/// Those of the file system; the old file stays.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_as(path, bytes, 0o600)
}

/// Does the same with a mode that may let others read it.
///
/// # Errors
/// Those of the file system; the old file stays.
pub fn replace_as(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let beside = path.with_extension("new");
    // A file that a cut or another program left there may be open to everybody, or a link.
    let _ = fs::remove_file(&beside);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
    // The mask that this process was started with must not count.
    file.set_permissions(Permissions::from_mode(mode))?;
    // The bytes must be on the medium before the name leads to them; else a cut leaves an empty file.
    let written =
        file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // A file that could not be used must not fill a full disk further.
        let _ = fs::remove_file(&beside);
    }
    written.and_then(|()| sync_folder(path))
}

/// Removes a file, if it is there. Durable when it returns.
///
/// # Errors
/// Those of the file system.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => sync_folder(path),
    }
}

/// Gives a file another name, in the place of what had it. Durable when it returns.
///
/// # Errors
/// Those of the file system.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_folder(to)
}

/// Reads a file of at most `bytes_max`; `None` if there is none.
///
/// # Errors
/// Those of the file system, or the file is larger.
pub fn read(path: &Path, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(io::Error::new(ErrorKind::InvalidData, format!("larger than {bytes_max} bytes")));
    }
    Ok(Some(bytes))
}

/// Shows each entry of a folder, in any order, until `each` has seen enough. Unreadable entries are left out.
pub fn each_entry(folder: &Path, each: &mut dyn FnMut(&DirEntry) -> ControlFlow<()>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if each(&entry).is_break() {
            return;
        }
    }
}

/// The sentence for something that failed with a file: `cannot write /etc/passwd: No space left on device`.
pub fn cannot(verb: &str, path: &Path, why: &dyn Display) -> Text {
    text(format_args!("cannot {verb} {}: {why}", path.display()))
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("komainu-files-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn what_a_cut_left_beside_a_file_lends_it_nothing() {
        let folder = folder("left");
        let (path, beside) = (folder.join("shadow"), folder.join("shadow.new"));
        for is_link in [false, true] {
            if is_link {
                std::os::unix::fs::symlink(folder.join("elsewhere"), &beside).unwrap();
            } else {
                File::create(&beside).unwrap().set_permissions(Permissions::from_mode(0o644)).unwrap();
            }
            replace(&path, b"secret").unwrap();
            let metadata = fs::symlink_metadata(&path).unwrap();
            assert_eq!((metadata.is_file(), metadata.permissions().mode() & 0o777), (true, 0o600));
        }
        assert!(!folder.join("elsewhere").exists());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn who_may_read_a_file_does_not_depend_on_the_mask() {
        let folder = folder("mask");
        replace_as(&folder.join("passwd"), b"names", 0o666).unwrap();
        let mode = fs::metadata(folder.join("passwd")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o666);
        fs::remove_dir_all(folder).unwrap();
    }
}
