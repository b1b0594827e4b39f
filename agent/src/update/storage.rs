//! The slots: block devices or plain files, opened when they are first needed and kept open.

use crate::config::settings::PartPaths;
use komainu_core::fault::{Text, text};
use komainu_core::identifiers::Slot;
use komainu_core::update::facts::{Part, Parts};
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use std::fs::{File, OpenOptions};
use std::io;
use std::io::{Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Every part of both slots.
pub struct Slots {
    parts: Vec<PartPaths>,
    /// The part that is written or read now; the memory of one open file is enough.
    open: Option<(Slot, usize, File)>,
}

fn index(slot: Slot) -> usize {
    usize::from(slot == Slot::B)
}

impl Slots {
    /// The slots of the settings; nothing is opened yet.
    pub fn new(parts: Vec<PartPaths>) -> Slots {
        Slots { parts, open: None }
    }

    /// Names and sizes.
    ///
    /// # Errors
    /// Which part cannot be opened, and why.
    pub fn sizes(&self) -> Result<Parts, Text> {
        let mut sizes = Parts::new();
        for part in &self.parts {
            let bytes = |slot| {
                let path: &Path = &part.paths[index(slot)];
                size(path).map_err(|error| text(format_args!("cannot open {}: {error}", path.display())))
            };
            let part = Part { name: part.name.clone(), bytes_a: bytes(Slot::A)?, bytes_b: bytes(Slot::B)? };
            sizes.push(part).expect("settings refuse more than PARTS_MAX parts");
        }
        Ok(sizes)
    }

    /// Writes into a part.
    ///
    /// # Errors
    /// Path, offset and cause.
    pub fn write(&mut self, slot: Slot, part: usize, offset: u64, bytes: &[u8]) -> Result<(), Text> {
        let path = self.path(slot, part);
        let file = self.file(slot, part)?;
        file.write_all_at(bytes, offset)
            .map_err(|error| text(format_args!("cannot write {} at {offset}: {error}", path.display())))
    }

    /// Makes what was written durable, and drops it from memory: what is read next comes from the medium.
    ///
    /// # Errors
    /// Path and cause.
    pub fn sync(&mut self, slot: Slot, part: usize) -> Result<(), Text> {
        let path = self.path(slot, part);
        let file = self.file(slot, part)?;
        file.sync_data().map_err(|error| text(format_args!("cannot sync {}: {error}", path.display())))?;
        // Best effort: a file system in memory has nothing to drop.
        let _ = posix_fadvise(&*file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
        Ok(())
    }

    /// Reads from a part, filling `buffer`.
    ///
    /// # Errors
    /// Path, offset and cause.
    pub fn read(&mut self, slot: Slot, part: usize, offset: u64, buffer: &mut [u8]) -> Result<(), Text> {
        let path = self.path(slot, part);
        let file = self.file(slot, part)?;
        file.read_exact_at(buffer, offset)
            .map_err(|error| text(format_args!("cannot read {} at {offset}: {error}", path.display())))
    }

    /// Closes what is open.
    pub fn close(&mut self) {
        self.open = None;
    }

    fn path(&self, slot: Slot, part: usize) -> PathBuf {
        self.parts.get(part).map(|part| part.paths[index(slot)].clone()).unwrap_or_default()
    }

    fn file(&mut self, slot: Slot, part: usize) -> Result<&mut File, Text> {
        let path = self.path(slot, part);
        let open = match self.open.take().filter(|open| open.0 == slot && open.1 == part) {
            Some(open) => open,
            None => {
                let file = open_exclusively(&path)
                    .map_err(|error| text(format_args!("cannot open {}: {error}", path.display())))?;
                (slot, part, file)
            }
        };
        Ok(&mut self.open.insert(open).2)
    }
}

/// Opens for reading and writing. A block device is opened exclusively: one that is mounted is refused by the
/// kernel, whatever the settings say about which slot runs.
fn open_exclusively(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    if path.metadata()?.file_type().is_block_device() {
        options.custom_flags(nix::libc::O_EXCL);
    }
    options.open(path)
}

fn size(path: &Path) -> io::Result<u64> {
    let kind = path.metadata()?.file_type();
    if !kind.is_file() && !kind.is_block_device() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a block device nor a file"));
    }
    // The end of a block device is where its size is.
    File::open(path)?.seek(SeekFrom::End(0))
}
