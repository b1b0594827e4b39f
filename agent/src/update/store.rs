//! The durable state that survives restarts and updates: the record in two copies, and metadata exactly as it was
//! received.

use crate::os::files;
use crate::os::foreign_file::{Stamp, stamp};
use crate::os::safe_names::{escape, unescape};
use komainu_core::advisory::ADVISORIES_BYTES_MAX;
use komainu_core::device::StoredFile;
use komainu_core::fault::{Text, text};
use komainu_core::update::facts::RecordSeen;
use komainu_core::update::manifest::MANIFEST_BYTES_MAX;
use komainu_core::update::offer::StoredMetadata;
use komainu_core::update::record::{RECORD_BYTES_MAX, Record};
use komainu_trust::limits::{
    DELEGATED_BYTES_MAX, DELEGATIONS_MAX, PROVEN_TIMES, ROOT_BYTES_MAX, SNAPSHOT_BYTES_MAX,
    TARGETS_BYTES_MAX, TIMESTAMP_BYTES_MAX,
};
use std::fs::metadata;
use std::io;
use std::ops::ControlFlow::{Break, Continue};
use std::path::{Path, PathBuf};

/// The record and the metadata, in one folder.
pub struct MetadataStore {
    folder: PathBuf,
    shipped_root: PathBuf,
}

impl MetadataStore {
    /// The state in a folder; nothing is touched yet.
    pub fn new(folder: &Path, shipped_root: &Path) -> MetadataStore {
        MetadataStore { folder: folder.into(), shipped_root: shipped_root.into() }
    }

