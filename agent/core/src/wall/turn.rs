//! One turn of the wall: observe, judge, decide, execute. It comes far more often than a turn of the update, so it
//! reads no metadata; its caller passes the time in.
//!
//! The caller logs [`Decision::events`] before it executes the decision.

use super::incident_response::IncidentResponse;
use super::incident_state::IncidentState;
use super::judge::vulnerabilities::restricted;
use super::observation::{self, GateContext};
use super::plan::finding_digest::{digest_of, failure_of};
use super::plan::watch::Watch;
use super::plan::{Act, View, leave_alone, plan};
use super::policy::Policy;
use super::report::Report;
use crate::device::{Boot, Firewall, Hardening, Host, Ledger, Owner};
use crate::fault::{Text, text};
use crate::firewall::table::FirewallGrants;
use crate::firewall::wanted_table::wanted_table;
use crate::gate::state::{FirewallStatus, GateFacts, GateState};
use crate::identifiers::Digest64;
use crate::operator_request::OperatorRequest;
use crate::reason::Reason;
use crate::retry_state::{Backoff, RetryState};
use crate::settings::FirewallSettings;
use alloc::vec::Vec;
use komainu_trust::Moment;

/// Facts from the turns of the update that a turn of the wall uses: all of them are expensive to find out.
#[derive(Clone, Debug)]
pub struct TurnContext<'a> {
    /// The time by the best clock there is.
    pub now: Moment,
    /// The status of the table when the gate was last looked at; every change of rules makes the gate look again.
    pub rules: Option<FirewallStatus>,
    /// The firewall's settings.
    pub firewall: &'a FirewallSettings,
    /// The firewall's present grants, besides the settings.
    pub grants: &'a FirewallGrants,
    /// The operator's request.
    pub request: Option<&'a OperatorRequest>,
}

/// The findings of a turn, and its decision.
#[derive(Clone, Debug)]
pub struct Decision {
    pub report: Report,
    /// The firewall's grants from now on, besides the settings.
    pub grants: FirewallGrants,
    /// The operator's request is answered by this turn.
    pub answered: bool,
    /// The events to log, in order.
    pub events: Vec<Reason>,
    acts: Vec<Act>,
    /// The state of the gate, if the table must be compared with the kernel's again.
    compare: Option<GateState>,
    accept_changes: bool,
}

/// The outcome of a turn.
#[derive(Clone, Debug)]
pub struct WallOutcome {
    /// Something was done: look again at once.
    pub again: bool,
    /// A restart was asked for.
    pub restarting: bool,
    /// The events, in order.
    pub events: Vec<Reason>,
}

/// Observes, judges and decides.
pub fn decide(
    device: &mut (impl Host + Ledger + Boot + Owner + Hardening + ?Sized),
    watch: &mut Watch,
    context: &TurnContext<'_>,
    policy: &Policy,
) -> Decision {
    let gate = device.gate();
    let gate_state = gate.as_ref().map(GateFacts::gate_state);
    let observation = device.observe();
    // After the end of support less is allowed.
    let restricted = observation.firmware.support_ended().map(|_| restricted(policy));
    let policy = restricted.as_ref().unwrap_or(policy);
    let (now, rules) = (context.now, context.rules.clone());
    let differ = rules == Some(FirewallStatus::Differ);
    let (mut report, mut grants) =
        observation::judge(&observation, &GateContext { gate_state, rules, now }, policy);
    let before = device.incident_state();
    let undo = leave_alone(&mut report, &before);
    let mut events = news(watch, &report);
    let asked = match context.request {
        Some(OperatorRequest::Incident(response)) => Some(*response),
        _ => None,
    };
    let uptime = device.uptime_seconds();
    let cut_off = before.incident.as_ref().is_some_and(|incident| incident.contained);
    let health = (watch.is_trial_due(uptime) && !cut_off).then(|| device.health());
    let view = View {
        report: &report,
        incident_state: &before,
        undo: &undo,
        asked,
        owner: gate.and_then(|gate| gate.kept),
        polled: device.retry().polled_uptime,
        booted: device.booted().ok(),
        health,
        now,
        uptime,
    };
    let acts = plan(&view, watch, policy);
    for what in &watch.held_back {
        report.note(format_args!(
            "only told until the hour is over, because it was mended often enough: {what}"
        ));
    }
    let after = acts.iter().find_map(|act| if let Act::Remember(state) = act { Some(state) } else { None });
    events.extend(after.and_then(|after| incident_news(&before, after, asked)));
    let incident = after.unwrap_or(&before).incident.as_ref();
    grants.contained = incident.is_some_and(|incident| incident.contained);
    let compare = gate_state.filter(|_| differ || grants != *context.grants);
    let accept_changes = context.request == Some(&OperatorRequest::AcceptChanges);
    let answered = context.request.is_some_and(OperatorRequest::is_of_wall);
    Decision { report, grants, answered, events, acts, compare, accept_changes }
}

