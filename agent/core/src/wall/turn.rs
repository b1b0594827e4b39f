//! One turn of the wall: look, judge, plan, act. It comes far more often than a turn of the update, so it reads no
//! metadata; what it needs of the time is told.

use super::incident_response::IncidentResponse;
use super::judge::vulnerabilities;
use super::observation;
use super::observation::GateContext;
use super::plan::{Act, View, Watch, attempt_of, digest_of, leave_alone, plan};
use super::policy::Policy;
use super::report::Report;
use crate::device::World;
use crate::fault::Text;
use crate::gate::state::FirewallStatus;
use crate::identifiers::Digest64;
use crate::operator_request::OperatorRequest;
use crate::reason::Reason;
use crate::retry_state::{Backoff, RetryState};
use alloc::vec::Vec;
use komainu_trust::Moment;

/// What a turn found out.
#[derive(Clone, Debug)]
pub struct Round {
    /// What was found.
    pub report: Report,
    /// Something was done: look again at once.
    pub again: bool,
}

/// What the turns of the update know, and a turn of the wall is told: both are dear to find out.
#[derive(Clone, Debug)]
pub struct TurnContext {
    /// The time by the best clock there is.
    pub now: Moment,
    /// Whether the kernel had the rules when the gate was last looked at: whoever changes them is heard, and makes it
    /// look again.
    pub rules: Option<FirewallStatus>,
}

/// Takes one turn.
pub fn turn(world: &mut dyn World, watch: &mut Watch, known: &TurnContext, policy: &Policy) -> Round {
    let TurnContext { now, rules } = known.clone();
    let gate = world.gate();
    let gate_state = gate.as_ref().map(crate::gate::state::GateFacts::gate_state);
    let differ = rules == Some(FirewallStatus::Differ);
    let observation = world.observe();
    // After the end of support less is allowed.
    let restricted = observation.firmware.support_ended().map(|_| vulnerabilities::restricted(policy));
    let policy = restricted.as_ref().unwrap_or(policy);
    let (mut report, mut grants) =
        observation::judge(&observation, &GateContext { gate_state, rules, now }, policy);
    let memory = world.incident_state();
    leave_alone(&mut report, &memory);
    tell(world, watch, &report);
    let asked = match world.request() {
        Some(OperatorRequest::Incident(response)) => {
            world.request_answered();
            Some(response)
        }
        Some(OperatorRequest::AcceptChanges) => {
            world.request_answered();
            world.accept_changes();
            None
        }
        _ => None,
    };
    let uptime = world.uptime_seconds();
    let cut_off = memory.incident.as_ref().is_some_and(|incident| incident.contained);
    let health = (watch.is_trial_due(uptime) && !cut_off).then(|| world.health());
    let view = View {
        report: &report,
        memory: &memory,
        asked,
        owner: gate.and_then(|gate| gate.kept),
        polled: world.retry().polled_uptime,
        booted: world.booted().ok(),
        health,
        now,
        uptime,
    };
    let acts = plan(&view, watch, policy);
    tell_incident(world, &memory, &acts, asked);
    // Cutting off comes before everything that could take long.
    let remembered =
        acts.iter().find_map(|act| if let Act::Remember(memory) = act { Some(memory) } else { None });
    let incident = remembered.unwrap_or(&memory).incident.as_ref();
    grants.contained = incident.is_some_and(|incident| incident.contained);
    let passes = watch.grants.as_ref() != Some(&grants);
    if passes {
        world.grant(&grants);
        watch.grants = Some(grants);
    }
    if let Some(gate_state) = gate_state.filter(|_| passes || differ)
        && world.rules(gate_state) == FirewallStatus::Differ
        && let Err(why) = world.guard(gate_state)
    {
        world.note(&Reason::NotMended {
            remediation: "apply-firewall",
            what: crate::fault::text(format_args!("firewall")),
            why,
        });
    }
    let again = !acts.is_empty();
    let mut kept = true;
    for act in acts {
        if kept || !act.needs_incident_state() {
            kept &= perform(act, world, watch, &report);
        }
    }
    Round { report, again }
}

/// Does one thing; false: what follows and needs to be remembered must not be done.
fn perform(act: Act, world: &mut dyn World, watch: &mut Watch, report: &Report) -> bool {
    match act {
        Act::Remember(memory) => {
            let kept = world.keep_incident_state(&memory);
            failed(world, "remember", "what must outlast a restart", kept.err()).is_none()
        }
        Act::Evidence => {
            let kept = world.keep_evidence(report);
            failed(world, "evidence", "an infection", kept.err());
            true
        }
        Act::Remediate { finding, remediation } => {
            let done = world.remediation(&remediation).err();
            watch.went(attempt_of(&finding), done.is_some(), world.uptime_seconds());
            if failed(world, remediation.name(), &finding.what, done).is_none() {
                world.note(&Reason::Mended { remediation: remediation.name(), what: finding.what });
            }
            true
        }
        Act::Undo(remediation) => {
            let done = world.undo(&remediation);
            failed(world, remediation.name(), "a fix that did harm", done.err());
            world.note(&Reason::Undone(remediation.name()));
            true
        }
        Act::Poll => {
            // What was polled before the incident does not count, and who asks does not wait for old setbacks.
            let retry = world.retry();
            let none = Backoff::default();
            world.keep_retry(&RetryState { polled_uptime: None, poll: none, stage: none, ..retry });
            true
        }
        Act::Restart => {
            let restarts = world.reboot();
            failed(world, "restart", "an infection", restarts.err());
            true
        }
    }
}

fn failed(world: &mut dyn World, remediation: &'static str, what: &str, why: Option<Text>) -> Option<()> {
    let why = why?;
    world.note(&Reason::NotMended { remediation, what: crate::fault::text(format_args!("{what}")), why });
    Some(())
}

/// Each finding is told once, until it goes away.
fn tell(world: &mut dyn World, watch: &mut Watch, report: &Report) {
    let prints: Vec<Digest64> = report.findings.iter().map(digest_of).collect();
    for (finding, digest) in report.findings.iter().zip(&prints) {
        if !watch.told.contains(digest) {
            world.note(&Reason::Found(finding.clone()));
        }
    }
    watch.told = prints;
}

fn tell_incident(
    world: &mut dyn World,
    before: &super::incident_state::IncidentState,
    acts: &[Act],
    asked: Option<IncidentResponse>,
) {
    let Some(after) =
        acts.iter().find_map(|act| if let Act::Remember(memory) = act { Some(memory) } else { None })
    else {
        return;
    };
    match (&before.incident, &after.incident) {
        (Some(_), None) => world.note(&Reason::IncidentOver),
        (before, Some(incident)) if before.is_none() || asked.is_some() => {
            world.note(&Reason::Incident { what: incident.what.clone(), contained: incident.contained });
        }
        _ => {}
    }
}
