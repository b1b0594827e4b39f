//! A note beside the record, for boot loaders whose flags have no room for it: which release was chosen in which slot, and
//! whether it is on trial. It is written before the flags name the slot, and forgotten after they are good; for another
//! slot than the one that the flags name it says nothing.

use super::flash_devices::FlashDevices;
use crate::os::files;
use komainu_core::fault::Text;
use std::path::{Path, PathBuf};

/// A note is one short line.
const NOTE_BYTES_MAX: u64 = 128;

/// The note in the folder of the state.
pub(super) struct TrialNote<'d> {
    path: PathBuf,
    devices: &'d dyn FlashDevices,
}

/// The content of the note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Noted {
    /// The value that names the slot.
    pub slot: String,
    pub on_trial: bool,
    pub release: String,
}

impl<'d> TrialNote<'d> {
    pub fn new(state: &Path, devices: &'d dyn FlashDevices) -> TrialNote<'d> {
        TrialNote { path: state.join("boot-choice"), devices }
    }

    /// The note, if there is one.
    ///
    /// # Errors
    /// It cannot be read, or is none: it may be the only sign of a trial.
    pub fn read(&self) -> Result<Option<Noted>, Text> {
        let cannot = |why: &dyn std::fmt::Display| files::cannot("read", &self.path, why);
        let Some(bytes) = self.devices.read_file(&self.path, NOTE_BYTES_MAX).map_err(|why| cannot(&why))?
        else {
            return Ok(None);
        };
        let line = String::from_utf8_lossy(&bytes);
        let mut words = line.split_whitespace();
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some(slot), Some(state @ ("trial" | "good")), release, None) => Ok(Some(Noted {
                slot: slot.into(),
                on_trial: state == "trial",
                release: release.unwrap_or_default().into(),
            })),
            _ => Err(cannot(&"it is no note; remove it if no release is on trial")),
        }
    }

    /// Replaces the note.
    ///
    /// # Errors
    /// The cause; the old note stays.
    pub fn write(&self, noted: &Noted) -> Result<(), Text> {
        let state = if noted.on_trial { "trial" } else { "good" };
        let line = format!("{} {state} {}\n", noted.slot, noted.release);
        let written = self.devices.replace_file(&self.path, line.as_bytes());
        written.map_err(|why| files::cannot("write", &self.path, &why))
    }
}
