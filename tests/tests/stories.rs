//! Stories: a release, a cut, a bad server, in a few commands, with the expected log beside them.
#![allow(clippy::unwrap_used, reason = "a panic is the report")]

use komainu_core::firewall::table::FirewallGrants;
use komainu_core::gate::state::GateState;
use komainu_core::identifiers::Slot;
use komainu_core::operator_request::OperatorRequest;
use komainu_core::settings::ConfirmBy;
use komainu_core::turn::{Reply, turn};
use komainu_tests::invariants::{check_all, invariant_device_settles};
use komainu_tests::repository::{Repository, TODAY};
use komainu_tests::sim::disk::After;
use komainu_tests::sim::flash::draft;
use komainu_tests::sim::gate::Gate;
use komainu_tests::sim::{Behaves, Device};
use serde_json::json;

fn log_is(device: &Device, expected: &[&str]) {
    let log: Vec<&str> = device.log.iter().map(String::as_str).collect();
    assert_eq!(log, expected, "{log:#?}");
}

#[test]
fn a_release_is_polled_staged_tried_and_kept() {
    let mut device = Device::offered(2);
    device.run_until_quiet();
    log_is(
        &device,
        &[
            "first-start slot=a",
            "poll-due",
            "staging release=2 version=1.2 slot=b bytes=0 of=51820",
            "staging release=2 version=1.2 slot=b bytes=12288 of=51820",
            "staging release=2 version=1.2 slot=b bytes=16284 of=51820",
            "staging release=2 version=1.2 slot=b bytes=28572 of=51820",
            "staging release=2 version=1.2 slot=b bytes=36764 of=51820",
            "staging release=2 version=1.2 slot=b bytes=44956 of=51820",
            "staging release=2 version=1.2 slot=b bytes=51820 of=51820",
            "activating release=2 version=1.2 slot=b",
            "restart",
            "started slot=b release=2",
            "confirming release=2 version=1.2",
            "poll-due",
            "refused release=2 why=up-to-date",
        ],
    );
    invariant_device_settles(&device);
    assert_eq!(device.record_on_disk().unwrap().floor, 2);
}

#[test]
fn nothing_new_costs_one_request() {
    let mut device = Device::offered(2);
    device.run_until_quiet();
    let before = device.requests;
    device.poll_and_run();
    assert_eq!(device.requests - before, 1);
}

#[test]
fn a_release_that_fails_three_times_is_refused_and_the_next_one_taken() {
    let mut device = Device::offered(2);
    device.behaves.push((2, Behaves::NeverGood));
    device.run_until_quiet();
    // The pause grows: so many polls lie between two trials, the one that follows each restart among them.
    let polls_between = |device: &mut Device| {
        let tried = device.trials();
        let polls = (1..20).find(|_| {
            device.poll_and_run();
            device.trials() > tried
        });
        polls.expect("it is tried again")
    };
    assert_eq!(device.trials(), 1);
    assert_eq!((polls_between(&mut device), polls_between(&mut device)), (1, 2));
    device.says("refused release=2 why=failed-lately times=1 polls_to_wait=1");
    device.says("refused release=2 why=failed-lately times=2 polls_to_wait=1");
    assert_eq!(device.log.last().unwrap(), "refused release=2 why=failed-before times=3");
    device.poll_and_run();
    assert_eq!(device.trials(), 3, "{:#?}", device.log);
    assert_eq!(device.running_release(), 1);
    device.server.publish(&draft(3));
    device.poll_and_run();
    assert_eq!((device.running_release(), device.booted_slot()), (3, Slot::B));
    invariant_device_settles(&device);
}

#[test]
fn a_release_that_never_becomes_good_goes_back_at_its_deadline() {
    let mut device = Device::offered(2);
    device.behaves.push((2, Behaves::NeverGood));
    device.run_until_quiet();
    device.says("trial-waits release=2 for=\"the camera is not found\"");
    device.says("why=\"not good after 300 s: the camera is not found\"");
    assert_eq!(device.running_release(), 1);
}

