//! The wall's planner: a pure function of the findings, the incident state and the policy. It mends what policy enforces,
//! within a budget, puts what could do harm on trial, and answers an infection.
//!
//! The law of answers: a trial is undone by the agent itself, and never by a restart. A restart and a new image need an
//! infection, happen once an incident at most, and only where they would take the cause away.
//!
//! Say it before you break it: a fact that must outlast a restart is remembered before the step is done.

pub mod budget;
#[cfg(test)]
pub mod cases;
pub mod finding_digest;
pub mod watch;

use self::finding_digest::{failure_of, trial_of};
use self::watch::{OnTrial, TRIAL_SECONDS, Watch};
use super::incident_response::IncidentResponse;
use super::incident_state::{Incident, IncidentState, RemediationTrial};
use super::policy::{Automatic, Policy};
use super::remediation::Remediation;
use super::report::{Finding, Report};
use crate::fault::{Text, text};
use crate::identifiers::Digest64;
use crate::identifiers::Slot;
use crate::update::facts::Health;
use alloc::vec::Vec;
use komainu_trust::Moment;

/// An incident is over after this many seconds of uptime without a finding.
pub const QUIET_SECONDS: u64 = 600;
/// A trial that this many starts of the agent found unfinished is undone: the remediation may have restarted the
/// device.
const STARTS_MAX: u8 = 2;

/// One thing to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Write down the facts that must outlast a restart. If that fails, no step is done that depends on them.
    Remember(IncidentState),
    /// Keep the traces of an infection.
    Evidence,
    Remediate {
        finding: Finding,
        remediation: Remediation,
    },
    /// Undo a remediation that was on trial.
    Undo {
        remediation: Remediation,
        /// The finding that it answered.
        what: Text,
    },
    /// Look for an update.
    Poll,
    /// Restart the device.
    Restart,
}

impl Act {
    /// True if the step must not be done unless it is remembered: otherwise a restart would be asked for again and
    /// again, and a remediation on trial never be judged. All other steps are done even then: an attacker that fills
    /// the flash must not thereby save a bot from being ended.
    pub fn needs_incident_state(&self) -> bool {
        match self {
            Act::Remediate { finding, .. } => finding.is_tried(),
            Act::Remember(_) | Act::Evidence | Act::Restart => true,
            Act::Undo { .. } | Act::Poll => false,
        }
    }
}

/// All facts for the decision.
#[derive(Clone, Debug)]
pub struct View<'a> {
    /// The findings of the look.
    pub report: &'a Report,
    /// The incident state, which survives restarts.
    pub incident_state: &'a IncidentState,
    /// Remediations of findings that are left alone, to be undone.
    pub undo: &'a [OnTrial],
    /// The operator's request.
    pub asked: Option<IncidentResponse>,
    /// The owner's credential; `None`: no owner.
    pub owner: Option<Digest64>,
    /// The time of the last poll that worked, in seconds of uptime.
    pub polled: Option<u64>,
    /// The slot that runs.
    pub booted: Option<Slot>,
    /// The health checks; only asked when a trial is due.
    pub health: Option<Health>,
    /// The time by the best clock.
    pub now: Moment,
    /// Seconds since the device's start.
    pub uptime: u64,
}

/// Decides what to do about a look.
pub fn plan(view: &View<'_>, watch: &mut Watch, policy: &Policy) -> Vec<Act> {
    let first = watch.began.is_none();
    watch.began.get_or_insert(view.uptime);
    let mut incident_state = view.incident_state.clone();
    let mut last = Vec::new();
    if first {
        count_starts(&mut incident_state);
    }
    last.extend(judge_trials(view, watch, &mut incident_state));
    last.extend(view.undo.iter().flat_map(undo));
    end_forgotten(view, watch, &mut incident_state);
    let mut acts = Vec::new();
    let automatic = if policy.answers_infections() { policy.automatic } else { Automatic::NOTHING };
    let is_new = answer(view, watch, automatic, &mut incident_state, &mut last);
    let remediations = remediations(view, watch, policy, &mut incident_state);
    if incident_state != *view.incident_state {
        acts.push(Act::Remember(incident_state.clone()));
    }
    if is_new && automatic.evidence || view.asked == Some(IncidentResponse::Evidence) {
        acts.push(Act::Evidence);
    }
    acts.extend(remediations);
    let restarts = incident_state.incident.as_ref().is_some_and(|incident| incident.restarts == 0);
    let helps = is_new && automatic.restart && restarts && goes_with_a_restart(view.report);
    if helps || view.asked == Some(IncidentResponse::Restart) {
        if let Some(incident) = &mut incident_state.incident {
            incident.restarts = incident.restarts.saturating_add(1);
            acts.push(Act::Remember(incident_state));
        }
        watch.restarts = true;
        last.push(Act::Restart);
    }
    acts.extend(last);
    acts
}

