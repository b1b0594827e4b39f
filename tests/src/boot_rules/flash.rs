//! NOR and NAND flash in memory, with parts by name and UBI volumes, whose power goes at a chosen write or erase. A cut
//! write leaves its first half, or nothing of it, or one wrong unit, or all; a cut erase leaves half a block, or noise.
//! The note beside the flags lies here, too.

use crate::media::fuse::{Fuse, no_power};
use crate::sim::disk::After;
use komainu_agent::os::flash::mtd::{EccCounts, FlashKind, Geometry, RawFlash};
use komainu_agent::os::flash::ubi::{UbiVolume, VolumeState};
use komainu_agent::update::boot::flash_devices::FlashDevices;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

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
    files: Rc<RefCell<BTreeMap<PathBuf, Vec<u8>>>>,
    pub fuse: Fuse,
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

    /// The same with this fuse.
    pub fn on(fuse: &Fuse) -> Flash {
        Flash { fuse: fuse.clone(), ..Flash::default() }
    }

    /// A copy that shares nothing with this one.
    pub fn fork(&self) -> Flash {
        fn copy<T: Clone>(of: &Rc<RefCell<T>>) -> Rc<RefCell<T>> {
            Rc::new(RefCell::new(of.borrow().clone()))
        }
        let fuse = Fuse::default();
        Flash { chips: copy(&self.chips), volumes: copy(&self.volumes), files: copy(&self.files), fuse }
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
        self.at_once(|flash| flash.rename(names))
    }

    fn environment_lock(&self) -> Option<&Path> {
        None
    }

    fn read_file(&self, path: &Path, _: u64) -> io::Result<Option<Vec<u8>>> {
        self.fuse.power()?;
        Ok(self.files.borrow().get(path).cloned())
    }

    fn replace_file(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.at_once(|flash| drop(flash.files.borrow_mut().insert(path.to_owned(), bytes.to_vec())))
    }
}

impl Flash {
    /// A change that is whole or none, whichever way the power goes.
    fn at_once(&self, change: impl FnOnce(&Flash)) -> io::Result<()> {
        let cut = self.fuse.operation()?;
        if matches!(cut, None | Some(After::Kept)) {
            change(self);
        }
        ended(cut)
    }

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

/// The result of an operation that the power left, or did not leave.
fn ended(cut: Option<After>) -> io::Result<()> {
    if cut.is_some() { Err(no_power()) } else { Ok(()) }
}

struct OpenChip {
    flash: Flash,
    name: String,
    writes: bool,
}

impl RawFlash for OpenChip {
    fn geometry(&self) -> Geometry {
        let chips = self.flash.chips.borrow();
        let chip = &chips[&self.name];
        Geometry {
            kind: chip.kind,
            bytes: chip.bytes.len() as u64,
            erase_bytes: chip.erase_bytes,
            write_bytes: chip.write_bytes,
        }
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.flash.fuse.power()?;
        let (chips, from) = (self.flash.chips.borrow(), offset as usize);
        let found =
            chips[&self.name].bytes.get(from..from + buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(found);
        Ok(())
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        assert!(self.writes, "{} was opened for reading", self.name);
        let cut = self.flash.fuse.operation()?;
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
                None | Some(After::Kept) => bytes.len(),
                Some(After::Lost) => 0,
                Some(After::Torn | After::Mixed) => half,
            };
            for (old, new) in chip.bytes[at..].iter_mut().zip(&bytes[..through]) {
                *old &= new;
            }
            if cut == Some(After::Mixed) && through < bytes.len() {
                // The unit in which it fell: only some bits came down.
                for (old, new) in chip.bytes[at + through..].iter_mut().zip(&bytes[through..]).take(unit) {
                    *old &= new | 0xa5;
                }
            }
            ended(cut)
        })
    }

    fn erase(&mut self, offset: u64) -> io::Result<()> {
        assert!(self.writes, "{} was opened for reading", self.name);
        let cut = self.flash.fuse.operation()?;
        self.flash.with(&self.name, |chip| {
            assert!(offset.is_multiple_of(chip.erase_bytes.into()) && !chip.bad.contains(&offset));
            let block = &mut chip.bytes[offset as usize..][..chip.erase_bytes as usize];
            let half = block.len() / 2;
            match cut {
                None | Some(After::Kept) => block.fill(0xff),
                Some(After::Lost) => {}
                Some(After::Torn) => block[..half].fill(0xff),
                Some(After::Mixed) => block.iter_mut().for_each(|byte| *byte |= 0x5a),
            }
            ended(cut)
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
        self.flash.fuse.power()?;
        if volume.update_marker {
            return Err(io::Error::from_raw_os_error(nix::libc::EBADF));
        }
        buffer.copy_from_slice(&volume.bytes[offset as usize..][..buffer.len()]);
        Ok(())
    }

    fn unmap(&mut self, _: u32) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn change(&mut self, leb: u32, bytes: &[u8]) -> io::Result<()> {
        let cut = self.flash.fuse.operation()?;
        self.with(|volume| {
            assert!(!volume.is_static && bytes.len() <= volume.leb_bytes as usize);
            // Whole or not at all, whichever way the power goes.
            if matches!(cut, None | Some(After::Kept)) {
                let at = (leb * volume.leb_bytes) as usize;
                volume.bytes[at..at + volume.leb_bytes as usize].fill(0xff);
                volume.bytes[at..at + bytes.len()].copy_from_slice(bytes);
            }
        });
        ended(cut)
    }

    fn begin_update(&mut self, _: u64) -> io::Result<()> {
        let cut = self.flash.fuse.operation()?;
        if cut != Some(After::Lost) {
            self.with(|volume| {
                volume.update_marker = true;
                volume.bytes.fill(0xff);
            });
        }
        self.written = 0;
        ended(cut)
    }

    fn continue_update(&mut self, bytes: &[u8]) -> io::Result<()> {
        let cut = self.flash.fuse.operation()?;
        let whole = matches!(cut, None | Some(After::Kept));
        let through = if whole { bytes.len() } else { bytes.len() / 2 };
        let at = self.written;
        self.with(|volume| {
            volume.bytes[at..at + through].copy_from_slice(&bytes[..through]);
            volume.update_marker = !whole;
        });
        self.written += through;
        ended(cut)
    }
}
