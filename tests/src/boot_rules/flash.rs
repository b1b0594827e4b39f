//! NOR and NAND flash in memory, with parts by name and UBI volumes, whose power goes at a chosen write or erase. A cut
//! write leaves its first half, or nothing of it, or one wrong unit; a cut erase leaves half a block, or noise.

use komainu_agent::os::flash::mtd::{EccCounts, FlashKind, Geometry, RawFlash};
use komainu_agent::os::flash::ubi::{UbiVolume, VolumeState};
use komainu_agent::update::boot::flash_devices::FlashDevices;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Ways in which a power cut leaves the operation that it falls into.
pub const TEARS: u8 = 3;

/// The power: how many changes it still lets through.
#[derive(Clone, Debug, Default)]
pub struct Power(Rc<PowerState>);

#[derive(Debug, Default)]
struct PowerState {
    left: Cell<Option<u32>>,
    tear: Cell<u8>,
    changes: Cell<u32>,
}

impl Power {
    /// The power goes in the change after so many.
    pub fn cut_after(&self, changes: u32, tear: u8) {
        self.0.left.set(Some(changes));
        self.0.tear.set(tear);
    }

    /// The power is back. Says whether it was gone.
    pub fn restore(&self) -> bool {
        self.0.left.take() == Some(u32::MAX)
    }

    /// Changes since the beginning.
    pub fn changes(&self) -> u32 {
        self.0.changes.get()
    }

    fn off() -> io::Error {
        io::Error::other("the power is gone")
    }

    fn is_off(&self) -> bool {
        self.0.left.get() == Some(u32::MAX)
    }

    /// Whether a change goes through; `Err` holds the way in which it is torn.
    fn change(&self) -> Result<(), u8> {
        self.0.changes.set(self.0.changes.get() + 1);
        match self.0.left.get() {
            None => Ok(()),
            Some(u32::MAX) => Err(0),
            Some(0) => {
                self.0.left.set(Some(u32::MAX));
                Err(self.0.tear.get())
            }
            Some(left) => {
                self.0.left.set(Some(left - 1));
                Ok(())
            }
        }
    }
}

/// One MTD part.
#[derive(Clone, Debug)]
pub struct Chip {
    pub bytes: Vec<u8>,
    pub kind: FlashKind,
    pub erase_bytes: u32,
    pub write_bytes: u32,
    /// Blocks that were marked bad.
    pub bad: BTreeSet<u64>,
    /// Blocks that take no more writes, and are not marked yet.
    pub worn: BTreeSet<u64>,
    pub read_only: bool,
}

impl Chip {
    /// An erased part of NOR flash.
    pub fn nor(blocks: usize, erase_bytes: u32) -> Chip {
        Chip {
            bytes: vec![0xff; blocks * erase_bytes as usize],
            kind: FlashKind::Nor,
            erase_bytes,
            write_bytes: 1,
            bad: BTreeSet::new(),
            worn: BTreeSet::new(),
            read_only: false,
        }
    }

    /// An erased part of NAND flash with pages of 512 bytes.
    pub fn nand(blocks: usize, erase_bytes: u32) -> Chip {
        Chip { kind: FlashKind::Nand, write_bytes: 512, ..Chip::nor(blocks, erase_bytes) }
    }
}

/// A UBI volume.
#[derive(Clone, Debug)]
pub struct Volume {
    pub name: String,
    pub bytes: Vec<u8>,
    pub leb_bytes: u32,
    pub is_static: bool,
    pub update_marker: bool,
}

/// All the flash of a device.
#[derive(Clone, Debug, Default)]
pub struct Flash {
    chips: Rc<RefCell<BTreeMap<String, Chip>>>,
    volumes: Rc<RefCell<BTreeMap<u32, Volume>>>,
    pub power: Power,
}

impl Flash {
    /// Adds a part, or replaces it.
    pub fn put(&self, name: &str, chip: Chip) {
        self.chips.borrow_mut().insert(name.into(), chip);
    }

    /// Adds a volume, or replaces it.
    pub fn put_volume(&self, id: u32, volume: Volume) {
        self.volumes.borrow_mut().insert(id, volume);
    }

    /// A part as it is.
    pub fn chip(&self, name: &str) -> Chip {
        self.chips.borrow()[name].clone()
    }

    /// Changes a part as no program could.
    pub fn with<T>(&self, name: &str, change: impl FnOnce(&mut Chip) -> T) -> T {
        change(self.chips.borrow_mut().get_mut(name).expect("the test put this part"))
    }

