//! The wall's memory on this device: one small file, read once, because nobody else writes it.

use crate::os::files;
use komainu_core::fault::{Text, text};
use komainu_core::wall::incident_state::{IncidentState, MEMORY_BYTES_MAX};
use std::path::{Path, PathBuf};

/// What outlasts a restart.
pub(crate) struct IncidentStore {
    file: PathBuf,
    memory: Option<IncidentState>,
}

impl IncidentStore {
    /// Below the folder of the state; nothing is touched yet.
    pub(crate) fn new(state: &Path) -> IncidentStore {
        IncidentStore { file: state.join("wall/incident"), memory: None }
    }

    /// What is remembered.
    pub(crate) fn memory(&mut self) -> &IncidentState {
        let file = &self.file;
        self.memory.get_or_insert_with(|| {
            let read = files::read(file, MEMORY_BYTES_MAX).map_err(|error| text(format_args!("{error}")));
            let memory = read.and_then(|bytes| match bytes {
                None => Ok(IncidentState::default()),
                Some(bytes) => IncidentState::read(&String::from_utf8_lossy(&bytes)),
            });
            memory.unwrap_or_else(|why| {
                log::error!("incident-state-damaged why=\"{why}\"");
                IncidentState::damaged()
            })
        })
    }

    /// Remembers; durable when it returns.
    ///
    /// # Errors
    /// Path and cause; the old memory stays.
    pub(crate) fn keep(&mut self, memory: &IncidentState) -> Result<(), Text> {
        let folder = self.file.parent().unwrap_or(Path::new("/"));
        let written = std::fs::create_dir_all(folder)
            .and_then(|()| files::replace(&self.file, memory.write().as_bytes()));
        written.map_err(|error| text(format_args!("cannot write {}: {error}", self.file.display())))?;
        self.memory = Some(memory.clone());
        Ok(())
    }
}
