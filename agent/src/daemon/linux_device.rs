//! The device as LinuxDevice shows it: what its parts are, and what commands ask of it. `powers` is the `World` that turns see.

mod powers;

use crate::config::settings::DeviceSettings;
use crate::daemon::page_status::turned_away;
use crate::firewall::controller::FirewallController;
use crate::gate::credential_store::CredentialStore;
use crate::os::clock::built;
use crate::update::runtime_state::{Lock, RuntimeState};
use crate::update::source::bundle::Bundle;
use crate::update::source::http_repository::HttpRepository;
use crate::update::storage::Slots;
use crate::update::store::State;
use crate::wall::driver::WallDriver;
use komainu_core::advisory;
use komainu_core::device::World;
use komainu_core::fault::{Text, text};
use komainu_core::firewall::count::Count;
use komainu_core::firewall::table::Traffic;
use komainu_core::operator_request::OperatorRequest;
use komainu_core::reason::Level;
use komainu_core::retry_state::RetryState;
use komainu_core::update::facts::Facts;
use komainu_core::wall::observation::FirewallGrants;
use komainu_core::wall::report::Report;
use komainu_trust::Trusted;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::PoisonError;

/// What the firewall counted is read so often, in milliseconds: it is a hundred rules.
const COUNT_MILLISECONDS: u64 = 30_000;

/// The device that this runs on.
pub struct LinuxDevice {
    settings: DeviceSettings,
    state: State,
    volatile: RuntimeState,
    slots: Slots,
    remote: HttpRepository,
    gate: Option<CredentialStore>,
    wall: Option<FirewallController>,
    driver: Option<WallDriver>,
    /// What the firewall had counted at the last look.
    counted: Vec<Count>,
    counted_at: u64,
    /// Takes the server's place until there is nothing more to do with it.
    bundle: Option<Bundle>,
    /// A wish that came with the command line.
    pub own_request: Option<OperatorRequest>,
    /// A wish was answered and could not be removed.
    request_forgotten: bool,
    /// What could not be written; without it a full file system would mean polling without a pause.
    unwritten_retry: Option<RetryState>,
    first_error: Option<String>,
    /// Why the gate's last step failed, until somebody asks.
    gate_fault: Option<String>,
    /// The last thing noted was a refusal, and not of what runs already.
    refused: bool,
    last_note: String,
    last_level: Level,
    restarting: bool,
}

/// What may pass, by the policy; where none says it: a router's traffic.
fn traffic(settings: &DeviceSettings) -> Traffic {
    let none = || Traffic { forwards: true, lan_subnets_only: false, ..Traffic::default() };
    settings.wall.as_ref().map_or_else(none, |wall| wall.policy.traffic.clone())
}

impl LinuxDevice {
    /// The device of the settings; nothing is touched yet.
    ///
    /// # Errors
    /// There can be no TLS: a CA file cannot be used; in words.
    pub fn open(settings: &DeviceSettings) -> Result<LinuxDevice, String> {
        let mut linux = LinuxDevice {
            state: State::new(&settings.state, &settings.root),
            volatile: RuntimeState::new(&settings.run),
            slots: Slots::new(settings.parts.clone()),
            remote: HttpRepository::new(&settings.server, built().0)?,
            gate: settings.gate.as_ref().map(|gate| CredentialStore::new(gate, &settings.state)),
            driver: settings.wall.as_ref().map(|wall| WallDriver::new(settings, wall)),
            wall: settings.gate.as_ref().map(|gate| FirewallController::new(gate, traffic(settings))),
            counted: Vec::new(),
            counted_at: 0,
            gate_fault: None,
            bundle: None,
            settings: settings.clone(),
            own_request: None,
            request_forgotten: false,
            unwritten_retry: None,
            first_error: None,
            refused: false,
            last_note: String::new(),
            last_level: Level::Debug,
            restarting: false,
        };
        linux.raise_tls_floor();
        // Who was cut off stays so from the first rules on, whoever puts them: at power-on, long before a look around.
        let contained = linux.incident_state().incident.is_some_and(|incident| incident.contained);
        linux.set_grants(&FirewallGrants { contained, ..FirewallGrants::default() });
        Ok(linux)
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
        self.state.make().map_err(|error| failed(&self.settings.state, error))?;
        if let Some(gate) = &self.gate {
            gate.make().map_err(|error| failed(&self.settings.state, error))?;
        }
        self.volatile.lock().map_err(|error| failed(&self.settings.run, error))
    }

    /// Polls this bundle next, instead of the server.
    pub fn install(&mut self, bundle: Bundle) {
        self.bundle = Some(bundle);
        self.own_request = Some(OperatorRequest::Poll);
    }

    /// From now on the server is asked again. Called when a round is over.
    pub fn end_install(&mut self) {
        self.bundle = None;
    }

    /// The first thing noted that needs attention, or else the last thing noted; and whether nothing could be
    /// installed for a reason that is worth an exit code.
    pub fn what_mattered(&self) -> (bool, &str) {
        match &self.first_error {
            Some(note) => (true, note),
            None => (self.refused, &self.last_note),
        }
    }

    /// True if that needs somebody's attention.
    pub fn last_note_is_bad(&self) -> bool {
        self.last_level == Level::Error
    }

    /// The gate, where it is ours to keep.
    pub fn gate_mut(&mut self) -> Option<&mut CredentialStore> {
        self.gate.as_mut()
    }

