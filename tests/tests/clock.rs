//! The clock table of the security documents, one test a row: the device's clock is wrong, jumps, or runs on for
//! decades. A clock may delay an update, and says so; it never makes a device take something older, and never locks
//! it out for good.
#![allow(clippy::unwrap_used, reason = "a panic is the report")]

use komainu_core::operator_request::OperatorRequest;
use komainu_tests::attacked::{device, recovers, refused};
use komainu_tests::invariants::{check_all, invariant_device_settles};
use komainu_tests::repository::{Repository, TODAY, key};
use komainu_tests::sim::disk::{ALL_AFTERS, After};
use komainu_tests::sim::flash::draft;
use komainu_tests::sim::{Behaves, Device};
use komainu_trust::Moment;
use serde_json::json;

const DAY: i64 = 86_400;
const YEAR: i64 = 365 * DAY;

/// A device that lost its clock, and the two ways to use that against it.
fn a_lost_clock_neither_locks_out_nor_lets_in(clock: Moment) {
    let mut server = Repository::new();
    server.issued = Some(TODAY);
    server.publish(&draft(2));
    let old = server.clone();
    let mut device = Device::new(server);
    device.system_clock = clock;
    device.run_until_quiet();
    assert_eq!(device.running_release(), 2, "a first start without a clock: {:#?}", device.log);
    device.server.publish(&draft(3));
    device.poll_and_run();
    assert_eq!(device.running_release(), 3, "{:#?}", device.log);
    // Old metadata is old by its version, under any clock.
    let newest = device.server.clone();
    device.server = old;
    device.system_clock = clock;
    refused(&mut device, "3 was seen before; looks like a stale mirror");
    // And new metadata that has expired is refused, because signed time says so.
    device.server = newest.clone();
    device.server.issued = None;
    device.server.expires = TODAY;
    device.server.publish(&draft(4));
    refused(&mut device, "refused (TUF 5.4.4): expired");
    recovers(&mut device, newest, 5);
}

#[test]
fn a_clock_in_1970_neither_locks_out_nor_lets_in() {
    a_lost_clock_neither_locks_out_nor_lets_in(Moment(0));
    a_lost_clock_neither_locks_out_nor_lets_in(Moment(-5));
}

#[test]
fn a_clock_in_2000_neither_locks_out_nor_lets_in() {
    // 1 January 2000: many clock chips begin there.
    a_lost_clock_neither_locks_out_nor_lets_in(Moment(946_684_800));
}

#[test]
fn a_clock_a_day_slow_is_a_day_late_at_most() {
    let mut device = device();
    device.system_clock = TODAY.plus_seconds(-DAY);
    // It has just expired; the device finds that out a day later, and goes back to nothing meanwhile.
    device.server.expires = TODAY.plus_seconds(-60);
    device.server.publish(&draft(3));
    device.poll_and_run();
    assert_eq!(device.running_release(), 3, "{:#?}", device.log);
    device.pass(DAY as u64);
    refused(&mut device, "looks like a stale mirror, or a wrong clock");
    // Where the maker signs the time, it is not even that late.
    let mut device = self::device();
    device.server.issued = Some(TODAY);
    device.server.publish_metadata();
    device.poll_and_run();
    device.system_clock = TODAY.plus_seconds(-DAY);
    let honest = device.server.clone();
    device.server.issued = None;
    device.server.expires = TODAY.plus_seconds(-60);
    device.server.publish(&draft(3));
    refused(&mut device, "refused (TUF 5.4.4): expired");
    recovers(&mut device, honest, 4);
}

#[test]
fn a_clock_a_year_fast_delays_and_says_so() {
    let mut device = device();
    let honest = device.server.clone();
    device.system_clock = TODAY.plus_seconds(YEAR);
    device.server.publish(&draft(3));
    refused(&mut device, "expired 2027-02-14T08:00:00Z, now is 2028-01-15T08:00:");
    refused(&mut device, "looks like a stale mirror, or a wrong clock");
    // Nothing of the wrong time was kept.
    device.system_clock = TODAY;
    recovers(&mut device, honest, 3);
}

#[test]
fn signed_time_is_a_floor_for_the_clock() {
    let mut device = device();
    device.server.issued = Some(TODAY.plus_seconds(20 * 86_400));
    device.server.publish_metadata();
    device.poll_and_run();
    // The system clock falls back; the time in signed metadata still holds.
    device.system_clock = komainu_trust::Moment(0);
    device.server.expires = TODAY.plus_seconds(10 * 86_400);
    device.server.issued = Some(TODAY);
    device.server.publish(&draft(3));
    refused(&mut device, "expired");
}

