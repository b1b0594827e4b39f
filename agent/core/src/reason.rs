//! Reasons, the list of all log events: why the agent acts, or waits. One event a line: a fixed name, then `key=value`.

use crate::fault::{FetchFault, Text};
use crate::gate::state::GateState;
use crate::identifiers::{ReleaseId, Slot};
use crate::update::verify::Refusal;
use crate::wall::evidence::Evidence;
use crate::wall::report::Finding;
use core::fmt;
use komainu_trust::Moment;

/// The attention that an event deserves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// A person should look.
    Error,
    /// The device's state changed, or is about to.
    Info,
    Debug,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The first start of this device: the running release is taken as good.
    FirstStart(Slot),
    /// No copy of the record was good; a new one was made from the facts.
    RecordLost(Text),
    /// A slot runs that is not the one on record, with nothing under way.
    OtherSlotRuns {
        /// The confirmed slot on record.
        recorded: Slot,
        running: Slot,
    },
    /// The boot choice does not name the running slot as good, with nothing under way.
    BootChoiceOff {
        /// The slot that the boot choice names.
        chosen: Slot,
        running: Slot,
    },
    /// A release is on trial that the record does not know of.
    TrialFound(u64),
    /// The running slot cannot be determined.
    BootedUnknown(Text),
    /// The boot choice cannot be read or changed.
    BootChoiceUnknown(Text),
    /// The slots cannot be opened.
    PartsUnknown(Text),
    /// A poll is due.
    PollDue,
    /// Metadata cannot be used.
    OfferUnusable(Text),
    /// Metadata lists nothing for this board and channel.
    OfferNothing,
    /// A release is refused.
    Refused { release: u64, refusal: Refusal },
    /// The release that runs is the offered one, and the floor was forgotten: it is known again.
    FloorKnownAgain(u64),
    /// A release is being written to a slot.
    Staging {
        release: ReleaseId,
        slot: Slot,
        /// Bytes written of all its images.
        done_bytes: u64,
        /// Bytes of all its images.
        total_bytes: u64,
    },
    /// A release is staged and proven, and starts on trial.
    Activating { release: ReleaseId, slot: Slot },
    /// The boot choice names the release on trial; a restart will start it.
    RestartIntoTrial(ReleaseId),
    /// A release on trial is not known to be good yet.
    TrialWaits {
        release: ReleaseId,
        /// The condition that it waits for.
        waits_for: Text,
    },
    /// A release on trial is good and stays.
    Confirming(ReleaseId),
    /// A release on trial, or on its way there, is given up.
    RollingBack { release: ReleaseId, why: Text },
    /// A release on trial is given up, and stays all the same: the other slot holds nothing that could start.
    NoWayBack {
        release: ReleaseId,
        /// The slot that holds nothing.
        slot: Slot,
        why: Text,
    },
    /// Nothing is activated: on the trial of this release the boot loader did not count the start.
    StartsNotCounted(u64),
    /// A person says that the boot loader counts starts now; the next trial looks again.
    CountVouchedFor(u64),
    /// The maker's hooks, or the owner's settings, could not follow a step that was taken.
    MigrationFailed {
        /// The folder of the hooks.
        hooks: &'static str,
        why: Text,
    },
    /// The old slot is chosen; a restart will start it.
    RestartIntoOld(Slot),
    /// The slot that failed keeps coming up: it is left running.
    CannotLeave(Slot),
    /// The agent waits after failures.
    BackingOff {
        /// Failures in a row.
        failures: u32,
        /// Seconds to wait.
        seconds: u64,
    },
    /// There are no updates.
    UpdatesOff(Text),
    /// The kernel does not have the gate's rules: they are put there.
    ApplyingFirewall(GateState),
    /// A password is being set.
    Claiming,
    /// Setting a password was interrupted.
    ClaimUnfinished,
    /// The owner's account holds something else than the owner's credential, and gets it back.
    AccountChanged,
    /// The owner is to be forgotten.
    ResetAsked,
    /// The owner is being forgotten.
    Resetting,
    /// Advisories could not be fetched; the next poll asks for them again.
    AdvisoriesMissed(Fault),
    /// A release is not fetched now, because of the settings.
    FetchLater {
        release: ReleaseId,
        /// When it may be fetched.
        until: Moment,
        /// The setting that holds it.
        why: &'static str,
    },
    /// The bytes of images are counted anew from this moment on.
    CountingBytes(Moment),
    /// A wave has reached this device: its release begins with the next poll, in case that it is halted meanwhile.
    WaveReached(u64),
    /// A release waits for an action of the fleet server.
    FleetHolds(u64),
    /// The staged release starts later: in the window of the settings, or as the owner wants.
    Postponed {
        release: ReleaseId,
        /// When it starts.
        until: Moment,
    },
    /// The wall found a state that differs from the wanted one.
    Found(Finding),
    /// The finding was mended.
    Mended { remediation: &'static str, finding: Finding },
    /// The finding could not be mended.
    NotMended {
        /// The remediation that failed.
        remediation: &'static str,
        what: Text,
        why: Text,
    },
    /// A remediation did harm, and was undone.
    Undone {
        remediation: &'static str,
        /// The finding that it answered.
        what: Text,
    },
    /// The device is infected, or its owner said so.
    Incident {
        /// The first finding.
        what: Text,
        /// It is cut off from the WAN.
        contained: bool,
    },
    /// The incident is over.
    IncidentOver,
    /// A step could not be done.
    StepFailed { step: &'static str, fault: Fault },
}

/// The fault of a boot loader that does not count, and its mend.
pub const STARTS_NOT_COUNTED: &str = "the boot loader does not count starts, so that a release that panics would \
    start for ever: no release is started. Let it count (U-Boot: CONFIG_BOOTCOUNT_LIMIT, CONFIG_BOOTCOUNT_ENV), then \
    run komainu confirm; where it counts unseen, set count = 'trusted' under [trial]";

/// Why a step could not be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A file could not be fetched.
    Fetch(Text, FetchFault),
    /// Metadata or a target was refused.
    Trust(Text),
    /// The device could not do it.
    Device(Text),
    /// The bytes that were read back from a slot differ from the signed ones.
    NotWhatWasSigned(Text),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Fetch(file, fault) => write!(f, "{file}: {fault}"),
            Fault::Trust(why) | Fault::Device(why) | Fault::NotWhatWasSigned(why) => f.write_str(why),
        }
    }
}

