//! One turn of the wall: look, judge, plan, act. It comes far more often than a turn of the update, so it reads no
//! metadata; what it needs of the time is told.

use super::incident_response::IncidentResponse;
use super::judge::vulnerabilities;
use super::observation;
use super::observation::GateContext;
use super::plan::{Act, View, Watch, attempt_of, leave_alone, plan, print_of};
use super::policy::Policy;
use super::report::Report;
use crate::device::World;
use crate::fault::Text;
use crate::gate::plan::FirewallStatus;
use crate::reason::Reason;
use crate::update::facts::{Backoff, OperatorRequest, RetryState};
use crate::update::offer::Digest64;
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
    let standing = gate.as_ref().map(crate::gate::plan::GateFacts::standing);
    let differ = rules == Some(FirewallStatus::Differ);
    let around = world.look_around();
    // After the end of support less is allowed.
    let restricted = around.firmware.support_ended().map(|_| vulnerabilities::restricted(policy));
    let policy = restricted.as_ref().unwrap_or(policy);
    let (mut report, mut passing) =
        observation::judge(&around, &GateContext { standing, rules, now }, policy);
    let memory = world.wall_memory();
    leave_alone(&mut report, &memory);
    tell(world, watch, &report);
    let asked = match world.wish() {
        Some(OperatorRequest::Incident(response)) => {
            world.forget_wish();
            Some(response)
        }
        Some(OperatorRequest::AcceptChanges) => {
            world.forget_wish();
            world.learn();
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
        polled: world.attempts().polled_uptime,
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
    passing.contained = incident.is_some_and(|incident| incident.contained);
    let passes = watch.passing.as_ref() != Some(&passing);
    if passes {
        world.let_pass(&passing);
        watch.passing = Some(passing);
    }
    if let Some(standing) = standing.filter(|_| passes || differ)
        && world.rules(standing) == FirewallStatus::Differ
        && let Err(why) = world.guard(standing)
    {
        world.note(&Reason::NotMended {
            fix: "guard",
            what: crate::fault::text(format_args!("firewall")),
            why,
        });
    }
    let again = !acts.is_empty();
    let mut kept = true;
    for act in acts {
        if kept || !act.needs_memory() {
            kept &= perform(act, world, watch, &report);
        }
    }
    Round { report, again }
}

/// Does one thing; false: what follows and needs to be remembered must not be done.
fn perform(act: Act, world: &mut dyn World, watch: &mut Watch, report: &Report) -> bool {
    match act {
        Act::Remember(memory) => {
            let kept = world.keep_wall_memory(&memory);
            failed(world, "remember", "what must outlast a restart", kept.err()).is_none()
        }
        Act::Evidence => {
            let kept = world.keep_evidence(report);
            failed(world, "evidence", "an infection", kept.err());
            true
        }
        Act::Remediate { finding, fix } => {
            let done = world.fix(&fix).err();
            watch.went(attempt_of(&finding), done.is_some(), world.uptime_seconds());
            if failed(world, fix.name(), &finding.what, done).is_none() {
                world.note(&Reason::Mended { fix: fix.name(), what: finding.what });
            }
            true
        }
        Act::Undo(fix) => {
            let done = world.undo(&fix);
            failed(world, fix.name(), "a fix that did harm", done.err());
            world.note(&Reason::Undone(fix.name()));
            true
        }
        Act::Poll => {
            // What was polled before the incident does not count, and who asks does not wait for old setbacks.
            let attempts = world.attempts();
            let none = Backoff::default();
            world.keep_attempts(&RetryState { polled_uptime: None, poll: none, stage: none, ..attempts });
            true
        }
        Act::Restart => {
            let restarts = world.reboot();
            failed(world, "restart", "an infection", restarts.err());
            true
        }
    }
}

fn failed(world: &mut dyn World, fix: &'static str, what: &str, why: Option<Text>) -> Option<()> {
    let why = why?;
    world.note(&Reason::NotMended { fix, what: crate::fault::text(format_args!("{what}")), why });
    Some(())
}

/// Each finding is told once, until it goes away.
fn tell(world: &mut dyn World, watch: &mut Watch, report: &Report) {
    let prints: Vec<Digest64> = report.findings.iter().map(print_of).collect();
    for (finding, print) in report.findings.iter().zip(&prints) {
        if !watch.told.contains(print) {
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
