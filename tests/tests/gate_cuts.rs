//! The power goes at every changing call of setting a password, changing it and forgetting the owner; then twice. In
//! every case the gate is closed or the owner's password is set, and in the end nothing is half done. Prints the
//! number of cuts.
#![allow(clippy::unwrap_used, reason = "a panic is the report")]

use komainu_core::gate::state::GateState;
use komainu_core::operator_request::OperatorRequest;
use komainu_tests::invariants::{
    check_all, invariant_a_password_is_set_everywhere_or_nowhere, invariant_the_rules_fit_the_gate,
};
use komainu_tests::repository::Repository;
use komainu_tests::sim::Device;
use komainu_tests::sim::disk::{ALL_AFTERS, After};
use komainu_tests::sim::flash::draft;
use komainu_tests::sim::gate::{FACTORY, Gate};

/// An act of a person at the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Claim(&'static str),
    Refused(&'static str),
    Reset,
}

/// The acts of a story, in order; the cuts fall into the last one.
const STORIES: [(&str, &[Act]); 6] = [
    ("the first password", &[Act::Claim("first")]),
    ("another password", &[Act::Claim("first"), Act::Claim("second")]),
    ("the first password, which a hook refuses", &[Act::Refused("first")]),
    ("another password, which a hook refuses", &[Act::Claim("first"), Act::Refused("second")]),
    ("the owner is forgotten", &[Act::Claim("first"), Act::Reset]),
    ("the next owner", &[Act::Claim("first"), Act::Reset, Act::Claim("second")]),
];

fn device() -> Device {
    let mut device = Device::new(Repository::new());
    device.gate = Some(Gate::factory());
    device.run_until_quiet();
    device
}

fn gate(device: &mut Device) -> &mut Gate {
    device.gate.as_mut().unwrap()
}

fn do_act(device: &mut Device, act: Act) {
    let gate = gate(device);
    match act {
        Act::Claim(password) | Act::Refused(password) => {
            gate.hook_refuses = matches!(act, Act::Refused(_));
            device.request = Some(gate.choose(password));
        }
        Act::Reset => {
            gate.owners_data = true;
            device.request = Some(OperatorRequest::Reset);
        }
    }
    device.run_until_quiet();
}

fn settled(device: &mut Device) {
    check_all(device);
    invariant_a_password_is_set_everywhere_or_nowhere(device);
    invariant_the_rules_fit_the_gate(device);
}

/// Plays the acts; the cuts fall into the last. Then the person does it once more, as people do.
fn run(acts: &[Act], cut_at: Option<(u64, After)>, cut_next: Option<(u64, After)>) -> (u64, u64) {
    let mut device = device();
    let (last, before) = acts.split_last().unwrap();
    for act in before {
        do_act(&mut device, *act);
        settled(&mut device);
    }
    let held_before = gate(&mut device).account.clone();
    let quiet_changes = device.changes;
    device.cut_at = cut_at.map(|(at, after)| (quiet_changes + at, after));
    device.cut_next = cut_next;
    do_act(&mut device, *last);
    let changes = device.changes - quiet_changes;
    let happened = u64::from(cut_at.is_some() && device.cut_at.is_none() && device.cut_next != cut_next)
        + u64::from(cut_at.is_some() && device.cut_at.is_none());
    let uncut = cut_at.is_none();
    (device.cut_at, device.cut_next) = (None, None);
    device.run_until_quiet();
    settled(&mut device);
    let held = gate(&mut device).account.clone();
    let may_hold = match *last {
        Act::Claim(password) => vec![password, &held_before],
        Act::Refused(_) => vec![held_before.as_str()],
        Act::Reset => vec!["", &held_before],
    };
    assert!(may_hold.contains(&held.as_str()), "{held:?} {:#?}", device.log);
    do_act(&mut device, *last);
    settled(&mut device);
    let (wanted, owned) = match *last {
        Act::Claim(password) => (password, true),
        Act::Refused(_) => (held_before.as_str(), held_before != FACTORY && !held_before.is_empty()),
        Act::Reset => ("", false),
    };
    let end = gate(&mut device).clone();
    assert_eq!(end.account, wanted, "{:#?}", device.log);
    assert_eq!(end.rules == Some(GateState::Open), owned, "{:#?}", device.log);
    assert!(*last != Act::Reset || !end.owners_data, "{:#?}", device.log);
    if uncut { (changes, 0) } else { (changes, happened) }
}

#[test]
fn a_cut_at_every_changing_call_of_the_gate_is_harmless() {
    let mut cuts = 0;
    for (name, acts) in STORIES {
        let (changes, _) = run(acts, None, None);
        assert!(changes > 2, "{name}: {changes}");
        for at in 1..=changes {
            for after in ALL_AFTERS {
                cuts += run(acts, Some((at, after)), None).1;
            }
        }
    }
    println!("power cuts tried: {cuts}, open without an owner: 0 (the gate, one cut)");
}

#[test]
fn a_second_cut_while_the_gate_is_mended_is_harmless() {
    let mut cuts = 0;
    for (_, acts) in STORIES {
        let (changes, _) = run(acts, None, None);
        for at in 1..=changes {
            for later in 1..=10 {
                for (first, second) in [
                    (After::Kept, After::Lost),
                    (After::Lost, After::Kept),
                    (After::Kept, After::Kept),
                    (After::Lost, After::Lost),
                ] {
                    cuts += run(acts, Some((at, first)), Some((later, second))).1;
                }
            }
        }
    }
    println!("power cuts tried: {cuts}, open without an owner: 0 (the gate, two cuts)");
}

#[test]
fn forgetting_the_owner_keeps_the_release_and_the_floor() {
    let mut server = Repository::new();
    server.publish(&draft(2));
    let mut device = Device::new(server);
    device.gate = Some(Gate::factory());
    device.run_until_quiet();
    do_act(&mut device, Act::Claim("first"));
    assert_eq!(device.running_release(), 2);
    let before = device.record_on_disk().unwrap();
    do_act(&mut device, Act::Reset);
    let after = device.record_on_disk().unwrap();
    assert_eq!((after.floor, after.confirmed), (before.floor, before.confirmed));
    assert_eq!((device.running_release(), after.floor), (2, 2));
    settled(&mut device);
}

#[test]
fn an_account_that_somebody_else_changes_gets_the_owners_password_back() {
    let mut device = device();
    do_act(&mut device, Act::Claim("first"));
    for other in ["", FACTORY, "bot"] {
        gate(&mut device).account = other.into();
        device.run_until_quiet();
        settled(&mut device);
        assert_eq!(gate(&mut device).account, "first");
    }
}

#[test]
fn a_device_is_closed_after_every_start_until_it_has_looked() {
    let mut device = device();
    do_act(&mut device, Act::Claim("first"));
    device.pull_the_plug(After::Lost);
    assert_eq!(gate(&mut device).rules, None);
    device.run_until_quiet();
    assert_eq!(gate(&mut device).rules, Some(GateState::Open));
}

#[test]
fn without_a_firewall_the_password_is_set_all_the_same() {
    let mut device = device();
    gate(&mut device).no_firewall = true;
    do_act(&mut device, Act::Claim("first"));
    settled(&mut device);
    assert_eq!(gate(&mut device).kept.as_deref(), Some("first"));
}
