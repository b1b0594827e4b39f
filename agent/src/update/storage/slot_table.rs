//! The parts of both slots, by the names of the settings. All parts of a slot are opened together, and before the first of them
//! is changed: one that is in use keeps the others as they are.

use super::identity::{identities_of, refuse_one_place};
use super::locate::{Kind, kind, locate, measure, open};
use super::slot_storage::SlotStorage;
use crate::config::settings::PartPaths;
use crate::update::kept_places::KeptPlaces;
use komainu_core::device::Slots;
use komainu_core::fault::{Text, text};
use komainu_core::identifiers::Slot;
use komainu_core::update::facts::{Part, Parts};
use komainu_core::update::part_identity::contradiction;
use std::io;
use std::path::PathBuf;

/// Every part of both slots.
pub struct SlotTable {
    parts: Vec<PartPaths>,
    kept: KeptPlaces,
    /// The parts of one slot, opened.
    open: Option<(Slot, Vec<Box<dyn SlotStorage>>)>,
    /// The sizes of flash, which cost a question for every block: by the index of the part, for slot a and slot b.
    measured: Vec<[Option<(u64, u64)>; 2]>,
}

fn index(slot: Slot) -> usize {
    usize::from(slot == Slot::B)
}

impl SlotTable {
    /// The slots of the settings; nothing is opened yet.
    pub fn new(parts: Vec<PartPaths>, kept: KeptPlaces) -> SlotTable {
        let measured = vec![[None; 2]; parts.len()];
        SlotTable { parts, kept, open: None, measured }
    }

    /// Closes the open parts.
    pub fn close(&mut self) {
        self.open = None;
        self.measured.fill([None; 2]);
    }

    /// The device behind a part.
    ///
    /// # Errors
    /// There is no such part, or its name fits no device or more than one.
    #[cfg(feature = "delta")]
    pub fn device_path(&self, slot: Slot, part: usize) -> io::Result<PathBuf> {
        locate(&self.path(slot, part))
    }

    fn path(&self, slot: Slot, part: usize) -> PathBuf {
        self.parts.get(part).map(|part| part.paths[index(slot)].clone()).unwrap_or_default()
    }

    fn open_all(&self, slot: Slot) -> Result<Vec<Box<dyn SlotStorage>>, Text> {
        // Names may lead elsewhere since the parts were measured.
        let mut parts = identities_of(&self.parts)?;
        contradiction(&parts).map_or(Ok(()), Err)?;
        parts.retain(|part| part.1 == slot);
        self.kept.refuse(&parts)?;
        let mut opened = Vec::new();
        for part in &self.parts {
            let name = &part.paths[index(slot)];
            let storage = locate(name).and_then(|path| open(&path));
            opened.push(
                storage.map_err(|error| text(format_args!("cannot open {}: {error}", name.display())))?,
            );
        }
        Ok(opened)
    }

    /// Does something with an opened part; an error names the part as the settings do, and the offset.
    fn with<T>(
        &mut self,
        slot: Slot,
        part: usize,
        verb: &str,
        offset: Option<u64>,
        act: impl FnOnce(&mut dyn SlotStorage) -> io::Result<T>,
    ) -> Result<T, Text> {
        if self.open.as_ref().is_none_or(|open| open.0 != slot) {
            // The other slot goes first: two slots may be in one UBI device, and memory is short.
            self.close();
            self.open = Some((slot, self.open_all(slot)?));
        }
        let storage = self.open.as_mut().and_then(|open| open.1.get_mut(part));
        let storage = storage.ok_or_else(|| text(format_args!("there is no part {part}")))?;
        act(storage.as_mut()).map_err(|error| {
            let path = self.path(slot, part);
            match offset {
                Some(offset) => text(format_args!("cannot {verb} {} at {offset}: {error}", path.display())),
                None => text(format_args!("cannot {verb} {}: {error}", path.display())),
            }
        })
    }

    /// The size of a part, and the bytes of it that are committed last. A block device is asked each time, as it may
    /// have gone.
    fn measure(&mut self, part: usize, slot: Slot) -> io::Result<(u64, u64)> {
        let path = locate(&self.parts[part].paths[index(slot)])?;
        if kind(&path)? == Kind::Block {
            return measure(&path);
        }
        let measured = &mut self.measured[part][index(slot)];
        match measured {
            Some(known) => Ok(*known),
            None => Ok(*measured.insert(measure(&path)?)),
        }
    }
}

impl Slots for SlotTable {
    fn parts(&mut self) -> Result<Parts, Text> {
        refuse_one_place(&self.parts)?;
        let mut parts = Parts::new();
        for part in 0..self.parts.len() {
            let mut measured = |slot| {
                self.measure(part, slot).map_err(|error| {
                    text(format_args!(
                        "cannot open {}: {error}",
                        self.parts[part].paths[index(slot)].display()
                    ))
                })
            };
            let ((bytes_a, last_a), (bytes_b, last_b)) = (measured(Slot::A)?, measured(Slot::B)?);
            let name = self.parts[part].name.clone();
            // The larger number is right for both: a medium that goes on before it gets those bytes twice.
            let part = Part { name, bytes_a, bytes_b, committed_last_bytes: last_a.max(last_b) };
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
        let counts = self.with(slot, part, "write", Some(0), |storage| {
            storage.commit(beginning)?;
            Ok(storage.counts())
        })?;
        log::info!(
            "slot-written slot={slot} part={} written_bytes={} equal_bytes={} corrected_bits={} new_bad_blocks={}",
            self.parts[part].name,
            counts.written_bytes,
            counts.equal_bytes,
            counts.corrected_bits,
            counts.new_bad_blocks
        );
        Ok(())
    }
}
