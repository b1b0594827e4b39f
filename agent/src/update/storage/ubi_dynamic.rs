//! A dynamic UBI volume, LEB by LEB: each change leaves the old LEB or the new one, so a staging goes on where it was, and
//! what is equal is left alone. LEB 0 is emptied first and written last.

use super::whole_blocks::WholeBlocks;
use crate::os::flash::ubi::{UbiVolume, VolumeState};
use std::io;

/// A dynamic volume.
pub struct UbiDynamic {
    volume: Box<dyn UbiVolume>,
    state: VolumeState,
}

impl UbiDynamic {
    /// A volume that nobody else uses.
    ///
    /// # Errors
    /// Those of the volume.
    pub fn new(mut volume: Box<dyn UbiVolume>) -> io::Result<UbiDynamic> {
        let state = volume.state()?;
        Ok(UbiDynamic { volume, state })
    }
}

impl WholeBlocks for UbiDynamic {
    fn block_bytes(&self) -> u32 {
        self.state.leb_bytes
    }

    fn write_bytes(&self) -> u32 {
        self.state.min_io_bytes
    }

    fn blocks(&self) -> u32 {
        self.state.lebs
    }

    fn bad_blocks(&self) -> u32 {
        0
    }

    fn changes_atomically(&self) -> bool {
        true
    }

    fn clear_first(&mut self) -> io::Result<()> {
        // After another program's update that did not end, nothing can be read before the volume was wiped.
        if self.volume.state()?.update_marker {
            self.volume.begin_update(0)?;
        }
        self.volume.unmap(0)
    }

    fn put(&mut self, block: u32, bytes: &[u8]) -> io::Result<()> {
        self.volume.change(block, bytes)
    }

    fn read(&mut self, block: u32, within: u32, buffer: &mut [u8]) -> io::Result<()> {
        let offset = u64::from(block) * u64::from(self.state.leb_bytes) + u64::from(within);
        self.volume.read(offset, buffer)
    }

    fn wear(&self) -> (u32, u32) {
        (0, 0)
    }
}
