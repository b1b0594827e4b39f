//! NAND flash: pages are written once after an erase and in order, blocks are bad from the factory or go bad, bits
//! flip and are corrected or not. A page or an erase that the power leaves in the middle cannot be corrected, or reads well by
//! luck.

use super::fuse::{Fuse, no_power};
use crate::sim::disk::After;
use komainu_agent::os::flash::mtd::{EccCounts, FlashKind, Geometry, RawFlash};
use nix::errno::Errno;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::rc::Rc;

/// A chip of this kind, and the power that it hangs on.
#[derive(Clone, Debug)]
pub struct Nand {
    chip: Rc<RefCell<Chip>>,
    fuse: Fuse,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Page {
    Erased,
    Written,
    /// Has more wrong bits than can be corrected.
    Torn,
}

#[derive(Debug)]
struct Chip {
    bytes: Vec<u8>,
    erase_bytes: usize,
    page_bytes: usize,
    pages: Vec<Page>,
    bad: BTreeSet<usize>,
    /// Blocks that fail, without being marked so far: after so many more erases or writes of theirs.
    failing: BTreeMap<usize, u32>,
    /// Pages with flipped bits that are corrected.
    flipped: BTreeSet<usize>,
    counts: EccCounts,
}

impl Nand {
    /// A chip that is erased, with these bad blocks from the factory.
    pub fn new(bytes: usize, erase_bytes: usize, page_bytes: usize, bad: &[usize], fuse: &Fuse) -> Nand {
        let chip = Chip {
            bytes: vec![0xff; bytes],
            erase_bytes,
            page_bytes,
            pages: vec![Page::Erased; bytes / page_bytes],
            bad: bad.iter().copied().collect(),
            failing: BTreeMap::new(),
            flipped: BTreeSet::new(),
            counts: EccCounts::default(),
        };
        Nand { chip: Rc::new(RefCell::new(chip)), fuse: fuse.clone() }
    }

    /// Puts bytes into its good blocks in order, as a factory does.
    pub fn preload(&self, bytes: &[u8]) {
        let mut chip = self.chip.borrow_mut();
        let (erase, page) = (chip.erase_bytes, chip.page_bytes);
        let good: Vec<usize> =
            (0..chip.bytes.len() / erase).filter(|block| !chip.bad.contains(block)).collect();
        for (piece, block) in bytes.chunks(erase).zip(good) {
            chip.bytes[block * erase..][..piece.len()].copy_from_slice(piece);
            for at in 0..piece.len().div_ceil(page) {
                chip.pages[block * erase / page + at] = Page::Written;
            }
        }
    }

    /// The bytes of the good blocks in order; `None`: a page of the first `within` bytes cannot be corrected.
    pub fn content(&self, within: usize) -> Option<Vec<u8>> {
        let chip = self.chip.borrow();
        let mut content = Vec::new();
        for block in (0..chip.bytes.len() / chip.erase_bytes).filter(|block| !chip.bad.contains(block)) {
            for page in 0..chip.erase_bytes / chip.page_bytes {
                let number = block * (chip.erase_bytes / chip.page_bytes) + page;
                if chip.pages[number] == Page::Torn && content.len() < within {
                    return None;
                }
                content.extend_from_slice(&chip.bytes[number * chip.page_bytes..][..chip.page_bytes]);
            }
        }
        Some(content)
    }

    /// From the so-manieth erase or write from now on (1: the next), a block fails.
    pub fn fail_block(&self, block: usize, after: u32) {
        self.chip.borrow_mut().failing.insert(block, after);
    }

    /// Flips a bit of a page: it is corrected, and counted at every read.
    pub fn flip(&self, offset: usize) {
        let mut chip = self.chip.borrow_mut();
        let page = offset / chip.page_bytes;
        chip.flipped.insert(page);
    }

    /// Rots a page beyond correction.
    pub fn rot(&self, offset: usize) {
        let mut chip = self.chip.borrow_mut();
        let page = offset / chip.page_bytes;
        chip.pages[page] = Page::Torn;
    }

    /// The number of blocks that are marked bad.
    pub fn bad_blocks(&self) -> usize {
        self.chip.borrow().bad.len()
    }
}

impl Chip {
    /// Whether an erase or a write of a block fails.
    fn fails(&mut self, block: usize) -> bool {
        match self.failing.get_mut(&block) {
            None => false,
            Some(0 | 1) => true,
            Some(left) => {
                *left -= 1;
                false
            }
        }
    }

