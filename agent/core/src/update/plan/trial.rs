//! Decides about a release on trial: wait, confirm, or rollback. A rollback must survive every power cut, too.

#[cfg(test)]
mod cases;

use crate::fault::{Text, text};
use crate::identifiers::{ReleaseId, Slot};
use crate::operator_request::OperatorRequest;
use crate::reason::Reason;
use crate::settings::{ConfirmBy, Settings, StartCount};
use crate::step::Step;
use crate::step::{Next, Plan};
use crate::update::facts::{BootChoice, Facts, Health, RecordSeen};
use crate::update::record::{Record, TRIALS_MAX, Update};

/// Health is asked again after so many seconds.
const HEALTH_SECONDS: u64 = 5;
/// Restarts that do not bring up the chosen slot, before the planner takes another way.
const RESTARTS_MAX: u8 = 3;

/// A trial on record.
pub(super) struct Trial<'a> {
    pub record: &'a Record,
    pub release: &'a ReleaseId,
    pub slot: Slot,
    pub deadline_seconds: u32,
    pub tries: Option<u8>,
    pub restarts: u8,
}

enum Verdict {
    Good,
    /// It counts as so many failed trials.
    Bad(Text, u8),
    TooSoon {
        waits_for: Text,
        seconds: u64,
    },
}

pub(super) fn plan_trial(
    facts: &Facts,
    trial: &Trial<'_>,
    booted: Slot,
    choice: &BootChoice,
    settings: &Settings,
) -> Plan {
    if booted != trial.slot {
        return plan_not_started(facts, trial, choice);
    }
    if facts.request == Some(OperatorRequest::Rollback) {
        return leave(facts, trial, TRIALS_MAX, asked_for());
    }
    match verdict(facts, trial, choice, settings) {
        Verdict::Good => {
            let confirm = Step::Confirm { release: trial.release.clone(), slot: trial.slot };
            Plan::step(confirm, Reason::Confirming(trial.release.clone()), Next::Now)
        }
        Verdict::Bad(why, times) => leave(facts, trial, times, why),
        Verdict::TooSoon { waits_for, seconds } => {
            Plan::wait(Reason::TrialWaits { release: trial.release.clone(), waits_for }, seconds)
        }
    }
}

fn verdict(facts: &Facts, trial: &Trial<'_>, choice: &BootChoice, settings: &Settings) -> Verdict {
    // A cut fell between marking it good and recording so: the health checks had passed before.
    if choice.slot == trial.slot && choice.tries_left.is_none() {
        return Verdict::Good;
    }
    // Seen before anybody may confirm it. The old slot is known to start; this one may panic the next time, for ever.
    if settings.start_count == StartCount::Seen && is_uncounted(trial, choice) {
        return Verdict::Bad(text(format_args!("the boot loader does not count starts")), 0);
    }
    if facts.request == Some(OperatorRequest::Confirm) {
        return Verdict::Good;
    }
    let soak = u64::from(settings.soak_seconds);
    let waits_for = match &facts.health {
        Health::Failing(why) => return Verdict::Bad(why.clone(), TRIALS_MAX),
        Health::Good => {
            let good_since = facts.retry.good_since.unwrap_or(facts.uptime);
            let left = soak.saturating_sub(facts.uptime.saturating_sub(good_since));
            if left > 0 {
                // A release that is good at the deadline is waited for; one bad answer from then on ends the trial.
                let waits_for = text(format_args!("good health checks for {soak} s without a break"));
                return Verdict::TooSoon { waits_for, seconds: HEALTH_SECONDS.min(left) };
            }
            if settings.confirm_by == ConfirmBy::Health {
                return Verdict::Good;
            }
            text(format_args!("komainu confirm"))
        }
        Health::NotYet(why) => why.clone(),
    };
    let deadline = u64::from(trial.deadline_seconds);
    if facts.uptime >= deadline {
        return Verdict::Bad(text(format_args!("not good after {deadline} s: {waits_for}")), 1);
    }
    Verdict::TooSoon { waits_for, seconds: HEALTH_SECONDS.min(deadline - facts.uptime) }
}

