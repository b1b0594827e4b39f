//! The device on Linux: its parts put together, and functions for the commands. `powers` implements the core's
//! traits.

mod powers;

use crate::config::gate_settings::FirewallChoice;
use crate::config::settings::DeviceSettings;
use crate::firewall::controller::FirewallController;
use crate::gate::credential_store::CredentialStore;
use crate::os::foreign_file::Tree;
use crate::os::privileges::{Capabilities, give_up};
use crate::os::{clock, foreign_file};
use crate::update::boot::boot_flow::BootFlow;
use crate::update::boot::bootcount::Bootcount;
use crate::update::runtime_state::{Lock, RuntimeState};
use crate::update::source::bundle::Bundle;
use crate::update::source::carrier::Source;
use crate::update::source::http_repository::HttpRepository;
use crate::update::storage::slot_table::SlotTable;
use crate::update::store::MetadataStore;
use crate::wall::driver::WallDriver;
use komainu_core::advisory;
use komainu_core::device::{Host, Repository};
use komainu_core::fault::{Text, text};
use komainu_core::firewall::count::Count;
use komainu_core::firewall::table::FirewallGrants;
use komainu_core::operator_request::OperatorRequest;
use komainu_core::retry_state::RetryState;
use komainu_core::update::facts::Facts;
use komainu_core::wall::observation::Observation;
use komainu_trust::Trusted;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::PoisonError;

/// The interval between reads of the firewall's counters, in milliseconds: a read covers a hundred rules.
const COUNT_MILLISECONDS: u64 = 30_000;

/// The device that this runs on.
pub struct LinuxDevice {
    settings: DeviceSettings,
    store: MetadataStore,
    runtime: RuntimeState,
    slots: SlotTable,
    boot: Box<dyn BootFlow>,
    repository: HttpRepository,
    /// Takes the server's place until it has nothing more to offer.
    bundle: Option<Bundle>,
    credentials: Option<CredentialStore>,
    firewall: Option<FirewallController>,
    wall: Option<WallDriver>,
    /// The firewall's counters at the last look.
    counted: Vec<Count>,
    counted_at: u64,
    /// The retry state that could not be written: without it a full file system would mean polling without a pause.
    unwritten_retry: Option<RetryState>,
    restarting: bool,
}

impl LinuxDevice {
    /// The device of the settings; nothing is touched yet.
    ///
    /// # Errors
    /// There can be no TLS: a CA file cannot be used; in words.
    pub fn open(settings: &DeviceSettings) -> Result<LinuxDevice, String> {
        let mut device = LinuxDevice {
            store: MetadataStore::new(&settings.state, &settings.root),
            runtime: RuntimeState::new(&settings.run),
            slots: SlotTable::new(settings.parts.clone()),
            boot: Box::new(Bootcount(settings.boot.clone())),
            repository: HttpRepository::new(&settings.server, clock::built().0)?,
            bundle: None,
            credentials: settings.gate.as_ref().map(|gate| CredentialStore::new(gate, &settings.state)),
            firewall: settings.gate.as_ref().map(FirewallController::new),
            wall: settings.wall.as_ref().map(|wall| WallDriver::new(settings, wall)),
            counted: Vec::new(),
            counted_at: 0,
            unwritten_retry: None,
            restarting: false,
            settings: settings.clone(),
        };
        device.raise_tls_floor();
        Ok(device)
    }

    /// True once a restart was asked for.
    pub fn is_restarting(&self) -> bool {
        self.restarting
    }

    /// Takes the lock, without which nothing may be changed; `Err` holds the number of the process that has it.
    ///
    /// # Errors
    /// The folders of the state cannot be made or written, in words.
    pub fn lock(&self) -> Result<Result<Lock, Option<i32>>, String> {
        let failed = |path: &Path, error| format!("cannot write to {}: {error}", path.display());
        self.store.make().map_err(|error| failed(&self.settings.state, error))?;
        if let Some(credentials) = &self.credentials {
            credentials.make().map_err(|error| failed(&self.settings.state, error))?;
        }
        if let Err(why) = Tree::device().and_then(|tree| tree.is_roots(&self.settings.state)) {
            log::warn!("state-open-to-others why=\"{why}\"");
        }
        let lock = self.runtime.lock().map_err(|error| failed(&self.settings.run, error))?;
        if lock.is_ok() {
            foreign_file::finish(&self.settings.state);
        }
        Ok(lock)
    }

    /// Polls this bundle next, instead of the server.
    pub fn install(&mut self, bundle: Bundle) {
        self.bundle = Some(bundle);
    }

    /// From now on the server is asked again. Called when a round is over.
    pub fn end_install(&mut self) {
        self.bundle = None;
    }

    /// The request that a command left for the agent at work. A request for a bundle opens the bundle.
    pub fn left_request(&mut self) -> Option<OperatorRequest> {
        if let Some(path) = self.runtime.bundle() {
            match Bundle::open(&path) {
                Ok(bundle) => self.bundle = Some(bundle),
                Err(why) => log::error!("bundle-refused why=\"{why}\""),
            }
        }
        self.runtime.request()
    }

    /// The firewall's grants before the wall's first turn: a contained device stays so from the first table on,
    /// regardless of the command that puts it.
    pub fn grants_at_start(&mut self) -> FirewallGrants {
        let state = self.wall.as_mut().map(|wall| wall.incident_state().clone()).unwrap_or_default();
        let contained = state.incident.is_some_and(|incident| incident.contained);
        FirewallGrants { contained, ..FirewallGrants::default() }
    }

