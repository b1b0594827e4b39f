//! NAND flash: whole pages in order into erased blocks; blocks that are marked bad are skipped, as boot loaders skip them. A
//! block that takes neither an erase nor a write, twice, is marked bad, and its bytes go to the next good one.
//!
//! Marking a block moves everything behind it. While a part fills, nothing of the image is behind it yet. In the commit
//! everything is: then the part has to be written anew, which the read-back finds out by itself.

use super::nor::first_difference;
use super::whole_blocks::WholeBlocks;
use crate::os::flash::mtd::RawFlash;
use nix::errno::Errno;
use std::io;

/// Blocks that may go bad in one update. More is no wear but a broken supply, wire or driver, and a mark is for ever.
const NEW_BAD_BLOCKS_MAX: u32 = 8;
/// A failure of a block that may pass is tried once more.
const TRIES: u32 = 2;

/// A device of NAND flash.
pub struct Nand {
    flash: Box<dyn RawFlash>,
    /// The numbers of the good blocks in order.
    good: Vec<u32>,
    bad: u32,
    corrected_bits: u32,
    new_bad_blocks: u32,
}

impl Nand {
    /// A device that nobody else uses; every block is asked whether it is bad.
    ///
    /// # Errors
    /// Those of the device.
    pub fn new(mut flash: Box<dyn RawFlash>) -> io::Result<Nand> {
        let geometry = flash.geometry();
        let blocks = (geometry.bytes / u64::from(geometry.erase_bytes)) as u32;
        let mut good = Vec::new();
        for block in 0..blocks {
            if !flash.is_bad(u64::from(block) * u64::from(geometry.erase_bytes))? {
                good.push(block);
            }
        }
        let bad = blocks - good.len() as u32;
        Ok(Nand { flash, good, bad, corrected_bits: 0, new_bad_blocks: 0 })
    }

    /// The offset on the device of the so-manieth good block.
    fn offset(&self, block: u32) -> io::Result<u64> {
        match self.good.get(block as usize) {
            Some(good) => Ok(u64::from(*good) * u64::from(self.block_bytes())),
            None => Err(io::Error::new(
                io::ErrorKind::StorageFull,
                format!("no good block is left: {} are good and {} are bad", self.good.len(), self.bad),
            )),
        }
    }

    /// Marks the so-manieth good block bad: from here on the next one has its place.
    fn mark(&mut self, block: u32, why: &io::Error) -> io::Result<()> {
        let offset = self.offset(block)?;
        if self.new_bad_blocks >= NEW_BAD_BLOCKS_MAX {
            return Err(io::Error::other(format!(
                "{NEW_BAD_BLOCKS_MAX} blocks failed in one update, and now the one at {offset}: {why}; \
                that is not wear: look at the supply and the driver"
            )));
        }
        log::warn!("block-marked-bad offset={offset} why=\"{why}\"");
        self.flash.mark_bad(offset).map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("the block at {offset} failed ({why}), and cannot be marked bad: {error}"),
            )
        })?;
        self.good.remove(block as usize);
        self.bad += 1;
        self.new_bad_blocks += 1;
        Ok(())
    }

    /// Erases, writes and reads back, once more if the block fails.
    fn fill(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut tries = TRIES;
        loop {
            tries -= 1;
            match self.fill_once(offset, bytes) {
                Err(error) if has_failed(&error) && tries > 0 => {}
                done => return done,
            }
        }
    }

    fn fill_once(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.flash.erase(offset)?;
        if bytes.is_empty() {
            return Ok(());
        }
        self.flash.write(offset, bytes)?;
        match first_difference(bytes, |within, held| self.read_at(offset + u64::from(within), held))? {
            Some(_) => Err(Errno::EIO.into()),
            None => Ok(()),
        }
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let before = self.flash.ecc_counts()?;
        self.flash.read(offset, buffer)?;
        let after = self.flash.ecc_counts()?;
        self.corrected_bits =
            self.corrected_bits.saturating_add(after.corrected.wrapping_sub(before.corrected));
        match after.failed == before.failed {
            true => Ok(()),
            false => Err(Errno::EIO.into()),
        }
    }
}

/// Whether the block is at fault. Every other error says nothing about it.
fn has_failed(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::EIO as i32)
}

impl WholeBlocks for Nand {
    fn block_bytes(&self) -> u32 {
        self.flash.geometry().erase_bytes
    }

    fn write_bytes(&self) -> u32 {
        self.flash.geometry().write_bytes
    }

    fn blocks(&self) -> u32 {
        self.good.len() as u32
    }

    fn bad_blocks(&self) -> u32 {
        self.bad
    }

    fn changes_atomically(&self) -> bool {
        false
    }

    fn clear_first(&mut self) -> io::Result<()> {
        // The block that takes the place of the first is empty before the first is marked: otherwise the part would
        // begin with whatever the second block holds.
        let mut failed = Vec::new();
        loop {
            let offset = self.offset(failed.len() as u32)?;
            match self.fill(offset, &[]) {
                Ok(()) => break,
                Err(error) if has_failed(&error) => failed.push(error),
                Err(error) => return Err(error),
            }
        }
        for error in failed {
            self.mark(0, &error)?;
        }
        Ok(())
    }

    fn put(&mut self, block: u32, bytes: &[u8]) -> io::Result<()> {
        loop {
            let offset = self.offset(block)?;
            match self.fill(offset, bytes) {
                Err(error) if has_failed(&error) => self.mark(block, &error)?,
                done => return done,
            }
            if block == 0 {
                return Err(io::Error::other(format!(
                    "the first block, at {offset}, failed and was marked bad: the part is written anew"
                )));
            }
        }
    }

    fn read(&mut self, block: u32, within: u32, buffer: &mut [u8]) -> io::Result<()> {
        let offset = self.offset(block)? + u64::from(within);
        self.read_at(offset, buffer).map_err(|error| match has_failed(&error) {
            true => io::Error::other(format!(
                "more bits are wrong at {offset} of the device than can be corrected"
            )),
            false => error,
        })
    }

    fn wear(&self) -> (u32, u32) {
        (self.corrected_bits, self.new_bad_blocks)
    }
}
