//! Qualcomm's BOOTCONFIG record: for each part that there is twice the set that is started, in a record with a mirror. Its
//! layout is that of `sbl_if_dualboot_info_type_v2` in the vendor's boot loader: little-endian words, 336 bytes.
//!
//! The mirror is written first. A power cut leaves one of both whole, and both say one choice or the other.

use super::choice_medium::ChoiceMedium;
use super::part::Part;
use super::uboot::variables::Variables;
use crate::config::boot_rules::Change;
use komainu_core::fault::{Text, text};

const RECORD_BYTES: usize = 336;
/// The first byte of the magic word, in service and on trial.
const MAGIC: [u8; 4] = [0xa0, 0xa1, 0xa2, 0xa3];
const MAGIC_TRIAL: [u8; 4] = [0xa1, 0xa1, 0xa2, 0xa3];
const MAGIC_END: [u8; 4] = [0xb0, 0xb1, 0xb2, 0xb3];
const COUNT_AT: usize = 8;
const ENTRIES_AT: usize = 12;
const ENTRY_BYTES: usize = 20;
const NAME_BYTES: usize = 16;
const END_AT: usize = RECORD_BYTES - 4;

/// The value that says whether the record is on trial.
const TRIAL: &str = "try";
/// The value that is 1 where the mirror is not like the record.
const DIFFERS: &str = "mirror_differs";

/// The record and its mirror.
pub(super) struct Bootconfig<'d> {
    pub record: Part<'d>,
    pub mirror: Part<'d>,
}

/// A whole record.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Record([u8; RECORD_BYTES]);

impl Record {
    fn read(part: &Part<'_>) -> Result<Record, Text> {
        let mut bytes = [0; RECORD_BYTES];
        part.read(0, &mut bytes)?;
        let begins = bytes.starts_with(&MAGIC) || bytes.starts_with(&MAGIC_TRIAL);
        let record = Record(bytes);
        match begins && bytes.ends_with(&MAGIC_END) && record.count() <= (END_AT - ENTRIES_AT) / ENTRY_BYTES {
            true => Ok(record),
            false => Err(part.cannot("read", 0, &"it holds no BOOTCONFIG record")),
        }
    }

    fn word(&self, at: usize) -> u32 {
        u32::from_le_bytes(std::array::from_fn(|index| self.0[at + index]))
    }

    fn count(&self) -> usize {
        self.word(COUNT_AT) as usize
    }

    /// Each entry's place and name.
    fn entries(&self) -> impl Iterator<Item = (usize, &str)> {
        let places = (0..self.count()).map(|index| ENTRIES_AT + index * ENTRY_BYTES);
        places.map(|at| {
            let name = self.0[at..at + NAME_BYTES].split(|byte| *byte == 0).next().unwrap_or_default();
            (at, std::str::from_utf8(name).unwrap_or_default())
        })
    }

    /// The record with these values.
    fn with(&self, changes: &[Change]) -> Result<Record, Text> {
        let mut record = self.clone();
        for (name, value) in changes {
            match name.as_str() {
                DIFFERS => {}
                TRIAL => {
                    record.0[..MAGIC.len()].copy_from_slice(if value == "1" { &MAGIC_TRIAL } else { &MAGIC })
                }
                _ => {
                    let at = self.entries().find(|(_, entry)| entry == name).map(|(at, _)| at + NAME_BYTES);
                    let (Some(at), Ok(value)) = (at, value.parse::<u32>()) else {
                        return Err(text(format_args!("the BOOTCONFIG record has no entry {name}")));
                    };
                    record.0[at..at + 4].copy_from_slice(&value.to_le_bytes());
                }
            }
        }
        Ok(record)
    }
}

impl Bootconfig<'_> {
    /// The record that the boot loader takes, and whether the mirror is like it.
    fn current(&self) -> Result<(Record, bool), Text> {
        match (Record::read(&self.record), Record::read(&self.mirror)) {
            (Ok(record), mirror) => {
                let same = mirror.is_ok_and(|mirror| mirror == record);
                Ok((record, same))
            }
            (Err(why), Ok(mirror)) => {
                log::warn!("bootconfig-record-bad why=\"{why}\"");
                Ok((mirror, false))
            }
            (Err(why), Err(_)) => Err(why),
        }
    }
}

impl ChoiceMedium for Bootconfig<'_> {
    fn read(&mut self) -> Result<Variables, Text> {
        let (record, same) = self.current()?;
        let mut values = Variables::default();
        for (at, name) in record.entries() {
            values.put(name, &record.word(at + NAME_BYTES).to_string());
        }
        values.put(TRIAL, if record.0.starts_with(&MAGIC_TRIAL) { "1" } else { "0" });
        values.put(DIFFERS, if same { "0" } else { "1" });
        Ok(values)
    }

    fn write(&mut self, changes: &[Change], _: bool) -> Result<(), Text> {
        let record = self.current()?.0.with(changes)?;
        for part in [&self.mirror, &self.record] {
            if Record::read(part).ok().as_ref() != Some(&record) {
                part.change(0, &record.0)?;
            }
        }
        Ok(())
    }
}
