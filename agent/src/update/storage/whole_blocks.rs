//! Media that are written in whole blocks: erase blocks of NOR and NAND, LEBs of a dynamic UBI volume. Here the bytes of an image
//! are collected into blocks, compared with the medium and counted; a medium does the rest in its own way.
//!
//! A block that a power cut interrupted may read rightly today and wrongly tomorrow. Which one it was nobody knows, but it
//! was written after an [`invalidate`](SlotStorage::invalidate) and before a commit. So blocks that are equal are left
//! alone only on a part whose first block had content when this process invalidated it; on all others every block that is
//! not recorded as durable is written anew.

use super::slot_storage::{SlotStorage, WriteCounts};
use std::io;

/// Bytes that are compared with the medium at once.
const STEP_BYTES: usize = 4096;

/// A medium of blocks. Block 0 is the first that can be used, whatever number the hardware gives it.
pub trait WholeBlocks {
    /// Bytes of a block.
    fn block_bytes(&self) -> u32;
    /// The least unit of a write, in bytes.
    fn write_bytes(&self) -> u32;
    /// Blocks that can be used now.
    fn blocks(&self) -> u32;
    /// Blocks that cannot be used any more.
    fn bad_blocks(&self) -> u32;
    /// Whether a power cut leaves the old block or the new one, never another.
    fn changes_atomically(&self) -> bool;
    /// Takes the content of block 0 away: it begins with zeros, or with 0xff, also after a power cut.
    ///
    /// # Errors
    /// Those of the medium, which took no harm beyond block 0.
    fn clear_first(&mut self) -> io::Result<()>;
    /// Replaces a block. The bytes are at most a block, and units of a write. They are on the medium, and were read back,
    /// when this returns.
    ///
    /// # Errors
    /// Those of the medium, and bytes that it does not keep.
    fn put(&mut self, block: u32, bytes: &[u8]) -> io::Result<()>;
    /// Fills `buffer` from inside of a block.
    ///
    /// # Errors
    /// Those of the medium; bits that error correction cannot mend.
    fn read(&mut self, block: u32, within: u32, buffer: &mut [u8]) -> io::Result<()>;
    /// Corrected bits and new bad blocks since the opening.
    fn wear(&self) -> (u32, u32);
}

/// A part on such a medium.
pub struct BlockWriter {
    medium: Box<dyn WholeBlocks>,
    image_bytes: u64,
    /// The offset of the buffer in the image: everything before it is durable.
    start: u64,
    /// The beginning of the next block; at most a block.
    buffer: Vec<u8>,
    /// A block that reads rightly is right, and is not written again.
    equal_is_trusted: bool,
    counts: WriteCounts,
}

impl BlockWriter {
    /// A part on a medium that nobody else uses.
    pub fn new(medium: Box<dyn WholeBlocks>) -> BlockWriter {
        BlockWriter {
            equal_is_trusted: medium.changes_atomically(),
            medium,
            image_bytes: 0,
            start: 0,
            buffer: Vec::new(),
            counts: WriteCounts::default(),
        }
    }

    fn block_bytes(&self) -> u64 {
        u64::from(self.medium.block_bytes())
    }

    /// The number of the block at an offset of the image.
    fn block_at(&self, offset: u64) -> io::Result<u32> {
        u32::try_from(offset / self.block_bytes()).map_err(|_| io::ErrorKind::UnexpectedEof.into())
    }

    fn holds(&mut self, block: u32, bytes: &[u8]) -> bool {
        let mut held = [0; STEP_BYTES];
        bytes.chunks(STEP_BYTES).zip((0..).step_by(STEP_BYTES)).all(|(step, within)| {
            let held = &mut held[..step.len()];
            self.medium.read(block, within, held).is_ok() && held == step
        })
    }

    /// Whether block 0 has content: neither an invalidation nor a cut in one has been there since the last commit.
    fn first_has_content(&mut self) -> bool {
        let mut held = [0; STEP_BYTES];
        let held = &mut held[..STEP_BYTES.min(self.medium.block_bytes() as usize)];
        let all = |held: &[u8], wanted| held.iter().all(|byte| *byte == wanted);
        self.medium.read(0, 0, held).is_ok() && !all(held, 0) && !all(held, 0xff)
    }

