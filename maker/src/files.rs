//! Reads and writes files; no other module writes. A file appears under its name whole and synced, or not at all; a
//! private key is never readable by others, not even for a moment; nothing is overwritten that was not meant to be.

use anyhow::{Context, Result, bail};
use nix::fcntl::OFlag;
use sha2::{Digest, Sha256};
use std::fs;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;
use tempfile::NamedTempFile;

/// Unfinished files begin with this; they are never served, listed or mirrored.
pub const UNFINISHED: &str = ".komainu-";

/// Length and SHA-256 of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    pub length: u64,
    pub sha256: [u8; 32],
}

/// Replaces (or creates) a file: the old content or the new one, never a mixture, whatever happens.
///
/// # Errors
/// Names the file and what the operating system says.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let put = || -> Result<()> {
        let mut file = unfinished(path)?;
        file.write_all(bytes)?;
        persist(file, path)
    };
    put().with_context(|| format!("cannot write {}", path.display()))
}

/// Creates a file that only its owner may read. Refuses to touch one that exists.
///
/// # Errors
/// It exists already, or cannot be written.
pub fn create_private(path: &Path, bytes: &[u8]) -> Result<()> {
    create_new(path, bytes, 0o600)
}

/// Creates a file that all users may read. Refuses to touch one that exists.
///
/// # Errors
/// It exists already, or cannot be written.
pub fn create_public(path: &Path, bytes: &[u8]) -> Result<()> {
    create_new(path, bytes, 0o644)
}

fn create_new(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    // `create_new` is O_EXCL: it neither overwrites nor follows a link that was laid there.
    let opened = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let mut file = match opened {
        Err(fault) if fault.kind() == ErrorKind::AlreadyExists => {
            bail!("{} exists already and is never overwritten; choose another name", path.display())
        }
        other => other.with_context(|| format!("cannot create {}", path.display()))?,
    };
    file.write_all(bytes).and_then(|()| file.sync_all()).with_context(|| {
        format!("cannot write {}; it may be incomplete and should be removed", path.display())
    })?;
    sync_folder(path)
}

/// Copies a file into `folder` while hashing it; `name` makes its name of what was read.
///
/// # Errors
/// Source or destination fail, or the source is longer than `bytes_max`.
pub fn copy_into(
    folder: &Path,
    from: &Path,
    bytes_max: u64,
    seen: &mut dyn FnMut(u64),
    name: impl FnOnce(&Fingerprint) -> String,
) -> Result<Fingerprint> {
    let source = File::open(from).with_context(|| format!("cannot open {}", from.display()))?;
    make_folder(folder)?;
    let copy = || -> Result<Fingerprint> {
        let mut file = unfinished(&folder.join("copy"))?;
        let print = stream(source, file.as_file_mut(), bytes_max, seen)?;
        persist(file, &folder.join(name(&print)))?;
        Ok(print)
    };
    copy().with_context(|| format!("cannot copy {} to {}", from.display(), folder.display()))
}

/// The first bytes of a file, at most so many.
///
/// # Errors
/// It cannot be read.
pub fn beginning(path: &Path, bytes_max: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(bytes_max).read_to_end(&mut bytes));
    read.with_context(|| format!("cannot read {}", path.display()))?;
    Ok(bytes)
}

/// Length and SHA-256 of a file, read in small pieces.
///
/// # Errors
/// It cannot be read, or is longer than `bytes_max`.
pub fn fingerprint(path: &Path, bytes_max: u64, seen: &mut dyn FnMut(u64)) -> Result<Fingerprint> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    stream(file, &mut std::io::sink(), bytes_max, seen)
        .with_context(|| format!("cannot read {}", path.display()))
}

/// Reads a whole file that must not be longer than `bytes_max`; `None` if there is none.
///
/// # Errors
/// It cannot be read, or is longer.
pub fn read_at_most(path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Err(fault) if matches!(fault.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        other => other.with_context(|| format!("cannot open {}", path.display()))?,
    };
    all_of(file, path, bytes_max).map(Some)
}

/// As [`read_at_most`], for a file that a person names as an input: it must be an ordinary one. A FIFO would let the
/// program wait for ever.
///
/// # Errors
/// There is none, it is no ordinary file, cannot be read, or is longer.
pub fn read_ordinary(path: &Path, bytes_max: u64) -> Result<Vec<u8>> {
    let file = open_at_once(path)?;
    if !file.metadata().with_context(|| format!("cannot read {}", path.display()))?.is_file() {
        bail!("{} is no ordinary file: copy what is in it to one", path.display());
    }
    all_of(file, path, bytes_max)
}

