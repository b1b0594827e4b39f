//! The parts of both slots, by the paths of the settings: opened when they are first needed, one at a time.

use super::block::{Block, HEADER_BYTES, size};
use super::slot_storage::SlotStorage;
use crate::config::settings::PartPaths;
use komainu_core::device::Slots;
use komainu_core::fault::{Text, text};
use komainu_core::identifiers::Slot;
use komainu_core::update::facts::{Part, Parts};
use std::io;
use std::path::{Path, PathBuf};

/// Every part of both slots.
pub struct SlotTable {
    parts: Vec<PartPaths>,
    /// The part that is written or read now; one open part at a time needs the least RAM.
    open: Option<(Slot, usize, Box<dyn SlotStorage>)>,
}

fn index(slot: Slot) -> usize {
    usize::from(slot == Slot::B)
}

impl SlotTable {
    /// The slots of the settings; nothing is opened yet.
    pub fn new(parts: Vec<PartPaths>) -> SlotTable {
        SlotTable { parts, open: None }
    }

    /// Closes the open part.
    pub fn close(&mut self) {
        self.open = None;
    }

    fn path(&self, slot: Slot, part: usize) -> PathBuf {
        self.parts.get(part).map(|part| part.paths[index(slot)].clone()).unwrap_or_default()
    }

    /// Does something with an opened part; an error names the path and the offset.
    fn with<T>(
        &mut self,
        slot: Slot,
        part: usize,
        verb: &str,
        offset: Option<u64>,
        act: impl FnOnce(&mut dyn SlotStorage) -> io::Result<T>,
    ) -> Result<T, Text> {
        let path = self.path(slot, part);
        let open = match self.open.take().filter(|open| open.0 == slot && open.1 == part) {
            Some(open) => open,
            None => {
                let block = Block::open(&path)
                    .map_err(|error| text(format_args!("cannot open {}: {error}", path.display())))?;
                (slot, part, Box::new(block) as Box<dyn SlotStorage>)
            }
        };
        let storage = &mut self.open.insert(open).2;
        act(storage.as_mut()).map_err(|error| match offset {
            Some(offset) => text(format_args!("cannot {verb} {} at {offset}: {error}", path.display())),
            None => text(format_args!("cannot {verb} {}: {error}", path.display())),
        })
    }
}

impl Slots for SlotTable {
    fn parts(&mut self) -> Result<Parts, Text> {
        let mut parts = Parts::new();
        for part in &self.parts {
            let bytes = |slot| {
                let path: &Path = &part.paths[index(slot)];
                size(path).map_err(|error| text(format_args!("cannot open {}: {error}", path.display())))
            };
            let (bytes_a, bytes_b) = (bytes(Slot::A)?, bytes(Slot::B)?);
            let part = Part { name: part.name.clone(), bytes_a, bytes_b, committed_last_bytes: HEADER_BYTES };
            parts.push(part).expect("settings refuse more than PARTS_MAX parts");
        }
        Ok(parts)
    }

    fn invalidate(&mut self, slot: Slot, part: usize) -> Result<(), Text> {
        self.with(slot, part, "write", Some(0), |storage| storage.invalidate())
    }

    fn begin(&mut self, slot: Slot, part: usize, image_bytes: u64, durable: u64) -> Result<u64, Text> {
        self.with(slot, part, "write", Some(durable), |storage| storage.begin(image_bytes, durable))
    }

    fn write(&mut self, slot: Slot, part: usize, offset: u64, bytes: &[u8]) -> Result<(), Text> {
        self.with(slot, part, "write", Some(offset), |storage| storage.write(offset, bytes))
    }

    fn sync(&mut self, slot: Slot, part: usize) -> Result<u64, Text> {
        self.with(slot, part, "sync", None, |storage| storage.sync())
    }

    fn read_back(&mut self, slot: Slot, part: usize, offset: u64, buffer: &mut [u8]) -> Result<(), Text> {
        self.with(slot, part, "read", Some(offset), |storage| storage.read_back(offset, buffer))
    }

    fn commit(&mut self, slot: Slot, part: usize, beginning: &[u8]) -> Result<(), Text> {
        self.with(slot, part, "write", Some(0), |storage| storage.commit(beginning))
    }
}
