//! The tables of squashfs: blocks of at most 8 KiB, each packed by itself, one behind the other.

use super::decompress::Packing;
use anyhow::{Context, Result, anyhow, bail};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;

/// Length of an unpacked block of a table.
const BLOCK_BYTES: usize = 8192;
/// In the length of a block: it is not packed.
const NOT_PACKED: u16 = 0x8000;
/// Unpacked blocks that are kept: 4 MiB.
const KEPT_MAX: usize = 512;

/// Bytes of the image by their place.
pub trait Bytes {
    /// Fills the buffer from there.
    ///
    /// # Errors
    /// There are not so many.
    fn at(&self, offset: u64, into: &mut [u8]) -> std::io::Result<()>;
    fn length(&self) -> std::io::Result<u64>;
}

impl Bytes for File {
    fn at(&self, offset: u64, into: &mut [u8]) -> std::io::Result<()> {
        self.read_exact_at(into, offset)
    }

    fn length(&self) -> std::io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

/// A place in a table: the byte of a block in the image, and a place in the unpacked block.
#[derive(Clone, Copy, Debug)]
pub struct Cursor {
    block: u64,
    offset: usize,
}

impl Cursor {
    pub fn absolute(block: u64, offset: usize) -> Cursor {
        Cursor { block, offset }
    }

    /// The byte of the image where its block begins.
    pub fn block(&self) -> u64 {
        self.block
    }
}

/// An unpacked block, and the byte where the next one begins.
type Block = (Vec<u8>, u64);

/// The image and its tables.
pub struct Tables {
    bytes: Box<dyn Bytes>,
    packing: Packing,
    used: u64,
    inodes: u64,
    folders: u64,
    kept: RefCell<BTreeMap<u64, Block>>,
}

impl Tables {
    pub fn new(bytes: Box<dyn Bytes>, packing: Packing, used: u64, inodes: u64, folders: u64) -> Tables {
        Tables { bytes, packing, used, inodes, folders, kept: RefCell::default() }
    }

    pub fn inodes(&self, block: u64, offset: usize) -> Result<Cursor> {
        let block = self.inodes.checked_add(block).context("byte 64: the table of inodes is nowhere")?;
        Ok(Cursor { block, offset })
    }

    pub fn folders(&self, block: u64, offset: usize) -> Result<Cursor> {
        let block = self.folders.checked_add(block).context("byte 72: the table of folders is nowhere")?;
        Ok(Cursor { block, offset })
    }

    /// Bytes of the image as they are.
    pub fn bytes(&self, at: u64, into: &mut [u8]) -> Result<()> {
        if at.checked_add(into.len() as u64).is_none_or(|end| end > self.used) {
            bail!("byte {at}: {} bytes are wanted, and the image ends at {}", into.len(), self.used);
        }
        self.bytes.at(at, into).with_context(|| format!("byte {at}: cannot be read"))
    }

    pub fn long(&self, at: u64) -> Result<u64> {
        let mut bytes = [0; 8];
        self.bytes(at, &mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Unpacks a block; `most` is its greatest length.
    pub fn unpack(&self, at: u64, packed: &[u8], most: usize) -> Result<Vec<u8>> {
        self.packing.unpack(packed, most).map_err(|why| anyhow!("byte {at}: {}: {why}", self.packing.name()))
    }

    pub fn short(&self, cursor: &mut Cursor) -> Result<u16> {
        let mut bytes = [0; 2];
        self.read(cursor, &mut bytes)?;
        Ok(u16::from_le_bytes(bytes))
    }

    pub fn word(&self, cursor: &mut Cursor) -> Result<u32> {
        let mut bytes = [0; 4];
        self.read(cursor, &mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// Reads on from a place, over the ends of blocks.
    pub fn read(&self, cursor: &mut Cursor, into: &mut [u8]) -> Result<()> {
        let mut filled = 0;
        while filled < into.len() {
            let mut kept = self.kept.borrow_mut();
            if !kept.contains_key(&cursor.block) {
                if kept.len() >= KEPT_MAX {
                    kept.clear();
                }
                kept.insert(cursor.block, self.block(cursor.block)?);
            }
            let (block, next) = &kept[&cursor.block];
            let count = block.len().saturating_sub(cursor.offset).min(into.len() - filled);
            if count > 0 {
                into[filled..filled + count].copy_from_slice(&block[cursor.offset..cursor.offset + count]);
                filled += count;
                cursor.offset += count;
            } else if cursor.offset == BLOCK_BYTES && block.len() == BLOCK_BYTES {
                *cursor = Cursor { block: *next, offset: 0 };
            } else {
                bail!("byte {}: the block has {} bytes, and more are wanted", cursor.block, block.len());
            }
        }
        Ok(())
    }

    fn block(&self, at: u64) -> Result<Block> {
        let mut head = [0; 2];
        self.bytes(at, &mut head)?;
        let head = u16::from_le_bytes(head);
        let length = usize::from(head & !NOT_PACKED);
        if length == 0 || length > BLOCK_BYTES {
            bail!("byte {at}: a block of {length} bytes in a table, allowed are 1 to {BLOCK_BYTES}");
        }
        let mut bytes = vec![0; length];
        self.bytes(at + 2, &mut bytes)?;
        if head & NOT_PACKED == 0 {
            bytes = self.unpack(at, &bytes, BLOCK_BYTES)?;
        }
        Ok((bytes, at + 2 + length as u64))
    }
}
