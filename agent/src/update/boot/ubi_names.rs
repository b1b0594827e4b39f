//! The boot choice in the names of UBI volumes: the boot loader starts the volumes that have certain names, and two names
//! are swapped in one step of the kernel.

use super::choice_medium::ChoiceMedium;
use super::flash_devices::FlashDevices;
use super::uboot::variables::Variables;
use crate::config::boot_rules::Change;
use komainu_core::fault::{Text, text};
use std::path::PathBuf;

/// The volumes of a UBI device: the name is the name, its value the id of the volume that has it.
pub(super) struct UbiNames<'d> {
    pub device: PathBuf,
    pub devices: &'d dyn FlashDevices,
}

impl UbiNames<'_> {
    fn names(&self) -> Result<Vec<(u32, String)>, Text> {
        let names = self.devices.volume_names(&self.device);
        names.map_err(|why| text(format_args!("cannot read the volumes of {}: {why}", self.device.display())))
    }
}

impl ChoiceMedium for UbiNames<'_> {
    fn read(&mut self) -> Result<Variables, Text> {
        let mut values = Variables::default();
        for (id, name) in self.names()? {
            values.put(&name, &id.to_string());
        }
        Ok(values)
    }

    fn write(&mut self, changes: &[Change], _: bool) -> Result<(), Text> {
        let cannot = |why: &dyn std::fmt::Display| {
            text(format_args!("cannot rename volumes of {}: {why}", self.device.display()))
        };
        let names = self.names()?;
        let mut renamed = Vec::new();
        for (name, id) in changes {
            let id = id.parse::<u32>().map_err(|_| cannot(&format_args!("{id} is no volume")))?;
            if !names.iter().any(|(other, old)| *other == id && old == name) {
                renamed.push((id, name.clone()));
            }
        }
        if renamed.is_empty() {
            return Ok(());
        }
        // The kernel deletes a volume whose name is taken while it gets no new one.
        let gets_one = |holder: &u32| renamed.iter().any(|(id, _)| id == holder);
        let lost =
            names.iter().find(|(id, name)| renamed.iter().any(|(_, new)| new == name) && !gets_one(id));
        if let Some((id, name)) = lost {
            return Err(cannot(&format_args!("volume {id} would lose its name {name}, and be deleted")));
        }
        if let Some((id, _)) = renamed.iter().find(|(id, _)| !names.iter().any(|(known, _)| known == id)) {
            return Err(cannot(&format_args!("there is no volume {id}")));
        }
        self.devices.rename_volumes(&self.device, &renamed).map_err(|why| cannot(&why))
    }
}