impl Reason {
    /// The attention that the event deserves.
    pub fn level(&self) -> Level {
        match self {
            Reason::RecordLost(_)
            | Reason::OtherSlotRuns { .. }
            | Reason::BootChoiceOff { .. }
            | Reason::BootedUnknown(_)
            | Reason::BootChoiceUnknown(_)
            | Reason::PartsUnknown(_)
            | Reason::UpdatesOff(_)
            | Reason::OfferUnusable(_)
            | Reason::AccountChanged
            | Reason::RollingBack { .. }
            | Reason::CannotLeave(_)
            | Reason::NoWayBack { .. }
            | Reason::StartsNotCounted(_)
            | Reason::MigrationFailed { .. }
            | Reason::Found(Finding { evidence: Evidence::Infection, .. })
            | Reason::NotMended { .. }
            | Reason::Undone { .. }
            | Reason::Incident { .. }
            | Reason::StepFailed { .. } => Level::Error,
            Reason::Refused { refusal: Refusal::UpToDate | Refusal::WaveNotReached(_), .. }
            | Reason::PollDue
            | Reason::OfferNothing => Level::Debug,
            _ => Level::Info,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::FirstStart(slot) => write!(f, "first-start slot={slot}"),
            Reason::RecordLost(why) => write!(f, "record-lost why=\"{why}\""),
            Reason::OtherSlotRuns { recorded, running } => {
                write!(f, "other-slot-runs recorded={recorded} running={running}")
            }
            Reason::BootChoiceOff { chosen, running } => {
                write!(f, "boot-choice-off chosen={chosen} running={running}")
            }
            Reason::TrialFound(release) => write!(f, "trial-found release={release}"),
            Reason::BootedUnknown(why) => write!(f, "booted-unknown why=\"{why}\""),
            Reason::BootChoiceUnknown(why) => write!(f, "boot-choice-unknown why=\"{why}\""),
            Reason::PartsUnknown(why) => write!(f, "parts-unknown why=\"{why}\""),
            Reason::PollDue => write!(f, "poll-due"),
            Reason::OfferUnusable(why) => write!(f, "offer-unusable why=\"{why}\""),
            Reason::OfferNothing => write!(f, "offer-nothing"),
            Reason::Refused { release, refusal } => write!(f, "refused release={release} {refusal}"),
            Reason::FloorKnownAgain(floor) => write!(f, "floor-known-again floor={floor}"),
            Reason::Staging { release, slot, done_bytes, total_bytes } => write!(
                f,
                "staging release={} version={} slot={slot} bytes={done_bytes} of={total_bytes}",
                release.number, release.version
            ),
            Reason::Activating { release, slot } => {
                write!(f, "activating release={} version={} slot={slot}", release.number, release.version)
            }
            Reason::RestartIntoTrial(release) => {
                write!(f, "restart-into-trial release={} version={}", release.number, release.version)
            }
            Reason::TrialWaits { release, waits_for } => {
                write!(f, "trial-waits release={} for=\"{waits_for}\"", release.number)
            }
            Reason::Confirming(release) => {
                write!(f, "confirming release={} version={}", release.number, release.version)
            }
            Reason::RollingBack { release, why } => {
                write!(f, "rolling-back release={} version={} why=\"{why}\"", release.number, release.version)
            }
            Reason::NoWayBack { release, slot, why } => {
                write!(f, "no-way-back release={} slot={slot} why=\"{why}\"", release.number)
            }
            Reason::StartsNotCounted(release) => {
                write!(f, "starts-not-counted release={release} why=\"{STARTS_NOT_COUNTED}\"")
            }
            Reason::CountVouchedFor(release) => write!(f, "count-vouched-for release={release}"),
            Reason::MigrationFailed { hooks, why } => {
                write!(f, "migration-failed hooks={hooks} why=\"{why}\"")
            }
            Reason::RestartIntoOld(slot) => write!(f, "restart-into-old slot={slot}"),
            Reason::CannotLeave(slot) => write!(f, "cannot-leave slot={slot}"),
            Reason::BackingOff { failures, seconds } => {
                write!(f, "backing-off failures={failures} seconds={seconds}")
            }
            Reason::UpdatesOff(why) => write!(f, "updates-off why=\"{why}\""),
            Reason::ApplyingFirewall(gate_state) => write!(f, "firewall gate={}", gate_state.name()),
            Reason::Claiming => write!(f, "claiming"),
            Reason::ClaimUnfinished => write!(f, "claim-unfinished"),
            Reason::AccountChanged => write!(f, "account-changed"),
            Reason::ResetAsked => write!(f, "reset-asked"),
            Reason::Resetting => write!(f, "resetting"),
            Reason::AdvisoriesMissed(fault) => write!(f, "advisories-missed why=\"{fault}\""),
            Reason::FetchLater { release, until, why } => {
                let number = release.number;
                write!(f, "fetch-later release={number} version={} until={until} why={why}", release.version)
            }
            Reason::CountingBytes(since) => write!(f, "counting-bytes since={since}"),
            Reason::WaveReached(release) => write!(f, "wave-reached release={release}"),
            Reason::FleetHolds(release) => write!(f, "fleet-holds release={release}"),
            Reason::Postponed { release, until } => {
                write!(f, "postponed release={} version={} until={until}", release.number, release.version)
            }
            Reason::Found(Finding { measure, what, evidence, .. }) => {
                let word = match evidence {
                    Evidence::Told => "told",
                    Evidence::Weak => "found",
                    Evidence::Infection => "infected",
                };
                write!(f, "{word} measure={} what=\"{what}\"", measure.row().id)
            }
            Reason::Mended { remediation, finding: Finding { measure, what, evidence, .. } } => {
                let (id, evidence) = (measure.row().id, evidence.name());
                write!(f, "mended by={remediation} measure={id} evidence={evidence} what=\"{what}\"")
            }
            Reason::NotMended { remediation, what, why } => {
                write!(f, "not-mended by={remediation} what=\"{what}\" why=\"{why}\"")
            }
            Reason::Undone { remediation, what } => write!(f, "undone by={remediation} what=\"{what}\""),
            Reason::Incident { what, contained } => {
                write!(f, "incident contained={contained} what=\"{what}\"")
            }
            Reason::IncidentOver => write!(f, "incident-over"),
            Reason::StepFailed { step, fault } => write!(f, "step-failed step={step} why=\"{fault}\""),
        }
    }
}
