//! A medium of a boot choice with what it has no room for beside it: the count of starts in a log, and the note of a trial.
//! They look as if they stood among the medium's own values.

use super::choice_medium::ChoiceMedium;
use super::count_log::CountLog;
use super::flash_devices::FlashDevices;
use super::part::Part;
use super::trial_note::{Noted, TrialNote};
use super::uboot::env_image::Endian;
use super::uboot::variables::Variables;
use crate::config::boot_profile::{COUNT_LOG, Medium, OWN_TRIAL, Profile};
use crate::config::boot_rules::{Change, first_word};
use komainu_core::fault::Text;
use std::path::Path;

/// A medium with the log and the note that its profile needs.
pub(super) fn with_notes<'d>(
    medium: Box<dyn ChoiceMedium + 'd>,
    profile: &Profile,
    state: &Path,
    devices: &'d dyn FlashDevices,
) -> Box<dyn ChoiceMedium + 'd> {
    // Only an environment has room for variables of our own.
    let note = (!matches!(profile.medium, Medium::Environment)).then(|| TrialNote::new(state, devices));
    let log = profile
        .count_log
        .as_ref()
        .map(|part| CountLog { part: Part::new(part.as_ref(), devices), endian: Endian::of_this_cpu() });
    if note.is_none() && log.is_none() {
        return medium;
    }
    let (slot, release) = (profile.slot.clone(), profile.release.clone());
    Box::new(NotedMedium { medium, log, note, slot, release })
}

struct NotedMedium<'d> {
    medium: Box<dyn ChoiceMedium + 'd>,
    log: Option<CountLog<'d>>,
    note: Option<TrialNote<'d>>,
    /// The name of the value that names the slot.
    slot: String,
    /// The name of the value that names the release.
    release: String,
}

impl ChoiceMedium for NotedMedium<'_> {
    fn read(&mut self) -> Result<Variables, Text> {
        let mut values = self.medium.read()?;
        if let Some(log) = &self.log {
            values.put(COUNT_LOG, &log.count()?.to_string());
        }
        if let Some(note) = &self.note
            && let Some(noted) = note.read()?
            && values.text(&self.slot).is_some_and(|slot| first_word(slot) == noted.slot)
        {
            values.put(OWN_TRIAL, if noted.on_trial { &noted.slot } else { "" });
            values.put(&self.release, &noted.release);
        }
        Ok(values)
    }

    /// Writes a trial in the order note, count, choice: before the choice names the new slot, nothing of it counts. A good
    /// choice is written the other way round: until it is whole, the slot stays on trial.
    fn write(&mut self, changes: &[Change], on_trial: bool) -> Result<(), Text> {
        let mut noted = Noted { slot: String::new(), on_trial, release: String::new() };
        let (mut count, mut others) = (None, Vec::new());
        for (name, value) in changes {
            if *name == self.slot {
                noted.slot = first_word(value).to_owned();
            }
            if name == COUNT_LOG {
                count = value.parse().ok();
            } else if self.note.is_some() && *name == self.release {
                noted.release = value.clone();
            } else if self.note.is_none() || name != OWN_TRIAL {
                others.push((name.clone(), value.clone()));
            }
        }
        let note = self.note.as_ref();
        if on_trial {
            note.map_or(Ok(()), |note| note.write(&noted))?;
        }
        if let (Some(log), Some(count)) = (&self.log, count) {
            log.set(count)?;
        }
        self.medium.write(&others, on_trial)?;
        if on_trial { Ok(()) } else { note.map_or(Ok(()), |note| note.write(&noted)) }
    }

    fn cautions(&mut self) -> Vec<String> {
        self.medium.cautions()
    }
}
