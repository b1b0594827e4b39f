//! Facts: everything that the update sees this turn. Any of it may be unknown; then it says why.

use crate::fault::Text;
use crate::gate::state::GateFacts;
use crate::identifiers::{Name, PARTS_MAX, Slot};
use crate::operator_request::OperatorRequest;
use crate::retry_state::RetryState;
use crate::update::fleet_order::FleetWord;
use crate::update::offer::Offer;
use crate::update::record::{Record, Update};
use komainu_trust::Moment;

/// The record as it was found.
#[derive(Clone, Debug)]
pub enum RecordSeen {
    /// The newer good copy.
    Found(Record),
    /// There is none: the first start of this device.
    Absent,
    /// No copy of the record is good.
    Lost(Text),
}

/// The boot loader's next start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootChoice {
    pub slot: Slot,
    /// Starts left, where it is on trial; `None`: the slot is good.
    pub tries_left: Option<u8>,
    /// The release that the choice names, if it names one.
    pub release: Option<u64>,
}

/// The result of the health checks on a release on trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// All checks pass.
    Good,
    /// A check says that it will not get better, in a later trial neither; the text names the check and the cause.
    Failing(Text),
    /// Not yet; the text names the check and the cause.
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
    /// Bytes at its beginning that the medium takes only with the commit; 0: the medium needs no such order.
    pub committed_last_bytes: u64,
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

/// Everything seen this turn.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The time by the best clock there is.
    pub now: Moment,
    /// The system clock is not behind signed time, so that the hour of the day is known.
    pub clock_is_right: bool,
    /// Seconds since the device started.
    pub uptime: u64,
    pub record: RecordSeen,
    /// The slot that is running.
    pub booted: Result<Slot, Text>,
    /// The boot choice.
    pub boot_choice: Result<BootChoice, Text>,
    /// The parts of the slots.
    pub parts: Result<Parts, Text>,
    /// Health; only asked on trial.
    pub health: Health,
    /// The slot that is not running begins with nothing in one of its parts; only looked at on trial. A device that goes
    /// back to it does not start again.
    pub other_slot_blank: bool,
    /// The offer in the stored metadata.
    pub offer: Offer,
    /// The retry state since the start.
    pub retry: RetryState,
    /// The operator's request.
    pub request: Option<OperatorRequest>,
    /// The gate; `None` where the maker leaves it to other software.
    pub gate: Option<GateFacts>,
    /// The running release shall be written anew into the other slot, because an attacker may have changed it.
    pub reimage: bool,
    /// The word of a fleet server.
    pub fleet: FleetWord,
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
}
