//! One turn: look, decide, act. Nothing that matters is kept between turns except the record, so a power cut
//! anywhere in here is the same as a slow turn.

use crate::device::{Account, World};
use crate::fault::FetchFault;
use crate::gate;
use crate::gate::execute;
use crate::operator_request::OperatorRequest;
use crate::reason::{Fault, Reason};
use crate::retry_state::{Backoff, RetryState};
use crate::settings::Settings;
use crate::step::Next;
use crate::step::Plan;
use crate::step::Step;
use crate::update;
use crate::update::activate::activate;
use crate::update::confirm::confirm;
use crate::update::facts::Facts;
use crate::update::keep_record::keep_next;
use crate::update::poll::poll;
use crate::update::rollback::revert;
use crate::update::stage::stage;

/// Decides. The gate goes first; where it has nothing to do, or must wait, the update has its turn.
pub fn decide(facts: &Facts, settings: &Settings) -> Plan {
    match gate::plan::plan(facts, settings) {
        Some(plan) => plan,
        None => gate::plan::look_again(facts, update::plan::plan(facts, settings), settings),
    }
}

/// Takes one turn and says when to take the next.
pub fn turn(world: &mut dyn World, settings: &Settings) -> Next {
    let facts = Facts::look(world, settings);
    act(world, &facts, settings)
}

/// The rest of a turn, for who wants to know what was seen: decides and acts.
pub fn act(world: &mut dyn World, facts: &Facts, settings: &Settings) -> Next {
    let plan = decide(facts, settings);
    world.note(&plan.reason);
    let of_gate = |request| matches!(request, OperatorRequest::Claim | OperatorRequest::Reset);
    let gates_turn = plan.steps.iter().any(Step::is_of_gate);
    let answers = |request| {
        of_gate(request)
            || !gates_turn
                && !matches!(request, OperatorRequest::Incident(_) | OperatorRequest::AcceptChanges)
    };
    if let Some(request) = facts.request.filter(|&request| answers(request)) {
        // Answered by this plan, whatever it is: an old wish must not come true at some later time.
        world.request_answered();
        // Who asks does not want to wait for what failed an hour ago.
        let none = Backoff::default();
        let retry = facts.retry.clone();
        world.keep_retry(&RetryState {
            poll: none,
            stage: none,
            proof: none,
            device: none,
            gate: if of_gate(request) { none } else { retry.gate },
            ..retry
        });
    }
    for step in &plan.steps {
        if let Err(fault) = perform(step, world, settings) {
            if matches!(fault, Fault::Fetch(_, FetchFault::Interrupted)) {
                return Next::Now;
            }
            count_failure_of(world, step, &fault);
            world.note(&Reason::StepFailed { step: step.name(), fault });
            // The next turn finds this failure among its facts, and backs off.
            return Next::Now;
        }
    }
    if !plan.steps.is_empty() {
        forget_backoff(world, &plan.steps);
    }
    plan.next
}

fn perform(step: &Step, world: &mut dyn World, settings: &Settings) -> Result<(), Fault> {
    match step {
        Step::Poll => poll(world, settings),
        Step::Stage { release, slot, parts } => stage(world, release, *slot, parts, settings),
        Step::Activate { release, slot, deadline_seconds } => {
            activate(world, release, *slot, *deadline_seconds, settings)
        }
        Step::Confirm { release, slot } => confirm(world, release, *slot),
        Step::RollBack { release, slot, times } => revert(world, release, *slot, *times),
        Step::Reboot => world.reboot().map_err(Fault::Device),
        Step::Adopt(record) => keep_next(world, record.clone()),
        Step::Settle(slot) => crate::update::rollback::settle(world, *slot, None),
        Step::ApplyFirewall(gate_state) => world.guard(*gate_state).map_err(Fault::Device),
        Step::Claim => execute::claim(world),
        Step::Finish => execute::finish(world),
        Step::Withdraw => execute::withdraw(world),
        Step::Restore => world.write_account(Account::Kept).map_err(Fault::Device),
        Step::BeginReset => world.mark_reset(true).map_err(Fault::Device),
        Step::Forget => execute::forget(world),
    }
}

fn count_failure_of(world: &mut dyn World, step: &Step, fault: &Fault) {
    if matches!(step, Step::Claim) {
        // Somebody is told at once, and nothing of the gate must wait for it.
        return;
    }
    let uptime = world.uptime_seconds();
    let mut retry = world.retry();
    let backoff = match (step, fault) {
        (_, Fault::NotWhatWasSigned(_)) => &mut retry.proof,
        _ => setbacks_of(&mut retry, step),
    };
    backoff.failures = backoff.failures.saturating_add(1);
    backoff.last_uptime = uptime;
    backoff.retry_after_seconds = match fault {
        Fault::Fetch(_, FetchFault::Status { retry_after_seconds, .. }) => retry_after_seconds.unwrap_or(0),
        _ => 0,
    };
    world.keep_retry(&retry);
}

fn setbacks_of<'a>(retry: &'a mut RetryState, step: &Step) -> &'a mut Backoff {
    match step {
        Step::Poll => &mut retry.poll,
        Step::Stage { .. } => &mut retry.stage,
        step if step.is_of_gate() => &mut retry.gate,
        _ => &mut retry.device,
    }
}

fn forget_backoff(world: &mut dyn World, steps: &[Step]) {
    let mut retry = world.retry();
    let before = retry.clone();
    for step in steps {
        *setbacks_of(&mut retry, step) = Backoff::default();
        if matches!(step, Step::Activate { .. }) {
            retry.proof = Backoff::default();
        }
    }
    if retry != before {
        world.keep_retry(&retry);
    }
}