    /// A volume as it is.
    pub fn volume(&self, id: u32) -> Volume {
        self.volumes.borrow()[&id].clone()
    }

    /// A copy that shares nothing with this one.
    pub fn fork(&self) -> Flash {
        Flash {
            chips: Rc::new(RefCell::new(self.chips.borrow().clone())),
            volumes: Rc::new(RefCell::new(self.volumes.borrow().clone())),
            power: Power::default(),
        }
    }
}

impl FlashDevices for Flash {
    fn part(&self, name: &Path) -> io::Result<PathBuf> {
        let name = name.to_str().unwrap_or_default();
        match self.chips.borrow().contains_key(name) {
            true => Ok(name.into()),
            false => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn volume(&self, name: &Path) -> io::Result<PathBuf> {
        let name = name.to_str().unwrap_or_default();
        let wanted = name.rsplit([':', '_']).next().unwrap_or_default();
        let volumes = self.volumes.borrow();
        let found = volumes.iter().find(|(id, volume)| id.to_string() == wanted || volume.name == wanted);
        found.map(|(id, _)| format!("/dev/ubi0_{id}").into()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn open_part(&self, node: &Path, writes: bool) -> io::Result<Box<dyn RawFlash>> {
        let name = node.to_str().unwrap_or_default().to_owned();
        if writes && self.chip(&name).read_only {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(Box::new(OpenChip { flash: self.clone(), name, writes }))
    }

    fn open_volume(&self, node: &Path, _: bool) -> io::Result<Box<dyn UbiVolume>> {
        let id = node.to_str().and_then(|node| node.strip_prefix("/dev/ubi0_")?.parse().ok());
        let id = id.ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(OpenVolume { flash: self.clone(), id, written: 0 }))
    }

    fn volume_names(&self, _: &Path) -> io::Result<Vec<(u32, String)>> {
        Ok(self.volumes.borrow().iter().map(|(id, volume)| (*id, volume.name.clone())).collect())
    }

    fn rename_volumes(&self, _: &Path, names: &[(u32, String)]) -> io::Result<()> {
        // The kernel writes the new table twice and takes the whole one: all names are old or all are new.
        match self.power.change() {
            Ok(()) => {}
            Err(tear) => {
                if tear == TEARS - 1 {
                    self.rename(names);
                }
                return Err(Power::off());
            }
        }
        self.rename(names);
        Ok(())
    }
}

impl Flash {
    fn rename(&self, names: &[(u32, String)]) {
        let mut volumes = self.volumes.borrow_mut();
        // As in the kernel: a volume whose name is taken, and that gets no other, is deleted.
        volumes.retain(|id, volume| {
            names.iter().any(|(renamed, _)| renamed == id)
                || !names.iter().any(|(_, name)| *name == volume.name)
        });
        for (id, name) in names {
            volumes.get_mut(id).expect("a volume that is renamed exists").name.clone_from(name);
        }
    }
}

struct OpenChip {
    flash: Flash,
    name: String,
    writes: bool,
}

impl RawFlash for OpenChip {
    fn geometry(&self) -> Geometry {
        let chip = self.flash.chip(&self.name);
        Geometry {
            kind: chip.kind,
            bytes: chip.bytes.len() as u64,
            erase_bytes: chip.erase_bytes,
            write_bytes: chip.write_bytes,
        }
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        if self.flash.power.is_off() {
            return Err(Power::off());
        }
        let chip = self.flash.chip(&self.name);
        let from = offset as usize;
        let found = chip.bytes.get(from..from + buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(found);
        Ok(())
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        assert!(self.writes, "{} was opened for reading", self.name);
        let cut = self.flash.power.change();
        self.flash.with(&self.name, |chip| {
            let unit = chip.write_bytes as usize;
            let at = offset as usize;
            assert!(at.is_multiple_of(unit) && bytes.len().is_multiple_of(unit), "not whole units: {at}");
            let block = offset - offset % u64::from(chip.erase_bytes);
            assert!(!chip.bad.contains(&block), "a bad block is written");
            if chip.kind == FlashKind::Nand {
                let used = chip.bytes[at..at + bytes.len()].iter().any(|byte| *byte != 0xff);
                assert!(!used, "a page of {} is written twice", self.name);
            }
            if chip.worn.contains(&block) {
                return Err(io::Error::from_raw_os_error(nix::libc::EIO));
            }
            let half = (bytes.len() / 2).next_multiple_of(unit).min(bytes.len());
            let through = match cut {
                Ok(()) => bytes.len(),
                Err(0) => 0,
                Err(_) => half,
            };
            for (old, new) in chip.bytes[at..].iter_mut().zip(&bytes[..through]) {
                *old &= new;
            }
            if cut == Err(2) && through < bytes.len() {
                // The unit in which it fell: only some bits came down.
                for (old, new) in chip.bytes[at + through..].iter_mut().zip(&bytes[through..]).take(unit) {
                    *old &= new | 0xa5;
                }
            }
            cut.map_err(|_| Power::off())
        })
    }

    fn erase(&mut self, offset: u64) -> io::Result<()> {
        assert!(self.writes, "{} was opened for reading", self.name);
        let cut = self.flash.power.change();
        self.flash.with(&self.name, |chip| {
            assert!(offset.is_multiple_of(chip.erase_bytes.into()) && !chip.bad.contains(&offset));
            let block = &mut chip.bytes[offset as usize..][..chip.erase_bytes as usize];
            let half = block.len() / 2;
            match cut {
                Ok(()) => block.fill(0xff),
                Err(0) => {}
                Err(1) => block[..half].fill(0xff),
                Err(_) => block.iter_mut().for_each(|byte| *byte |= 0x5a),
            }
            cut.map_err(|_| Power::off())
        })
    }

    fn is_bad(&mut self, offset: u64) -> io::Result<bool> {
        Ok(self.flash.chip(&self.name).bad.contains(&offset))
    }

    fn mark_bad(&mut self, offset: u64) -> io::Result<()> {
        self.flash.with(&self.name, |chip| chip.bad.insert(offset));
        Ok(())
    }

    fn ecc_counts(&mut self) -> io::Result<EccCounts> {
        Ok(EccCounts::default())
    }
}

struct OpenVolume {
    flash: Flash,
    id: u32,
    written: usize,
}

impl OpenVolume {
    fn with<T>(&self, change: impl FnOnce(&mut Volume) -> T) -> T {
        change(self.flash.volumes.borrow_mut().get_mut(&self.id).expect("it was opened"))
    }
}

impl UbiVolume for OpenVolume {
    fn state(&mut self) -> io::Result<VolumeState> {
        let volume = self.flash.volume(self.id);
        Ok(VolumeState {
            is_static: volume.is_static,
            leb_bytes: volume.leb_bytes,
            lebs: volume.bytes.len() as u32 / volume.leb_bytes,
            min_io_bytes: 1,
            update_marker: volume.update_marker,
            corrupted: false,
        })
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let volume = self.flash.volume(self.id);
        if self.flash.power.is_off() || volume.update_marker {
            return Err(io::Error::from_raw_os_error(nix::libc::EBADF));
        }
        buffer.copy_from_slice(&volume.bytes[offset as usize..][..buffer.len()]);
        Ok(())
    }

    fn unmap(&mut self, _: u32) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn change(&mut self, leb: u32, bytes: &[u8]) -> io::Result<()> {
        let cut = self.flash.power.change();
        self.with(|volume| {
            assert!(!volume.is_static && bytes.len() <= volume.leb_bytes as usize);
            // Whole or not at all, whichever way the power goes.
            if !matches!(cut, Err(0 | 1)) {
                let at = (leb * volume.leb_bytes) as usize;
                volume.bytes[at..at + volume.leb_bytes as usize].fill(0xff);
                volume.bytes[at..at + bytes.len()].copy_from_slice(bytes);
            }
        });
        cut.map_err(|_| Power::off())
    }

    fn begin_update(&mut self, _: u64) -> io::Result<()> {
        let cut = self.flash.power.change();
        if cut != Err(0) {
            self.with(|volume| {
                volume.update_marker = true;
                volume.bytes.fill(0xff);
            });
        }
        self.written = 0;
        cut.map_err(|_| Power::off())
    }

    fn continue_update(&mut self, bytes: &[u8]) -> io::Result<()> {
        let cut = self.flash.power.change();
        let through = if cut.is_ok() { bytes.len() } else { bytes.len() / 2 };
        let at = self.written;
        self.with(|volume| {
            volume.bytes[at..at + through].copy_from_slice(&bytes[..through]);
            volume.update_marker = cut.is_err();
        });
        self.written += through;
        cut.map_err(|_| Power::off())
    }
}
