//! The boot flow of a profile: values are read from its medium, its rules say what they mean, and a new choice is written
//! in the one order that a power cut cannot hurt.

use super::boot_flow::{BootFlow, kept};
use super::bootconfig::Bootconfig;
use super::choice_medium::ChoiceMedium;
use super::command_flow::CommandFlow;
use super::count_log::CountLog;
use super::environment_medium::EnvironmentMedium;
use super::fields_medium::FieldsMedium;
use super::flash_devices::FlashDevices;
use super::part::Part;
use super::running_slot::RunningSign;
use super::trial_note::{Noted, TrialNote};
use super::ubi_names::UbiNames;
use super::uboot::env_image::Endian;
use super::uboot::variables::Variables;
use crate::config::boot_profile::{COUNT_LOG, Medium, OWN_TRIAL};
use crate::config::boot_rules::{Change, first_word};
use crate::config::boot_settings::Boot;
use komainu_core::fault::Text;
use komainu_core::update::facts::BootChoice;
use std::path::Path;

/// The boot flow of the settings. `state` is the folder that survives restarts.
pub fn open<'d>(boot: &Boot, state: &Path, devices: &'d dyn FlashDevices) -> Box<dyn BootFlow + 'd> {
    let profile = &boot.profile;
    let medium: Box<dyn ChoiceMedium + 'd> = match &profile.medium {
        Medium::Environment => Box::new(EnvironmentMedium { config: boot.environment.clone(), devices }),
        Medium::Fields { part, fields } => {
            Box::new(FieldsMedium { part: Part::new(part, devices), fields: fields.clone() })
        }
        Medium::Bootconfig { part, mirror } => {
            Box::new(Bootconfig { record: Part::new(part, devices), mirror: Part::new(mirror, devices) })
        }
        Medium::UbiNames { device } => Box::new(UbiNames { device: device.clone(), devices }),
        Medium::Command { program, seconds } => {
            return Box::new(CommandFlow { program: program.clone(), seconds: *seconds });
        }
    };
    // Only an environment has room for variables of our own.
    let note = (!matches!(profile.medium, Medium::Environment)).then(|| TrialNote::new(state, devices));
    let log = profile
        .count_log
        .as_ref()
        .map(|part| CountLog { part: Part::new(part.as_ref(), devices), endian: Endian::of_this_cpu() });
    Box::new(ProfileFlow { boot: boot.clone(), medium, log, note })
}

struct ProfileFlow<'d> {
    boot: Boot,
    medium: Box<dyn ChoiceMedium + 'd>,
    log: Option<CountLog<'d>>,
    note: Option<TrialNote<'d>>,
}

impl ProfileFlow<'_> {
    /// All values: those of the medium, the last count of the log, and the note as if it stood among them.
    fn values(&mut self) -> Result<Variables, Text> {
        let mut values = self.medium.read()?;
        if let Some(log) = &self.log {
            values.put(COUNT_LOG, &log.count()?.to_string());
        }
        if let Some(note) = &self.note
            && let Some(noted) = note.read()?
            && values.text(&self.boot.profile.slot).is_some_and(|slot| first_word(slot) == noted.slot)
        {
            values.put(OWN_TRIAL, if noted.on_trial { &noted.slot } else { "" });
            values.put(&self.boot.profile.release, &noted.release);
        }
        Ok(values)
    }

    /// Writes a trial in the order note, count, choice: before the choice names the new slot, nothing of it counts. A good
    /// choice is written the other way round: until it is whole, the slot stays on trial.
    fn write(&mut self, changes: Vec<Change>, on_trial: bool) -> Result<(), Text> {
        let profile = &self.boot.profile;
        let mut noted = Noted { slot: String::new(), on_trial, release: String::new() };
        let (mut count, mut others) = (None, Vec::new());
        for (name, value) in changes {
            if name == profile.slot {
                noted.slot = first_word(&value).to_owned();
            }
            if name == COUNT_LOG {
                count = value.parse().ok();
            } else if self.note.is_some() && name == profile.release {
                noted.release = value;
            } else if self.note.is_none() || name != OWN_TRIAL {
                others.push((name, value));
            }
        }
        let note = self.note.as_ref();
        if on_trial {
            note.map_or(Ok(()), |note| note.write(&noted))?;
        }
        if let (Some(log), Some(count)) = (&self.log, count) {
            log.set(count)?;
        }
        self.medium.write(&others)?;
        if on_trial { Ok(()) } else { note.map_or(Ok(()), |note| note.write(&noted)) }
    }
}

impl BootFlow for ProfileFlow<'_> {
    fn signs(&mut self) -> Result<Vec<RunningSign>, Text> {
        let boot = &self.boot;
        let (file, key, values) =
            (boot.booted_file.clone(), boot.booted_key.clone(), boot.booted_values.clone());
        Ok(vec![RunningSign::CommandLine { file, key, values }])
    }

    fn choice(&mut self) -> Result<BootChoice, Text> {
        let values = self.values()?;
        self.boot.profile.choice(&|name| values.text(name).map(str::to_owned))
    }

    fn set_choice(&mut self, choice: &BootChoice) -> Result<(), Text> {
        let values = self.values()?;
        let changes = self.boot.profile.changes(choice, &|name| values.text(name).map(str::to_owned));
        self.write(changes, choice.tries_left.is_some())?;
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
