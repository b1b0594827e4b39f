//! A copy of the environment in a UBI volume. One that fits into a LEB of a dynamic volume is changed in one step;
//! else the whole volume is updated, and until the last byte it cannot be read.

use super::env_config::Location;
use super::env_fault::EnvironmentFault;
use super::env_place::{CopyPlace, Extent};
use crate::os::flash::ubi::{UbiVolume, VolumeState};
use crate::update::boot::flash_devices::FlashDevices;
use std::io;
use std::path::PathBuf;

/// A copy in a UBI volume, checked against its size.
#[derive(Debug)]
pub(super) struct UbiPlace<'d> {
    devices: &'d dyn FlashDevices,
    path: PathBuf,
    node: PathBuf,
    size_bytes: u32,
    state: VolumeState,
}

impl<'d> UbiPlace<'d> {
    /// Finds the volume of a location. Opens only for reading.
    pub fn find(
        location: &Location,
        devices: &'d dyn FlashDevices,
    ) -> Result<UbiPlace<'d>, EnvironmentFault> {
        let path = location.path.clone();
        if location.offset != 0 {
            return Err(EnvironmentFault::Layout { path, sentence: "in a UBI volume a copy has offset 0" });
        }
        let io = |cause| EnvironmentFault::opening(&path, cause);
        let node = devices.volume(&path).map_err(io)?;
        let state = devices.open_volume(&node, false).and_then(|mut volume| volume.state()).map_err(io)?;
        let have_bytes = u64::from(state.leb_bytes) * u64::from(state.lebs);
        let need_bytes = u64::from(location.size_bytes);
        if have_bytes < need_bytes {
            return Err(EnvironmentFault::Short { path, offset: 0, need_bytes, have_bytes });
        }
        Ok(UbiPlace { devices, path, node, size_bytes: location.size_bytes, state })
    }

    fn open(&self, writes: bool) -> Result<Box<dyn UbiVolume>, EnvironmentFault> {
        self.devices.open_volume(&self.node, writes).map_err(|cause| self.fault("open", cause))
    }

    fn fault(&self, operation: &'static str, cause: io::Error) -> EnvironmentFault {
        EnvironmentFault::Io { operation, path: self.path.clone(), offset: 0, cause }
    }
}

impl CopyPlace for UbiPlace<'_> {
    fn path(&self) -> &PathBuf {
        &self.path
    }

    fn offset(&self) -> u64 {
        0
    }

    fn size_bytes(&self) -> u32 {
        self.size_bytes
    }

    fn extent(&self) -> Extent {
        let to = u64::from(self.state.leb_bytes) * u64::from(self.state.lebs);
        Extent { device: self.node.clone(), from: 0, to, erased: (0, to) }
    }

    fn read(&self) -> Result<Vec<u8>, EnvironmentFault> {
        let mut copy = vec![0; self.size_bytes as usize];
        self.open(false)?.read(0, &mut copy).map_err(|cause| self.fault("read", cause))?;
        Ok(copy)
    }

    fn peek(&self, bytes_max: u32) -> Vec<u8> {
        let to = self.extent().to.min(bytes_max.into()) as usize;
        let mut found = vec![0; to];
        let read = self.open(false).is_ok_and(|mut volume| volume.read(0, &mut found).is_ok());
        if read { found } else { Vec::new() }
    }

    fn replace(&self, copy: &[u8]) -> Result<(), EnvironmentFault> {
        let mut volume = self.open(true)?;
        let written = if self.is_atomic() {
            volume.change(0, copy)
        } else {
            volume.begin_update(copy.len() as u64).and_then(|()| volume.continue_update(copy))
        };
        written.map_err(|cause| self.fault("write", cause))
    }

    fn writable(&self) -> Result<(), EnvironmentFault> {
        let opened = self.devices.open_volume(&self.node, true);
        opened.map(|_| ()).map_err(|cause| EnvironmentFault::ReadOnly { path: self.path.clone(), cause })
    }

    fn is_atomic(&self) -> bool {
        !self.state.is_static && self.size_bytes <= self.state.leb_bytes
    }
}
