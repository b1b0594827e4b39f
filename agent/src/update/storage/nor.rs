//! NOR flash: whole erase blocks, each read back at once, because a write-protected chip drops erases and writes in silence. The
//! header of the first block is overwritten with zeros first, and the block is erased and written last.
//!
//! Every block with content is erased before it is written, also where bits would only have to be cleared: a block that a power cut
//! interrupted may have bits that are not sure, and only an erase makes them so.

use super::block::HEADER_BYTES;
use super::whole_blocks::WholeBlocks;
use crate::os::flash::mtd::RawFlash;
use std::io;

/// A device of NOR flash, or of RAM in its place.
pub struct Nor {
    flash: Box<dyn RawFlash>,
}

impl Nor {
    /// A device that nobody else uses.
    pub fn new(flash: Box<dyn RawFlash>) -> Nor {
        Nor { flash }
    }

    fn offset(&self, block: u32) -> u64 {
        u64::from(block) * u64::from(self.block_bytes())
    }
}

/// Bytes of a block that are read back at once.
const STEP_BYTES: usize = 4096;

/// Where flash differs first from what it should hold.
///
/// # Errors
/// Those of `read`.
pub fn first_difference(
    bytes: &[u8],
    mut read: impl FnMut(u32, &mut [u8]) -> io::Result<()>,
) -> io::Result<Option<u32>> {
    let mut held = [0; STEP_BYTES];
    for (step, within) in bytes.chunks(STEP_BYTES).zip((0..).step_by(STEP_BYTES)) {
        let held = &mut held[..step.len()];
        read(within, held)?;
        if let Some(at) = held.iter().zip(step).position(|(held, wanted)| held != wanted) {
            return Ok(Some(within + at as u32));
        }
    }
    Ok(None)
}

impl WholeBlocks for Nor {
    fn block_bytes(&self) -> u32 {
        self.flash.geometry().erase_bytes
    }

    fn write_bytes(&self) -> u32 {
        self.flash.geometry().write_bytes
    }

    fn blocks(&self) -> u32 {
        (self.flash.geometry().bytes / u64::from(self.block_bytes())) as u32
    }

    fn bad_blocks(&self) -> u32 {
        0
    }

    fn changes_atomically(&self) -> bool {
        false
    }

    fn clear_first(&mut self) -> io::Result<()> {
        let zeros = [0; HEADER_BYTES as usize];
        let header = &zeros[..zeros.len().min(self.block_bytes() as usize)];
        // Zeros can be written over anything, and a cut on the way leaves no header either: quicker than an erase, and a
        // half-erased block may get its header back. Chips with error correction of their own take one write only.
        if self.write_bytes() > 1 {
            return self.flash.erase(0);
        }
        self.flash.write(0, header)?;
        let flash = &mut self.flash;
        match first_difference(header, |at, held| flash.read(u64::from(at), held))? {
            Some(at) => Err(not_kept(u64::from(at))),
            None => Ok(()),
        }
    }

    fn put(&mut self, block: u32, bytes: &[u8]) -> io::Result<()> {
        let start = self.offset(block);
        self.flash.erase(start)?;
        // The header of the first block comes last: a boot loader starts nothing without one.
        let header = if block == 0 { bytes.len().min(HEADER_BYTES as usize) } else { 0 };
        let (header, rest) = bytes.split_at(header);
        if !rest.is_empty() {
            self.flash.write(start + header.len() as u64, rest)?;
        }
        if !header.is_empty() {
            self.flash.write(start, header)?;
        }
        let flash = &mut self.flash;
        let read = |within: u32, held: &mut [u8]| flash.read(start + u64::from(within), held);
        match first_difference(bytes, read)? {
            Some(at) => Err(not_kept(start + u64::from(at))),
            None => Ok(()),
        }
    }

    fn read(&mut self, block: u32, within: u32, buffer: &mut [u8]) -> io::Result<()> {
        self.flash.read(self.offset(block) + u64::from(within), buffer)
    }

    fn wear(&self) -> (u32, u32) {
        (0, 0)
    }
}

fn not_kept(offset: u64) -> io::Error {
    io::Error::other(format!(
        "the flash does not keep what is written at {offset}: it is write-protected (by a pin or its status register), or worn out"
    ))
}
