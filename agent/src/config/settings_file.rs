//! Reads a file that a maker writes: the settings, a policy, the profile of a boot loader. It must be an ordinary file with
//! something in it; a device or a FIFO in its place is refused at once, because reading it may never end.

use super::toml::reader::FILE_BYTES_MAX;
use nix::fcntl::OFlag;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

/// The tree in which the paths of the settings lie: this machine's, or a folder that holds a device's files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tree<'a>(pub Option<&'a Path>);

impl Tree<'_> {
    /// Where a path of the settings lies on this machine.
    pub fn place(self, path: &Path) -> PathBuf {
        let Some(folder) = self.0 else { return path.to_owned() };
        let mut inside = PathBuf::new();
        for part in path.components() {
            match part {
                Component::Normal(name) => inside.push(name),
                // As on the device, nothing is above the root.
                Component::ParentDir => drop(inside.pop()),
                _ => {}
            }
        }
        folder.join(inside)
    }

    /// Reads a file; of one that is larger than [`FILE_BYTES_MAX`] so much that its reader sees it.
    ///
    /// # Errors
    /// The reason for which it cannot be used, without its name.
    pub fn read(self, path: &Path) -> Result<String, Unread> {
        read(&self.place(path))
    }
}

/// Why a file could not be used.
#[derive(Debug)]
pub enum Unread {
    /// Those of the file system.
    Failed(io::Error),
    /// The thing that stands in the place of a file.
    NoFile(&'static str),
    /// No byte of it says anything.
    Empty,
    /// It is no UTF-8: here with marks in the places of what cannot be read.
    NotText(String),
}

impl Unread {
    /// There is no such file.
    pub fn is_missing(&self) -> bool {
        matches!(self, Unread::Failed(error) if error.kind() == ErrorKind::NotFound)
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unread::Failed(error) => write!(out, "cannot read: {error}: put the file back"),
            Unread::NoFile(what) => write!(out, "is {what}: put an ordinary file in its place"),
            Unread::Empty => out.write_str("there is nothing in it: put the file back"),
            Unread::NotText(_) => out.write_str("must be UTF-8: save it anew"),
        }
    }
}

fn read(path: &Path) -> Result<String, Unread> {
    let file = open(path).map_err(Unread::Failed)?;
    let kind = file.metadata().map_err(Unread::Failed)?.file_type();
    if !kind.is_file() {
        return Err(Unread::NoFile(match () {
            () if kind.is_dir() => "a folder",
            () if kind.is_fifo() => "a FIFO",
            () => "a device",
        }));
    }
    let mut bytes = Vec::new();
    // One byte more: the reader of the text tells the largest size.
    file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(Unread::Failed)?;
    let is_cut = bytes.len() > FILE_BYTES_MAX;
    match String::from_utf8(bytes) {
        Ok(text) if text.trim().is_empty() => Err(Unread::Empty),
        Ok(text) => Ok(text),
        Err(error) => {
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            // The last letter of one that goes on may be cut in two.
            if is_cut { Ok(text) } else { Err(Unread::NotText(text)) }
        }
    }
}

/// Opens a file for reading, and waits for nobody at the other end of a FIFO.
///
/// # Errors
/// Those of the file system.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::stat::Mode;
    use std::io::Write;

    fn refused(path: &Path) -> String {
        Tree::default().read(path).unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_file_or_has_nothing_in_it_is_refused_at_once() {
        let folder = std::env::temp_dir().join(format!("komainu-settings-file-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let of = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            File::create(&path).unwrap().write_all(bytes).unwrap();
            path
        };
        nix::unistd::mkfifo(&folder.join("fifo"), Mode::S_IRUSR).unwrap();
        for (path, says) in [
            (PathBuf::from("/dev/zero"), "is a device"),
            (PathBuf::from("/dev/null"), "is a device"),
            (folder.join("fifo"), "is a FIFO"),
            (folder.clone(), "is a folder"),
            (folder.join("none"), "No such file"),
            (of("empty", b""), "there is nothing in it"),
            (of("blank", b" \n\t\n"), "there is nothing in it"),
            (of("latin", b"name = \"caf\xe9\"\n"), "must be UTF-8"),
        ] {
            let said = refused(&path);
            assert!(said.contains(says), "{}: {said}", path.display());
        }
        assert!(Tree(Some(&folder)).read(Path::new("/latin2")).unwrap_err().is_missing());
        of("good", b"a = 1\n");
        assert_eq!(Tree(Some(&folder)).read(Path::new("/../x/../good")).unwrap(), "a = 1\n");
        // Of a large one so much is read that it is seen to be too large; its last letter is cut in two.
        let large = of("large", &"é".repeat(FILE_BYTES_MAX).into_bytes());
        assert!(Tree::default().read(&large).unwrap().len() > FILE_BYTES_MAX);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
