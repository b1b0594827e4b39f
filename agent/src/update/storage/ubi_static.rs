//! A static UBI volume: only an update of the whole volume changes it, streamed from its beginning. Until the last byte has
//! come the volume has a mark that keeps it from being read, so nothing has to be written last. A staging goes on where it
//! was only as long as this process has the update open; else it starts from the beginning.

use super::slot_storage::{SlotStorage, WriteCounts};
use crate::os::flash::ubi::{UbiVolume, VolumeState};
use std::io;

/// A static volume.
pub struct UbiStatic {
    volume: Box<dyn UbiVolume>,
    state: VolumeState,
    image_bytes: u64,
    written: u64,
    /// An update was begun by this process, and not all of its bytes have come.
    updating: bool,
    counts: WriteCounts,
}

impl UbiStatic {
    /// A volume that nobody else uses.
    ///
    /// # Errors
    /// Those of the volume.
    pub fn new(mut volume: Box<dyn UbiVolume>) -> io::Result<UbiStatic> {
        let state = volume.state()?;
        let counts = WriteCounts::default();
        Ok(UbiStatic { volume, state, image_bytes: 0, written: 0, updating: false, counts })
    }

    /// The kernel has checked the whole volume when its last byte had come.
    fn refuse_corrupted(&mut self) -> io::Result<()> {
        let state = self.volume.state()?;
        match (state.update_marker, state.corrupted) {
            (true, _) => Err(io::Error::other("an update of the volume did not end: it is written anew")),
            (_, true) => Err(io::Error::other("the volume does not have its CRC: its flash loses bits")),
            _ => Ok(()),
        }
    }
}

impl SlotStorage for UbiStatic {
    fn bytes(&self) -> u64 {
        u64::from(self.state.lebs) * u64::from(self.state.leb_bytes)
    }

    fn committed_last_bytes(&self) -> u64 {
        0
    }

    fn invalidate(&mut self) -> io::Result<()> {
        (self.updating, self.written, self.image_bytes) = (false, 0, 0);
        self.volume.begin_update(0)
    }

    fn begin(&mut self, image_bytes: u64, durable: u64) -> io::Result<u64> {
        if image_bytes > self.bytes() {
            let (room, lebs) = (self.bytes(), self.state.lebs);
            let sentence =
                format!("the image has {image_bytes} bytes; {room} fit into the {lebs} LEBs of the volume");
            return Err(io::Error::new(io::ErrorKind::StorageFull, sentence));
        }
        let goes_on = image_bytes == self.image_bytes && (self.updating || self.written == image_bytes);
        if !goes_on || durable > self.written {
            self.volume.begin_update(image_bytes)?;
            (self.image_bytes, self.written, self.updating) = (image_bytes, 0, image_bytes > 0);
        }
        Ok(self.written)
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let end = offset.saturating_add(bytes.len() as u64);
        if offset != self.written || end > self.image_bytes {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "written with a gap, or beyond the image",
            ));
        }
        if let Err(error) = self.volume.continue_update(bytes) {
            // How much of it came is not known, so the next `begin` starts over.
            (self.updating, self.image_bytes) = (false, 0);
            return Err(error);
        }
        self.written = end;
        self.updating = end < self.image_bytes;
        self.counts.written_bytes += bytes.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<u64> {
        if !self.updating {
            self.refuse_corrupted()?;
        }
        Ok(self.written)
    }

    fn read_back(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.volume.read(offset, buffer)
    }

    fn commit(&mut self, _: &[u8]) -> io::Result<()> {
        self.refuse_corrupted()
    }

    fn counts(&self) -> WriteCounts {
        self.counts
    }
}
