//! The file of the action under way, in the folder of the state: it survives restarts, so that the feedback after a trial bears
//! the right id. An action that was only looked at is not written: the server shows it again.

use crate::config::settings::DeviceSettings;
use crate::os::files;
use komainu_core::update::ddi::action::{ACTION_BYTES_MAX, Action, Stage};
use komainu_core::update::fleet_order::FleetWord;
use std::path::{Path, PathBuf};

/// The file, and the text that is in it.
pub struct ActionFile {
    path: PathBuf,
    kept: Option<String>,
}

impl ActionFile {
    /// Opens the file in the folder of the state, and reads the action in it. A file that cannot be read is none: then the
    /// server is asked, and knows.
    pub fn open(state: &Path) -> (ActionFile, Option<Action>) {
        let path = state.join("ddi");
        let text = match files::read(&path, ACTION_BYTES_MAX as u64) {
            Ok(bytes) => bytes.and_then(|bytes| String::from_utf8(bytes).ok()),
            Err(error) => {
                log::warn!("ddi-record-bad path={} why=\"{error}\"", path.display());
                None
            }
        };
        let action = text.as_deref().and_then(|text| {
            Action::read(text)
                .map_err(|why| log::warn!("ddi-record-bad path={} why=\"{why}\"", path.display()))
                .ok()
        });
        (ActionFile { path, kept: text }, action)
    }

    /// Keeps the action, where its loss would matter. False: the file could not be written, and has what it had before.
    pub fn keep(&mut self, action: Option<&Action>) -> bool {
        let wanted =
            action.filter(|action| !matches!(action.stage, Stage::Looking { .. })).map(Action::write);
        if wanted == self.kept {
            return true;
        }
        let written = match &wanted {
            Some(text) => files::replace(&self.path, text.as_bytes()),
            None => files::remove(&self.path),
        };
        match written {
            Ok(()) => {
                self.kept = wanted;
                true
            }
            Err(error) => {
                log::error!("ddi-record-unwritten path={} why=\"{error}\"", self.path.display());
                false
            }
        }
    }
}

/// The word of the fleet server that holds before it was asked: that of the action on record.
pub fn word_on_record(settings: &DeviceSettings) -> FleetWord {
    let Some(ddi) = &settings.ddi else { return FleetWord::default() };
    let (_, action) = ActionFile::open(&settings.state);
    FleetWord { order: Action::order_of(action.as_ref(), ddi.holds), look_since: None }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "files of a test may be torn")]
mod tests;
