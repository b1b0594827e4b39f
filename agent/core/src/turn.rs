//! One turn of gate and update: look, decide, execute. Only the record survives a turn, so a power cut at any point
//! here equals a slow turn.
//!
//! The caller logs [`Plan::reason`] before it executes the plan: say it before you break it.

use crate::device::{Account, Device, Firewall, Host, Ledger, Owner, Slots};
use crate::fault::{FetchFault, Text, text};
use crate::firewall::table::FirewallGrants;
use crate::firewall::wanted_table::wanted_table;
use crate::gate;
use crate::gate::execute as gate_steps;
use crate::gate::state::{FirewallStatus, GateState};
use crate::identifiers::Slot;
use crate::operator_request::OperatorRequest;
use crate::reason::{Fault, Reason};
use crate::retry_state::{Backoff, RetryState};
use crate::settings::Settings;
use crate::step::{Next, Plan, Step};
use crate::update;
use crate::update::activate::activate;
use crate::update::confirm::confirm;
use crate::update::facts::{Facts, Health, Parts, RecordSeen};
use crate::update::keep_record::keep_next;
use crate::update::offer;
use crate::update::offer::Offer;
use crate::update::poll::poll;
use crate::update::record::{Record, Update};
use crate::update::rollback::{roll_back, settle};
use crate::update::stage::stage;
use alloc::vec::Vec;
use komainu_trust::Moment;

/// The result of a request to the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The password is set, and the device is open.
    PasswordSet,
    /// The password is not set; the text gives the reason.
    PasswordNotSet(Text),
    /// The account has the password, but a hook could not commit it; the text gives the reason.
    PasswordHalfSet(Text),
    /// The reset has begun, and the device is closed.
    ResetBegun,
    /// The reset could not begin; the text gives the reason.
    ResetNotBegun(Text),
    /// The gate has something else to do first.
    NotNow,
}

/// The outcome of a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// When to take the next turn.
    pub next: Next,
    /// The operator's request is answered, with success or without: it must not come true at some later time.
    pub answered: bool,
    /// The replies to the gate's requests.
    pub replies: Vec<Reply>,
    /// The events, in order.
    pub events: Vec<Reason>,
}

/// Takes one turn; the first event is the plan's reason.
pub fn turn(
    device: &mut dyn Device,
    settings: &Settings,
    grants: &FirewallGrants,
    request: Option<OperatorRequest>,
) -> Outcome {
    let facts = look(device, settings, grants, request);
    let plan = decide(&facts, settings);
    let mut outcome = execute(device, &facts, &plan, settings, grants);
    outcome.events.insert(0, plan.reason);
    outcome
}

/// Looks at everything once.
pub fn look(
    device: &mut dyn Device,
    settings: &Settings,
    grants: &FirewallGrants,
    request: Option<OperatorRequest>,
) -> Facts {
    let clock = device.clock();
    let offer = offer::read(&device.stored(), clock, settings);
    look_knowing(device, settings, grants, request, offer)
}

/// Looks at everything but the offer, which is known with the time by the best clock: proving it is most of a look.
pub fn look_knowing(
    device: &mut dyn Device,
    settings: &Settings,
    grants: &FirewallGrants,
    request: Option<OperatorRequest>,
    (offer, now): (Offer, Moment),
) -> Facts {
    let mut gate = device.gate();
    if let Some(gate) = &mut gate {
        let table = wanted_table(device, gate.gate_state(), &settings.firewall, grants);
        gate.rules = device.firewall_status(&table);
    }
    let record = device.record();
    let booted = device.booted();
    let on_trial = match (&record, &booted) {
        (RecordSeen::Found(Record { update: Update::Trial { slot, .. }, .. }), Ok(booted)) => slot == booted,
        _ => false,
    };
    let health = if on_trial { device.health() } else { Health::Good };
    let parts = device.parts();
    let leaves = on_trial && (health != Health::Good || request == Some(OperatorRequest::Rollback));
    let other_slot_blank = leaves
        && match (&parts, &booted) {
            (Ok(parts), Ok(booted)) => is_blank(device, parts, booted.other()),
            _ => false,
        };
    let reimage = device.incident_state().incident.and_then(|incident| incident.reimage);
    Facts {
        now,
        clock_is_right: device.clock().system >= now,
        uptime: device.uptime_seconds(),
        record,
        boot_choice: device.boot_choice(),
        parts,
        health,
        other_slot_blank,
        offer,
        retry: device.retry(),
        request,
        gate,
        reimage: reimage.is_some_and(|slot| booted == Ok(slot)),
        fleet: device.fleet_word(),
        booted,
    }
}

/// The size of the beginning of a part by which an empty one is known, in bytes.
const BLANK_BYTES: usize = 4096;

