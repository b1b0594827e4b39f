//! The boot flow of a profile: values are read from its medium, its rules say what they mean, and a new choice is written
//! in the one order that a power cut cannot hurt.

use super::boot_flow::{BootFlow, kept};
use super::choice_medium::ChoiceMedium;
use super::environment_medium::EnvironmentMedium;
use super::flash_devices::FlashDevices;
use super::running_slot::RunningSign;
#[cfg(feature = "profiles")]
use super::{
    bootconfig::Bootconfig, command_flow::CommandFlow, fields_medium::FieldsMedium, noted_medium, part::Part,
    ubi_names::UbiNames,
};
use crate::config::boot_profile::Medium;
use crate::config::boot_settings::Boot;
use komainu_core::fault::Text;
use komainu_core::update::facts::BootChoice;
use std::path::Path;

/// The boot flow of the settings. `state` is the folder that survives restarts.
#[cfg_attr(
    not(feature = "profiles"),
    expect(unused_variables, reason = "an environment has room for everything")
)]
pub fn open<'d>(boot: &Boot, state: &Path, devices: &'d dyn FlashDevices) -> Box<dyn BootFlow + 'd> {
    let medium: Box<dyn ChoiceMedium + 'd> = match &boot.profile.medium {
        Medium::Environment => Box::new(EnvironmentMedium { config: boot.environment.clone(), devices }),
        #[cfg(feature = "profiles")]
        Medium::Fields { part, fields } => {
            Box::new(FieldsMedium { part: Part::new(part, devices), fields: fields.clone() })
        }
        #[cfg(feature = "profiles")]
        Medium::Bootconfig { part, mirror } => {
            Box::new(Bootconfig { record: Part::new(part, devices), mirror: Part::new(mirror, devices) })
        }
        #[cfg(feature = "profiles")]
        Medium::UbiNames { device } => Box::new(UbiNames { device: device.clone(), devices }),
        #[cfg(feature = "profiles")]
        Medium::Command { program, seconds } => {
            return Box::new(CommandFlow { program: program.clone(), seconds: *seconds });
        }
    };
    #[cfg(feature = "profiles")]
    let medium = noted_medium::with_notes(medium, &boot.profile, state, devices);
    Box::new(ProfileFlow { boot: boot.clone(), medium })
}

struct ProfileFlow<'d> {
    boot: Boot,
    medium: Box<dyn ChoiceMedium + 'd>,
}

impl BootFlow for ProfileFlow<'_> {
    fn signs(&mut self) -> Result<Vec<RunningSign>, Text> {
        let boot = &self.boot;
        let (file, key, values) =
            (boot.booted_file.clone(), boot.booted_key.clone(), boot.booted_values.clone());
        Ok(vec![RunningSign::CommandLine { file, key, values }])
    }

    fn choice(&mut self) -> Result<BootChoice, Text> {
        let values = self.medium.read()?;
        self.boot.profile.choice(&|name| values.text(name).map(str::to_owned))
    }

    fn set_choice(&mut self, choice: &BootChoice) -> Result<(), Text> {
        let values = self.medium.read()?;
        let changes = self.boot.profile.changes(choice, &|name| values.text(name).map(str::to_owned));
        self.medium.write(&changes, choice.tries_left.is_some())?;
        kept(choice, &self.choice()?)
    }

    fn cautions(&mut self) -> Vec<String> {
        let mut cautions = self.medium.cautions();
        if !self.boot.profile.has_fallback {
            cautions.push(
                "the boot loader never goes back by itself: a release that does not start stays".into(),
            );
        }
        cautions
    }
}
