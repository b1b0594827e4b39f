//! The files that survive a power cut: the record's two copies, the kept files.

use komainu_core::device::StoredFile;
use komainu_core::fault::text;
use komainu_core::update::facts::RecordSeen;
use komainu_core::update::offer::StoredMetadata;
use komainu_core::update::record::Record;
use std::collections::BTreeMap;

/// The fate of an unsynced write at a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// All of it reached the medium.
    Kept,
    /// None of it did.
    Lost,
    /// Its first half did; of a file that is replaced, neither the old nor the new is whole.
    Torn,
    /// Every second write of those waiting reached the medium: they do not arrive in order.
    Mixed,
}

pub const ALL_AFTERS: [After; 4] = [After::Kept, After::Lost, After::Torn, After::Mixed];

/// Record and kept files.
#[derive(Default)]
pub struct Disk {
    records: [Option<String>; 2],
    files: BTreeMap<String, Vec<u8>>,
}

impl Disk {
    pub fn write_record(&mut self, record: &Record, after: After) {
        let copy = &mut self.records[(record.generation % 2) as usize];
        let text = record.write();
        match after {
            After::Kept => *copy = Some(text),
            After::Lost => {}
            After::Torn | After::Mixed => *copy = Some(text[..text.len() / 2].into()),
        }
    }

    pub fn newest_record(&self) -> Option<Record> {
        let good = self.records.iter().flatten().filter_map(|text| Record::read(text).ok());
        good.max_by_key(|record| record.generation)
    }

    pub fn record_seen(&self) -> RecordSeen {
        match self.newest_record() {
            Some(record) => RecordSeen::Found(record),
            None if self.records == [None, None] => RecordSeen::Absent,
            None => RecordSeen::Lost(text(format_args!("no good copy"))),
        }
    }

    /// Spoils both copies.
    pub fn lose_record(&mut self) {
        self.records = [Some("garbage".into()), Some(String::new())];
    }

    /// Spoils the newer copy.
    pub fn lose_newest_record(&mut self) {
        let newest = self.newest_record().unwrap();
        self.records[(newest.generation % 2) as usize] = Some("garbage".into());
    }

    pub fn write_file(&mut self, file: StoredFile<'_>, bytes: Option<&[u8]>, after: After) {
        let name = file_name(file);
        match (after, bytes) {
            (After::Lost, _) => {}
            (After::Kept, Some(bytes)) => drop(self.files.insert(name, bytes.to_vec())),
            (_, None) => drop(self.files.remove(&name)),
            // Stricter than a file system that replaces atomically: nothing whole is left of either.
            (_, Some(bytes)) => drop(self.files.insert(name, bytes[..bytes.len() / 2].to_vec())),
        }
    }

    pub fn advisories(&self) -> Option<Vec<u8>> {
        self.files.get(&file_name(StoredFile::Advisories)).cloned()
    }

    pub fn kept(&self, shipped_root: Vec<u8>) -> StoredMetadata {
        let file = |file| self.files.get(&file_name(file)).cloned();
        let mut kept = StoredMetadata {
            shipped_root,
            manifest: file(StoredFile::Manifest),
            ..StoredMetadata::default()
        };
        kept.metadata.root = file(StoredFile::Root).unwrap_or_default();
        kept.metadata.timestamp = file(StoredFile::Timestamp);
        kept.metadata.snapshot = file(StoredFile::Snapshot);
        kept.metadata.targets = file(StoredFile::Targets);
        let delegated =
            self.files.iter().filter_map(|(name, bytes)| Some((name.strip_prefix("role ")?, bytes)));
        kept.metadata.delegated = delegated.map(|(name, bytes)| (name.into(), bytes.clone())).collect();
        kept
    }
}

fn file_name(file: StoredFile<'_>) -> String {
    match file {
        StoredFile::Root => "root".into(),
        StoredFile::Timestamp => "timestamp".into(),
        StoredFile::Snapshot => "snapshot".into(),
        StoredFile::Targets => "targets".into(),
        StoredFile::Delegated(role) => format!("role {role}"),
        StoredFile::Manifest => "manifest".into(),
        StoredFile::Advisories => "advisories".into(),
    }
}
