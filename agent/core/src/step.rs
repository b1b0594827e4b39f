//! Step: one thing to do, bounded in time, safe to repeat.

use crate::gate::state::GateState;
use crate::identifiers::{ReleaseId, Slot};
use crate::operator_request::Password;
use crate::reason::Reason;
use crate::update::facts::Parts;
use crate::update::offer::Release;
use crate::update::record::Record;
use komainu_trust::Verified;

/// One thing to do.
#[derive(Clone, Debug)]
pub enum Step {
    /// Refresh the metadata and the manifest.
    Poll,
    /// Write the next piece of a release into the slot that is not running, or prove that all of it is there.
    Stage {
        /// The release; only verified releases can be staged.
        release: Verified<Release>,
        /// The slot; never the one that runs.
        slot: Slot,
        /// The parts of the slots.
        parts: Parts,
    },
    /// Record the trial, then let the boot choice name it.
    Activate {
        release: ReleaseId,
        slot: Slot,
        /// It must be good this many seconds after its start.
        deadline_seconds: u32,
    },
    /// Mark the running release good, then record so and raise the floor.
    Confirm { release: ReleaseId, slot: Slot },
    /// Record that a release failed, let the boot choice name the old slot, and end the rollback when the old slot
    /// runs.
    RollBack {
        release: ReleaseId,
        /// The slot of the failed release.
        slot: Slot,
        /// The number of failed trials that it counts as; 0: the boot loader does not count starts, which is no fault of
        /// the release.
        times: u8,
    },
    /// Restart the device.
    Reboot,
    /// Record the state that was found.
    Adopt(Record),
    /// Let the boot choice name the running slot as good.
    Settle(Slot),
    /// Put the firewall's rules into the kernel.
    ApplyFirewall(GateState),
    /// Set this password.
    Claim(Password),
    /// Go on with a password that the account holds already.
    Finish,
    /// Give up a password that the account does not hold yet.
    Withdraw,
    /// Give the account the owner's credential back.
    Restore,
    /// Mark that the owner is to be forgotten.
    BeginReset,
    /// Forget the owner.
    Forget,
}

impl Step {
    /// Its name in log lines.
    pub fn name(&self) -> &'static str {
        match self {
            Step::Poll => "poll",
            Step::Stage { .. } => "stage",
            Step::Activate { .. } => "activate",
            Step::Confirm { .. } => "confirm",
            Step::RollBack { .. } => "rollback",
            Step::Reboot => "reboot",
            Step::Adopt(_) => "adopt",
            Step::Settle(_) => "settle",
            Step::ApplyFirewall(_) => "apply-firewall",
            Step::Claim(_) => "claim",
            Step::Finish => "finish",
            Step::Withdraw => "withdraw",
            Step::Restore => "restore",
            Step::BeginReset => "begin-reset",
            Step::Forget => "forget",
        }
    }

    /// True if it needs only the device: no server keeps it waiting.
    pub fn is_on_device(&self) -> bool {
        !matches!(self, Step::Poll | Step::Stage { .. })
    }

    /// True if the step belongs to the gate.
    pub fn is_of_gate(&self) -> bool {
        use Step::{ApplyFirewall, BeginReset, Claim, Finish, Forget, Restore, Withdraw};
        matches!(self, ApplyFirewall(_) | Claim(_) | Finish | Withdraw | Restore | BeginReset | Forget)
    }
}

/// When to look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// At once: a step changed the facts.
    Now,
    /// After so many seconds, or when something happens.
    Seconds(u32),
    /// Not before the restart that was asked for.
    Restart,
}

/// A plan: the steps, the next look, and the reason.
#[derive(Clone, Debug)]
pub struct Plan {
    /// In this order; the first that fails ends the turn.
    pub steps: heapless::Vec<Step, 2>,
    pub reason: Reason,
    /// When to look again.
    pub next: Next,
}

impl Plan {
    pub(crate) fn nothing(reason: Reason, next: Next) -> Plan {
        Plan { steps: heapless::Vec::new(), reason, next }
    }

    pub(crate) fn wait(reason: Reason, seconds: u64) -> Plan {
        Plan::nothing(reason, Next::Seconds(u32::try_from(seconds.max(1)).unwrap_or(u32::MAX)))
    }

    pub(crate) fn step(step: Step, reason: Reason, next: Next) -> Plan {
        let mut plan = Plan::nothing(reason, next);
        plan.push(step);
        plan
    }

    /// The same with one step more.
    pub(crate) fn then(mut self, step: Step) -> Plan {
        self.push(step);
        self
    }

    pub(crate) fn push(&mut self, step: Step) {
        let pushed = self.steps.push(step);
        debug_assert!(pushed.is_ok(), "no plan has more than two steps");
    }
}
