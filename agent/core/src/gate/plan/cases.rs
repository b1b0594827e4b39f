//! The gate's planner as a table: the facts, and the one step that they lead to.

use super::LOOK_SECONDS;
use crate::fault::text;
use crate::gate::state::{FirewallStatus, GateFacts, GateState};
use crate::identifiers::Digest64;
use crate::operator_request::{OperatorRequest, Password};
use crate::retry_state::{Backoff, RetryState};
use crate::step::Next;
use crate::step::Step;
use crate::turn::decide as plan;
use crate::update::facts::Facts;
use crate::update::plan::cases;
use crate::update::record::Update;

fn digest(of: &str) -> Option<Digest64> {
    Some(Digest64::of(of.as_bytes()))
}

fn claim() -> OperatorRequest {
    OperatorRequest::Claim(Password("a password".into()))
}

/// An owner, the account as it should be, rules as they should be.
fn quiet() -> GateFacts {
    GateFacts {
        resetting: false,
        kept: digest("owner"),
        next: None,
        account: Ok(digest("owner")),
        rules: FirewallStatus::Hold,
    }
}

fn facts(gate: GateFacts, request: Option<OperatorRequest>) -> Facts {
    Facts { gate: Some(gate), request, ..cases::facts(Update::Idle) }
}

fn steps(gate: GateFacts, request: Option<OperatorRequest>) -> Vec<&'static str> {
    let plan = plan(&facts(gate, request), &cases::settings());
    plan.steps.iter().map(Step::name).collect()
}

use alloc::vec::Vec;

#[test]
fn the_gate_is_open_only_for_the_owners_credential() {
    let unreadable = || Err(text(format_args!("Input/output error")));
    for (name, gate, open) in [
        ("owner", quiet(), true),
        ("no owner, empty account", GateFacts { kept: None, account: Ok(None), ..quiet() }, false),
        (
            "no owner, a default password",
            GateFacts { kept: None, account: Ok(digest("default")), ..quiet() },
            false,
        ),
        ("owner, account emptied", GateFacts { account: Ok(None), ..quiet() }, false),
        ("owner, account changed", GateFacts { account: Ok(digest("other")), ..quiet() }, false),
        ("owner, account unreadable", GateFacts { account: unreadable(), ..quiet() }, false),
        ("first password half set", GateFacts { kept: None, next: digest("owner"), ..quiet() }, false),
        ("another password half set", GateFacts { next: digest("new"), ..quiet() }, true),
        (
            "another password all but set",
            GateFacts { next: digest("new"), account: Ok(digest("new")), ..quiet() },
            true,
        ),
        ("being reset", GateFacts { resetting: true, ..quiet() }, false),
        (
            "being reset, half a password",
            GateFacts { resetting: true, next: digest("new"), account: Ok(digest("new")), ..quiet() },
            false,
        ),
    ] {
        assert_eq!(gate.gate_state() == GateState::Open, open, "{name}");
    }
}

#[test]
fn each_sight_leads_to_its_step() {
    let differ = FirewallStatus::Differ;
    let beyond = FirewallStatus::Beyond(text(format_args!("no nf_tables")));
    let fresh = || GateFacts { kept: None, account: Ok(digest("default")), ..quiet() };
    for (name, gate, request, wanted) in [
        ("all well", quiet(), None, &[][..]),
        ("closed and waiting", fresh(), None, &[]),
        ("no firewall is not waited for", GateFacts { rules: beyond.clone(), ..quiet() }, None, &[]),
        ("rules gone", GateFacts { rules: differ.clone(), ..quiet() }, None, &["apply-firewall"]),
        (
            "rules before mending",
            GateFacts { rules: differ, account: Ok(None), ..quiet() },
            None,
            &["apply-firewall"],
        ),
        ("a password waits", fresh(), Some(claim()), &["claim", "apply-firewall"]),
        ("another password waits", quiet(), Some(claim()), &["claim", "apply-firewall"]),
        (
            "a password waits, half of one is there",
            GateFacts { next: digest("half"), ..fresh() },
            Some(claim()),
            &["withdraw"],
        ),
        ("cut before the account", GateFacts { next: digest("new"), ..fresh() }, None, &["withdraw"]),
        (
            "cut after the account",
            GateFacts { next: digest("new"), account: Ok(digest("new")), ..fresh() },
            None,
            &["finish", "apply-firewall"],
        ),
        ("change cut before the account", GateFacts { next: digest("new"), ..quiet() }, None, &["withdraw"]),
        (
            "account changed by others",
            GateFacts { account: Ok(digest("bot")), ..quiet() },
            None,
            &["restore"],
        ),
        ("account locked by others", GateFacts { account: Ok(None), ..quiet() }, None, &["restore"]),
        ("reset asked", quiet(), Some(OperatorRequest::Reset), &["begin-reset", "apply-firewall"]),
        (
            "reset asked with no owner",
            fresh(),
            Some(OperatorRequest::Reset),
            &["begin-reset", "apply-firewall"],
        ),
        ("resetting", GateFacts { resetting: true, ..quiet() }, None, &["forget", "reboot"]),
        (
            "no claim in a reset",
            GateFacts { resetting: true, ..fresh() },
            Some(claim()),
            &["forget", "reboot"],
        ),
    ] {
        assert_eq!(steps(gate, request), wanted, "{name}");
    }
}

#[test]
fn a_gate_in_trouble_does_not_hold_back_the_update() {
    let gate = GateFacts { rules: FirewallStatus::Differ, ..quiet() };
    let mut facts = facts(gate, None);
    facts.retry.polled_uptime = None;
    let backoff = Backoff { failures: 3, last_uptime: facts.uptime, retry_after_seconds: 0 };
    facts.retry = RetryState { gate: backoff, ..facts.retry };
    let plan = plan(&facts, &cases::settings());
    assert_eq!(plan.steps.iter().map(Step::name).collect::<Vec<_>>(), ["poll"]);
}

#[test]
fn a_wait_never_outlasts_the_next_look_at_the_gate() {
    let waits = |gate: GateFacts| plan(&facts(gate, None), &cases::settings()).next;
    assert_eq!(waits(quiet()), Next::Seconds(LOOK_SECONDS));
    let without = Facts { gate: None, ..facts(quiet(), None) };
    assert!(matches!(plan(&without, &cases::settings()).next, Next::Seconds(more) if more > LOOK_SECONDS));
}

#[test]
fn the_gate_is_kept_where_nothing_is_known_of_slots() {
    let gate = GateFacts { rules: FirewallStatus::Differ, kept: None, ..quiet() };
    let why = || text(format_args!("no such file"));
    let facts = Facts { booted: Err(why()), boot_choice: Err(why()), ..facts(gate, None) };
    assert_eq!(plan(&facts, &cases::settings()).steps.first().map(Step::name), Some("apply-firewall"));
}
