//! Stories of a trial: soak, pause, boot loaders that do not count, the owner's settings, and no way back.
#![allow(clippy::unwrap_used, reason = "a panic is the report")]

use komainu_core::identifiers::Slot;
use komainu_core::operator_request::OperatorRequest;
use komainu_core::settings::StartCount;
use komainu_core::update::record::Update;
use komainu_tests::invariants::invariant_device_settles;
use komainu_tests::sim::disk::After;
use komainu_tests::sim::flash::draft;
use komainu_tests::sim::{Behaves, Device};

#[test]
fn a_release_whose_check_says_that_it_will_not_get_better_has_one_trial() {
    let mut device = Device::offered(2);
    device.behaves.push((2, Behaves::Unhealthy));
    for _ in 0..9 {
        device.poll_and_run();
    }
    device.says("rolling-back release=2 version=1.2 why=\"no route to the internet\"");
    assert_eq!(device.trials(), 1, "{:#?}", device.log);
    assert_eq!(device.log.last().unwrap(), "refused release=2 why=failed-before times=3");
    invariant_device_settles(&device);
}

#[test]
fn a_maker_can_withdraw_a_release_between_two_trials() {
    let mut device = Device::offered(2);
    device.behaves.push((2, Behaves::NeverGood));
    device.run_until_quiet();
    device.server.publish(&draft(3));
    device.poll_and_run();
    assert_eq!((device.running_release(), device.trials()), (3, 2), "{:#?}", device.log);
}

#[test]
fn a_pause_outlasts_restarts_and_needs_no_clock() {
    let mut device = Device::offered(2);
    device.behaves.push((2, Behaves::NeverGood));
    device.run_until_quiet();
    // No clock and no poll that works: however often it is restarted, it is not tried again.
    device.system_clock = komainu_trust::Moment(0);
    let timestamp = device.server.metadata.remove("timestamp.json").unwrap();
    for _ in 0..9 {
        device.pull_the_plug(After::Lost);
        device.run_until_quiet();
    }
    assert_eq!(device.trials(), 1, "{:#?}", device.log);
    device.server.metadata.insert("timestamp.json".into(), timestamp);
    device.pull_the_plug(After::Lost);
    device.run_until_quiet();
    assert_eq!(device.trials(), 2, "{:#?}", device.log);
}

#[test]
fn a_release_is_confirmed_after_its_soak_and_not_at_the_first_good_check() {
    let mut device = Device::offered(2);
    device.settings.soak_seconds = 120;
    device.run_until_quiet();
    device.says("trial-waits release=2 for=\"good health checks for 120 s without a break\"");
    assert_eq!(device.record_on_disk().unwrap().floor, 2);
    invariant_device_settles(&device);
    // A crash in the soak hits a slot that is not confirmed: the boot loader goes back.
    let mut device = Device::offered(2);
    device.settings.soak_seconds = 120;
    device.take_turns(30);
    assert_eq!((device.booted_slot(), device.record_on_disk().unwrap().floor), (Slot::B, 1));
    device.behaves.push((2, Behaves::Crashes));
    device.pull_the_plug(After::Kept);
    device.run_until_quiet();
    device.says("why=\"did not start within the boot loader's tries\"");
    assert_eq!(device.running_release(), 1);
}

/// A device whose boot loader does not count has tried one release; the next is offered.
fn uncounted() -> Device {
    let mut device = Device::offered(2);
    device.environment.uncounting = true;
    device.run_until_quiet();
    device.says("rolling-back release=2 version=1.2 why=\"the boot loader does not count starts\"");
    device.server.publish(&draft(3));
    for _ in 0..9 {
        device.poll_and_run();
    }
    assert_eq!((device.running_release(), device.trials()), (1, 1), "{:#?}", device.log);
    let last = device.log.last().unwrap();
    assert!(
        last.starts_with("starts-not-counted release=2 why=\"the boot loader does not count starts, "),
        "{last}"
    );
    assert!(device.record_on_disk().unwrap().failures.is_empty(), "no release is to blame");
    invariant_device_settles(&device);
    device
}