#[test]
fn a_release_that_does_not_start_is_given_up_by_the_boot_loader() {
    let mut device = Device::offered(2);
    device.behaves.push((2, Behaves::Crashes));
    device.run_until_quiet();
    device.says("why=\"did not start within the boot loader's tries\"");
    assert_eq!(device.running_release(), 1);
    for _ in 0..9 {
        device.poll_and_run();
    }
    assert_eq!(device.log.last().unwrap(), "refused release=2 why=failed-before times=3");
}

#[test]
fn a_broken_line_is_taken_up_where_it_broke() {
    let mut device = Device::offered(2);
    // One more than failures: the first look at the slot goes on without an answer.
    device.broken_pieces = 4;
    device.run_until_quiet();
    device.says("step-failed step=stage why=\"images/2/kernel.img: ended after");
    device.says("backing-off failures=3");
    assert_eq!(device.running_release(), 2);
}

#[test]
fn flash_that_forgets_is_found_before_it_runs() {
    let mut device = Device::offered(2);
    // The bit flips after it was synced, before it is read back.
    device.cut_at = Some((28, After::Kept));
    device.run_until_quiet();
    let mut device = Device::offered(3);
    device.rot_after_syncs = Some(4);
    device.run_until_quiet();
    device.says("does not have the signed sha256 (the download or the flash is at fault)");
    assert_eq!(device.running_release(), 3, "{:#?}", device.log);
}

#[test]
fn a_newer_release_takes_the_place_of_one_half_staged() {
    let mut device = Device::offered(2);
    device.broken_pieces = 2;
    device.cut_at = Some((14, After::Torn));
    let mut later = device.server.clone();
    later.publish(&draft(3));
    while device.starts == 1 {
        device.turn();
        device.pass(60);
        if device.cut_at.is_none() {
            device.pull_the_plug(After::Torn);
        }
    }
    device.server = later;
    device.poll_and_run();
    assert_eq!(device.running_release(), 3, "{:#?}", device.log);
    assert!(!device.log.iter().any(|line| line.contains("release=2") && line.starts_with("activating")));
}

#[test]
fn waves_reach_a_device_one_day() {
    let mut device = Device::offered(2);
    let tomorrow = TODAY.plus_seconds(86_400);
    let waves = json!([{ "from": TODAY.plus_seconds(-9).to_string(), "permille": 0 },
        { "from": tomorrow.to_string(), "permille": 1000 }]);
    device.server.publish(&draft(3).with(json!({ "waves": waves })));
    device.run_until_quiet();
    assert_eq!(device.log.last().unwrap(), "refused release=3 why=wave-not-reached permille=0");
    device.pass(86_401);
    device.poll_and_run();
    assert_eq!(device.running_release(), 3);
}

#[test]
fn the_firmware_itself_can_confirm() {
    let mut device = Device::offered(2);
    device.settings.confirm_by = ConfirmBy::Command;
    device.take_turns(30);
    assert_eq!(device.log.last().unwrap(), "trial-waits release=2 for=\"komainu confirm\"");
    device.request = Some(OperatorRequest::Confirm);
    device.run_until_quiet();
    assert_eq!(device.running_release(), 2);
    invariant_device_settles(&device);
}

#[test]
fn a_release_that_was_given_up_by_hand_does_not_come_back() {
    let mut device = Device::offered(2);
    device.settings.confirm_by = ConfirmBy::Command;
    device.take_turns(30);
    device.request = Some(OperatorRequest::Rollback);
    device.run_until_quiet();
    device.says("rolling-back release=2 version=1.2 why=\"asked for\"");
    device.poll_and_run();
    assert_eq!(device.running_release(), 1);
    assert_eq!(device.log.last().unwrap(), "refused release=2 why=failed-before times=3");
}

#[test]
fn a_lost_record_is_made_anew_from_what_is_seen() {
    let mut device = Device::offered(2);
    device.run_until_quiet();
    device.disk.lose_record();
    device.settings.own_release = None;
    device.pull_the_plug(After::Lost);
    device.run_until_quiet();
    device.says("record-lost why=\"no good copy\"");
    check_all(&mut device);
    assert_eq!(device.running_release(), 2);
}

