//! One device: the real planner, schedule, activate, confirm and rollback of the core, over a flash and a server that only
//! count. Time goes from one decision to the next.

use crate::server::{HEAD_BYTES, REQUEST_BYTES, Server, Version};
use crate::tally::Tally;
use komainu_core::device::{Boot, Ledger, Migration};
use komainu_core::fault::{Text, text};
use komainu_core::identifiers::{Name, ReleaseId, Slot};
use komainu_core::retry_state::{Backoff, RetryState};
use komainu_core::settings::Settings;
use komainu_core::step::{Next, Step};
use komainu_core::update::activate::activate;
use komainu_core::update::confirm::confirm;
use komainu_core::update::facts::{BootChoice, Facts, Health, Part, Parts, RecordSeen};
use komainu_core::update::fleet_order::FleetWord;
use komainu_core::update::lot::lot;
use komainu_core::update::offer::{Offer, Release};
use komainu_core::update::plan::plan;
use komainu_core::update::record::{Record, Update};
use komainu_core::update::rollback::{roll_back, settle};
use komainu_core::update::schedule::full_refresh_due;
use komainu_trust::Moment;

/// Bytes of the images of a release, of which each device fetches all.
pub const IMAGE_BYTES: u64 = 8 << 20;
/// From the order to restart until the agent looks again, in seconds.
const RESTART_SECONDS: i64 = 60;

/// The nature of one device; everything follows from its number and the seed.
pub struct Traits {
    pub id: String,
    /// Seconds before the beginning at which it was switched on.
    pub on_since: i64,
    /// It knows the time of day.
    pub has_clock: bool,
    pub bytes_per_second: u64,
    /// It is switched off and on again every so many seconds.
    pub restarts_every: i64,
}

impl Traits {
    pub fn of(number: u64, seed: u64) -> Traits {
        let id = format!("02:{:02x}:{:012x}", seed & 0xff, number ^ (seed << 8));
        let draw = |what: &str, below: u64| lot(&id, what, below);
        Traits {
            on_since: draw("on since", 2 * 86_400) as i64,
            has_clock: draw("clock", 3) != 0,
            bytes_per_second: (64 * 1024) << draw("line", 6),
            restarts_every: 86_400 * (10 + draw("restarts", 50) as i64),
            id,
        }
    }
}

/// A device at work.
pub struct Device<'w> {
    server: &'w Server,
    settings: &'w Settings,
    traits: &'w Traits,
    /// Moment of second 0.
    begins: Moment,
    /// A release that never becomes good.
    bad_release: u64,
    facts: Facts,
    /// The second at which it was switched on last.
    started: i64,
    /// The release that it fetched last: its slot still holds every byte after a failed trial.
    fetched: u64,
    /// The newest state of the repository that it knows.
    known: Option<&'w Version>,
    second: i64,
}