    /// The credentials, where the settings keep the gate.
    pub fn credentials(&self) -> Option<&CredentialStore> {
        self.credentials.as_ref()
    }

    /// The wall, where the settings keep it.
    pub fn wall(&mut self) -> Option<&mut WallDriver> {
        self.wall.as_mut()
    }

    /// The runtime state.
    pub fn runtime(&self) -> &RuntimeState {
        &self.runtime
    }

    /// Abilities that the kernel's firewall lacks, in words.
    pub fn firewall_lacks(&self) -> Vec<&'static str> {
        self.firewall.as_ref().map(FirewallController::lacks).unwrap_or_default()
    }

    /// The firewall's counters: packets turned away, dropped and seen; empty where nothing counts.
    pub fn counts(&mut self) -> Vec<Count> {
        self.firewall.as_mut().and_then(|firewall| firewall.counts().ok()).unwrap_or_default()
    }

    /// The packets counted since the last call.
    fn fresh_counts(&mut self) -> Vec<Count> {
        let now = clock::uptime_milliseconds();
        if now < self.counted_at + COUNT_MILLISECONDS {
            return Vec::new();
        }
        self.counted_at = now;
        let counts = self.counts();
        // A file that could not be read this time is compared next time.
        if counts.is_empty() {
            Vec::new()
        } else {
            fresh(std::mem::replace(&mut self.counted, counts.clone()), &counts)
        }
    }

    /// Compares the firmware with the maker's advisories.
    pub fn compare_firmware(&mut self, facts: &Facts) {
        if self.wall.is_none() {
            return;
        }
        let (stored, clock) = (self.stored(), self.clock());
        let advisories = advisory::prove(&stored, self.store.advisories(), clock, &self.settings.core.board);
        if let Some(wall) = &mut self.wall {
            wall.compare_firmware(&advisories, &self.settings.core, facts);
        }
    }

    /// From now on the wait for a server ends when the wall has something to see.
    pub fn glance_while_waiting(&mut self) {
        if let Some(wall) = &self.wall {
            let scanner = wall.scanner();
            self.repository
                .glance(Box::new(move || scanner.lock().unwrap_or_else(PoisonError::into_inner).changed()));
        }
    }

    /// From now on the wait for a server ends when one of these can be read: a person sends a request.
    pub fn listen_to_wakeups(&mut self, wakeups: &[BorrowedFd<'_>]) {
        let wakeups = wakeups.iter().filter_map(|wakeup| wakeup.try_clone_to_owned().ok()).collect();
        self.repository.listen_to_wakeups(wakeups);
    }

    /// The agent's own process gives up the capabilities that it does not need.
    pub fn give_up_privileges(&mut self) {
        let (Some(driver), Some(wall)) = (&mut self.wall, &self.settings.wall) else { return };
        let by_program = self.settings.gate.as_ref().is_some_and(|gate| gate.firewall != FirewallChoice::Nft);
        let keep = match (wall.give_up, by_program) {
            (false, _) => Capabilities::All,
            (true, true) => Capabilities::NeededAndModules,
            (true, false) => Capabilities::Needed,
        };
        driver.set_confinement(give_up(keep));
    }

    /// The wall's observation, with the firewall's counts since the last one.
    fn observe_all(&mut self) -> Observation {
        let counts = self.fresh_counts();
        let wall = self.wall.as_mut().expect("only a device with a wall observes");
        Observation { counts, ..wall.observe() }
    }

    fn source(&mut self) -> &mut dyn Source {
        match &mut self.bundle {
            Some(bundle) => bundle,
            None => &mut self.repository,
        }
    }

    fn our_wall(&mut self) -> Result<&mut WallDriver, Text> {
        self.wall.as_mut().ok_or_else(|| text(format_args!("the settings leave the wall to other software")))
    }

    fn our_gate(&self) -> Result<&CredentialStore, Text> {
        let gate = self.credentials.as_ref();
        gate.ok_or_else(|| text(format_args!("the settings leave the gate to other software")))
    }

    /// TLS certificates are judged by the same clock as metadata.
    fn raise_tls_floor(&mut self) {
        let clock = self.clock();
        let trusted = Trusted::load(&self.store.kept().under_newest_root(), clock);
        let floor = trusted.map_or(clock.built, |trusted| trusted.clock_floor());
        self.repository.set_floor(floor.0);
    }
}

/// The packets counted since `before`. Counts from before the first read may be old, from before the agent started
/// again, and are no news.
fn fresh(before: Vec<Count>, counts: &[Count]) -> Vec<Count> {
    if before.is_empty() {
        return Vec::new();
    }
    let same = |a: &Count, b: &Count| (a.counted, a.protocol, a.port) == (b.counted, b.protocol, b.port);
    let fresh = |count: &Count| {
        let before = before.iter().find(|other| same(count, other)).map_or(0, |other| other.packets);
        Count { packets: count.packets.saturating_sub(before), ..*count }
    };
    counts.iter().map(fresh).filter(|count| count.packets > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use komainu_core::firewall::table::Counted;

    #[test]
    fn what_was_counted_before_the_agent_started_is_no_news() {
        let count = |packets| vec![Count { counted: Counted::Scan, protocol: None, port: 23, packets }];
        assert_eq!(fresh(Vec::new(), &count(7)), []);
        assert_eq!(fresh(count(7), &count(7)), []);
        assert_eq!(fresh(count(7), &count(9)), count(2));
    }
}
