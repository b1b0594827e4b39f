//! The gate's planner as a table: what is seen, and the one step that it leads to.

use super::{GateSeen, LOOK_SECONDS, RulesSeen, Standing};
use crate::fault::text;
use crate::step::Step;
use crate::update::facts::{Attempts, Facts, Setbacks, Wish};
use crate::update::offer::Print;
use crate::update::plan::{Next, cases, plan};
use crate::update::record::Update;

fn print(of: &str) -> Option<Print> {
    Some(Print::of(of.as_bytes()))
}

/// An owner, the account as it should be, rules as they should be.
fn quiet() -> GateSeen {
    GateSeen {
        resetting: false,
        kept: print("owner"),
        next: None,
        account: Ok(print("owner")),
        rules: RulesSeen::Hold,
    }
}

fn facts(gate: GateSeen, wish: Option<Wish>) -> Facts {
    Facts { gate: Some(gate), wish, ..cases::facts(Update::Idle) }
}

fn steps(gate: GateSeen, wish: Option<Wish>) -> Vec<&'static str> {
    let plan = plan(&facts(gate, wish), &cases::settings());
    plan.steps.iter().map(Step::name).collect()
}

use alloc::vec::Vec;

#[test]
fn the_gate_is_open_only_for_the_owners_credential() {
    let unreadable = || Err(text(format_args!("Input/output error")));
    for (name, gate, open) in [
        ("owner", quiet(), true),
        ("no owner, empty account", GateSeen { kept: None, account: Ok(None), ..quiet() }, false),
        (
            "no owner, a default password",
            GateSeen { kept: None, account: Ok(print("default")), ..quiet() },
            false,
        ),
        ("owner, account emptied", GateSeen { account: Ok(None), ..quiet() }, false),
        ("owner, account changed", GateSeen { account: Ok(print("other")), ..quiet() }, false),
        ("owner, account unreadable", GateSeen { account: unreadable(), ..quiet() }, false),
        ("first password half set", GateSeen { kept: None, next: print("owner"), ..quiet() }, false),
        ("another password half set", GateSeen { next: print("new"), ..quiet() }, true),
        (
            "another password all but set",
            GateSeen { next: print("new"), account: Ok(print("new")), ..quiet() },
            true,
        ),
        ("being reset", GateSeen { resetting: true, ..quiet() }, false),
        (
            "being reset, half a password",
            GateSeen { resetting: true, next: print("new"), account: Ok(print("new")), ..quiet() },
            false,
        ),
    ] {
        assert_eq!(gate.standing() == Standing::Open, open, "{name}");
    }
}

#[test]
fn each_sight_leads_to_its_step() {
    let differ = RulesSeen::Differ;
    let beyond = RulesSeen::Beyond(text(format_args!("no nf_tables")));
    let fresh = || GateSeen { kept: None, account: Ok(print("default")), ..quiet() };
    for (name, gate, wish, wanted) in [
        ("all well", quiet(), None, &[][..]),
        ("closed and waiting", fresh(), None, &[]),
        ("no firewall is not waited for", GateSeen { rules: beyond.clone(), ..quiet() }, None, &[]),
        ("rules gone", GateSeen { rules: differ.clone(), ..quiet() }, None, &["guard"]),
        ("rules before mending", GateSeen { rules: differ, account: Ok(None), ..quiet() }, None, &["guard"]),
        ("a password waits", fresh(), Some(Wish::Claim), &["claim"]),
        ("another password waits", quiet(), Some(Wish::Claim), &["claim"]),
        (
            "a password waits, half of one is there",
            GateSeen { next: print("half"), ..fresh() },
            Some(Wish::Claim),
            &["withdraw"],
        ),
        ("cut before the account", GateSeen { next: print("new"), ..fresh() }, None, &["withdraw"]),
        (
            "cut after the account",
            GateSeen { next: print("new"), account: Ok(print("new")), ..fresh() },
            None,
            &["finish"],
        ),
        ("change cut before the account", GateSeen { next: print("new"), ..quiet() }, None, &["withdraw"]),
        ("account changed by others", GateSeen { account: Ok(print("bot")), ..quiet() }, None, &["restore"]),
        ("account locked by others", GateSeen { account: Ok(None), ..quiet() }, None, &["restore"]),
        ("reset asked", quiet(), Some(Wish::Reset), &["begin-reset"]),
        ("reset asked with no owner", fresh(), Some(Wish::Reset), &["begin-reset"]),
        ("resetting", GateSeen { resetting: true, ..quiet() }, None, &["forget", "reboot"]),
        (
            "no claim in a reset",
            GateSeen { resetting: true, ..fresh() },
            Some(Wish::Claim),
            &["forget", "reboot"],
        ),
    ] {
        assert_eq!(steps(gate, wish), wanted, "{name}");
    }
}

#[test]
fn a_gate_in_trouble_does_not_hold_back_the_update() {
    let gate = GateSeen { rules: RulesSeen::Differ, ..quiet() };
    let mut facts = facts(gate, None);
    facts.attempts.polled_uptime = None;
    let setbacks = Setbacks { failures: 3, last_uptime: facts.uptime, retry_after_seconds: 0 };
    facts.attempts = Attempts { gate: setbacks, ..facts.attempts };
    let plan = plan(&facts, &cases::settings());
    assert_eq!(plan.steps.iter().map(Step::name).collect::<Vec<_>>(), ["poll"]);
}

#[test]
fn a_wait_never_outlasts_the_next_look_at_the_gate() {
    let waits = |gate: GateSeen| plan(&facts(gate, None), &cases::settings()).next;
    assert_eq!(waits(quiet()), Next::Seconds(LOOK_SECONDS));
    let without = Facts { gate: None, ..facts(quiet(), None) };
    assert!(matches!(plan(&without, &cases::settings()).next, Next::Seconds(more) if more > LOOK_SECONDS));
}

#[test]
fn the_gate_is_kept_where_nothing_is_known_of_slots() {
    let gate = GateSeen { rules: RulesSeen::Differ, kept: None, ..quiet() };
    let why = || text(format_args!("no such file"));
    let facts = Facts { booted: Err(why()), boot_choice: Err(why()), ..facts(gate, None) };
    assert_eq!(plan(&facts, &cases::settings()).steps.first().map(Step::name), Some("guard"));
}