/// Whether a part of a slot begins with nothing, as erased or invalidated media do. One that cannot be read may hold
/// something.
fn is_blank(device: &mut (impl Slots + ?Sized), parts: &Parts, slot: Slot) -> bool {
    let mut buffer = alloc::vec![0; BLANK_BYTES];
    parts.iter().enumerate().any(|(index, part)| {
        let bytes = usize::try_from(part.bytes(slot)).map_or(BLANK_BYTES, |bytes| bytes.min(BLANK_BYTES));
        let beginning = &mut buffer[..bytes];
        device.read_back(slot, index, 0, beginning).is_ok()
            && [0, 0xff].iter().any(|blank| beginning.iter().all(|byte| byte == blank))
    })
}

/// Decides. The gate goes first; where it has nothing to do, or must wait, the update has its turn.
pub fn decide(facts: &Facts, settings: &Settings) -> Plan {
    decide_unless_off(facts, settings, None)
}

/// Decides where there may be no updates: `updates_off` is the reason.
pub fn decide_unless_off(facts: &Facts, settings: &Settings, updates_off: Option<&str>) -> Plan {
    if let Some(plan) = gate::plan::plan(facts, settings) {
        return plan;
    }
    let plan = match updates_off {
        Some(why) => Plan::wait(Reason::UpdatesOff(text(format_args!("{why}"))), OFF_SECONDS),
        None => update::plan::plan(facts, settings),
    };
    gate::plan::look_again(facts, plan, settings)
}

/// Without updates the device is looked at again after so many seconds.
const OFF_SECONDS: u64 = 60;

/// Tells whether a plan answers the operator's request. A request to the update waits while the gate has something to
/// do; the wall's turn answers one to the wall.
pub fn answers(facts: &Facts, plan: &Plan) -> bool {
    let of_gate = plan.steps.iter().any(Step::is_of_gate);
    facts.request.as_ref().is_some_and(|request| request.is_of_gate() || !of_gate && !request.is_of_wall())
}

/// Carries out a plan.
pub fn execute(
    device: &mut dyn Device,
    facts: &Facts,
    plan: &Plan,
    settings: &Settings,
    grants: &FirewallGrants,
) -> Outcome {
    let answered = answers(facts, plan);
    let (replies, events) = (Vec::new(), Vec::new());
    let mut outcome = Outcome { next: plan.next, answered, replies, events };
    if answered {
        forget_backoff_for(device, facts);
        let begins = plan.steps.iter().any(|step| matches!(step, Step::Claim(_) | Step::BeginReset));
        if !begins && facts.request.as_ref().is_some_and(OperatorRequest::is_of_gate) {
            let resets = facts.request == Some(OperatorRequest::Reset)
                && facts.gate.as_ref().is_some_and(|gate| gate.resetting);
            outcome.replies.push(if resets { Reply::ResetBegun } else { Reply::NotNow });
        }
    }
    keep_soak(device, facts);
    for step in &plan.steps {
        let done = perform(step, device, settings, grants, &mut outcome.events);
        outcome.replies.extend(reply(step, &done, device));
        let Err(fault) = done else { continue };
        // The next turn finds this failure among its facts, and backs off.
        outcome.next = Next::Now;
        if !matches!(fault, Fault::Fetch(_, FetchFault::Interrupted)) {
            count_failure(device, step, &fault);
            outcome.events.push(Reason::StepFailed { step: step.name(), fault });
        }
        return outcome;
    }
    if !plan.steps.is_empty() {
        forget_backoff(device, &plan.steps);
    }
    outcome
}

/// Clears the backoffs: an operator does not wait because of a failure an hour ago.
fn forget_backoff_for(device: &mut (impl Ledger + ?Sized), facts: &Facts) {
    let of_gate = facts.request.as_ref().is_some_and(OperatorRequest::is_of_gate);
    let none = Backoff::default();
    let retry = facts.retry.clone();
    let gate = if of_gate { none } else { retry.gate };
    device.keep_retry(&RetryState { poll: none, stage: none, proof: none, device: none, gate, ..retry });
}

/// Remembers since when the checks of a trial have been good: one bad answer, and the soak begins anew.
fn keep_soak(device: &mut (impl Ledger + ?Sized), facts: &Facts) {
    let good = facts.is_on_trial() && facts.health == Health::Good;
    let good_since = good.then(|| facts.retry.good_since.unwrap_or(facts.uptime));
    if good_since != facts.retry.good_since {
        let retry = device.retry();
        device.keep_retry(&RetryState { good_since, ..retry });
    }
}

/// A release that failed lately waits for polls that work, because its maker may withdraw it meanwhile.
fn count_poll(device: &mut (impl Ledger + ?Sized)) -> Result<(), Fault> {
    let RecordSeen::Found(mut record) = device.record() else { return Ok(()) };
    if record.count_poll() { keep_next(device, record) } else { Ok(()) }
}

