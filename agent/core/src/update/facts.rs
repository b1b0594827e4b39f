//! Facts: everything seen this turn. Any of it may be unknown, and says why.

use crate::device::World;
use crate::fault::Text;
use crate::gate::plan::GateFacts;
use crate::identifiers::{Name, PARTS_MAX, Slot};
use crate::settings::Settings;
use crate::update::offer;
use crate::update::offer::Offer;
use crate::update::record::{Record, Update};
use crate::wall::incident_response::IncidentResponse;
use komainu_trust::Moment;

/// The record as it was found.
#[derive(Clone, Debug)]
pub enum RecordSeen {
    /// The newer good copy.
    Found(Record),
    /// There is none: the first start of this device.
    Absent,
    /// There is something, but no copy of it is good.
    Lost(Text),
}

/// What the boot loader will start next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootChoice {
    /// The slot.
    pub slot: Slot,
    /// Starts left, where it is on trial; `None`: the slot is good.
    pub tries_left: Option<u8>,
    /// The release that the choice names, if it names one.
    pub release: Option<u64>,
}

/// What the health checks say of a release on trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// All checks pass.
    Good,
    /// A check says that it will not get better: which, and why.
    Failing(Text),
    /// Not yet: which check, and why.
    NotYet(Text),
}

/// A part of the slots, and the bytes that fit into it in either slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name in manifests.
    pub name: Name,
    /// Bytes in slot a.
    pub bytes_a: u64,
    /// Bytes in slot b.
    pub bytes_b: u64,
}

impl Part {
    /// Bytes in that slot.
    pub fn bytes(&self, slot: Slot) -> u64 {
        match slot {
            Slot::A => self.bytes_a,
            Slot::B => self.bytes_b,
        }
    }
}

/// Every part of a slot.
pub type Parts = heapless::Vec<Part, PARTS_MAX>;

/// What somebody asked for since the last turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperatorRequest {
    /// Poll now.
    Poll,
    /// The release on trial is good.
    Confirm,
    /// Give up the release that is staged or on trial.
    Rollback,
    /// Start what is staged later, as much later as the maker allows.
    Postpone,
    /// Set the password that waits.
    Claim,
    /// Forget the owner.
    Reset,
    /// An answer to an infection; the wall's.
    Incident(IncidentResponse),
    /// ProtectedPath files are as the owner wants them.
    AcceptChanges,
}

/// Consecutive failures of one kind of step, since the start. Not on record: a restart may try at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    /// How many in a row.
    pub failures: u32,
    /// When the last was, in seconds of uptime.
    pub last_uptime: u64,
    /// What the server asked for, in seconds; 0 if it did not.
    pub retry_after_seconds: u32,
}

/// What is remembered between turns, but not over a restart: losing it costs a poll, no more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetryState {
    /// The last poll that worked, in seconds of uptime.
    pub polled_uptime: Option<u64>,
    /// The last full refresh that worked, in seconds of uptime.
    pub refreshed_uptime: Option<u64>,
    /// What the server gave with the timestamp last accepted, for a conditional request (`ETag`).
    pub validator: Option<alloc::string::String>,
    /// Backoff of polling.
    pub poll: Backoff,
    /// Backoff of fetching and writing images; any progress ends them.
    pub stage: Backoff,
    /// Images that were complete and not what was signed. Progress does not end these: it would mean fetching
    /// the same wrong image for ever.
    pub proof: Backoff,
    /// Backoff of everything else that an update needs of the device.
    pub device: Backoff,
    /// Backoff of the gate.
    pub gate: Backoff,
}

/// Everything seen this turn.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The time by the best clock there is.
    pub now: Moment,
    /// Seconds since the device started.
    pub uptime: u64,
    /// The record.
    pub record: RecordSeen,
    /// The slot that is running.
    pub booted: Result<Slot, Text>,
    /// The boot choice.
    pub boot_choice: Result<BootChoice, Text>,
    /// The parts of the slots.
    pub parts: Result<Parts, Text>,
    /// Health; only asked on trial.
    pub health: Health,
    /// What metadata offers.
    pub offer: Offer,
    /// RetryState since the start.
    pub retry: RetryState,
    /// What somebody asked for.
    pub request: Option<OperatorRequest>,
    /// The gate; `None` where somebody else keeps it.
    pub gate: Option<GateFacts>,
    /// What runs shall be written anew into the other slot, because somebody may have changed it.
    pub reimage: bool,
}

impl Facts {
    /// The release that runs is on trial.
    pub fn is_on_trial(&self) -> bool {
        let slot = match &self.record {
            RecordSeen::Found(Record { update: Update::Trial { slot, .. }, .. }) => *slot,
            _ => return false,
        };
        self.booted == Ok(slot)
    }

    /// Looks at everything once.
    pub fn look(world: &mut dyn World, settings: &Settings) -> Facts {
        let mut gate = world.gate();
        if let Some(gate) = &mut gate {
            gate.rules = world.rules(gate.gate_state());
        }
        let record = world.record();
        let booted = world.booted();
        let on_trial = match (&record, &booted) {
            (RecordSeen::Found(Record { update: Update::Trial { slot, .. }, .. }), Ok(booted)) => {
                slot == booted
            }
            _ => false,
        };
        let health = if on_trial { world.health() } else { Health::Good };
        let clock = world.clock();
        let reimage = world.incident_state().incident.and_then(|incident| incident.reimage);
        let (offer, now) = offer::read(&world.kept(), clock, settings);
        Facts {
            now,
            uptime: world.uptime_seconds(),
            record,
            boot_choice: world.boot_choice(),
            parts: world.parts(),
            health,
            offer,
            retry: world.retry(),
            request: world.request(),
            gate,
            reimage: reimage.is_some_and(|slot| booted == Ok(slot)),
            booted,
        }
    }
}