/// The start of this trial took none of its tries. A choice that others made is not judged; nor is one without this release:
/// a cut fell between marking it good and recording so, and the boot loader counts every start, also of a good slot.
fn is_uncounted(trial: &Trial<'_>, choice: &BootChoice) -> bool {
    let full = |tries| choice.tries_left.is_some_and(|left| left >= tries);
    let is_this = choice.slot == trial.slot && choice.release == Some(trial.release.number);
    is_this && trial.tries.is_some_and(full)
}

/// The old slot runs though a trial is on record.
fn plan_not_started(facts: &Facts, trial: &Trial<'_>, choice: &BootChoice) -> Plan {
    let release = trial.release.clone();
    if facts.request == Some(OperatorRequest::Rollback) {
        return roll_back(trial, TRIALS_MAX, asked_for(), Next::Now);
    }
    // A reimaged slot bears the same release number: then only the slot tells them apart.
    let renews = matches!(&facts.record, RecordSeen::Found(record)
        if record.confirmed.as_ref().is_some_and(|confirmed| confirmed.number == release.number));
    let named = choice.release == Some(release.number) && (choice.slot == trial.slot || !renews);
    let waiting = named && choice.slot == trial.slot && choice.tries_left.is_some_and(|tries| tries > 0);
    if named && !waiting {
        // The boot loader tried the new slot as often as it may, and went back.
        let why = text(format_args!("did not start within the boot loader's tries"));
        return roll_back(trial, 1, why, Next::Now);
    }
    if trial.restarts >= RESTARTS_MAX {
        let why = text(format_args!("the boot loader did not start it in {RESTARTS_MAX} restarts"));
        return roll_back(trial, 1, why, Next::Now);
    }
    // The boot choice may name the slot or not yet; the steps are the same: activate changes only the missing parts.
    let reason = Reason::RestartIntoTrial(release.clone());
    let activate = Step::Activate { release, slot: trial.slot, deadline_seconds: trial.deadline_seconds };
    let mut plan = Plan::step(activate, reason, Next::Restart);
    plan.push(Step::Reboot);
    plan
}

/// A release that an operator gives up must not come back an hour later: it counts as failed as often as it may.
fn asked_for() -> Text {
    text(format_args!("asked for"))
}

/// Leaves the slot on trial, unless the way back leads nowhere: then the running slot is kept, and reachable.
fn leave(facts: &Facts, trial: &Trial<'_>, times: u8, why: Text) -> Plan {
    if !facts.other_slot_blank {
        return roll_back(trial, times, why, Next::Restart);
    }
    let mut record =
        Record { confirmed_slot: trial.slot, confirmed: None, update: Update::Idle, ..trial.record.clone() };
    record.count_failure(trial.release.number, times);
    let reason = Reason::NoWayBack { release: trial.release.clone(), slot: trial.slot.other(), why };
    Plan::step(Step::Adopt(record), reason, Next::Now)
}

fn roll_back(trial: &Trial<'_>, times: u8, why: Text, next: Next) -> Plan {
    let release = trial.release.clone();
    let reason = Reason::RollingBack { release: release.clone(), why };
    let mut plan = Plan::step(Step::RollBack { release, slot: trial.slot, times }, reason, next);
    if next == Next::Restart {
        plan.push(Step::Reboot);
    }
    plan
}

pub(super) fn plan_rolling_back(
    record: &Record,
    release: &ReleaseId,
    failed: Slot,
    restarts: u8,
    booted: Slot,
    choice: &BootChoice,
) -> Plan {
    let old = failed.other();
    if booted == old {
        // Rollback ends the trial: first the choice, if a cut came before it, then the record.
        let why = text(format_args!("back in slot {old}"));
        let step = Step::RollBack { release: release.clone(), slot: failed, times: 1 };
        return Plan::step(step, Reason::RollingBack { release: release.clone(), why }, Next::Now);
    }
    if restarts >= RESTARTS_MAX && choice.slot == old {
        // The boot loader does not obey its environment, or the old slot no longer starts. A device that restarts for
        // ever is useless: it keeps the running slot, says so, and waits for the next release.
        let adopted =
            Record { confirmed_slot: booted, confirmed: None, update: Update::Idle, ..record.clone() };
        return Plan::step(Step::Adopt(adopted), Reason::CannotLeave(failed), Next::Now);
    }
    let mut plan = Plan::step(
        Step::RollBack { release: release.clone(), slot: failed, times: 1 },
        Reason::RestartIntoOld(old),
        Next::Restart,
    );
    plan.push(Step::Reboot);
    plan
}
