//! The media under the simulated slots: block device, NOR, NAND, dynamic and static UBI volume. Raw flash is written by the
//! agent's own storage; the block device is played here, because the agent's works on files.

use super::disk::After;
use crate::media::fuse::{Fuse, no_power};
use crate::media::nand::Nand;
use crate::media::nor::Nor;
use crate::media::ubi::Ubi;
use komainu_agent::update::storage::nand::Nand as NandStorage;
use komainu_agent::update::storage::nor::Nor as NorStorage;
use komainu_agent::update::storage::slot_storage::{SlotStorage, WriteCounts};
use komainu_agent::update::storage::ubi_dynamic::UbiDynamic;
use komainu_agent::update::storage::ubi_static::UbiStatic;
use komainu_agent::update::storage::whole_blocks::BlockWriter;
use std::cell::RefCell;
use std::io;
use std::rc::Rc;

/// Bytes that the simulated block device takes only with the commit.
pub const HEADER_BYTES: u64 = 4096;
/// An erase block, a page and a LEB of the simulated flash, in bytes.
const BLOCK_BYTES: usize = 4096;
const PAGE_BYTES: usize = 512;
const LEB_BYTES: usize = BLOCK_BYTES - 2 * PAGE_BYTES;

/// A kind of medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediumKind {
    Block,
    Nor,
    /// With bad blocks from the factory, and one that goes bad.
    Nand,
    UbiDynamic,
    UbiStatic,
}

pub const ALL_MEDIA: [MediumKind; 5] =
    [MediumKind::Block, MediumKind::Nor, MediumKind::Nand, MediumKind::UbiDynamic, MediumKind::UbiStatic];

/// One part on its medium; it survives a power cut.
pub enum Chip {
    Block(BlockChip),
    Nor(Nor),
    Nand(Nand),
    Dynamic(Ubi),
    Static(Ubi),
}

impl Chip {
    /// A part of so many bytes that holds an image; its number decides where its bad blocks are.
    pub fn with(kind: MediumKind, bytes: usize, image: &[u8], number: u64, fuse: &Fuse) -> Chip {
        let lebs = bytes.div_ceil(LEB_BYTES);
        match kind {
            MediumKind::Block => Chip::Block(BlockChip::with(bytes, image, fuse)),
            MediumKind::Nor => {
                let nor = Nor::new(bytes, BLOCK_BYTES, fuse);
                nor.preload(image);
                Chip::Nor(nor)
            }
            MediumKind::Nand => {
                let (blocks, first) = (bytes / BLOCK_BYTES, number as usize % 3);
                let bad = [first, first + 2];
                let nand = Nand::new((blocks + 4) * BLOCK_BYTES, BLOCK_BYTES, PAGE_BYTES, &bad, fuse);
                nand.preload(image);
                if number == 2 {
                    nand.fail_block(first + 3, 1);
                }
                Chip::Nand(nand)
            }
            MediumKind::UbiDynamic => {
                let ubi = Ubi::new(false, lebs, LEB_BYTES, PAGE_BYTES, fuse);
                ubi.preload(image);
                Chip::Dynamic(ubi)
            }
            MediumKind::UbiStatic => {
                let ubi = Ubi::new(true, lebs, LEB_BYTES, PAGE_BYTES, fuse);
                ubi.preload(image);
                Chip::Static(ubi)
            }
        }
    }

    /// Opens it as the agent does.
    ///
    /// # Errors
    /// Those of the medium.
    pub fn open(&self) -> io::Result<Box<dyn SlotStorage>> {
        Ok(match self {
            Chip::Block(chip) => Box::new(BlockDevice { chip: chip.clone(), written_to: 0 }),
            Chip::Nor(nor) => Box::new(BlockWriter::new(Box::new(NorStorage::new(Box::new(nor.clone()))))),
            Chip::Nand(nand) => {
                Box::new(BlockWriter::new(Box::new(NandStorage::new(Box::new(nand.clone()))?)))
            }
            Chip::Dynamic(ubi) => {
                Box::new(BlockWriter::new(Box::new(UbiDynamic::new(Box::new(ubi.clone()))?)))
            }
            Chip::Static(ubi) => Box::new(UbiStatic::new(Box::new(ubi.clone()))?),
        })
    }

    /// Its bytes; `None`: among the first `within` are some that cannot be read.
    pub fn content(&self, within: usize) -> Option<Vec<u8>> {
        match self {
            Chip::Block(chip) => Some(chip.content()),
            Chip::Nor(nor) => Some(nor.content()),
            Chip::Nand(nand) => nand.content(within),
            Chip::Dynamic(ubi) | Chip::Static(ubi) => ubi.content(),
        }
    }