/// Carries out a decision.
pub fn execute(
    device: &mut (impl Host + Ledger + Firewall + Hardening + ?Sized),
    watch: &mut Watch,
    context: &TurnContext<'_>,
    decision: &Decision,
) -> WallOutcome {
    let mut outcome = WallOutcome { again: !decision.acts.is_empty(), restarting: false, events: Vec::new() };
    if decision.accept_changes {
        device.accept_changes();
    }
    // Containment comes before every step that could take long.
    if let Some(gate_state) = decision.compare {
        let table = wanted_table(device, gate_state, context.firewall, &decision.grants);
        if device.firewall_status(&table) == FirewallStatus::Differ {
            let failed = device.apply_firewall(&table).err();
            outcome.not_mended("apply-firewall", "firewall", failed);
        }
    }
    let mut kept = true;
    for act in &decision.acts {
        if kept || !act.needs_incident_state() {
            kept &= perform(act, device, watch, &decision.report, &mut outcome);
        }
    }
    outcome
}

/// Does one thing; false: later steps that must be remembered must not be done.
fn perform(
    act: &Act,
    device: &mut (impl Host + Ledger + Hardening + ?Sized),
    watch: &mut Watch,
    report: &Report,
    outcome: &mut WallOutcome,
) -> bool {
    match act {
        Act::Remember(state) => {
            let failed = device.keep_incident_state(state).err();
            return !outcome.not_mended(
                "remember",
                "the incident state, which must outlast a restart",
                failed,
            );
        }
        Act::Evidence => {
            let failed = device.keep_evidence(report).err();
            outcome.not_mended("evidence", "an infection", failed);
        }
        Act::Remediate { finding, remediation } => {
            let failed = device.remediate(remediation).err();
            watch.went(failure_of(finding), failed.is_some(), device.uptime_seconds());
            if !outcome.not_mended(remediation.name(), &finding.what, failed) {
                outcome
                    .events
                    .push(Reason::Mended { remediation: remediation.name(), finding: finding.clone() });
            }
        }
        Act::Undo { remediation, what } => {
            let failed = device.undo(remediation).err();
            if !outcome.not_mended(remediation.name(), what, failed) {
                let what = what.clone();
                outcome.events.push(Reason::Undone { remediation: remediation.name(), what });
            }
        }
        Act::Poll => {
            // A poll before the incident does not count, and the incident does not wait for an old backoff.
            let retry = device.retry();
            let none = Backoff::default();
            device.keep_retry(&RetryState { polled_uptime: None, poll: none, stage: none, ..retry });
        }
        Act::Restart => {
            let failed = device.reboot().err();
            outcome.restarting |= failed.is_none();
            outcome.not_mended("restart", "an infection", failed);
        }
    }
    true
}

impl WallOutcome {
    /// Adds the event of something that failed; true if it did.
    fn not_mended(&mut self, remediation: &'static str, what: &str, failed: Option<Text>) -> bool {
        let Some(why) = failed else { return false };
        self.events.push(Reason::NotMended { remediation, what: text(format_args!("{what}")), why });
        true
    }
}

/// Each finding is logged once, until it goes away.
fn news(watch: &mut Watch, report: &Report) -> Vec<Reason> {
    let digests: Vec<Digest64> = report.findings.iter().map(digest_of).collect();
    let found = report.findings.iter().zip(&digests);
    let news = found.filter(|(_, digest)| !watch.reported.contains(digest));
    let news = news.map(|(finding, _)| Reason::Found(finding.clone())).collect();
    watch.reported = digests;
    news
}

fn incident_news(
    before: &IncidentState,
    after: &IncidentState,
    asked: Option<IncidentResponse>,
) -> Option<Reason> {
    match (&before.incident, &after.incident) {
        (Some(_), None) => Some(Reason::IncidentOver),
        (before, Some(incident)) if before.is_none() || asked.is_some() => {
            Some(Reason::Incident { what: incident.what.clone(), contained: incident.contained })
        }
        _ => None,
    }
}
