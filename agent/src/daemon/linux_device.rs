//! The device on Linux: its parts put together, and functions for the commands. `powers` implements the core's
//! traits, `trial` what a trial needs, `packet_counts` reads the firewall's counters, `fleet` is for a fleet server.

mod fleet;
mod packet_counts;
mod powers;
mod trial;

use crate::config::gate_settings::FirewallChoice;
use crate::config::settings::DeviceSettings;
use crate::daemon::rules_keeper;
use crate::daemon::rules_keeper::SharedFirewall;
use crate::daemon::state_room::StateRoom;
use crate::firewall::controller::FirewallController;
use crate::firewall::link_closer::LinkCloser;
use crate::gate::credential_store::CredentialStore;
use crate::os::files;
use crate::os::foreign_file::Tree;
use crate::os::privileges::{Capabilities, give_up};
use crate::os::{clock, foreign_file};
use crate::update::boot::boot_flow::BootFlow;
use crate::update::boot::flash_devices::KernelFlash;
use crate::update::boot::profile_flow;
use crate::update::boot::running_slot::RunningSlot;
#[cfg(feature = "ddi")]
use crate::update::ddi::action_file::word_on_record;
#[cfg(feature = "delta")]
use crate::update::delta::PatchedImages;
use crate::update::kept_places::KeptPlaces;
use crate::update::offer_cache::OfferCache;
use crate::update::runtime_state::{Lock, RuntimeState};
use crate::update::source::bundle::Bundle;
use crate::update::source::carrier::Source;
use crate::update::source::http_repository::HttpRepository;
use crate::update::storage::slot_table::SlotTable;
use crate::update::store::MetadataStore;
use crate::wall::driver::WallDriver;
use crate::wall::incident_store::IncidentStore;
use komainu_core::advisory;
use komainu_core::device::{Host, Owner, Repository};
use komainu_core::fault::{FetchFault, Text, text};
use komainu_core::firewall::count::{Count, Recent};
use komainu_core::firewall::table::FirewallGrants;
use komainu_core::gate::closing::closes_links;
use komainu_core::gate::state::GateState;
use komainu_core::operator_request::OperatorRequest;
use komainu_core::reason::Reason;
use komainu_core::retry_state::RetryState;
use komainu_core::settings::Settings as CoreSettings;
use komainu_core::update::facts::Facts;
use komainu_core::update::fleet_order::FleetWord;
use komainu_core::update::offer::Offer;
use komainu_core::wall::incident_state::IncidentState;
use komainu_core::wall::observation::Observation;
use komainu_trust::{Moment, Trusted};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The device that this runs on.
pub struct LinuxDevice {
    settings: DeviceSettings,
    store: MetadataStore,
    offers: OfferCache,
    runtime: RuntimeState,
    slots: SlotTable,
    #[cfg(feature = "delta")]
    patched: PatchedImages,
    boot: Box<dyn BootFlow>,
    running: RunningSlot,
    /// The server, or why there are no updates.
    repository: Result<HttpRepository, String>,
    /// Takes the server's place until it has nothing more to offer.
    bundle: Option<Bundle>,
    credentials: Option<CredentialStore>,
    firewall: Option<SharedFirewall>,
    closer: LinkCloser,
    /// Whether the state can still be stored.
    pub(crate) room: StateRoom,
    /// Why the last poll failed; kept among what a restart may lose, for the commands.
    poll_fault: Option<String>,
    wall: Option<WallDriver>,
    /// The firewall's counters at the last look.
    counted: Vec<Count>,
    counted_at: u64,
    recent: Recent,
    /// The retry state that could not be written: without it a full file system would mean polling without a pause.
    unwritten_retry: Option<RetryState>,
    restarting: bool,
    /// The server was reached since the start, on trial.
    server_reached: bool,
    /// Why no watchdog is held on trial, as it was last told.
    unwatched: Option<Text>,
    /// The word of the fleet server.
    fleet: FleetWord,
}