impl<'w> Device<'w> {
    pub fn new(
        server: &'w Server,
        settings: &'w Settings,
        traits: &'w Traits,
        begins: Moment,
        bad_release: u64,
    ) -> Device<'w> {
        let first =
            ReleaseId { number: 1, ..settings.own_release.clone().expect("a fleet knows its release") };
        let part = |name: &str| Part {
            name: Name::parse(name).expect("a plain word"),
            bytes_a: 1 << 30,
            bytes_b: 1 << 30,
            committed_last_bytes: 4096,
        };
        let mut parts = Parts::new();
        let pushed = [part("kernel"), part("rootfs")].map(|part| parts.push(part).is_ok());
        assert_eq!(pushed, [true; 2]);
        Device {
            facts: Facts {
                now: Moment(0),
                clock_is_right: traits.has_clock,
                uptime: 0,
                record: RecordSeen::Found(Record::first(Slot::A, Some(first))),
                booted: Ok(Slot::A),
                boot_choice: Ok(BootChoice { slot: Slot::A, tries_left: None, release: Some(1) }),
                parts: Ok(parts),
                health: Health::Good,
                other_slot_blank: false,
                offer: Offer::Unusable(text(format_args!("nothing was fetched yet"))),
                retry: RetryState::default(),
                request: None,
                gate: None,
                reimage: false,
                fleet: FleetWord::default(),
            },
            started: -traits.on_since,
            second: -traits.on_since,
            known: None,
            fetched: 0,
            server,
            settings,
            traits,
            begins,
            bad_release,
        }
    }

    /// Lives until that second.
    pub fn live(&mut self, ends: i64, tally: &mut Tally) {
        tally.devices += 1;
        let mut next_restart = self.second + self.traits.restarts_every;
        while self.second < ends {
            self.look();
            let plan = plan(&self.facts, self.settings);
            tally.plans += 1;
            for step in &plan.steps {
                if !self.perform(step, tally) {
                    break;
                }
            }
            match plan.next {
                Next::Seconds(seconds) => self.second += i64::from(seconds),
                Next::Now | Next::Restart => self.second += 1,
            }
            if self.second >= next_restart {
                self.second = next_restart;
                next_restart += self.traits.restarts_every;
                self.restart();
            }
        }
    }

    fn look(&mut self) {
        let told = self.known.map_or(Moment(0), |version| version.issued);
        let right = self.begins.plus_seconds(self.second);
        self.facts.now = if self.traits.has_clock { right.max(told) } else { told };
        self.facts.uptime = (self.second - self.started).unsigned_abs();
        if self.facts.is_on_trial() {
            let bad = matches!(self.record(), RecordSeen::Found(Record {
                update: Update::Trial { release, .. }, .. }) if release.number == self.bad_release);
            // The soak and the deadline pass at once: nothing is asked of the server in them.
            self.facts.uptime = self.facts.uptime.max(u64::from(self.settings.trial_seconds));
            self.facts.retry.good_since = Some(0);
            self.facts.health =
                if bad { Health::NotYet(text(format_args!("no answer"))) } else { Health::Good };
        } else {
            self.facts.health = Health::Good;
        }
    }

    fn record_mut(&mut self) -> &mut Record {
        let RecordSeen::Found(record) = &mut self.facts.record else { unreachable!("it is never lost here") };
        record
    }

    /// Carries a step out; false: it failed, and the rest of the plan is left.
    fn perform(&mut self, step: &Step, tally: &mut Tally) -> bool {
        let settings = self.settings;
        let mut events = Vec::new();
        let done = match step {
            Step::Poll => return self.poll(tally),
            Step::Stage { release, slot, .. } => return self.stage(release, *slot, tally),
            Step::Activate { release, slot, deadline_seconds } => {
                activate(self, release, *slot, *deadline_seconds, settings)
            }
            Step::Confirm { release, slot } => {
                tally.kept.entry(release.number).or_default().push(self.second);
                confirm(self, release, *slot, &mut events)
            }
            Step::RollBack { release, slot, times } => {
                tally.failed_trials += u64::from(self.facts.is_on_trial());
                roll_back(self, release, *slot, *times, settings, &mut events)
            }
            Step::Settle(slot) => settle(self, *slot, None),
            Step::Adopt(record) => {
                *self.record_mut() = record.clone();
                Ok(())
            }
            Step::Reboot => {
                self.second += RESTART_SECONDS;
                self.restart();
                Ok(())
            }
            _ => unreachable!("a fleet without a gate has no other steps: {}", step.name()),
        };
        done.expect("a simulated flash takes everything");
        true
    }

    fn restart(&mut self) {
        self.started = self.second;
        self.facts.retry = RetryState::default();
        if let Ok(choice) = &mut self.facts.boot_choice {
            self.facts.booted = Ok(choice.slot);
            choice.tries_left = choice.tries_left.map(|tries| tries.saturating_sub(1));
        }
    }

    fn failed(&mut self, second: i64) -> Backoff {
        Backoff { failures: 1, last_uptime: (second - self.started).unsigned_abs(), retry_after_seconds: 0 }
    }

    fn poll(&mut self, tally: &mut Tally) -> bool {
        let Some(version) = self.server.at(self.second) else {
            tally.unanswered += 1;
            let before = self.facts.retry.poll.failures;
            let failed = self.failed(self.second);
            self.facts.retry.poll = Backoff { failures: before.saturating_add(1), ..failed };
            return false;
        };
        let retry = &mut self.facts.retry;
        let full = retry.validator.is_none() || full_refresh_due(retry, self.facts.uptime, self.settings);
        let is_known = self.known.is_some_and(|known| known.at == version.at);
        let same_release = self.known.is_some_and(|known| known.snapshot == version.snapshot);
        let one = REQUEST_BYTES + HEAD_BYTES;
        let (mut requests, mut bytes) = (1, one);
        if is_known && !full {
            tally.idle_polls += u64::from(self.second >= 0);
            tally.idle_bytes += if self.second >= 0 { bytes } else { 0 };
        } else {
            bytes += version.timestamp_bytes;
        }
        // News of a release, and what comes once in a while, begin at the root.
        if full || !same_release {
            (requests, bytes) = (requests + 1, bytes + one);
            retry.refreshed_uptime = Some(self.facts.uptime);
        }
        if !same_release {
            // Snapshot, targets and manifest.
            (requests, bytes) = (requests + 3, bytes + 3 * one + version.release_bytes);
        }
        retry.validator = Some(String::new());
        retry.polled_uptime = Some(self.facts.uptime);
        retry.poll = Backoff::default();
        tally.served(self.second, requests, bytes, 0);
        if !is_known {
            self.facts.offer = version.offer.clone();
            self.known = Some(version);
        }
        self.record_mut().count_poll();
        true
    }

    /// Fetches all of a release, or as much as comes before the server stops to answer.
    fn stage(&mut self, release: &Release, slot: Slot, tally: &mut Tally) -> bool {
        let id = release.manifest.release.clone();
        let (digest, update) = (release.digest, self.record_mut().update.clone());
        let from = match update {
            Update::Staging { digest: begun, offset, .. } if begun == digest => offset,
            _ if self.fetched == id.number => IMAGE_BYTES,
            _ => {
                tally.begun.entry(id.number).or_default().push(self.second);
                0
            }
        };
        let seconds = ((IMAGE_BYTES - from) / self.traits.bytes_per_second) as i64 + 1;
        let stops = match self.server.at(self.second) {
            None => Some(self.second),
            Some(_) => self.server.stops_within(self.second..self.second + seconds),
        };
        let Some(stops) = stops else {
            // Each part, its beginning once more, and the first bytes of either for comparison.
            tally.served(self.second, 6, IMAGE_BYTES - from + 6 * (REQUEST_BYTES + HEAD_BYTES), seconds);
            self.second += seconds;
            self.fetched = id.number;
            self.record_mut().update = Update::Staged { release: id, digest, slot };
            self.facts.retry.stage = Backoff::default();
            return true;
        };
        let came = (stops - self.second).unsigned_abs() * self.traits.bytes_per_second;
        tally.unanswered += 1;
        tally.served(self.second, u64::from(came > 0), came, stops - self.second);
        let offset = (from + came).min(IMAGE_BYTES - 1);
        self.record_mut().update = Update::Staging { release: id, digest, slot, part: 0, offset };
        let before = if came > 0 { 0 } else { self.facts.retry.stage.failures };
        let failed = self.failed(stops);
        self.facts.retry.stage = Backoff { failures: before + 1, ..failed };
        self.second = stops;
        false
    }
}

