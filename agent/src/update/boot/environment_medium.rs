//! The boot choice in variables of the U-Boot environment, changed in one write.

use super::choice_medium::ChoiceMedium;
use super::flash_devices::FlashDevices;
use super::uboot::env_config::Config;
use super::uboot::env_image::Endian;
use super::uboot::environment::Environment;
use super::uboot::variables::Variables;
use crate::config::boot_rules::Change;
use komainu_core::fault::{Text, text};
use std::fmt::Display;
use std::path::PathBuf;

/// The environment that a `fw_env.config` names; found anew each time.
pub(super) struct EnvironmentMedium<'d> {
    pub config: PathBuf,
    pub devices: &'d dyn FlashDevices,
}

impl EnvironmentMedium<'_> {
    fn open(&self) -> Result<Environment<'_>, Text> {
        let config = Config::load(&self.config).map_err(said)?;
        Environment::open(&config, Endian::of_this_cpu(), self.devices).map_err(said)
    }
}

impl ChoiceMedium for EnvironmentMedium<'_> {
    fn read(&mut self) -> Result<Variables, Text> {
        let environment = self.open()?;
        let reading = environment.read().map_err(said)?;
        if let Some(bad) = &reading.bad {
            log::warn!("environment-copy-bad why=\"{bad}\"");
        }
        environment.writable().map_err(said)?;
        Ok(reading.variables)
    }

    fn write(&mut self, changes: &[Change], _: bool) -> Result<(), Text> {
        let changes: Vec<_> =
            changes.iter().map(|(name, value)| (name.as_str(), Some(value.as_str()))).collect();
        self.open()?.write(&changes).map(|_| ()).map_err(said)
    }

    fn cautions(&mut self) -> Vec<String> {
        self.open().map(|environment| environment.cautions()).unwrap_or_default()
    }
}

fn said(fault: impl Display) -> Text {
    text(format_args!("{fault}"))
}