/// Some sign of the infection is not on storage that a restart and a new image leave alone.
fn goes_with_a_restart(report: &Report) -> bool {
    report.findings.iter().any(|finding| finding.is_infection() && !finding.remains)
}

/// Counts the starts: a remediation that was on trial when the agent ended is on trial again, but not for ever.
fn count_starts(incident_state: &mut IncidentState) {
    incident_state.trials.iter_mut().for_each(|trial| trial.starts = trial.starts.saturating_add(1));
    let over: Vec<RemediationTrial> =
        incident_state.trials.iter().filter(|trial| trial.starts >= STARTS_MAX).copied().collect();
    over.iter().for_each(|trial| incident_state.end_trial(trial.finding, true));
}

/// Ends a trial that an earlier run of the agent began, if the remediation still holds and so is not found again: the
/// device has lived with it for as long as a trial takes.
fn end_forgotten(view: &View<'_>, watch: &Watch, incident_state: &mut IncidentState) {
    let waits = view.uptime < watch.began.unwrap_or(view.uptime) + TRIAL_SECONDS;
    let is_going = |finding: Digest64| watch.trials.iter().any(|trial| trial.finding == finding);
    incident_state.trials.retain(|trial| waits || is_going(trial.finding));
}

fn judge_trials(view: &View<'_>, watch: &mut Watch, incident_state: &mut IncidentState) -> Vec<Act> {
    let Some(health) = &view.health else { return Vec::new() };
    // A contained device fails checks that ask the WAN: no remediation did that harm.
    if view.incident_state.incident.as_ref().is_some_and(|incident| incident.contained) {
        return Vec::new();
    }
    let good = *health == Health::Good;
    let (due, going): (Vec<OnTrial>, Vec<OnTrial>) =
        core::mem::take(&mut watch.trials).into_iter().partition(|trial| trial.until <= view.uptime);
    watch.trials = going;
    let mut acts = Vec::new();
    for trial in due {
        incident_state.end_trial(trial.finding, !good);
        if good {
            watch.pass(trial.finding);
        } else {
            acts.extend(undo(&trial));
        }
    }
    acts
}

/// Undoes all that was done in a trial.
fn undo(trial: &OnTrial) -> impl Iterator<Item = Act> {
    let act =
        |remediation: &Remediation| Act::Undo { remediation: remediation.clone(), what: trial.what.clone() };
    trial.remediations.iter().map(act)
}

/// Answers an infection, and the operator's request; true if there is more to answer than before.
fn answer(
    view: &View<'_>,
    watch: &mut Watch,
    automatic: Automatic,
    incident_state: &mut IncidentState,
    last: &mut Vec<Act>,
) -> bool {
    let infected = view.report.findings.iter().find(|finding| finding.is_infection());
    if infected.is_some() {
        watch.infected = Some(view.uptime);
    }
    let begins = incident_state.incident.is_none() && infected.is_some();
    if let (true, Some(finding)) = (begins, infected) {
        incident_state.incident = Some(Incident {
            contained: automatic.contain,
            evidence: automatic.evidence,
            password: view.owner.filter(|_| automatic.new_password),
            update: automatic.update,
            ..Incident::new(view.now, finding.what.clone())
        });
        watch.polls = false;
    }
    if let Some(asked) = view.asked {
        respond(asked, view, incident_state);
        watch.polls &= asked != IncidentResponse::Update;
    }
    let restarted = incident_state.incident.as_ref().is_some_and(|incident| incident.restarts > 0);
    let came_back = restarted && !watch.restarts && goes_with_a_restart(view.report);
    if let Some(incident) = &mut incident_state.incident {
        if came_back && automatic.reimage && incident.reimage.is_none() && !incident.reimaged {
            incident.reimage = view.booted;
        }
        if incident.reimage.is_some() && view.booted.is_some() && incident.reimage != view.booted {
            (incident.reimage, incident.reimaged) = (None, true);
        }
        if incident.update && !watch.polls {
            watch.polls = true;
            last.push(Act::Poll);
        }
    }
    if infected.is_none()
        && incident_state.incident.as_ref().is_some_and(|incident| is_over(incident, view, watch))
    {
        incident_state.incident = None;
    }
    begins
}