    /// What the kernel's firewall cannot do, in words.
    pub fn wall_lacks(&self) -> Vec<&'static str> {
        self.wall.as_ref().map(FirewallController::lacks).unwrap_or_default()
    }

    /// Why a step of the gate failed since this was last asked.
    pub fn take_gate_fault(&mut self) -> Option<String> {
        self.gate_fault.take()
    }

    /// What the firewall turned away, dropped and saw; empty where nothing counts.
    pub fn counts(&mut self) -> Vec<Count> {
        self.wall.as_mut().and_then(|wall| wall.counts().ok()).unwrap_or_default()
    }

    /// Writes how the four surveys stand, and how many strangers were turned away, into the security log.
    pub fn note_summary(&mut self, report: &Report) {
        let strangers = turned_away(&self.counts()).iter().map(|count| count.packets).sum::<u64>();
        if let Some(driver) = &mut self.driver {
            driver.note_summary(report, strangers);
        }
    }

    /// The security log gets what was counted and not written yet; at an orderly end.
    pub fn end_log(&mut self) {
        if let Some(driver) = &mut self.driver {
            driver.end_log();
        }
    }

    /// What may pass besides, from now on.
    fn set_grants(&mut self, grants: &FirewallGrants) {
        let Some(wall) = &mut self.wall else { return };
        let of_policy = traffic(&self.settings);
        wall.set_traffic(Traffic {
            lan_subnets_only: of_policy.lan_subnets_only || grants.lan_subnets_only,
            wan_rules: grants.wan_rules.clone(),
            port_forwards: grants.port_forwards.clone(),
            contained: grants.contained,
            ..of_policy
        });
    }

    /// What was counted since this was last asked.
    fn fresh_counts(&mut self) -> Vec<Count> {
        let now = crate::os::clock::uptime_milliseconds();
        if now < self.counted_at + COUNT_MILLISECONDS {
            return Vec::new();
        }
        self.counted_at = now;
        let counts = self.counts();
        // What could not be read this time is compared next time.
        if counts.is_empty() {
            Vec::new()
        } else {
            fresh(std::mem::replace(&mut self.counted, counts.clone()), &counts)
        }
    }

    /// The owner is logged in, and stays so for this many seconds at least: what is changed meanwhile is the owner's wish.
    pub fn owner_is_here(&mut self, seconds: u32) {
        if let Some(driver) = &mut self.driver {
            driver.owner_is_here(seconds);
        }
    }

    /// Whether a release is on trial.
    pub fn set_on_trial(&mut self, on_trial: bool) {
        if let Some(driver) = &mut self.driver {
            driver.set_on_trial(on_trial);
        }
    }

    /// Compares the firmware with what its maker publishes.
    pub fn compare_firmware(&mut self, facts: &Facts) {
        use komainu_core::device::World;
        if self.driver.is_none() {
            return;
        }
        let (kept, clock) = (self.kept(), self.clock());
        let advisories = advisory::prove(&kept, self.state.advisories(), clock, &self.settings.core.board);
        if let Some(driver) = &mut self.driver {
            driver.compare_firmware(&advisories, &self.settings.core, facts);
        }
    }

    /// From now on a server is not waited for while there is something to see.
    pub fn glance_while_waiting(&mut self) {
        if let Some(driver) = &self.driver {
            let scanner = driver.scanner();
            self.remote
                .glance(Box::new(move || scanner.lock().unwrap_or_else(PoisonError::into_inner).changed()));
        }
    }

    /// The agent's own process gives up what it does not need.
    pub fn give_up(&mut self) {
        use crate::config::gate_settings::FirewallChoice;
        use crate::os::privileges::{Capabilities, give_up};
        let (Some(driver), Some(wall)) = (&mut self.driver, &self.settings.wall) else { return };
        let by_program = self.settings.gate.as_ref().is_some_and(|gate| gate.firewall != FirewallChoice::Nft);
        let keep = match (wall.give_up, by_program) {
            (false, _) => Capabilities::All,
            (true, true) => Capabilities::NeededAndModules,
            (true, false) => Capabilities::Needed,
        };
        driver.set_confinement(give_up(keep));
    }

    /// Something that the wall looks at has changed since it last looked.
    pub fn has_changed(&mut self) -> bool {
        self.driver.as_mut().is_some_and(WallDriver::has_changed)
    }

    /// Somebody asks for something.
    pub fn has_request(&mut self) -> bool {
        use komainu_core::device::World;
        self.request().is_some()
    }

    /// The next look leaves nothing for later, however long it takes.
    pub fn look_thoroughly(&mut self) {
        if let Some(driver) = &mut self.driver {
            driver.look_thoroughly();
        }
    }

    fn wall_driver(&mut self) -> Result<&mut WallDriver, Text> {
        self.driver.as_mut().ok_or_else(|| text(format_args!("the wall is not ours to keep")))
    }

    fn our_gate(&self) -> Result<&CredentialStore, Text> {
        self.gate.as_ref().ok_or_else(|| text(format_args!("the gate is not ours to keep")))
    }

    /// While a server is waited for, these end the wait: they can be read when somebody asks for something.
    pub fn listen_to_wakeups(&mut self, wakeups: &[BorrowedFd<'_>]) {
        self.remote.listen_to_wakeups(
            wakeups.iter().filter_map(|wakeup| wakeup.try_clone_to_owned().ok()).collect(),
        );
    }

    /// Wishes and attempts.
    pub fn volatile(&self) -> &RuntimeState {
        &self.volatile
    }

    /// TLS certificates are judged by the same clock as metadata.
    fn raise_tls_floor(&mut self) {
        let clock = self.clock();
        let floor =
            Trusted::load(&self.state.kept().stored(), clock).map_or(clock.built, |t| t.clock_floor());
        self.remote.set_floor(floor.0);
    }
}

/// What was counted since. What the kernel counted before anybody asked may be from long ago, before the agent started again,
/// and is no news.
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