    /// Makes the folder where it is not there yet.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn make(&self) -> io::Result<()> {
        std::fs::create_dir_all(self.delegated_folder())
    }

    /// The newer good copy of the record.
    pub fn record(&self) -> RecordSeen {
        let mut newest: Option<Record> = None;
        let mut fault: Option<Text> = None;
        for copy in 0..2 {
            match self.record_copy(copy) {
                Ok(Some(record)) if newest.as_ref().is_none_or(|n| record.generation > n.generation) => {
                    newest = Some(record);
                }
                Ok(_) => {}
                Err(why) => fault = Some(why),
            }
        }
        match (newest, fault) {
            (Some(record), None) => RecordSeen::Found(record),
            (Some(record), Some(why)) => {
                log::warn!("record-copy-bad why=\"{why}\"");
                RecordSeen::Found(record)
            }
            (None, Some(why)) => RecordSeen::Lost(why),
            (None, None) => RecordSeen::Absent,
        }
    }

    fn record_copy(&self, copy: u64) -> Result<Option<Record>, Text> {
        let path = self.record_path(copy);
        let wrong = |why: &dyn std::fmt::Display| text(format_args!("{}: {why}", path.display()));
        let Some(bytes) = files::read(&path, RECORD_BYTES_MAX as u64).map_err(|error| wrong(&error))? else {
            return Ok(None);
        };
        let lines = String::from_utf8(bytes).map_err(|error| wrong(&error))?;
        Record::read(&lines).map(Some).map_err(|why| wrong(&why))
    }

    /// Replaces the older copy.
    ///
    /// # Errors
    /// Path and cause.
    pub fn keep_record(&self, record: &Record) -> Result<(), Text> {
        replace(&self.record_path(record.generation % 2), record.write().as_bytes())
    }

    fn record_path(&self, copy: u64) -> PathBuf {
        self.folder.join(format!("record.{copy}"))
    }

    /// Metadata, manifest and the shipped root. An unreadable file counts as missing: it is fetched again.
    pub fn kept(&self) -> StoredMetadata {
        let file = |file: StoredFile<'_>| self.file(file);
        let mut kept = StoredMetadata { manifest: file(StoredFile::Manifest), ..StoredMetadata::default() };
        match files::read(&self.shipped_root, ROOT_BYTES_MAX) {
            Ok(bytes) => kept.shipped_root = bytes.unwrap_or_default(),
            Err(error) => {
                log::error!("shipped-root-bad path={} why=\"{error}\"", self.shipped_root.display())
            }
        }
        kept.metadata.root = file(StoredFile::Root).unwrap_or_default();
        kept.metadata.timestamp = file(StoredFile::Timestamp);
        kept.metadata.snapshot = file(StoredFile::Snapshot);
        kept.metadata.targets = file(StoredFile::Targets);
        let mut room = DELEGATED_BYTES_MAX;
        for role in self.delegated_roles() {
            let Some(bytes) = file(StoredFile::Delegated(&role)) else { continue };
            // More than this was never accepted together; a later fetch brings the rest where it is needed.
            let Some(left) = room.checked_sub(bytes.len() as u64) else { break };
            room = left;
            kept.metadata.delegated.push((role, bytes));
        }
        kept
    }

    /// The stamps of everything that [`MetadataStore::kept`] reads, in its order; `None` where there is no such file. They
    /// change when it does.
    pub fn stamps(&self) -> Vec<Option<Stamp>> {
        let files = [
            StoredFile::Manifest,
            StoredFile::Root,
            StoredFile::Timestamp,
            StoredFile::Snapshot,
            StoredFile::Targets,
        ];
        let mut paths: Vec<PathBuf> = files.into_iter().map(|file| self.path(file)).collect();
        paths.extend([self.shipped_root.clone(), self.delegated_folder()]);
        paths.extend(self.delegated_roles().iter().map(|role| self.path(StoredFile::Delegated(role))));
        paths.iter().map(|path| metadata(path).ok().map(|seen| stamp(&seen))).collect()
    }

    /// The advisories last fetched.
    pub fn advisories(&self) -> Option<Vec<u8>> {
        self.file(StoredFile::Advisories)
    }

    fn file(&self, file: StoredFile<'_>) -> Option<Vec<u8>> {
        let path = self.path(file);
        files::read(&path, bytes_max(file)).unwrap_or_else(|error| {
            log::warn!("stored-file-bad path={} why=\"{error}\"", path.display());
            None
        })
    }

    fn delegated_folder(&self) -> PathBuf {
        self.folder.join("metadata/delegated")
    }

    /// The names of the delegated roles that are kept. A file with a name of another form is not read.
    fn delegated_roles(&self) -> Vec<String> {
        let mut names = Vec::new();
        files::each_entry(&self.delegated_folder(), &mut |entry| {
            let file = entry.file_name();
            names.extend(file.to_str().and_then(|file| unescape(file.strip_suffix(".json")?)));
            if names.len() < 2 * DELEGATIONS_MAX { Continue(()) } else { Break(()) }
        });
        names
    }

    /// Replaces or removes a kept file.
    ///
    /// # Errors
    /// Path and cause.
    pub fn keep(&self, file: StoredFile<'_>, bytes: Option<&[u8]>) -> Result<(), Text> {
        let path = self.path(file);
        match bytes {
            Some(bytes) => replace(&path, bytes),
            None => files::remove(&path)
                .map_err(|error| text(format_args!("cannot remove {}: {error}", path.display()))),
        }
    }

    fn path(&self, file: StoredFile<'_>) -> PathBuf {
        self.folder.join(match file {
            StoredFile::Delegated(role) => {
                return self.delegated_folder().join(format!("{}.json", escape(role)));
            }
            StoredFile::Root => "metadata/root.json",
            StoredFile::Timestamp => "metadata/timestamp.json",
            StoredFile::Snapshot => "metadata/snapshot.json",
            StoredFile::Targets => "metadata/targets.json",
            StoredFile::Manifest => "manifest.json",
            StoredFile::Advisories => "advisories.json",
        })
    }
}

fn bytes_max(file: StoredFile<'_>) -> u64 {
    match file {
        StoredFile::Root => ROOT_BYTES_MAX,
        StoredFile::Timestamp => TIMESTAMP_BYTES_MAX,
        StoredFile::Snapshot => PROVEN_TIMES * SNAPSHOT_BYTES_MAX,
        StoredFile::Targets | StoredFile::Delegated(_) => PROVEN_TIMES * TARGETS_BYTES_MAX,
        StoredFile::Manifest => MANIFEST_BYTES_MAX,
        StoredFile::Advisories => ADVISORIES_BYTES_MAX,
    }
}

fn replace(path: &Path, bytes: &[u8]) -> Result<(), Text> {
    files::replace(path, bytes)
        .map_err(|error| text(format_args!("cannot write {}: {error}", path.display())))
}
