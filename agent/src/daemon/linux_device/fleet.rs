//! A fleet server on Linux: the word that holds, and the client by way of which it is asked.

use super::LinuxDevice;
#[cfg(feature = "ddi")]
use crate::update::source::http_repository::HttpRepository;
use komainu_core::update::fleet_order::FleetWord;

impl LinuxDevice {
    /// The word of the fleet server. A bundle was brought by a person, who is not told to wait for a server.
    pub(super) fn word_of_fleet(&self) -> FleetWord {
        if self.bundle.is_some() { FleetWord::default() } else { self.fleet }
    }

    /// From now on this word holds.
    #[cfg(feature = "ddi")]
    pub(crate) fn set_fleet_word(&mut self, word: FleetWord) {
        self.fleet = word;
    }

    /// The client for servers; `None` where there are no updates.
    #[cfg(feature = "ddi")]
    pub(crate) fn client(&mut self) -> Option<&mut HttpRepository> {
        self.repository.as_mut().ok()
    }
}