/// Opens a file for reading, and waits for nobody at the other end of a FIFO.
///
/// # Errors
/// Names the file and what the operating system says.
pub fn open_at_once(path: &Path) -> Result<File> {
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    match OpenOptions::new().read(true).custom_flags(flags.bits()).open(path) {
        Err(fault) if matches!(fault.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            bail!("there is no file {}", path.display())
        }
        other => other.with_context(|| format!("cannot open {}", path.display())),
    }
}

fn all_of(file: File, path: &Path, bytes_max: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes);
    read.with_context(|| format!("cannot read {}", path.display()))?;
    if bytes.len() as u64 > bytes_max {
        bail!("{} is longer than the {bytes_max} bytes that it may have", path.display());
    }
    Ok(bytes)
}

/// Refuses a place for an output that has something other than an ordinary file: its name would be taken from a device,
/// a FIFO or a link.
///
/// # Errors
/// Names the place and what is there.
pub fn refuse_irregular(path: &Path) -> Result<()> {
    let Ok(there) = path.symlink_metadata() else { return Ok(()) };
    let kind = there.file_type();
    if kind.is_file() {
        return Ok(());
    }
    let (what, mend) = if kind.is_symlink() {
        ("a symbolic link", "name the file that it leads to, or another")
    } else if kind.is_dir() {
        ("a folder", "name a file in it")
    } else {
        ("a device, a FIFO or a socket", "name an ordinary file")
    };
    bail!("{} is {what}, and only an ordinary file is replaced: {mend}", path.display());
}

/// Whether two paths lead to the same file, by device and inode; or will, where one of them is not there yet.
pub fn are_the_same(one: &Path, other: &Path) -> bool {
    match (one.metadata(), other.metadata()) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => resolved(one) == resolved(other),
    }
}

/// The path without links, `.` and `..`, as far as it is there.
fn resolved(path: &Path) -> PathBuf {
    let mut all = PathBuf::new();
    for part in std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).components() {
        match part {
            Component::ParentDir => {
                all.pop();
            }
            part => all.push(part),
        }
        all = all.canonicalize().unwrap_or(all);
    }
    all
}

/// Gives a finished file another name, also on another file system; afterwards it is there for good.
///
/// # Errors
/// Names both.
pub fn move_to(from: &Path, to: &Path) -> Result<()> {
    let parent = to.parent().unwrap_or(Path::new("."));
    make_folder(parent)?;
    if to.exists() {
        let file = File::options().write(true).open(from);
        file.and_then(|file| date_later(&file, to).and_then(|()| file.sync_all()))
            .with_context(|| format!("cannot date {}", from.display()))?;
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "the one rename of the maker; the folder is synced after it"
    )]
    let renamed = fs::rename(from, to);
    let moved = match renamed {
        Err(fault) if fault.kind() == ErrorKind::CrossesDevices => {
            let name = to.file_name().unwrap_or_default().to_string_lossy().into_owned();
            copy_into(parent, from, u64::MAX, &mut |_| (), |_| name)
                .and_then(|_| fs::remove_file(from).map_err(Into::into))
        }
        other => other.map_err(Into::into),
    };
    moved.with_context(|| format!("cannot move {} to {}", from.display(), to.display()))?;
    sync_folder(to)
}

/// Creates a folder and its parents.
///
/// # Errors
/// Names the folder.
pub fn make_folder(path: &Path) -> Result<()> {
    let missing: Vec<&Path> = path.ancestors().take_while(|folder| !folder.exists()).collect();
    fs::create_dir_all(path).with_context(|| format!("cannot create the folder {}", path.display()))?;
    // A synced file is lost all the same if its folder's own name is not synced.
    missing.into_iter().rev().filter(|folder| !folder.as_os_str().is_empty()).try_for_each(sync_folder)
}

/// The entries of a folder, in order; none if there is no folder.
///
/// # Errors
/// Names the folder.
pub fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let cannot = || format!("cannot list {}", folder.display());
    let entries = fs::read_dir(folder).with_context(cannot)?;
    let mut paths =
        entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>().with_context(cannot)?;
    paths.sort();
    Ok(paths)
}

/// Removes a file or a folder with all that is in it; all right if there is none.
///
/// # Errors
/// Names it.
pub fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(fault) if fault.kind() == ErrorKind::NotFound => Ok(()),
        other => other.with_context(|| format!("cannot remove {}", path.display())),
    }
}

