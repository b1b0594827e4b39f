//! The simulated device: stricter than a real one. Writing to the running slot, or marking a slot good while its
//! writes are not synced, is a panic. It cuts the power at any changing call; unsynced writes are then kept, lost or
//! torn. Map: `sim/disk.rs` the files that survive, `sim/flash.rs` the slots and `sim/medium.rs` the media under them,
//! `sim/boot.rs` the boot loader and `sim/shipped_flow.rs` those of the shipped profiles, `sim/powers.rs` the core's traits, `sim/gate.rs` and `sim/wall.rs` the gate and the
//! wall, `sim/migration.rs` the owner's settings; this file holds the device that tests drive.

pub mod boot;
pub mod disk;
pub mod flash;
pub mod gate;
pub mod medium;
pub mod migration;
mod powers;
pub mod shipped_flow;
pub mod wall;

use crate::repository::{BOARD, CHANNEL, Repository, TODAY};
use boot::Environment;
use disk::{After, Disk};
use flash::Flash;
use komainu_core::fault::{Text, text};
use komainu_core::firewall::table::FirewallGrants;
use komainu_core::identifiers::{Name, Slot};
use komainu_core::local_time::TimeZone;
use komainu_core::operator_request::OperatorRequest;
use komainu_core::reason::Reason;
use komainu_core::retry_state::RetryState;
use komainu_core::settings::{ConfirmBy, FirewallSettings, Settings, StartCount};
use komainu_core::step::Next;
use komainu_core::turn::{decide, execute, look, look_knowing};
use komainu_core::update::offer::Offer;
use komainu_core::update::record::Record;
use komainu_trust::Moment;
use medium::MediumKind;
use shipped_flow::ShippedFlow;
use std::ops::Range;

/// Bytes of the two parts in either slot.
pub const KERNEL_BYTES: usize = 16 * 1024;
pub const ROOTFS_BYTES: usize = 64 * 1024;

/// The behaviour of a release when it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaves {
    /// Starts and is healthy.
    Well,
    /// Starts, and a health check fails.
    Unhealthy,
    /// Starts, and never becomes good.
    NeverGood,
    /// Never gets as far as the agent: the watchdog resets the device.
    Crashes,
}

/// A simulated device and the server it polls.
pub struct Device {
    pub server: Repository,
    pub disk: Disk,
    pub flash: Flash,
    pub environment: Environment,
    /// A shipped boot flow in the place of the environment.
    pub flow: Option<ShippedFlow>,
    /// The changing calls that set the boot choice.
    pub boot_changes: Vec<Range<u64>>,
    pub settings: Settings,
    pub behaves: Vec<(u64, Behaves)>,
    pub log: Vec<String>,
    pub request: Option<OperatorRequest>,
    pub system_clock: Moment,
    /// Changing calls so far; the cut comes at this one.
    pub changes: u64,
    pub cut_at: Option<(u64, After)>,
    /// A further cut, this many changing calls after the start that follows the first.
    pub cut_next: Option<(u64, After)>,
    /// A cut in the start that follows the last of the others, in that write of the boot loader.
    pub cut_loader: Option<(u64, After)>,
    pub requests: u64,
    /// Makes requests for images fail while positive, counting down by pieces.
    pub broken_pieces: u32,
    /// After this many syncs from now, a bit of the last part of the slot that does not run flips.
    pub rot_after_syncs: Option<u32>,
    /// Changing and fetching calls so far; the system clock jumps by that many seconds at this one.
    pub calls: u64,
    pub clock_jump_at: Option<(u64, i64)>,
    /// The offer is proven once for each change of the stored files, instead of at every turn: the same decisions, in a
    /// tenth of the time.
    pub remembers_offer: bool,
    offer: Option<(Offer, Moment)>,
    powered: bool,
    booted: Slot,
    uptime: u64,
    retry: RetryState,
    restarting: bool,
    /// Starts since it was made.
    pub starts: u32,
    /// The gate, where this device keeps one.
    pub gate: Option<gate::Gate>,
    /// The owner's settings, and what an update keeps of them.
    pub owners: migration::OwnersSettings,
    /// The wall's incident state, and the observation that it gets.
    pub wall: wall::Wall,
}

pub fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

