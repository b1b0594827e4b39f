//! NOR flash: an erase sets every bit of a block, a write clears bits and never sets one. A write that the power leaves in the
//! middle tears a word; an erase that it leaves leaves a block of which nobody knows a bit, and which reads
//! differently each time.

use super::fuse::{Fuse, no_power};
use crate::sim::disk::After;
use komainu_agent::os::flash::mtd::{EccCounts, FlashKind, Geometry, RawFlash};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;
use std::rc::Rc;

/// A chip of this kind, and the power that it hangs on.
#[derive(Clone, Debug)]
pub struct Nor {
    chip: Rc<RefCell<Chip>>,
    fuse: Fuse,
}

#[derive(Debug)]
struct Chip {
    bytes: Vec<u8>,
    erase_bytes: usize,
    /// Offsets of bytes that read differently each time.
    weak: BTreeSet<usize>,
    /// Takes no write and no erase, and says nothing of it.
    write_protected: bool,
}

impl Nor {
    /// An erased chip.
    pub fn new(bytes: usize, erase_bytes: usize, fuse: &Fuse) -> Nor {
        let bytes = vec![0xff; bytes];
        let chip = Chip { bytes, erase_bytes, weak: BTreeSet::new(), write_protected: false };
        Nor { chip: Rc::new(RefCell::new(chip)), fuse: fuse.clone() }
    }

    /// Puts bytes at its beginning, as a factory does.
    pub fn preload(&self, bytes: &[u8]) {
        self.chip.borrow_mut().bytes[..bytes.len()].copy_from_slice(bytes);
    }

    /// All bytes, as a reader with good luck sees them.
    pub fn content(&self) -> Vec<u8> {
        self.chip.borrow().bytes.clone()
    }

    /// Whether a byte of these reads differently each time.
    pub fn has_weak_bytes(&self, within: std::ops::Range<usize>) -> bool {
        self.chip.borrow().weak.range(within).next().is_some()
    }

    /// Flips a bit.
    pub fn rot(&self, offset: usize) {
        self.chip.borrow_mut().bytes[offset] ^= 1;
    }

    /// From now on writes and erases vanish in silence, or no longer.
    pub fn write_protect(&self, protected: bool) {
        self.chip.borrow_mut().write_protected = protected;
    }
}

impl RawFlash for Nor {
    fn geometry(&self) -> Geometry {
        let chip = self.chip.borrow();
        Geometry {
            kind: FlashKind::Nor,
            bytes: chip.bytes.len() as u64,
            erase_bytes: chip.erase_bytes as u32,
            write_bytes: 1,
        }
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.fuse.power()?;
        let (chip, from) = (self.chip.borrow(), offset as usize);
        let held = chip.bytes.get(from..from + buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(held);
        for &weak in chip.weak.range(from..from + buffer.len()) {
            buffer[weak - from] ^= self.fuse.noise() as u8;
        }
        Ok(())
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let cut = self.fuse.operation()?;
        let (mut chip, from) = (self.chip.borrow_mut(), offset as usize);
        assert!(from + bytes.len() <= chip.bytes.len(), "written beyond the end of the chip");
        if chip.write_protected {
            return Ok(());
        }
        let reached = match cut {
            None | Some(After::Kept) => bytes.len(),
            Some(After::Lost) => 0,
            Some(After::Torn) => bytes.len() / 2,
            Some(After::Mixed) => self.fuse.noise() as usize % (bytes.len() + 1),
        };
        for (at, byte) in bytes[..reached].iter().enumerate() {
            chip.bytes[from + at] &= byte;
            if cut.is_none() {
                chip.weak.remove(&(from + at));
            }
        }
        if cut.is_some() && reached < bytes.len() {
            // The word that was being written: some of its bits are clear, and some not sure.
            chip.bytes[from + reached] &= bytes[reached] | self.fuse.noise() as u8;
            chip.weak.insert(from + reached);
        }
        if cut.is_some() { Err(no_power()) } else { Ok(()) }
    }

    fn erase(&mut self, offset: u64) -> io::Result<()> {
        let cut = self.fuse.operation()?;
        let (mut chip, from) = (self.chip.borrow_mut(), offset as usize);
        assert!(from.is_multiple_of(chip.erase_bytes), "erased where no block begins");
        if chip.write_protected {
            return Ok(());
        }
        let block = from..from + chip.erase_bytes;
        match cut {
            Some(After::Lost) => {}
            None | Some(After::Kept) => {
                chip.bytes[block.clone()].fill(0xff);
                let rest: Vec<usize> = chip.weak.range(block).copied().collect();
                for weak in rest {
                    chip.weak.remove(&weak);
                }
            }
            Some(After::Torn | After::Mixed) => {
                for at in block {
                    chip.bytes[at] |= self.fuse.noise() as u8;
                    if self.fuse.noise().is_multiple_of(8) {
                        chip.weak.insert(at);
                    }
                }
            }
        }
        if cut.is_some() { Err(no_power()) } else { Ok(()) }
    }

    fn is_bad(&mut self, _: u64) -> io::Result<bool> {
        Ok(false)
    }

    fn mark_bad(&mut self, _: u64) -> io::Result<()> {
        panic!("NOR has no bad blocks")
    }

    fn ecc_counts(&mut self) -> io::Result<EccCounts> {
        Ok(EccCounts::default())
    }
}
