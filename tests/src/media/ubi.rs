//! A UBI volume, dynamic or static. A LEB changes as a whole; an update of the whole volume that does not end leaves
//! its mark, and the volume cannot be read until a new one has ended.

use super::fuse::{Fuse, no_power};
use crate::sim::disk::After;
use komainu_agent::os::flash::ubi::{UbiVolume, VolumeState};
use nix::errno::Errno;
use std::cell::RefCell;
use std::io;
use std::rc::Rc;

/// A volume; each clone is a further opening of it.
#[derive(Clone, Debug)]
pub struct Ubi {
    volume: Rc<RefCell<Volume>>,
    fuse: Fuse,
}

#[derive(Debug)]
struct Volume {
    is_static: bool,
    leb_bytes: usize,
    min_io_bytes: usize,
    /// `None`: not mapped.
    lebs: Vec<Option<Vec<u8>>>,
    update_marker: bool,
    /// Bytes that an update of this start still waits for, and those that came.
    updating: Option<(u64, Vec<u8>)>,
}

impl Ubi {
    /// An empty volume of so many LEBs.
    pub fn new(is_static: bool, lebs: usize, leb_bytes: usize, min_io_bytes: usize, fuse: &Fuse) -> Ubi {
        let lebs = vec![None; lebs];
        let volume =
            Volume { is_static, leb_bytes, min_io_bytes, lebs, update_marker: false, updating: None };
        Ubi { volume: Rc::new(RefCell::new(volume)), fuse: fuse.clone() }
    }

    /// Puts bytes into it, as a factory does.
    pub fn preload(&self, bytes: &[u8]) {
        self.volume.borrow_mut().fill(bytes);
    }

    /// All bytes; `None`: an update of the whole volume did not end.
    pub fn content(&self) -> Option<Vec<u8>> {
        let volume = self.volume.borrow();
        let mut content = Vec::with_capacity(volume.lebs.len() * volume.leb_bytes);
        for (leb, end) in volume.lebs.iter().zip((volume.leb_bytes..).step_by(volume.leb_bytes)) {
            content.extend_from_slice(leb.as_deref().unwrap_or_default());
            content.resize(end, 0xff);
        }
        (!volume.update_marker).then_some(content)
    }

    /// The device was off: an update that had begun is not known any more.
    pub fn power_up(&self) {
        self.volume.borrow_mut().updating = None;
    }

    /// Flips a bit.
    pub fn rot(&self, offset: usize) {
        let mut volume = self.volume.borrow_mut();
        let leb_bytes = volume.leb_bytes;
        if let Some(Some(leb)) = volume.lebs.get_mut(offset / leb_bytes)
            && let Some(byte) = leb.get_mut(offset % leb_bytes)
        {
            *byte ^= 1;
        }
    }
}

impl Volume {
    fn fill(&mut self, bytes: &[u8]) {
        self.lebs.fill(None);
        for (leb, piece) in self.lebs.iter_mut().zip(bytes.chunks(self.leb_bytes)) {
            *leb = Some(piece.to_vec());
        }
    }

    fn dynamic(&self) -> io::Result<()> {
        if self.is_static { Err(Errno::EROFS.into()) } else { Ok(()) }
    }
}

impl UbiVolume for Ubi {
    fn state(&mut self) -> io::Result<VolumeState> {
        self.fuse.power()?;
        let volume = self.volume.borrow();
        Ok(VolumeState {
            is_static: volume.is_static,
            leb_bytes: volume.leb_bytes as u32,
            lebs: volume.lebs.len() as u32,
            min_io_bytes: volume.min_io_bytes as u32,
            update_marker: volume.update_marker,
            corrupted: false,
        })
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.fuse.power()?;
        let volume = self.volume.borrow();
        if volume.updating.is_some() {
            return Err(Errno::EBUSY.into());
        }
        if volume.update_marker {
            return Err(Errno::EBADF.into());
        }
        for (at, byte) in buffer.iter_mut().enumerate() {
            let at = offset as usize + at;
            let leb = volume.lebs.get(at / volume.leb_bytes).ok_or(io::ErrorKind::UnexpectedEof)?;
            let held = leb.as_ref().and_then(|leb| leb.get(at % volume.leb_bytes));
            // A static volume ends with its data.
            *byte = match (held, volume.is_static) {
                (Some(byte), _) => *byte,
                (None, false) => 0xff,
                (None, true) => return Err(io::ErrorKind::UnexpectedEof.into()),
            };
        }
        Ok(())
    }

    fn unmap(&mut self, leb: u32) -> io::Result<()> {
        self.volume.borrow().dynamic()?;
        let cut = self.fuse.operation()?;
        if matches!(cut, None | Some(After::Kept | After::Mixed)) {
            self.volume.borrow_mut().lebs[leb as usize] = None;
        }
        if cut.is_some() { Err(no_power()) } else { Ok(()) }
    }

    fn change(&mut self, leb: u32, bytes: &[u8]) -> io::Result<()> {
        self.volume.borrow().dynamic()?;
        let cut = self.fuse.operation()?;
        let mut volume = self.volume.borrow_mut();
        assert!(bytes.len() <= volume.leb_bytes, "more than a LEB is written into one");
        if !bytes.len().is_multiple_of(volume.min_io_bytes) {
            return Err(Errno::EINVAL.into());
        }
        let number = leb as usize;
        if number >= volume.lebs.len() {
            return Err(Errno::EINVAL.into());
        }
        if matches!(cut, None | Some(After::Kept | After::Mixed)) {
            volume.lebs[number] = Some(bytes.to_vec());
        }
        if cut.is_some() { Err(no_power()) } else { Ok(()) }
    }

    fn begin_update(&mut self, bytes: u64) -> io::Result<()> {
        let room = {
            let volume = self.volume.borrow();
            (volume.lebs.len() * volume.leb_bytes) as u64
        };
        if bytes > room {
            return Err(Errno::EINVAL.into());
        }
        let cut = self.fuse.operation()?;
        let mut volume = self.volume.borrow_mut();
        if cut == Some(After::Lost) {
            return Err(no_power());
        }
        volume.update_marker = true;
        volume.lebs.fill(None);
        if cut.is_some() {
            return Err(no_power());
        }
        volume.updating = (bytes > 0).then(|| (bytes, Vec::new()));
        if bytes == 0 {
            volume.update_marker = false;
        }
        Ok(())
    }

    fn continue_update(&mut self, bytes: &[u8]) -> io::Result<()> {
        let cut = self.fuse.operation()?;
        let mut volume = self.volume.borrow_mut();
        let Some((wanted, came)) = &mut volume.updating else { return Err(Errno::EBADF.into()) };
        came.extend_from_slice(bytes);
        assert!(came.len() as u64 <= *wanted, "more bytes come than the update was begun with");
        let ended = came.len() as u64 == *wanted;
        let whole = std::mem::take(came);
        match (ended, cut) {
            (true, None | Some(After::Kept)) => {
                volume.fill(&whole);
                (volume.update_marker, volume.updating) = (false, None);
            }
            _ => {
                let wanted = *wanted;
                volume.updating = Some((wanted, whole));
            }
        }
        if cut.is_some() { Err(no_power()) } else { Ok(()) }
    }
}