#[test]
fn a_boot_loader_that_does_not_count_is_noticed_at_the_first_trial_and_no_other_begins() {
    // The maker vouches for it.
    let mut device = uncounted();
    device.settings.start_count = StartCount::Trusted;
    device.poll_and_run();
    assert_eq!(device.running_release(), 3, "{:#?}", device.log);
    // Or it was mended, and a person says so.
    let mut device = uncounted();
    device.environment.uncounting = false;
    device.request = Some(OperatorRequest::Confirm);
    device.run_until_quiet();
    assert_eq!(device.running_release(), 3, "{:#?}", device.log);
    assert_eq!(device.record_on_disk().unwrap().uncounted, None);
    // Or a person errs: it is noticed again.
    let mut device = uncounted();
    device.request = Some(OperatorRequest::Confirm);
    device.run_until_quiet();
    assert_eq!((device.running_release(), device.trials()), (1, 2), "{:#?}", device.log);
    assert_eq!(device.record_on_disk().unwrap().uncounted, Some(3));
}

#[test]
fn hooks_that_refuse_keep_a_release_staged_and_count_for_nothing() {
    let mut device = Device::offered(2);
    device.owners.hook_refuses = true;
    device.run_until_quiet();
    device.says("step-failed step=activate why=\"10-migrate: no room\"");
    let record = device.record_on_disk().unwrap();
    assert!(matches!(record.update, Update::Staged { .. }) && record.failures.is_empty());
    assert_eq!(device.environment.choice().slot, Slot::A);
    device.owners.hook_refuses = false;
    device.pass(3600);
    device.poll_and_run();
    assert_eq!(device.running_release(), 2, "{:#?}", device.log);
    assert_eq!(device.owners.ran, ["before-activate", "after-confirm"]);
}

#[test]
fn the_owners_settings_come_back_with_the_old_release() {
    for behaves in [Behaves::Unhealthy, Behaves::NeverGood, Behaves::Crashes] {
        let mut device = Device::offered(2);
        device.behaves.push((2, behaves));
        device.run_until_quiet();
        assert_eq!(
            (device.running_release(), device.owners.format),
            (1, 1),
            "{behaves:?}: {:#?}",
            device.log
        );
        assert_eq!(device.owners.ran, ["before-activate", "on-rollback"], "{behaves:?}");
    }
}

#[test]
fn a_device_whose_other_slot_holds_nothing_stays_reachable() {
    let mut device = Device::offered(2);
    device.behaves.push((2, Behaves::NeverGood));
    device.take_turns(30);
    assert_eq!(device.booted_slot(), Slot::B, "{:#?}", device.log);
    for part in 0..2 {
        device.flash.storage(Slot::A, part).unwrap().invalidate().unwrap();
    }
    device.run_until_quiet();
    device.says("no-way-back release=2 slot=a");
    assert_eq!((device.booted_slot(), device.starts), (Slot::B, 2), "no restart: {:#?}", device.log);
    invariant_device_settles(&device);
    // The next release goes into the empty slot.
    device.server.publish(&draft(3));
    device.poll_and_run();
    assert_eq!((device.running_release(), device.booted_slot()), (3, Slot::A), "{:#?}", device.log);
}

#[test]
fn an_old_slot_that_does_not_start_any_more_is_left_again() {
    let mut device = Device::offered(2);
    device.behaves.push((2, Behaves::NeverGood));
    device.take_turns(30);
    assert_eq!(device.booted_slot(), Slot::B, "{:#?}", device.log);
    device.behaves.push((1, Behaves::Crashes));
    device.run_until_quiet();
    device.says("restart-into-old slot=a");
    device.says("cannot-leave slot=b");
    assert!(
        device.booted_slot() == Slot::B && device.starts < 12,
        "{} starts: {:#?}",
        device.starts,
        device.log
    );
    invariant_device_settles(&device);
    // The next release takes the place of the dead one.
    device.server.publish(&draft(3));
    device.poll_and_run();
    assert_eq!((device.running_release(), device.booted_slot()), (3, Slot::A), "{:#?}", device.log);
}
