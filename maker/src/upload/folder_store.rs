//! A folder of this machine as a destination, such as a mounted web space.

use super::store::{Item, Shown, Store, overtaken};
use crate::files;
use anyhow::{Result, bail};
use komainu_trust::limits::TIMESTAMP_BYTES_MAX;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

/// A folder, which no other komainu-maker writes to meanwhile.
pub(crate) struct FolderStore {
    folder: PathBuf,
    _lock: Option<Flock<File>>,
}

impl FolderStore {
    /// Creates the folder where there is none.
    pub fn open(folder: &Path) -> Result<FolderStore> {
        files::make_folder(folder)?;
        let lock = match Flock::lock(File::open(folder)?, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Some(lock),
            Err((_, Errno::EWOULDBLOCK)) => bail!(
                "another komainu-maker publishes to {}; run this again when it is done",
                folder.display()
            ),
            // Some network file systems cannot lock a folder; then the timestamp is compared once more, and that is all.
            Err(_) => None,
        };
        Ok(FolderStore { folder: folder.to_owned(), _lock: lock })
    }

    fn timestamp_file(&self) -> PathBuf {
        self.folder.join(super::send_order::TIMESTAMP)
    }
}

impl Store for FolderStore {
    fn place(&self) -> String {
        self.folder.display().to_string()
    }

    fn lengths(&mut self, items: &[Item]) -> Result<BTreeMap<String, u64>> {
        let length = |item: &Item| {
            let about = self.folder.join(&item.path).metadata().ok()?;
            about.is_file().then(|| (item.path.clone(), about.len()))
        };
        Ok(items.iter().filter_map(length).collect())
    }

    fn read(&mut self, items: &[&Item]) -> Result<BTreeMap<String, Vec<u8>>> {
        let read = |item: &&Item| {
            Ok((item.path.clone(), files::beginning(&self.folder.join(&item.path), item.length + 1)?))
        };
        items.iter().map(read).collect()
    }

    fn timestamp(&mut self) -> Result<Option<Shown>> {
        let path = self.timestamp_file();
        if !path.is_file() {
            return Ok(None);
        }
        Ok(Some(Shown { bytes: files::beginning(&path, TIMESTAMP_BYTES_MAX + 1)?, tag: None }))
    }

    fn send(&mut self, items: &[Item], sent: &mut dyn FnMut(u64)) -> Result<()> {
        for item in items {
            let to = self.folder.join(&item.path);
            let folder = to.parent().unwrap_or(Path::new("."));
            let name = to.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files::copy_into(folder, &item.from, u64::MAX, sent, |_| name)?;
        }
        Ok(())
    }

    fn replace_timestamp(&mut self, bytes: &[u8], _from: &Path, seen: Option<&Shown>) -> Result<()> {
        if self.timestamp()?.as_ref() != seen {
            return Err(overtaken(&self.place()));
        }
        files::replace(&self.timestamp_file(), bytes)
    }

    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }
}
