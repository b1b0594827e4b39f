//! One turn: look, decide, act. Nothing that matters is kept between turns except the record, so a power cut
//! anywhere in here is the same as a slow turn.

use crate::device::{Account, World};
use crate::fault::FetchFault;
use crate::gate::execute;
use crate::reason::{Fault, Reason};
use crate::settings::Settings;
use crate::step::Step;
use crate::update::activate::activate;
use crate::update::confirm::confirm;
use crate::update::facts::{Backoff, Facts, OperatorRequest, RetryState};
use crate::update::plan::{Next, plan};
use crate::update::poll::poll;
use crate::update::record::Record;
use crate::update::rollback::revert;
use crate::update::stage::stage;

/// Takes one turn and says when to take the next.
pub fn turn(world: &mut dyn World, settings: &Settings) -> Next {
    let facts = Facts::look(world, settings);
    act(world, &facts, settings)
}

/// The rest of a turn, for who wants to know what was seen: decides and acts.
pub fn act(world: &mut dyn World, facts: &Facts, settings: &Settings) -> Next {
    let plan = plan(facts, settings);
    world.note(&plan.reason);
    let of_gate = |wish| matches!(wish, OperatorRequest::Claim | OperatorRequest::Reset);
    let gates_turn = plan.steps.iter().any(Step::is_of_gate);
    let answers = |wish| {
        of_gate(wish)
            || !gates_turn && !matches!(wish, OperatorRequest::Incident(_) | OperatorRequest::AcceptChanges)
    };
    if let Some(wish) = facts.wish.filter(|&wish| answers(wish)) {
        // Answered by this plan, whatever it is: an old wish must not come true at some later time.
        world.forget_wish();
        // Who asks does not want to wait for what failed an hour ago.
        let none = Backoff::default();
        let attempts = facts.attempts.clone();
        world.keep_attempts(&RetryState {
            poll: none,
            stage: none,
            proof: none,
            device: none,
            gate: if of_gate(wish) { none } else { attempts.gate },
            ..attempts
        });
    }
    for step in &plan.steps {
        if let Err(fault) = perform(step, world, settings) {
            if matches!(fault, Fault::Fetch(_, FetchFault::Interrupted)) {
                return Next::Now;
            }
            count_setback(world, step, &fault);
            world.note(&Reason::StepFailed { step: step.name(), fault });
            // The next turn finds this failure among its facts, and backs off.
            return Next::Now;
        }
    }
    if !plan.steps.is_empty() {
        forget_setbacks(world, &plan.steps);
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
        Step::ApplyFirewall(standing) => world.guard(*standing).map_err(Fault::Device),
        Step::Claim => execute::claim(world),
        Step::Finish => execute::finish(world),
        Step::Withdraw => execute::withdraw(world),
        Step::Restore => world.write_account(Account::Kept).map_err(Fault::Device),
        Step::BeginReset => world.mark_reset(true).map_err(Fault::Device),
        Step::Forget => execute::forget(world),
    }
}

/// Writes a record as the next generation.
pub(crate) fn keep_next(world: &mut dyn World, mut record: Record) -> Result<(), Fault> {
    record.generation += 1;
    world.keep_record(&record).map_err(Fault::Device)
}

fn count_setback(world: &mut dyn World, step: &Step, fault: &Fault) {
    if matches!(step, Step::Claim) {
        // Somebody is told at once, and nothing of the gate must wait for it.
        return;
    }
    let uptime = world.uptime_seconds();
    let mut attempts = world.attempts();
    let setbacks = match (step, fault) {
        (_, Fault::NotWhatWasSigned(_)) => &mut attempts.proof,
        _ => setbacks_of(&mut attempts, step),
    };
    setbacks.failures = setbacks.failures.saturating_add(1);
    setbacks.last_uptime = uptime;
    setbacks.retry_after_seconds = match fault {
        Fault::Fetch(_, FetchFault::Status { retry_after_seconds, .. }) => retry_after_seconds.unwrap_or(0),
        _ => 0,
    };
    world.keep_attempts(&attempts);
}

fn setbacks_of<'a>(attempts: &'a mut RetryState, step: &Step) -> &'a mut Backoff {
    match step {
        Step::Poll => &mut attempts.poll,
        Step::Stage { .. } => &mut attempts.stage,
        step if step.is_of_gate() => &mut attempts.gate,
        _ => &mut attempts.device,
    }
}

fn forget_setbacks(world: &mut dyn World, steps: &[Step]) {
    let mut attempts = world.attempts();
    let before = attempts.clone();
    for step in steps {
        *setbacks_of(&mut attempts, step) = Backoff::default();
        if matches!(step, Step::Activate { .. }) {
            attempts.proof = Backoff::default();
        }
    }
    if attempts != before {
        world.keep_attempts(&attempts);
    }
}