fn perform(
    step: &Step,
    device: &mut dyn Device,
    settings: &Settings,
    grants: &FirewallGrants,
    events: &mut Vec<Reason>,
) -> Result<(), Fault> {
    match step {
        Step::Poll => poll(device, settings, events).and_then(|()| count_poll(device)),
        Step::Stage { release, slot, parts } => stage(device, release, *slot, parts, settings),
        Step::Activate { release, slot, deadline_seconds } => {
            activate(device, release, *slot, *deadline_seconds, settings)
        }
        Step::Confirm { release, slot } => confirm(device, release, *slot, events),
        Step::RollBack { release, slot, times } => {
            roll_back(device, release, *slot, *times, settings, events)
        }
        Step::Reboot => device.reboot().map_err(Fault::Device),
        Step::Adopt(record) => keep_next(device, record.clone()),
        Step::Settle(slot) => settle(device, *slot, None),
        Step::ApplyFirewall(gate_state) => apply_firewall(device, *gate_state, settings, grants),
        Step::Claim(password) => gate_steps::claim(device, password),
        Step::Finish => gate_steps::finish(device),
        Step::Withdraw => gate_steps::withdraw(device),
        Step::Restore => device.write_account(Account::Kept).map_err(Fault::Device),
        Step::BeginReset => device.mark_reset(true).map_err(Fault::Device),
        Step::Forget => gate_steps::forget(device),
    }
}

fn apply_firewall(
    device: &mut (impl Firewall + ?Sized),
    gate_state: GateState,
    settings: &Settings,
    grants: &FirewallGrants,
) -> Result<(), Fault> {
    let table = wanted_table(device, gate_state, &settings.firewall, grants);
    match device.firewall_status(&table) {
        FirewallStatus::Differ => device.apply_firewall(&table).map_err(Fault::Device),
        FirewallStatus::Hold | FirewallStatus::Beyond(_) => Ok(()),
    }
}

/// The reply to the operator that follows from a step of the gate. A request for a password is settled once it is
/// known whether the account has it: the next turn finishes or withdraws a claim that failed half way, and settles
/// it.
fn reply(step: &Step, done: &Result<(), Fault>, device: &mut (impl Owner + ?Sized)) -> Option<Reply> {
    let why = || done.as_ref().err().map(|fault| text(format_args!("{fault}")));
    match (step, why()) {
        (Step::Claim(_) | Step::Finish, None) => Some(Reply::PasswordSet),
        (Step::Finish, Some(why)) => Some(Reply::PasswordHalfSet(why)),
        (Step::Claim(_), Some(why)) => {
            let half_done = device.gate().is_some_and(|gate| gate.next.is_some() && gate.account.is_ok());
            (!half_done).then_some(Reply::PasswordNotSet(why))
        }
        (Step::Withdraw, why) => {
            let given_up = || text(format_args!("it was given up half way"));
            Some(Reply::PasswordNotSet(why.unwrap_or_else(given_up)))
        }
        (Step::BeginReset, None) => Some(Reply::ResetBegun),
        (Step::BeginReset, Some(why)) => Some(Reply::ResetNotBegun(why)),
        _ => None,
    }
}

fn count_failure(device: &mut (impl Host + Ledger + ?Sized), step: &Step, fault: &Fault) {
    if matches!(step, Step::Claim(_)) {
        // The operator gets this fault at once, and nothing of the gate must wait for it.
        return;
    }
    let uptime = device.uptime_seconds();
    let mut retry = device.retry();
    let backoff = match (step, fault) {
        (_, Fault::NotWhatWasSigned(_)) => &mut retry.proof,
        _ => backoff_of(&mut retry, step),
    };
    backoff.failures = backoff.failures.saturating_add(1);
    backoff.last_uptime = uptime;
    backoff.retry_after_seconds = match fault {
        Fault::Fetch(_, FetchFault::Status { retry_after_seconds, .. }) => retry_after_seconds.unwrap_or(0),
        _ => 0,
    };
    device.keep_retry(&retry);
}

fn backoff_of<'a>(retry: &'a mut RetryState, step: &Step) -> &'a mut Backoff {
    match step {
        Step::Poll => &mut retry.poll,
        Step::Stage { .. } => &mut retry.stage,
        step if step.is_of_gate() => &mut retry.gate,
        _ => &mut retry.device,
    }
}

fn forget_backoff(device: &mut (impl Ledger + ?Sized), steps: &[Step]) {
    let mut retry = device.retry();
    let before = retry.clone();
    for step in steps {
        *backoff_of(&mut retry, step) = Backoff::default();
        if matches!(step, Step::Activate { .. }) {
            retry.proof = Backoff::default();
        }
    }
    if retry != before {
        device.keep_retry(&retry);
    }
}