fn respond(asked: IncidentResponse, view: &View<'_>, incident_state: &mut IncidentState) {
    if asked == IncidentResponse::Release {
        incident_state.incident = None;
        return;
    }
    let asked_for = || Incident::new(view.now, text(format_args!("asked for")));
    let incident = incident_state.incident.get_or_insert_with(asked_for);
    match asked {
        IncidentResponse::Contain => incident.contained = true,
        IncidentResponse::Evidence => incident.evidence = true,
        IncidentResponse::NewPassword => incident.password = view.owner,
        IncidentResponse::Update => incident.update = true,
        IncidentResponse::Reimage => incident.reimage = view.booted,
        IncidentResponse::Restart | IncidentResponse::Release => {}
    }
}

/// Nothing more was found for a while, and every requested answer is done.
fn is_over(incident: &Incident, view: &View<'_>, watch: &Watch) -> bool {
    let since = watch.infected.max(watch.began).unwrap_or(view.uptime);
    let password = incident.password.is_none_or(|old| view.owner.is_some_and(|owner| owner != old));
    let updated = !incident.update || view.polled.is_some_and(|polled| polled >= since);
    let asked_for = incident.what == text(format_args!("asked for"));
    // The owner's own request ends only by the owner.
    let quiet = view.uptime >= since + QUIET_SECONDS && !(asked_for && incident.contained);
    quiet && password && updated && incident.reimage.is_none()
}

fn remediations(
    view: &View<'_>,
    watch: &mut Watch,
    policy: &Policy,
    incident_state: &mut IncidentState,
) -> Vec<Act> {
    let mut acts: Vec<Act> = Vec::new();
    watch.held_back.clear();
    for finding in view.report.findings.iter().filter(|finding| policy.enforces(finding)) {
        let Some(remediation) = &finding.remediation else { continue };
        let is_same =
            |act: &Act| matches!(act, Act::Remediate { remediation: one, .. } if one == remediation);
        if watch.waits(failure_of(finding), view.uptime) || acts.iter().any(is_same) {
            continue;
        }
        let digest = trial_of(finding);
        if matches!(remediation, Remediation::Suspend { done: true, .. }) {
            // An agent that started again judges the trial of the one before it.
            if incident_state.trials.iter().any(|trial| trial.finding == digest) {
                watch.begin_trial(digest, finding, remediation, view.uptime);
            }
            continue;
        }
        if incident_state.undone.contains(&digest) && finding.is_tried() {
            continue;
        }
        let needs_trial = finding.is_tried() && !watch.passed.contains(&digest);
        let on_trial = incident_state.trials.iter().any(|trial| trial.finding == digest);
        if needs_trial && !on_trial && !incident_state.has_room_for_trial() {
            // Nothing is done, so nothing is taken from the budget.
            watch.held_back.push(finding.what.clone());
            continue;
        }
        // Any user can have small things ended until the hour's budget is spent: that saves no infection.
        let ends_infection = finding.is_infection() && matches!(remediation, Remediation::End(_));
        if !ends_infection && !watch.budget.take(remediation.kind(), digest, view.uptime) {
            watch.held_back.push(finding.what.clone());
            continue;
        }
        if needs_trial {
            // While it is on trial it is repeated as often as it is needed.
            if !(on_trial || watch.budget.take_trial(view.uptime) && incident_state.begin_trial(digest)) {
                watch.held_back.push(finding.what.clone());
                continue;
            }
            watch.begin_trial(digest, finding, remediation, view.uptime);
        }
        acts.push(Act::Remediate { finding: finding.clone(), remediation: remediation.clone() });
    }
    acts
}

/// Turns findings that were undone once into `CannotEnforce`, because they must not be mended again. Gives what is still
/// in force for them.
pub fn leave_alone(report: &mut Report, incident_state: &IncidentState) -> Vec<OnTrial> {
    let undone = |finding: &Finding| finding.is_tried() && incident_state.undone.contains(&trial_of(finding));
    let (left, others) = core::mem::take(&mut report.findings).into_iter().partition(undone);
    report.findings = others;
    let mut in_force = Vec::new();
    for finding in left {
        report.cannot_enforce(
            finding.measure,
            format_args!(
                "{}; left alone, because the device's health checks failed without it",
                finding.what
            ),
        );
        if let Some(remediation @ Remediation::Suspend { done: true, .. }) = &finding.remediation {
            let remediations = alloc::vec![remediation.clone()];
            let digest = trial_of(&finding);
            in_force.push(OnTrial { finding: digest, what: finding.what, remediations, until: 0 });
        }
    }
    in_force
}