impl LinuxDevice {
    /// The device of the settings; nothing is touched yet. Where there can be no TLS, or the settings are wrong, there are
    /// no updates.
    pub fn open(settings: &DeviceSettings) -> LinuxDevice {
        let repository = match &settings.faults.update {
            Some(fault) => Err(format!("the settings are wrong: {fault}")),
            None => HttpRepository::new(&settings.server, clock::built().0),
        };
        let mut device = LinuxDevice {
            store: MetadataStore::new(&settings.state, &settings.root),
            offers: OfferCache::default(),
            runtime: RuntimeState::new(&settings.run),
            slots: SlotTable::new(settings.parts.clone(), KeptPlaces::new(&settings.state, &settings.boot)),
            #[cfg(feature = "delta")]
            patched: PatchedImages::new(&settings.file),
            boot: profile_flow::open(&settings.boot, &settings.state, &KernelFlash),
            running: RunningSlot::new(settings.parts.clone()),
            repository,
            bundle: None,
            credentials: settings.gate.as_ref().map(|gate| CredentialStore::new(gate, &settings.state)),
            firewall: settings.gate.as_ref().map(|gate| Arc::new(Mutex::new(FirewallController::new(gate)))),
            closer: LinkCloser::new(&settings.core.firewall.lan, &settings.run),
            room: StateRoom::new(&settings.state),
            poll_fault: poll_fault(&settings.run),
            wall: settings.wall.as_ref().map(|wall| WallDriver::new(settings, wall)),
            counted: Vec::new(),
            counted_at: 0,
            recent: Recent::default(),
            unwritten_retry: None,
            restarting: false,
            server_reached: false,
            unwatched: None,
            #[cfg(feature = "ddi")]
            fleet: word_on_record(settings),
            #[cfg(not(feature = "ddi"))]
            fleet: FleetWord::default(),
            settings: settings.clone(),
        };
        device.raise_tls_floor();
        device
    }

    /// The reason why there are no updates, where there are none.
    pub fn update_off(&self) -> Option<&str> {
        self.repository.as_ref().err().map(String::as_str)
    }

    /// The cautions of the boot flow for the maker, in sentences.
    pub fn boot_cautions(&mut self) -> Vec<String> {
        self.boot.cautions()
    }

    /// From now on there are no updates, for this reason.
    pub fn refuse_updates(&mut self, why: String) {
        if self.repository.is_ok() {
            self.repository = Err(why);
        }
    }

    /// True once a restart was asked for.
    pub fn is_restarting(&self) -> bool {
        self.restarting
    }

    /// Takes the lock, without which nothing may be changed; `Err` holds the number of the process that has it. A folder of
    /// the state that cannot be made is told, and does not keep the gate from its work.
    ///
    /// # Errors
    /// The folder of the lock cannot be made or written, in words.
    pub fn lock(&self) -> Result<Result<Lock, Option<i32>>, String> {
        let made = self.store.make();
        let made = made.and_then(|()| self.credentials.as_ref().map_or(Ok(()), CredentialStore::make));
        if let Err(error) = made {
            log::error!("state-unwritten why=\"cannot write to {}: {error}\"", self.settings.state.display());
        }
        if let Err(why) = Tree::device().and_then(|tree| tree.is_roots(&self.settings.state)) {
            log::warn!("state-open-to-others why=\"{why}\"");
        }
        let failed = |error| format!("cannot write to {}: {error}", self.settings.run.display());
        let lock = self.runtime.lock().map_err(failed)?;
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
        let (request, bundle) = self.runtime.left()?;
        if let Some(path) = bundle {
            match Bundle::open(&path) {
                Ok(bundle) => self.bundle = Some(bundle),
                Err(why) => log::error!("bundle-refused why=\"{why}\""),
            }
        }
        Some(request)
    }

    /// The firewall's grants before the wall's first turn: a contained device stays so from the first table on,
    /// regardless of the command that puts it.
    pub fn grants_at_start(&mut self) -> FirewallGrants {
        // A wall that cannot be kept for wrong settings has not ended the incident.
        let state = match &mut self.wall {
            Some(wall) => wall.incident_state().clone(),
            None if self.settings.faults.wall.is_some() => {
                IncidentStore::new(&self.settings.state).incident_state().clone()
            }
            None => IncidentState::default(),
        };
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
        self.controller().map(|firewall| firewall.lacks()).unwrap_or_default()
    }