#[test]
fn signed_time_cannot_outlive_the_root() {
    // A stolen timestamp key, or a maker's desk in the wrong century.
    let mut device = device();
    let honest = device.server.clone();
    device.server.expires = TODAY.plus_seconds(200 * 365 * 86_400);
    device.server.issued = Some(TODAY.plus_seconds(199 * 365 * 86_400));
    device.server.publish_timestamp();
    device.poll_and_run();
    let mut honest = honest;
    honest.keys.insert("timestamp", key(77));
    honest.publish_root();
    recovers(&mut device, honest, 3);
    // Without a new key, too: metadata that is good for as long as the root is.
    let mut device = self::device();
    let mut honest = device.server.clone();
    device.server.issued = Some(TODAY.plus_seconds(199 * 365 * 86_400));
    device.server.expires = TODAY.plus_seconds(200 * 365 * 86_400);
    device.server.publish_timestamp();
    device.poll_and_run();
    honest.expires = TODAY.plus_seconds(40 * 86_400);
    honest.versions.insert("timestamp", 9);
    recovers(&mut device, honest, 3);
}

#[test]
fn a_clock_after_2038_is_a_clock() {
    let last = Moment(i64::from(i32::MAX));
    // Before it, at it, after it, and over it in the middle of an update.
    for begins in [-1, 0, 1, 2, 86_400] {
        let mut server = Repository::new();
        server.expires = last.plus_seconds(30 * DAY);
        server.issued = Some(last.plus_seconds(begins));
        server.publish_root();
        server.publish(&draft(2));
        let mut device = Device::new(server);
        device.system_clock = last.plus_seconds(begins);
        device.clock_jump_at = Some((6, 2));
        device.run_until_quiet();
        assert_eq!(device.running_release(), 2, "{begins}: {:#?}", device.log);
        device.server.issued = None;
        device.server.expires = last.plus_seconds(begins);
        device.server.publish(&draft(3));
        refused(&mut device, "expired 2038-01-");
    }
}

#[test]
fn a_clock_that_jumps_during_an_update_is_harmless() {
    let updating = || {
        let mut device = device();
        device.server.publish(&draft(3));
        device
    };
    let mut steady = updating();
    let before = steady.calls;
    steady.poll_and_run();
    assert_eq!(steady.running_release(), 3);
    for at in 1..=steady.calls - before {
        for seconds in [YEAR, -YEAR, 30 * YEAR] {
            let mut device = updating();
            device.clock_jump_at = Some((device.calls + at, seconds));
            device.poll_and_run();
            check_all(&mut device);
            device.pull_the_plug(After::Kept);
            device.run_until_quiet();
            check_all(&mut device);
            // A person puts the clock right.
            device.system_clock = TODAY;
            device.poll_and_run();
            invariant_device_settles(&device);
            assert_eq!(device.running_release(), 3, "{at} {seconds}: {:#?}", device.log);
        }
    }
}

/// The server has gone. (What a device ships with is not on the server, but here it is kept there.)
fn leave_nothing(device: &mut Device) {
    device.server.metadata.retain(|name, _| name == "1.root.json");
    device.server.targets.clear();
}

#[test]
fn a_trial_is_decided_though_everything_expires_meanwhile() {
    for (behaves, ends_with) in [(Behaves::Well, 3), (Behaves::Unhealthy, 2)] {
        let mut device = device();
        device.server.publish(&draft(3));
        device.behaves = vec![(3, behaves)];
        device.request = Some(OperatorRequest::Poll);
        while device.running_release() != 3 {
            device.turn();
            device.restart_if_asked();
        }
        device.system_clock = TODAY.plus_seconds(10 * YEAR);
        leave_nothing(&mut device);
        device.run_until_quiet();
        check_all(&mut device);
        invariant_device_settles(&device);
        assert_eq!(device.running_release(), ends_with, "{:#?}", device.log);
    }
}

#[test]
fn a_last_release_goes_on_running_when_everything_has_expired() {
    let mut device = device();
    device.server.publish(&draft(3).with(json!({ "support_end": "2027-03-31T00:00:00Z" })));
    device.poll_and_run();
    assert_eq!(device.running_release(), 3);
    // The maker has gone, and with it the server.
    leave_nothing(&mut device);
    for years in [1, 5, 12, 60] {
        device.system_clock = TODAY.plus_seconds(years * YEAR);
        for after in ALL_AFTERS {
            device.pull_the_plug(after);
            device.run_until_quiet();
            check_all(&mut device);
            invariant_device_settles(&device);
            assert_eq!((device.running_release(), device.environment.slot), (3, device.booted_slot()));
        }
        assert!(device.log.iter().any(|line| line.contains("offer-unusable")), "{:#?}", device.log);
        device.log.clear();
    }
}

#[test]
fn a_device_that_slept_for_years_finds_back() {
    let mut device = device();
    // Every year a root that the next year finds expired; the device sees none of them.
    for year in 1..=12 {
        device.server.expires = TODAY.plus_seconds(year * YEAR);
        let old = device.server.keys["root"].clone();
        device.server.keys.insert("root", key(100 + year as u8));
        device.server.publish_root_signed_by(vec![old, key(100 + year as u8)]);
    }
    device.server.expires = TODAY.plus_seconds(13 * YEAR);
    device.server.publish_root();
    let honest = device.server.clone();
    device.system_clock = TODAY.plus_seconds(12 * YEAR + DAY);
    recovers(&mut device, honest, 3);
}
