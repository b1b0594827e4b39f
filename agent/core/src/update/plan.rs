//! Plan: the next steps, the reason, and the time of the next look. A pure function of the facts, and it never fails:
//! "do nothing, because …" is a plan. The trial has a file of its own, `plan/trial.rs`.

use crate::step::Next;
use crate::step::Plan;
#[cfg(test)]
pub(crate) mod cases;
mod fetch_time;
pub mod start_time;
mod trial;

use crate::identifiers::{ReleaseId, Slot, Version};
use crate::operator_request::OperatorRequest;
use crate::reason::Reason;
use crate::settings::{Settings, StartCount};
use crate::step::Step;
use crate::update::facts::{BootChoice, Facts, Parts, RecordSeen};
use crate::update::offer::{Offer, Release};
use crate::update::plan::fetch_time::{FetchTime, fetch_time};
use crate::update::plan::start_time::{Start, postpone, start, start_at_once};
use crate::update::record::{Record, TRIALS_MAX, Update};
use crate::update::schedule::{until_device, until_poll, until_stage};
use crate::update::verify::{Purpose, Refusal, verify};
use komainu_trust::Verified;

/// The wait where only a person or a repair can help, in seconds.
const UNKNOWN_SECONDS: u32 = 300;

/// Decides the update's next steps. The gate has its turn before: see [`crate::turn::decide`].
pub fn plan(facts: &Facts, settings: &Settings) -> Plan {
    // Without these two facts no decision is safe: even the slot that may be written is unknown.
    let booted = match &facts.booted {
        Ok(slot) => *slot,
        Err(why) => return Plan::wait(Reason::BootedUnknown(why.clone()), UNKNOWN_SECONDS.into()),
    };
    let choice = match &facts.boot_choice {
        Ok(choice) => choice,
        Err(why) => return Plan::wait(Reason::BootChoiceUnknown(why.clone()), UNKNOWN_SECONDS.into()),
    };
    // The next step writes the record or the boot choice; after failures of the device it waits.
    let device_wait = until_device(&facts.retry, facts.uptime, settings);
    let mut planned = match &facts.record {
        RecordSeen::Absent => first_record(booted, choice, Reason::FirstStart(booted), settings),
        RecordSeen::Lost(why) => first_record(booted, choice, Reason::RecordLost(why.clone()), settings),
        RecordSeen::Found(record) => plan_by_record(facts, record, booted, choice, settings),
    };
    // The plan answers the request, also where it begins with the first record.
    if !matches!(facts.record, RecordSeen::Found(_)) && facts.request == Some(OperatorRequest::Poll) {
        planned.push(Step::Poll);
    }
    if device_wait > 0 && facts.request.is_none() && planned.steps.iter().any(Step::is_on_device) {
        let failures = facts.retry.device.failures;
        return Plan::wait(Reason::BackingOff { failures, seconds: device_wait }, device_wait);
    }
    planned
}

/// The first record, made from the facts. A trial under way stays a trial: a lost record does not make an unconfirmed
/// release good.
fn first_record(booted: Slot, choice: &BootChoice, reason: Reason, settings: &Settings) -> Plan {
    let mut record = Record::first(booted, running_release(booted, choice, settings));
    if let (Some(_), Some(number)) = (choice.tries_left, choice.release) {
        record.confirmed_slot = choice.slot.other();
        record.update = found_trial(number, choice, settings);
        if booted == choice.slot {
            // The running image's own release is on trial; the floor must not rise before confirm.
            record.confirmed = None;
            record.floor = 0;
        }
    }
    Plan::step(Step::Adopt(record), reason, Next::Now)
}

/// The release that runs, where no record tells: the firmware's own word, or a higher number that the boot choice has
/// beside this slot as good. Confirm wrote it there, and it spares a device without its state the same release again.
fn running_release(booted: Slot, choice: &BootChoice, settings: &Settings) -> Option<ReleaseId> {
    let own = settings.own_release.as_ref();
    let confirmed = choice.release.filter(|_| choice.tries_left.is_none() && choice.slot == booted);
    match confirmed.filter(|number| own.is_none_or(|own| own.number < *number)) {
        Some(number) => Some(release_of(number, settings)),
        None => own.cloned(),
    }
}

fn release_of(number: u64, settings: &Settings) -> ReleaseId {
    let version =
        settings.own_release.as_ref().filter(|own| own.number == number).map(|own| own.version.clone());
    let version = version.unwrap_or_else(|| Version::parse("unknown").expect("a fixed word that fits"));
    ReleaseId { number, version }
}

fn found_trial(number: u64, choice: &BootChoice, settings: &Settings) -> Update {
    Update::Trial {
        release: release_of(number, settings),
        slot: choice.slot,
        deadline_seconds: settings.trial_seconds,
        tries: None,
        restarts: 0,
    }
}