#[test]
fn a_record_lost_on_trial_does_not_make_the_release_good() {
    for lose_both in [true, false] {
        let mut device = Device::offered(2);
        device.behaves.push((2, Behaves::NeverGood));
        device.take_turns(40);
        assert_eq!(device.booted_slot(), Slot::B, "{:#?}", device.log);
        if lose_both {
            device.disk.lose_record();
        } else {
            device.disk.lose_newest_record();
        }
        device.run_until_quiet();
        assert_eq!(device.running_release(), 1, "{:#?}", device.log);
        invariant_device_settles(&device);
    }
}

#[test]
fn a_boot_loader_that_falls_back_is_not_fought() {
    let mut device = Device::offered(2);
    device.run_until_quiet();
    // Slot b dies; a person starts slot a by hand.
    device.behaves.push((2, Behaves::Crashes));
    device.environment.slot = Slot::A;
    device.settings.own_release = None;
    device.pull_the_plug_with_slot_dead(Slot::B);
    device.run_until_quiet();
    device.says("other-slot-runs recorded=b running=a");
    assert_eq!(device.booted_slot(), Slot::A);
    assert_eq!(device.record_on_disk().unwrap().floor, 2, "the floor stays");
}

#[test]
fn a_boot_loader_that_does_not_listen_is_not_asked_for_ever() {
    let mut device = Device::offered(2);
    device.environment.deaf = Some(Slot::A);
    device.run_until_quiet();
    for _ in 0..9 {
        device.poll_and_run();
    }
    device.says("why=\"the boot loader did not start it in 3 restarts\"");
    assert_eq!(device.log.last().unwrap(), "refused release=2 why=failed-before times=3");
    assert!(device.starts < 20, "{} starts", device.starts);
    invariant_device_settles(&device);
}

#[test]
fn a_slot_that_cannot_be_left_is_kept_and_said() {
    let mut device = Device::offered(2);
    device.behaves.push((2, Behaves::Unhealthy));
    for _ in 0..40 {
        device.turn();
        device.restart_if_asked();
        if device.booted_slot() == Slot::B {
            device.environment.deaf = Some(Slot::B);
        }
    }
    device.says("cannot-leave slot=b");
    assert!(device.starts < 25, "{} starts", device.starts);
    // The next release mends it.
    device.server.publish(&draft(3));
    device.environment.deaf = None;
    device.poll_and_run();
    assert_eq!(device.running_release(), 3, "{:#?}", device.log);
}

/// A device with a gate, closed and at rest.
fn gated() -> Device {
    let mut device = Device::new(Repository::new());
    device.gate = Some(Gate::factory());
    device.run_until_quiet();
    device
}

fn replies(device: &mut Device, request: OperatorRequest) -> Vec<Reply> {
    let settings = device.settings.clone();
    let outcome = turn(device, &settings, &FirewallGrants::default(), Some(request));
    assert!(outcome.answered);
    outcome.replies
}

#[test]
fn a_password_is_settled_by_the_turn_that_sets_it() {
    let mut device = gated();
    let claim = device.gate.as_mut().unwrap().choose("first");
    assert_eq!(replies(&mut device, claim), [Reply::PasswordSet]);
    let gate = device.gate.as_mut().unwrap();
    assert_eq!((gate.account.as_str(), gate.rules), ("first", Some(GateState::Open)));
    gate.hook_refuses = true;
    let claim = gate.choose("second");
    assert!(matches!(replies(&mut device, claim)[..], [Reply::PasswordNotSet(_)]));
    assert_eq!(device.gate.as_ref().unwrap().account, "first");
}

#[test]
fn a_reset_is_told_that_it_has_begun_and_so_is_a_second_one() {
    let mut device = gated();
    for _ in 0..2 {
        assert_eq!(replies(&mut device, OperatorRequest::Reset), [Reply::ResetBegun]);
        let gate = device.gate.as_ref().unwrap();
        assert_eq!(gate.rules, Some(GateState::Closed));
    }
}
