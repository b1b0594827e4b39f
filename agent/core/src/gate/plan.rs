//! The gate's planner: no device is in use without its owner's password. It decides whether the gate is open, and how
//! to recover a half-done change. A pure function; `gate/execute.rs` holds the order of the steps.
//!
//! The gate remembers two small files. The *kept* credential is that of the owner: where it is missing,
//! there is no owner, and the gate is closed. The *next* credential is one that is being set: while it exists,
//! the account tells how far that came, because replacing the account's line is one atomic step.
//!
//! | cut … | next | account holds | plan |
//! |---|---|---|---|
//! | before the account is written | there | something else | withdraw: the hooks give up, next goes |
//! | after the account is written | there | next | finish: the hooks commit, next becomes kept |
//! | anywhere in a reset | – | – | reset again, from the start; the gate is closed throughout |

use crate::gate::state::FirewallStatus;
use crate::gate::state::GateState;
#[cfg(test)]
mod cases;

use crate::operator_request::OperatorRequest;
use crate::reason::Reason;
use crate::settings::Settings;
use crate::step::Step;
use crate::step::{Next, Plan};
use crate::update::facts::Facts;
use crate::update::schedule::until_gate;

/// The agent looks at the gate and the kernel's rules at least this often, in seconds.
pub const LOOK_SECONDS: u32 = 60;

/// The gate's plan for this turn; `None`: nothing to do, or it has to wait after failures.
pub fn plan(facts: &Facts, settings: &Settings) -> Option<Plan> {
    let gate = facts.gate.as_ref()?;
    let gate_state = gate.gate_state();
    match &facts.request {
        // The mark comes first: a reset without a mark has not begun.
        Some(OperatorRequest::Reset) if !gate.resetting => {
            return Some(
                now(Step::BeginReset, Reason::ResetAsked).then(Step::ApplyFirewall(GateState::Closed)),
            );
        }
        // Half-done work goes first, so that it cannot be mistaken for part of this request.
        Some(OperatorRequest::Claim(password)) if gate.next.is_none() && !gate.resetting => {
            let claim = now(Step::Claim(password.clone()), Reason::Claiming);
            return Some(claim.then(Step::ApplyFirewall(GateState::Open)));
        }
        _ => {}
    }
    if until_gate(&facts.retry, facts.uptime, settings) > 0 {
        return None;
    }
    // Closing comes before mending: mending may fail.
    if gate.rules == FirewallStatus::Differ {
        return Some(now(Step::ApplyFirewall(gate_state), Reason::ApplyingFirewall(gate_state)));
    }
    if gate.resetting {
        let mut plan = now(Step::Forget, Reason::Resetting);
        if settings.restart_after_reset {
            plan.push(Step::Reboot);
            plan.next = Next::Restart;
        }
        return Some(plan);
    }
    let account = gate.account.as_ref().ok()?;
    if gate.next.is_some() {
        return Some(if gate.next == *account {
            now(Step::Finish, Reason::ClaimUnfinished).then(Step::ApplyFirewall(GateState::Open))
        } else {
            now(Step::Withdraw, Reason::ClaimUnfinished)
        });
    }
    if gate.kept.is_some() && gate.kept != *account {
        return Some(now(Step::Restore, Reason::AccountChanged));
    }
    None
}

fn now(step: Step, reason: Reason) -> Plan {
    Plan::step(step, reason, Next::Now)
}

/// A plan that only waits does not wait past the next look at the gate.
pub fn look_again(facts: &Facts, mut plan: Plan, settings: &Settings) -> Plan {
    if facts.gate.is_some()
        && let Next::Seconds(seconds) = plan.next
    {
        let retry = until_gate(&facts.retry, facts.uptime, settings);
        let retry = if retry == 0 { LOOK_SECONDS } else { u32::try_from(retry).unwrap_or(LOOK_SECONDS) };
        plan.next = Next::Seconds(seconds.min(retry).min(LOOK_SECONDS));
    }
    plan
}