fn plan_by_record(
    facts: &Facts,
    record: &Record,
    booted: Slot,
    choice: &BootChoice,
    settings: &Settings,
) -> Plan {
    match &record.update {
        Update::Trial { release, slot, deadline_seconds, tries, restarts } => {
            let on = trial::Trial {
                record,
                release,
                slot: *slot,
                deadline_seconds: *deadline_seconds,
                tries: *tries,
                restarts: *restarts,
            };
            trial::plan_trial(facts, &on, booted, choice, settings)
        }
        Update::RollingBack { release, slot, restarts } => {
            trial::plan_rolling_back(record, release, *slot, *restarts, booted, choice)
        }
        Update::Idle | Update::Staging { .. } | Update::Staged { .. } => {
            if let Some(plan) = put_right(record, booted, choice, settings) {
                return plan;
            }
            plan_update(facts, record, booted, settings)
        }
    }
}

/// The record has nothing on trial: then the running slot must be the good one, and the boot choice must name it.
fn put_right(record: &Record, booted: Slot, choice: &BootChoice, settings: &Settings) -> Option<Plan> {
    let trial = choice.tries_left.is_some() && choice.slot == booted && booted != record.confirmed_slot;
    if let Some(number) = choice.release.filter(|_| trial) {
        // The newest record was lost, or other software started this trial: it is one all the same.
        let update = found_trial(number, choice, settings);
        let adopted = Record { update, ..record.clone() };
        return Some(Plan::step(Step::Adopt(adopted), Reason::TrialFound(number), Next::Now));
    }
    if booted != record.confirmed_slot {
        // The boot loader is not fought: it may know that the other slot no longer starts.
        let reason = Reason::OtherSlotRuns { recorded: record.confirmed_slot, running: booted };
        let adopted =
            Record { confirmed_slot: booted, confirmed: None, update: Update::Idle, ..record.clone() };
        return Some(Plan::step(Step::Adopt(adopted), reason, Next::Now));
    }
    if choice.slot != booted || choice.tries_left.is_some() {
        // The running slot has shown that it starts; the boot choice must not name the slot that is about to be
        // written.
        let reason = Reason::BootChoiceOff { chosen: choice.slot, running: booted };
        return Some(Plan::step(Step::Settle(booted), reason, Next::Now));
    }
    None
}

fn plan_update(facts: &Facts, record: &Record, booted: Slot, settings: &Settings) -> Plan {
    if facts.request == Some(OperatorRequest::Rollback)
        && let Some(plan) = give_up(record)
    {
        return plan;
    }
    if facts.request == Some(OperatorRequest::Confirm)
        && let Some(release) = record.uncounted
    {
        let record = Record { uncounted: None, ..record.clone() };
        return Plan::step(Step::Adopt(record), Reason::CountVouchedFor(release), Next::Now);
    }
    let until_poll = until_poll(&facts.retry, facts.uptime, settings);
    let offered = match &facts.offer {
        Offer::Release(release) => Some(release.manifest.release.number),
        _ => None,
    };
    if facts.request == Some(OperatorRequest::Poll)
        && let Some(at_once) = start_at_once(record, offered, facts, settings)
    {
        let record = Record { postponed: Some(at_once), ..record.clone() };
        return Plan::step(Step::Adopt(record), Reason::PollDue, Next::Now).then(Step::Poll);
    }
    // A postponement refers to the release that is staged now; the owner must not get a "yes" without effect.
    if until_poll == 0 && facts.request != Some(OperatorRequest::Postpone)
        || facts.request == Some(OperatorRequest::Poll)
        || looks_for_fleet(facts)
    {
        return Plan::step(Step::Poll, Reason::PollDue, Next::Now);
    }
    let parts = match &facts.parts {
        Ok(parts) => parts,
        Err(why) => return Plan::wait(Reason::PartsUnknown(why.clone()), until_poll),
    };
    let release = match &facts.offer {
        Offer::Nothing => return Plan::wait(Reason::OfferNothing, until_poll),
        Offer::Unusable(why) => return Plan::wait(Reason::OfferUnusable(why.clone()), until_poll),
        Offer::Release(release) => release,
    };
    let into = booted.other();
    let purpose = if facts.reimage { Purpose::Reimage } else { Purpose::Update };
    match verify(release, record, parts, into, facts.now, purpose, settings) {
        Ok(()) => plan_accepted(facts, record, release, into, parts, settings),
        // The floor was forgotten together with a targets key: the remaining keys offer the release that runs.
        Err(Refusal::UpToDate) if record.floor < release.manifest.release.number => {
            let floor = release.manifest.release.number;
            let record = Record { floor, ..record.clone() };
            Plan::step(Step::Adopt(record), Reason::FloorKnownAgain(floor), Next::Now)
        }
        Err(refusal) => {
            Plan::wait(Reason::Refused { release: release.manifest.release.number, refusal }, until_poll)
        }
    }
}

