//! Decides about a release on trial: wait, confirm, or rollback. A rollback must survive every power cut, too.

use crate::fault::{Text, text};
use crate::identifiers::{ReleaseId, Slot};
use crate::operator_request::OperatorRequest;
use crate::reason::Reason;
use crate::settings::{ConfirmBy, Settings};
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
    pub release: &'a ReleaseId,
    pub slot: Slot,
    pub deadline_seconds: u32,
    pub restarts: u8,
}

enum Verdict {
    Good,
    Bad(Text),
    TooSoon { waits_for: Text, seconds: u64 },
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
        return roll_back_on_request(trial, Next::Restart);
    }
    let marked_good = choice.slot == booted && choice.tries_left.is_none();
    match verdict(facts, trial, marked_good, settings) {
        Verdict::Good => {
            let confirm = Step::Confirm { release: trial.release.clone(), slot: trial.slot };
            Plan::step(confirm, Reason::Confirming(trial.release.clone()), Next::Now)
        }
        Verdict::Bad(why) => roll_back(trial, 1, why, Next::Restart),
        Verdict::TooSoon { waits_for, seconds } => {
            Plan::wait(Reason::TrialWaits { release: trial.release.clone(), waits_for }, seconds)
        }
    }
}

fn verdict(facts: &Facts, trial: &Trial<'_>, marked_good: bool, settings: &Settings) -> Verdict {
    // A cut fell between marking it good and recording so: the health checks had passed before.
    if marked_good {
        return Verdict::Good;
    }
    if facts.request == Some(OperatorRequest::Confirm) {
        return Verdict::Good;
    }
    let waits_for = match (&facts.health, settings.confirm_by) {
        (Health::Failing(why), _) => return Verdict::Bad(why.clone()),
        (Health::Good, ConfirmBy::Health) => return Verdict::Good,
        (Health::Good, ConfirmBy::Command) => text(format_args!("komainu confirm")),
        (Health::NotYet(why), _) => why.clone(),
    };
    let deadline = u64::from(trial.deadline_seconds);
    if facts.uptime >= deadline {
        return Verdict::Bad(text(format_args!("not good after {deadline} s: {waits_for}")));
    }
    Verdict::TooSoon { waits_for, seconds: HEALTH_SECONDS.min(deadline - facts.uptime) }
}

/// The old slot runs though a trial is on record.
fn plan_not_started(facts: &Facts, trial: &Trial<'_>, choice: &BootChoice) -> Plan {
    let release = trial.release.clone();
    if facts.request == Some(OperatorRequest::Rollback) {
        return roll_back_on_request(trial, Next::Now);
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
fn roll_back_on_request(trial: &Trial<'_>, next: Next) -> Plan {
    roll_back(trial, TRIALS_MAX, text(format_args!("asked for")), next)
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
    let settled = choice.slot == old && choice.tries_left.is_none();
    if booted == old {
        // Rollback ends the trial: first the choice, if a cut came before it, then the record.
        let why = text(format_args!("back in slot {old}"));
        let step = Step::RollBack { release: release.clone(), slot: failed, times: 1 };
        return Plan::step(step, Reason::RollingBack { release: release.clone(), why }, Next::Now);
    }
    if restarts >= RESTARTS_MAX && settled {
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