    pub fn rot(&self, offset: usize) {
        match self {
            Chip::Block(chip) => chip.media.borrow_mut().durable[offset] ^= 1,
            Chip::Nor(nor) => nor.rot(offset),
            Chip::Nand(nand) => nand.rot(offset),
            Chip::Dynamic(ubi) | Chip::Static(ubi) => ubi.rot(offset),
        }
    }

    /// A restart in order.
    pub fn sync(&self) {
        match self {
            Chip::Block(chip) => chip.media.borrow_mut().sync(),
            Chip::Dynamic(ubi) | Chip::Static(ubi) => ubi.power_up(),
            Chip::Nor(_) | Chip::Nand(_) => {}
        }
    }

    pub fn is_synced(&self) -> bool {
        match self {
            Chip::Block(chip) => chip.media.borrow().pending.is_empty(),
            _ => true,
        }
    }

    pub fn lose_power(&self, after: After) {
        if let Chip::Block(chip) = self {
            chip.media.borrow_mut().lose_power(after);
        }
    }

    pub fn power_up(&self) {
        if let Chip::Dynamic(ubi) | Chip::Static(ubi) = self {
            ubi.power_up();
        }
    }
}

/// A block device whose writes wait for a sync.
#[derive(Clone)]
pub struct BlockChip {
    media: Rc<RefCell<Sectors>>,
    fuse: Fuse,
}

#[derive(Default)]
struct Sectors {
    durable: Vec<u8>,
    pending: Vec<(usize, Vec<u8>)>,
}

impl BlockChip {
    fn with(bytes: usize, image: &[u8], fuse: &Fuse) -> BlockChip {
        let mut durable = image.to_vec();
        durable.resize(bytes, 0);
        let sectors = Sectors { durable, pending: Vec::new() };
        BlockChip { media: Rc::new(RefCell::new(sectors)), fuse: fuse.clone() }
    }

    fn content(&self) -> Vec<u8> {
        self.media.borrow().durable.clone()
    }

    /// An operation that may be the last.
    fn operation(&self) -> io::Result<()> {
        match self.fuse.operation()? {
            None => Ok(()),
            Some(_) => Err(no_power()),
        }
    }
}

impl Sectors {
    fn sync(&mut self) {
        for (offset, bytes) in self.pending.drain(..) {
            self.durable[offset..offset + bytes.len()].copy_from_slice(&bytes);
        }
    }

    fn lose_power(&mut self, after: After) {
        for (count, (offset, bytes)) in self.pending.drain(..).enumerate() {
            let reached = match after {
                After::Kept => bytes.len(),
                After::Lost => 0,
                After::Torn => bytes.len() / 2,
                After::Mixed => bytes.len() * ((count + 1) % 2),
            };
            self.durable[offset..offset + reached].copy_from_slice(&bytes[..reached]);
        }
    }
}

struct BlockDevice {
    chip: BlockChip,
    written_to: u64,
}

impl BlockDevice {
    fn put(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        {
            let mut media = self.chip.media.borrow_mut();
            let end = offset as usize + bytes.len();
            assert!(end <= media.durable.len(), "written beyond the end of the part");
            media.pending.push((offset as usize, bytes.to_vec()));
        }
        self.chip.operation()
    }
}

impl SlotStorage for BlockDevice {
    fn bytes(&self) -> u64 {
        self.chip.media.borrow().durable.len() as u64
    }

    fn committed_last_bytes(&self) -> u64 {
        HEADER_BYTES
    }

    fn invalidate(&mut self) -> io::Result<()> {
        self.put(0, &[0; HEADER_BYTES as usize])?;
        self.sync().map(|_| ())
    }

    fn begin(&mut self, image_bytes: u64, durable: u64) -> io::Result<u64> {
        assert!(durable <= image_bytes, "more is durable than there is");
        self.written_to = durable;
        Ok(durable)
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        assert!(offset >= HEADER_BYTES, "the beginning is written before it is committed");
        assert_eq!(offset, self.written_to, "written with a gap");
        self.put(offset, bytes)?;
        self.written_to += bytes.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<u64> {
        self.chip.operation()?;
        self.chip.media.borrow_mut().sync();
        Ok(self.written_to)
    }

    fn read_back(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let media = self.chip.media.borrow();
        assert!(media.pending.is_empty(), "read back before it is synced: that proves nothing");
        let from = offset as usize;
        buffer.copy_from_slice(&media.durable[from..from + buffer.len()]);
        Ok(())
    }

    fn commit(&mut self, beginning: &[u8]) -> io::Result<()> {
        self.put(0, beginning)?;
        self.sync().map(|_| ())
    }

    fn counts(&self) -> WriteCounts {
        WriteCounts::default()
    }
}