/// A fleet server asks for a look. After failures of polls it waits as every poll does: no server makes a device ask another one
/// without pause.
fn looks_for_fleet(facts: &Facts) -> bool {
    let is_time = facts.fleet.look_since.is_some_and(|since| since <= facts.uptime);
    is_time && facts.fleet.wants_look(&facts.retry) && facts.retry.poll.failures == 0
}

/// A fleet server lets the release on offer go no further. An infected device is written anew, whatever a server says.
fn fleet_holds(facts: &Facts, is_staged: bool) -> bool {
    let order = facts.fleet.order;
    let may = if is_staged { order.may_start() } else { order.may_stage() };
    !may && !facts.reimage
}

fn plan_accepted(
    facts: &Facts,
    record: &Record,
    offered: &Verified<Release>,
    into: Slot,
    parts: &Parts,
    settings: &Settings,
) -> Plan {
    let until_poll = until_poll(&facts.retry, facts.uptime, settings);
    // A release that panics would start for ever, and nothing on the device could end that.
    if let Some(tried) = record.uncounted.filter(|_| settings.start_count == StartCount::Seen) {
        return Plan::wait(Reason::StartsNotCounted(tried), until_poll);
    }
    let release = offered.manifest.release.clone();
    if facts.request == Some(OperatorRequest::Postpone)
        && let Some(postponed) = postpone(record, offered, facts.now, settings)
    {
        let reason = Reason::Postponed { release, until: postponed.until };
        let record = Record { postponed: Some(postponed), ..record.clone() };
        return Plan::step(Step::Adopt(record), reason, Next::Now);
    }
    let is_staged = matches!(&record.update, Update::Staged { digest, slot, .. }
        if *digest == offered.digest && *slot == into);
    if fleet_holds(facts, is_staged) {
        return Plan::wait(Reason::FleetHolds(release.number), until_poll);
    }
    if is_staged {
        match start(record, offered, facts, settings) {
            Start::Now => {}
            Start::Plan(postponed) => {
                let reason = Reason::Postponed { release, until: postponed.until };
                let record = Record { postponed: Some(postponed), ..record.clone() };
                return Plan::step(Step::Adopt(record), reason, Next::Now);
            }
            Start::Wait(until) => {
                let wait = until.0.abs_diff(facts.now.0).min(until_poll);
                return Plan::wait(Reason::Postponed { release, until }, wait);
            }
            // One question to the server, in case that the maker has halted it since.
            Start::Ask => return Plan::step(Step::Poll, Reason::PollDue, Next::Now),
        }
        let reason = Reason::Activating { release: release.clone(), slot: into };
        let activate = Step::Activate { release, slot: into, deadline_seconds: settings.trial_seconds };
        let mut plan = Plan::step(activate, reason, Next::Restart);
        plan.push(Step::Reboot);
        return plan;
    }
    match fetch_time(record, offered, into, facts, settings) {
        FetchTime::Now => {}
        FetchTime::AtPoll => return Plan::wait(Reason::WaveReached(release.number), until_poll),
        FetchTime::Later { until, why } => {
            let wait = until.0.abs_diff(facts.now.0).min(until_poll);
            return Plan::wait(Reason::FetchLater { release, until, why }, wait);
        }
        FetchTime::Count(fetched) => {
            let record = Record { fetched: Some(fetched), ..record.clone() };
            return Plan::step(Step::Adopt(record), Reason::CountingBytes(fetched.since), Next::Now);
        }
    }
    let (wait, failures) = until_stage(&facts.retry, facts.uptime, settings);
    if wait > 0 {
        return Plan::wait(Reason::BackingOff { failures, seconds: wait }, wait.min(until_poll));
    }
    let reason = Reason::Staging {
        release,
        slot: into,
        done_bytes: done_bytes(&record.update, offered, into),
        total_bytes: offered.manifest.images.iter().map(|image| image.length).sum(),
    };
    let step = Step::Stage { release: offered.clone(), slot: into, parts: parts.clone() };
    Plan::step(step, reason, Next::Now)
}

/// Bytes written of all images of a release that is being staged.
pub fn done_bytes(update: &Update, offered: &Release, into: Slot) -> u64 {
    match update {
        Update::Staging { digest, slot, part, offset, .. } if *digest == offered.digest && *slot == into => {
            let before = offered.manifest.images.iter().take(usize::from(*part));
            before.map(|image| image.length).sum::<u64>() + offset
        }
        _ => 0,
    }
}

/// Gives up the staged release, because the owner or the firmware does not want it: it counts as failed as often as
/// it may.
fn give_up(record: &Record) -> Option<Plan> {
    let (Update::Staging { release, .. } | Update::Staged { release, .. }) = &record.update else {
        return None;
    };
    let mut given_up = Record { update: Update::Idle, ..record.clone() };
    given_up.count_failure(release.number, TRIALS_MAX);
    let why = crate::fault::text(format_args!("asked for"));
    let reason = Reason::RollingBack { release: release.clone(), why };
    Some(Plan::step(Step::Adopt(given_up), reason, Next::Now))
}