    /// Pads to units of a write, as erased flash reads.
    fn padded(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        bytes.resize(bytes.len().next_multiple_of(self.medium.write_bytes() as usize), 0xff);
        bytes
    }

    /// Brings the buffer onto the medium.
    fn flush(&mut self) -> io::Result<()> {
        let (block, length) = (self.block_at(self.start)?, self.buffer.len() as u64);
        // Taken: what fails is fetched again.
        let buffer = std::mem::take(&mut self.buffer);
        if self.equal_is_trusted && self.holds(block, &buffer) {
            self.counts.equal_bytes += length;
            self.buffer = buffer;
        } else {
            let padded = self.padded(buffer);
            self.medium.put(block, &padded)?;
            self.counts.written_bytes += length;
            self.buffer = padded;
        }
        self.start += length;
        self.buffer.clear();
        if self.start == self.image_bytes {
            self.buffer = Vec::new();
        }
        Ok(())
    }
}

impl SlotStorage for BlockWriter {
    fn bytes(&self) -> u64 {
        u64::from(self.medium.blocks()) * self.block_bytes()
    }

    fn committed_last_bytes(&self) -> u64 {
        self.block_bytes()
    }

    fn invalidate(&mut self) -> io::Result<()> {
        self.buffer = Vec::new();
        self.image_bytes = 0;
        self.equal_is_trusted |= self.first_has_content();
        self.medium.clear_first()
    }

    fn begin(&mut self, image_bytes: u64, durable: u64) -> io::Result<u64> {
        let needed = image_bytes.div_ceil(self.block_bytes());
        let (good, bad) = (self.medium.blocks(), self.medium.bad_blocks());
        if needed > u64::from(good) {
            return Err(io::Error::new(
                io::ErrorKind::StorageFull,
                format!(
                    "the image needs {needed} blocks of {} bytes; {good} are good and {bad} are bad",
                    self.block_bytes()
                ),
            ));
        }
        let goes_on = image_bytes == self.image_bytes && durable == self.start && !self.buffer.is_empty();
        if !goes_on {
            self.image_bytes = image_bytes;
            let whole = durable - durable % self.block_bytes();
            self.start = if durable >= image_bytes { image_bytes } else { whole };
            self.buffer = Vec::new();
        }
        // What the buffer has is fetched only once: a bad line may never bring a block in one piece.
        Ok(self.start + self.buffer.len() as u64)
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let end = offset.saturating_add(bytes.len() as u64);
        if offset != self.start + self.buffer.len() as u64 || end > self.image_bytes {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "written with a gap, or beyond the image",
            ));
        }
        let mut bytes = bytes;
        while !bytes.is_empty() {
            let left = self.block_bytes().min(self.image_bytes - self.start) as usize;
            self.buffer.reserve_exact(left - self.buffer.len());
            let (now, later) = bytes.split_at(bytes.len().min(left - self.buffer.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() == left {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<u64> {
        Ok(self.start)
    }

    fn read_back(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let (mut offset, mut rest) = (offset, buffer);
        while !rest.is_empty() {
            let within = (offset % self.block_bytes()) as u32;
            let length = rest.len().min((self.medium.block_bytes() - within) as usize);
            let (now, later) = rest.split_at_mut(length);
            let block = self.block_at(offset)?;
            self.medium.read(block, within, now)?;
            offset += length as u64;
            rest = later;
        }
        Ok(())
    }

    fn commit(&mut self, beginning: &[u8]) -> io::Result<()> {
        // It is more than a block where the other slot has larger ones.
        for block in (0..beginning.len().div_ceil(self.medium.block_bytes() as usize)).rev() {
            let start = block * self.medium.block_bytes() as usize;
            let end = beginning.len().min(start + self.medium.block_bytes() as usize);
            let bytes = &beginning[start..end];
            if bytes.len().is_multiple_of(self.medium.write_bytes() as usize) {
                self.medium.put(block as u32, bytes)?;
            } else {
                let padded = self.padded(bytes.to_vec());
                self.medium.put(block as u32, &padded)?;
            }
            self.counts.written_bytes += bytes.len() as u64;
        }
        Ok(())
    }

    fn counts(&self) -> WriteCounts {
        let (corrected_bits, new_bad_blocks) = self.medium.wear();
        WriteCounts { corrected_bits, new_bad_blocks, ..self.counts }
    }
}