/// A file that gets its name only when it is whole; see [`persist`].
pub(crate) fn unfinished(beside: &Path) -> Result<NamedTempFile> {
    let folder = beside.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make_folder(folder)?;
    // A web server must be able to read published files; the umask still has its say.
    let permissions = fs::Permissions::from_mode(0o644);
    Ok(tempfile::Builder::new().prefix(UNFINISHED).permissions(permissions).tempfile_in(folder)?)
}

/// Gives an unfinished file its name; durable when this returns.
pub(crate) fn persist(file: NamedTempFile, path: &Path) -> Result<()> {
    refuse_irregular(path)?;
    // In this order: content first, then the name, then the folder that holds the name.
    date_later(file.as_file(), path)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    sync_folder(path)
}

/// Dates what replaces a file at least a second after it: web servers tell two versions of a file apart by length
/// and second, and a device that asks "has it changed?" must not be told no.
fn date_later(file: &File, replaced: &Path) -> std::io::Result<()> {
    let Ok(old) = replaced.metadata().and_then(|old| old.modified()) else { return Ok(()) };
    let later = old + Duration::from_secs(1);
    if file.metadata()?.modified()? < later { file.set_modified(later) } else { Ok(()) }
}

fn sync_folder(of: &Path) -> Result<()> {
    let folder = of.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.with_context(|| format!("cannot sync the folder {}", folder.display()))
}

fn stream(
    mut from: File,
    to: &mut dyn Write,
    bytes_max: u64,
    seen: &mut dyn FnMut(u64),
) -> Result<Fingerprint> {
    let mut hash = Sha256::new();
    let mut length = 0;
    let mut piece = vec![0; 64 * 1024];
    loop {
        let count = from.read(&mut piece)?;
        if count == 0 {
            return Ok(Fingerprint { length, sha256: hash.finalize().into() });
        }
        length += count as u64;
        if length > bytes_max {
            bail!("it is longer than the {bytes_max} bytes that it may have");
        }
        hash.update(&piece[..count]);
        to.write_all(&piece[..count])?;
        seen(count as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;
    use std::os::unix::fs::{FileTypeExt, symlink};

    #[test]
    fn neither_a_fifo_nor_a_link_to_a_device_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        mkfifo(&at("fifo"), Mode::S_IRWXU).unwrap();
        symlink("/dev/full", at("full")).unwrap();
        symlink("nowhere", at("hanging")).unwrap();
        for (name, says) in [("fifo", "a FIFO"), ("full", "a symbolic link"), ("hanging", "a symbolic link")]
        {
            let fault = format!("{:#}", replace(&at(name), b"bytes").unwrap_err());
            assert!(fault.contains(says) && fault.contains(name), "{fault}");
        }
        assert!(at("fifo").symlink_metadata().unwrap().file_type().is_fifo());
        assert_eq!(fs::read_link(at("full")).unwrap(), Path::new("/dev/full"));
        assert_eq!(list(folder.path()).unwrap().len(), 3, "nothing unfinished stays");
        replace(&at("file"), b"one").unwrap();
        replace(&at("file"), b"two").unwrap();
        assert_eq!(read_ordinary(&at("file"), 3).unwrap(), b"two");
    }

    #[test]
    fn a_fifo_is_no_input_and_nothing_waits_for_its_writer() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        mkfifo(&fifo, Mode::S_IRWXU).unwrap();
        for path in [fifo.as_path(), Path::new("/dev/zero"), folder.path()] {
            let fault = format!("{:#}", read_ordinary(path, 9).unwrap_err());
            assert!(fault.contains("is no ordinary file"), "{fault}");
        }
    }

    #[test]
    fn two_names_of_one_file_are_the_same_and_names_to_be_are_compared() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        replace(&at("one"), b"x").unwrap();
        fs::hard_link(at("one"), at("two")).unwrap();
        symlink("one", at("three")).unwrap();
        symlink(".", at("here")).unwrap();
        replace(&at("other"), b"x").unwrap();
        for (one, other, same) in [
            ("one", "two", true),
            ("one", "three", true),
            ("one", "other", false),
            ("new", "here/new", true),
            ("new", "./new", true),
            ("new/a", "new/b/../a", true),
            ("new", "newer", false),
            ("one", "new", false),
        ] {
            assert_eq!(are_the_same(&at(one), &at(other)), same, "{one} {other}");
        }
    }
}
