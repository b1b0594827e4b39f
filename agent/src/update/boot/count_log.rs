//! A boot loader's count of starts as a log: each count is appended as a record, the last one holds, and what is full is
//! erased. Linksys keeps it in the part `s_env`: magic word, count, and their sum, in the byte order of the CPU; a record
//! takes a write unit, on NOR flash 16 bytes.

use super::part::Part;
use super::uboot::env_image::Endian;
use crate::os::flash::mtd::{FlashKind, RawFlash};
use komainu_core::fault::Text;
use std::io;

const MAGIC: u32 = 0x2011_0811;
const RECORD_BYTES: usize = 12;
const STRIDE_BYTES_MIN: u32 = 16;
const FREE: [u8; 4] = [0xff; 4];

/// The log in its part. In a file or on a block device it has one record, which is overwritten.
pub(super) struct CountLog<'d> {
    pub part: Part<'d>,
    pub endian: Endian,
}

/// The last count, and where the next record goes; `None`: the log is full.
type Found = (u32, Option<u64>);

impl CountLog<'_> {
    /// The count of the last record; an empty log counts 0.
    ///
    /// # Errors
    /// The part cannot be read, or holds something else.
    pub fn count(&self) -> Result<u32, Text> {
        match self.part.flash(false) {
            Some(flash) => {
                let found = flash.and_then(|mut flash| self.find(&mut *flash));
                found.map(|(count, _)| count).map_err(|why| self.part.cannot("read", 0, &why))
            }
            None => {
                let mut bytes = [0; RECORD_BYTES];
                self.part.read(0, &mut bytes)?;
                self.decode(&bytes).ok_or_else(|| self.part.cannot("read", 0, &"it holds no count"))
            }
        }
    }

    /// Lets this be the count. What is so already is not written.
    ///
    /// # Errors
    /// As for [`CountLog::count`]; the part cannot be written.
    pub fn set(&self, count: u32) -> Result<(), Text> {
        if self.count()? == count {
            return Ok(());
        }
        let Some(flash) = self.part.flash(true) else { return self.part.change(0, &self.encode(count)) };
        let written = flash.and_then(|mut flash| {
            let at = match self.find(&mut *flash)?.1 {
                Some(at) => at,
                // A power cut behind this leaves an empty log, which counts 0.
                None => erase(&mut *flash)?,
            };
            let mut record = vec![0xff; stride(&*flash) as usize];
            record[..RECORD_BYTES].copy_from_slice(&self.encode(count));
            flash.write(at, &record)
        });
        written.map_err(|why| self.part.cannot("write", 0, &why))?;
        match self.count()? == count {
            true => Ok(()),
            false => Err(self.part.cannot("write", 0, &"another count is read back")),
        }
    }

    fn find(&self, flash: &mut dyn RawFlash) -> io::Result<Found> {
        let (geometry, stride) = (flash.geometry(), stride(flash));
        let (mut last, mut at) = (0, 0);
        let mut bytes = [0; RECORD_BYTES];
        while at + u64::from(stride) <= geometry.bytes {
            if at % u64::from(geometry.erase_bytes) == 0 && flash.is_bad(at)? {
                at += u64::from(geometry.erase_bytes);
                continue;
            }
            flash.read(at, &mut bytes)?;
            if bytes.starts_with(&FREE) {
                return Ok((last, Some(at)));
            }
            // A record that a power cut tore has no right sum: the one before it holds.
            last = self.decode(&bytes).unwrap_or(last);
            at += u64::from(stride);
        }
        Ok((last, None))
    }

    fn encode(&self, count: u32) -> [u8; RECORD_BYTES] {
        let words = [MAGIC, count, MAGIC.wrapping_add(count)].map(|word| match self.endian {
            Endian::Little => word.to_le_bytes(),
            Endian::Big => word.to_be_bytes(),
        });
        std::array::from_fn(|index| words[index / 4][index % 4])
    }

    fn decode(&self, bytes: &[u8; RECORD_BYTES]) -> Option<u32> {
        let word: [u8; 4] = std::array::from_fn(|index| bytes[4 + index]);
        let count = match self.endian {
            Endian::Little => u32::from_le_bytes(word),
            Endian::Big => u32::from_be_bytes(word),
        };
        (*bytes == self.encode(count)).then_some(count)
    }
}

fn stride(flash: &dyn RawFlash) -> u32 {
    flash.geometry().write_bytes.max(STRIDE_BYTES_MIN)
}

/// Erases the whole log; the beginning of its first good block.
fn erase(flash: &mut dyn RawFlash) -> io::Result<u64> {
    let geometry = flash.geometry();
    let mut first = None;
    // From the end: as long as the first block is there, no record of an old block is the last one.
    let blocks = geometry.bytes / u64::from(geometry.erase_bytes);
    for block in (0..blocks).rev().map(|index| index * u64::from(geometry.erase_bytes)) {
        if geometry.kind == FlashKind::Nor || !flash.is_bad(block)? {
            flash.erase(block)?;
            first = Some(block);
        }
    }
    first.ok_or_else(|| io::Error::other("every block is bad"))
}
