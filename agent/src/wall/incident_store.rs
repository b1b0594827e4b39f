//! The incident state on this device: one small file, read once, because no other program writes it.

use crate::os::files;
use komainu_core::fault::{Text, text};
use komainu_core::wall::incident_state::{IncidentState, STATE_BYTES_MAX};
use std::path::{Path, PathBuf};

/// The state that outlasts a restart.
pub(crate) struct IncidentStore {
    file: PathBuf,
    state: Option<IncidentState>,
}

impl IncidentStore {
    /// Below the folder of the state; nothing is touched yet.
    pub(crate) fn new(state: &Path) -> IncidentStore {
        IncidentStore { file: state.join("wall/incident"), state: None }
    }

    /// The remembered state.
    pub(crate) fn incident_state(&mut self) -> &IncidentState {
        let file = &self.file;
        self.state.get_or_insert_with(|| {
            let read = files::read(file, STATE_BYTES_MAX).map_err(|error| text(format_args!("{error}")));
            let state = read.and_then(|bytes| match bytes {
                None => Ok(IncidentState::default()),
                Some(bytes) => IncidentState::read(&String::from_utf8_lossy(&bytes)),
            });
            state.unwrap_or_else(|why| {
                log::error!("incident-state-damaged why=\"{why}\"");
                IncidentState::damaged()
            })
        })
    }

    /// Remembers; durable when it returns.
    ///
    /// # Errors
    /// Path and cause; the old state stays.
    pub(crate) fn keep(&mut self, state: &IncidentState) -> Result<(), Text> {
        let folder = self.file.parent().unwrap_or(Path::new("/"));
        let written = std::fs::create_dir_all(folder)
            .and_then(|()| files::replace(&self.file, state.write().as_bytes()));
        written.map_err(|error| text(format_args!("cannot write {}: {error}", self.file.display())))?;
        self.state = Some(state.clone());
        Ok(())
    }
}