pub fn settings() -> Settings {
    Settings {
        board: name(BOARD),
        channel: name(CHANNEL),
        device_id: "device-1".into(),
        own_release: None,
        poll_seconds: 3600,
        first_poll_within_seconds: 0,
        full_refresh_seconds: 86_400,
        trial_seconds: 300,
        soak_seconds: 0,
        boot_tries: 2,
        start_count: StartCount::Seen,
        confirm_by: ConfirmBy::Health,
        checkpoint_bytes: 8192,
        postpone_days_max: 7,
        postpone_critical_days_max: 1,
        time_zone: TimeZone::default(),
        restart_window: None,
        download_window: None,
        month_bytes_max: 0,
        restart_after_reset: true,
        firewall: FirewallSettings::default(),
    }
}

impl Device {
    /// A device fresh from the factory: release 1 in both slots, slot a running.
    pub fn new(server: Repository) -> Device {
        Device::on(MediumKind::Block, 1, server)
    }

    /// A device whose server offers that release.
    pub fn offered(number: u64) -> Device {
        let mut server = Repository::new();
        server.publish(&flash::draft(number));
        Device::new(server)
    }

    /// The same on a kind of medium; the seed decides what nobody knows of torn flash.
    pub fn on(kind: MediumKind, seed: u64, server: Repository) -> Device {
        let flash = Flash::with_release_in_both(1, kind, seed);
        let own = komainu_core::identifiers::ReleaseId {
            number: 1,
            version: komainu_core::identifiers::Version::parse("1.1").unwrap(),
        };
        Device {
            disk: Disk::default(),
            flash,
            environment: Environment::factory(),
            flow: None,
            boot_changes: Vec::new(),
            settings: Settings { own_release: Some(own), ..settings() },
            behaves: Vec::new(),
            log: Vec::new(),
            request: None,
            system_clock: TODAY,
            changes: 0,
            cut_at: None,
            cut_next: None,
            cut_loader: None,
            requests: 0,
            broken_pieces: 0,
            rot_after_syncs: None,
            calls: 0,
            clock_jump_at: None,
            remembers_offer: false,
            offer: None,
            powered: true,
            booted: Slot::A,
            uptime: 0,
            retry: RetryState::default(),
            restarting: false,
            starts: 1,
            gate: None,
            owners: migration::OwnersSettings::of_release(1),
            wall: wall::Wall::default(),
            server,
        }
    }

    pub fn booted_slot(&self) -> Slot {
        self.booted
    }

    /// The release that runs now.
    pub fn running_release(&self) -> u64 {
        self.flash.release_in(self.booted).expect("a running slot holds a whole release")
    }

    pub fn record_on_disk(&self) -> Option<Record> {
        self.disk.newest_record()
    }

    /// Takes turns until the device has nothing to do but wait for its next poll; restarts it whenever it
    /// asks, starts it again after a cut. Checks the invariants at every start.
    ///
    /// # Panics
    /// If it does not settle, or an invariant does not hold.
    pub fn run_until_quiet(&mut self) {
        for _ in 0..2000 {
            let next = self.turn();
            if !self.powered {
                self.start_after_cut();
                continue;
            }
            if self.restarting {
                self.restart();
                continue;
            }
            match next {
                Next::Now => {}
                Next::Restart => panic!("a restart was planned and not asked for: {:?}", self.log.last()),
                // Backoffs are waited for a few times; a server that never mends leaves a quiet device too.
                Next::Seconds(seconds) if seconds <= 10 || (1..=4).contains(&self.backoff()) => {
                    self.pass(seconds.into());
                }
                Next::Seconds(_) => return,
            }
        }
        panic!(
            "the device does not settle; its last words: {:#?}",
            &self.log[self.log.len().saturating_sub(12)..]
        );
    }

    /// Takes one turn of gate and update.
    pub fn turn(&mut self) -> Next {
        let settings = self.settings.clone();
        let contained = self.wall.incident_state.incident.as_ref().is_some_and(|incident| incident.contained);
        let grants = FirewallGrants { contained, ..FirewallGrants::default() };
        let request = self.request.clone();
        let facts = match self.offer.take().filter(|_| self.remembers_offer) {
            Some(offer) => look_knowing(self, &settings, &grants, request, offer),
            None => look(self, &settings, &grants, request),
        };
        let known = Some((facts.offer.clone(), facts.now)).filter(|_| self.remembers_offer);
        self.offer = known;
        let plan = decide(&facts, &settings);
        let mut outcome = execute(self, &facts, &plan, &settings, &grants);
        outcome.events.insert(0, plan.reason);
        if outcome.answered {
            self.request = None;
        }
        // The plan's reason is logged before a step is done; events after a cut are not.
        let said = if self.powered { outcome.events.len() } else { 1 };
        self.log_all(&outcome.events[..said]);
        outcome.next
    }