    fn tear(&mut self, page: usize, fuse: &Fuse) {
        let size = self.page_bytes;
        for byte in &mut self.bytes[page * size..(page + 1) * size] {
            *byte ^= fuse.noise() as u8 & fuse.noise() as u8;
        }
        self.pages[page] = Page::Torn;
    }
}

impl RawFlash for Nand {
    fn geometry(&self) -> Geometry {
        let chip = self.chip.borrow();
        Geometry {
            kind: FlashKind::Nand,
            bytes: chip.bytes.len() as u64,
            erase_bytes: chip.erase_bytes as u32,
            write_bytes: chip.page_bytes as u32,
        }
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.fuse.power()?;
        let mut chip = self.chip.borrow_mut();
        let from = offset as usize;
        let held = chip.bytes.get(from..from + buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(held);
        if buffer.is_empty() {
            return Ok(());
        }
        let page_bytes = chip.page_bytes;
        for page in from / page_bytes..=(from + buffer.len() - 1) / page_bytes {
            if chip.pages[page] == Page::Torn {
                chip.counts.failed += 1;
            }
            if chip.flipped.contains(&page) {
                chip.counts.corrected += 1;
            }
        }
        Ok(())
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let size = self.chip.borrow().page_bytes;
        let from = offset as usize;
        assert!(from.is_multiple_of(size) && bytes.len().is_multiple_of(size), "not whole pages are written");
        // The kernel writes page by page, and the power may go at each.
        for (number, piece) in bytes.chunks(size).enumerate() {
            let cut = self.fuse.operation()?;
            let mut chip = self.chip.borrow_mut();
            let (page, block) = (from / size + number, (from + number * size) / chip.erase_bytes);
            assert!(!chip.bad.contains(&block), "written into bad block {block}");
            assert_eq!(chip.pages[page], Page::Erased, "page {page} is written twice");
            let first = block * chip.erase_bytes / size;
            let in_order = chip.pages[first..page].iter().all(|page| *page != Page::Erased);
            assert!(in_order, "page {page} is written out of order");
            if cut == Some(After::Lost) {
                return Err(no_power());
            }
            if chip.fails(block) {
                chip.tear(page, &self.fuse);
                return Err(Errno::EIO.into());
            }
            chip.bytes[page * size..][..size].copy_from_slice(piece);
            chip.pages[page] = Page::Written;
            match cut {
                Some(After::Torn) => chip.tear(page, &self.fuse),
                // Weak, and read well by luck.
                Some(After::Mixed) => {
                    chip.flipped.insert(page);
                }
                _ => {}
            }
            if cut.is_some() {
                return Err(no_power());
            }
        }
        Ok(())
    }

    fn erase(&mut self, offset: u64) -> io::Result<()> {
        let cut = self.fuse.operation()?;
        let mut chip = self.chip.borrow_mut();
        let from = offset as usize;
        assert!(from.is_multiple_of(chip.erase_bytes), "erased where no block begins");
        let block = from / chip.erase_bytes;
        assert!(!chip.bad.contains(&block), "bad block {block} is erased");
        if cut == Some(After::Lost) {
            return Err(no_power());
        }
        if chip.fails(block) {
            return Err(Errno::EIO.into());
        }
        let pages = from / chip.page_bytes..(from + chip.erase_bytes) / chip.page_bytes;
        for page in pages {
            let size = chip.page_bytes;
            if matches!(cut, Some(After::Torn | After::Mixed)) && self.fuse.noise().is_multiple_of(2) {
                chip.tear(page, &self.fuse);
                continue;
            }
            chip.bytes[page * size..(page + 1) * size].fill(0xff);
            chip.pages[page] = Page::Erased;
            chip.flipped.remove(&page);
        }
        if cut.is_some() { Err(no_power()) } else { Ok(()) }
    }

    fn is_bad(&mut self, offset: u64) -> io::Result<bool> {
        self.fuse.power()?;
        let chip = self.chip.borrow();
        Ok(chip.bad.contains(&(offset as usize / chip.erase_bytes)))
    }

    fn mark_bad(&mut self, offset: u64) -> io::Result<()> {
        let cut = self.fuse.operation()?;
        let mut chip = self.chip.borrow_mut();
        let block = offset as usize / chip.erase_bytes;
        if !matches!(cut, Some(After::Lost | After::Torn)) {
            chip.bad.insert(block);
        }
        if cut.is_some() { Err(no_power()) } else { Ok(()) }
    }

    fn ecc_counts(&mut self) -> io::Result<EccCounts> {
        self.fuse.power()?;
        Ok(self.chip.borrow().counts)
    }
}