    fn controller(&self) -> Option<MutexGuard<'_, FirewallController>> {
        Some(self.firewall.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on removed rules are put back at once, whatever this thread waits for.
    pub fn keep_rules(&self) {
        if let Some(firewall) = &self.firewall {
            rules_keeper::start(firewall);
        }
    }

    /// Where the kernel takes no rules, a closed gate and a contained device take the links of the WAN down; else those go
    /// up again.
    pub fn close_without_rules(&mut self, contained: bool) {
        let refused = self.controller().is_some_and(|firewall| firewall.is_without_rules());
        let gate_closed = self.gate().is_some_and(|gate| gate.gate_state() == GateState::Closed);
        self.closer.keep(closes_links(refused, gate_closed, contained));
    }

    /// The same again, for a link that came up since.
    pub fn close_again(&mut self) {
        self.closer.keep_on();
    }

    /// Remembers how the last poll ended, if one of these events tells.
    pub fn note_poll(&mut self, events: &[Reason], polled: bool) {
        let failed = events.iter().rev().find_map(|event| match event {
            Reason::StepFailed { step: "poll", fault } => Some(fault.to_string()),
            _ => None,
        });
        if !polled || failed == self.poll_fault {
            return;
        }
        self.poll_fault = failed;
        let file = self.settings.run.join(POLL_FAULT);
        let written = match &self.poll_fault {
            Some(why) => files::replace(&file, why.as_bytes()),
            None => files::remove(&file),
        };
        if let Err(error) = written {
            log::warn!("poll-fault-unwritten why=\"{error}\"");
        }
    }

    /// Facts that a person should know: wrong settings, a full file system, and what does not work because of them.
    pub fn findings(&self) -> Vec<String> {
        let faults = &self.settings.faults;
        let mut findings: Vec<String> =
            faults.all().iter().map(|fault| format!("the settings are wrong: {fault}")).collect();
        if let (None, Some(why)) = (&faults.update, self.update_off()) {
            findings.push(format!("there are no updates: {why}"));
        }
        if faults.wall.is_some() {
            findings.push("the wall is not kept: the settings are wrong".into());
        }
        findings.extend(self.room.fault().map(str::to_owned));
        if self.settings.core.device_id.is_empty() {
            findings
                .push("the device's id is not known: neither id_file nor /etc/machine-id can be read".into());
        }
        findings
    }

    /// Why the last poll failed, in words; `None`: it worked, or none was tried.
    pub fn poll_fault(&self) -> Option<String> {
        self.poll_fault.as_ref().map(|why| format!("the last poll failed: {why}"))
    }

    /// The offer, for a look of the loop, and the time by the best clock.
    pub fn offer(&mut self, settings: &CoreSettings) -> (Offer, Moment) {
        let clock = self.clock();
        self.offers.offer(&self.store, settings, clock, clock::uptime_milliseconds())
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
        if let (Some(wall), Ok(repository)) = (&self.wall, &mut self.repository) {
            let scanner = wall.scanner();
            repository
                .glance(Box::new(move || scanner.lock().unwrap_or_else(PoisonError::into_inner).changed()));
        }
    }

    /// From now on the wait for a server ends when one of these can be read: a person sends a request.
    pub fn listen_to_wakeups(&mut self, wakeups: &[BorrowedFd<'_>]) {
        let Ok(repository) = &mut self.repository else { return };
        let wakeups = wakeups.iter().filter_map(|wakeup| wakeup.try_clone_to_owned().ok()).collect();
        repository.listen_to_wakeups(wakeups);
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

    fn source(&mut self) -> Result<&mut dyn Source, FetchFault> {
        match (&mut self.bundle, &mut self.repository) {
            (Some(bundle), Ok(_)) => Ok(bundle),
            (None, Ok(repository)) => Ok(repository),
            (_, Err(why)) => Err(FetchFault::Unreachable(text(format_args!("{why}")))),
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
        if let Ok(repository) = &mut self.repository {
            repository.set_floor(floor.0);
        }
    }
}

/// The file that holds why the last poll failed, and its largest size.
const POLL_FAULT: &str = "poll-fault";
const POLL_FAULT_BYTES_MAX: u64 = 1024;

fn poll_fault(run: &Path) -> Option<String> {
    let bytes = files::read(&run.join(POLL_FAULT), POLL_FAULT_BYTES_MAX).ok()??;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