    /// Logs events; one that only repeats the last is left out.
    pub fn log_all(&mut self, events: &[Reason]) {
        for event in events {
            let line = event.to_string();
            if self.log.last() != Some(&line) {
                self.log.push(line);
            }
        }
    }

    /// Takes turns one by one, restarting where it asks for that, without letting time pass.
    pub fn take_turns(&mut self, count: u32) {
        for _ in 0..count {
            self.turn();
            self.restart_if_asked();
        }
    }

    /// Asserts that the log has these words.
    pub fn says(&self, words: &str) {
        assert!(self.log.iter().any(|line| line.contains(words)), "no `{words}` in {:#?}", self.log);
    }

    /// Starts of another release than the first.
    pub fn trials(&self) -> usize {
        let tried = |line: &&String| line.starts_with("started ") && !line.ends_with("release=1");
        self.log.iter().filter(tried).count()
    }

    /// Lets time pass.
    pub fn pass(&mut self, seconds: u64) {
        self.uptime += seconds;
        self.system_clock = self.system_clock.plus_seconds(seconds as i64);
    }

    /// Asks for a poll now, and runs.
    pub fn poll_and_run(&mut self) {
        self.request = Some(OperatorRequest::Poll);
        self.run_until_quiet();
    }

    /// Pulls the plug here and now, and starts it again.
    pub fn pull_the_plug(&mut self, after: After) {
        self.cut(after);
        self.start_after_cut();
    }

    fn backoff(&self) -> u32 {
        let RetryState { poll, stage, proof, gate, .. } = &self.retry;
        poll.failures + stage.failures + proof.failures + gate.failures
    }

    /// Restarts the device, if its last turn asked for that.
    pub fn restart_if_asked(&mut self) {
        if self.restarting {
            self.restart();
        }
    }

    /// Pulls the plug, and the boot loader finds one slot dead and starts the other by itself.
    pub fn pull_the_plug_with_slot_dead(&mut self, dead: Slot) {
        self.environment.slot = dead.other();
        self.pull_the_plug(After::Lost);
        self.environment.slot = dead;
    }

    fn start_after_cut(&mut self) {
        self.log.push("power-cut".into());
        self.powered = true;
        self.flash.power_up();
        self.cut_at = self.cut_next.take().map(|(later, after)| (self.changes + later, after));
        self.start();
    }

    fn restart(&mut self) {
        // A restart in order syncs everything first.
        self.flash.sync_all();
        self.log.push("restart".into());
        self.start();
    }

    fn start(&mut self) {
        self.restarting = false;
        self.retry = RetryState::default();
        self.request = None;
        if let Some(gate) = &mut self.gate {
            gate.restart();
        }
        self.uptime = 10;
        self.starts += 1;
        self.booted = self.boot();
        let release = self.running_release();
        if let Some(flow) = self.flow.as_ref().filter(|_| self.behaves_well(release)) {
            flow.clear_register();
        }
        self.owners.migrate_to(release);
        self.log.push(format!("started slot={} release={release}", self.booted));
        crate::invariants::check_all(self);
    }

    fn behaves_well(&self, release: u64) -> bool {
        self.behaves.iter().all(|(number, how)| *number != release || *how == Behaves::Well)
    }

    pub(in crate::sim) fn cut(&mut self, after: After) {
        self.powered = false;
        self.flash.lose_power(after);
        if let Some(flow) = &self.flow {
            flow.clear_register();
        }
    }

    /// Counts a call during which the clock may jump.
    fn call(&mut self) {
        self.calls += 1;
        if let Some((_, seconds)) = self.clock_jump_at.take_if(|(at, _)| *at == self.calls) {
            self.system_clock = self.system_clock.plus_seconds(seconds);
        }
    }

    /// Counts a changing call. `Err`: the power went; `keep` says whether this very call still took effect.
    fn change(&mut self) -> Result<(), After> {
        self.call();
        self.changes += 1;
        match self.cut_at {
            Some((at, after)) if at == self.changes => {
                self.cut_at = None;
                Err(after)
            }
            _ => Ok(()),
        }
    }

    /// The stored files change: what they offer is proven anew.
    fn forget_offer(&mut self) {
        self.offer = None;
    }

    fn dead(&self) -> Result<(), Text> {
        if self.powered { Ok(()) } else { Err(no_power()) }
    }
}

fn no_power() -> Text {
    text(format_args!("no power"))
}
