//! The media that survive a power cut: the flash of the two slots, the record's two copies, the kept files.

use super::{KERNEL_BYTES, ROOTFS_BYTES};
use crate::repository::{Draft, image};
use komainu_core::device::StoredFile;
use komainu_core::fault::text;
use komainu_core::identifiers::Slot;
use komainu_core::update::facts::RecordSeen;
use komainu_core::update::offer::StoredMetadata;
use komainu_core::update::record::Record;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Bytes that the simulated medium takes only with the commit.
pub const HEADER_BYTES: u64 = 4096;

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

/// Most bytes of an image, so that there is room behind it.
pub const IMAGE_BYTES: [usize; 2] = [KERNEL_BYTES - 100, ROOTFS_BYTES - 30_000];

/// A release that fits the simulated slots.
pub fn draft(number: u64) -> Draft {
    Draft::new(number, IMAGE_BYTES[0], IMAGE_BYTES[1])
}

/// The images of releases 1 to 12, to recognise the content of a slot quickly.
static KNOWN: LazyLock<Vec<[Vec<u8>; 2]>> = LazyLock::new(|| {
    let images = |number| [image(number, 1, IMAGE_BYTES[0]), image(number, 2, IMAGE_BYTES[1])];
    (1..=12).map(images).collect()
});

type Pending = (usize, Vec<u8>);

/// Two slots of two parts each, and the writes that are not synced yet.
pub struct Flash {
    durable: [[Vec<u8>; 2]; 2],
    pending: [[Vec<Pending>; 2]; 2],
}

fn index(slot: Slot) -> usize {
    usize::from(slot == Slot::B)
}

impl Flash {
    pub fn with_release_in_both(number: u64) -> Flash {
        let part = |which: usize, size: usize| {
            let mut bytes = image(number, which as u64 + 1, IMAGE_BYTES[which]);
            bytes.resize(size, 0);
            bytes
        };
        let slot = || [part(0, KERNEL_BYTES), part(1, ROOTFS_BYTES)];
        Flash { durable: [slot(), slot()], pending: Default::default() }
    }

    pub fn write(&mut self, slot: Slot, part: usize, offset: u64, bytes: &[u8]) {
        let end = offset as usize + bytes.len();
        assert!(end <= self.durable[index(slot)][part].len(), "written beyond the end of the part");
        self.pending[index(slot)][part].push((offset as usize, bytes.to_vec()));
    }

    pub fn sync(&mut self, slot: Slot, part: usize) {
        for (offset, bytes) in self.pending[index(slot)][part].drain(..) {
            self.durable[index(slot)][part][offset..offset + bytes.len()].copy_from_slice(&bytes);
        }
    }

    pub fn sync_all(&mut self) {
        for slot in [Slot::A, Slot::B] {
            self.sync(slot, 0);
            self.sync(slot, 1);
        }
    }

    pub fn is_synced(&self, slot: Slot) -> bool {
        self.pending[index(slot)].iter().all(Vec::is_empty)
    }

    pub fn read(&self, slot: Slot, part: usize, offset: u64, buffer: &mut [u8]) {
        let from = offset as usize;
        buffer.copy_from_slice(&self.durable[index(slot)][part][from..from + buffer.len()]);
    }

    /// Flips a bit on the medium.
    pub fn rot(&mut self, slot: Slot, part: usize, offset: usize) {
        self.durable[index(slot)][part][offset] ^= 1;
    }

    pub fn lose_power(&mut self, after: After) {
        for slot in 0..2 {
            for part in 0..2 {
                for (count, (offset, bytes)) in self.pending[slot][part].drain(..).enumerate() {
                    let reached = match after {
                        After::Kept => bytes.len(),
                        After::Lost => 0,
                        After::Torn => bytes.len() / 2,
                        After::Mixed => bytes.len() * ((count + 1) % 2),
                    };
                    self.durable[slot][part][offset..offset + reached].copy_from_slice(&bytes[..reached]);
                }
            }
        }
    }

    /// The release that is whole in a slot, if one is.
    pub fn release_in(&self, slot: Slot) -> Option<u64> {
        let parts = &self.durable[index(slot)];
        let whole =
            |images: &[Vec<u8>; 2]| parts[0].starts_with(&images[0]) && parts[1].starts_with(&images[1]);
        KNOWN.iter().position(whole).map(|index| index as u64 + 1)
    }

    /// True if every part of a slot has a header: a careless boot loader would start it.
    pub fn looks_bootable(&self, slot: Slot) -> bool {
        self.durable[index(slot)]
            .iter()
            .all(|part| part[..HEADER_BYTES as usize].iter().all(|&byte| byte != 0))
    }
}

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