impl Ledger for Device<'_> {
    fn record(&mut self) -> RecordSeen {
        self.facts.record.clone()
    }

    fn keep_record(&mut self, record: &Record) -> Result<(), Text> {
        self.facts.record = RecordSeen::Found(record.clone());
        Ok(())
    }

    fn retry(&mut self) -> RetryState {
        self.facts.retry.clone()
    }

    fn keep_retry(&mut self, retry: &RetryState) {
        self.facts.retry = retry.clone();
    }
}

impl Boot for Device<'_> {
    fn booted(&mut self) -> Result<Slot, Text> {
        self.facts.booted.clone()
    }

    fn boot_choice(&mut self) -> Result<BootChoice, Text> {
        self.facts.boot_choice.clone()
    }

    fn set_boot_choice(&mut self, choice: &BootChoice) -> Result<(), Text> {
        self.facts.boot_choice = Ok(choice.clone());
        Ok(())
    }
}

impl Migration for Device<'_> {
    fn before_activate(&mut self, _: &ReleaseId) -> Result<(), Text> {
        Ok(())
    }

    fn after_confirm(&mut self, _: &ReleaseId) -> Result<(), Text> {
        Ok(())
    }

    fn on_rollback(&mut self, _: &ReleaseId) -> Result<(), Text> {
        Ok(())
    }
}
