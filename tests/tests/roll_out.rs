//! A roll-out on one device: a halt stops a release wherever it is before its trial, a window holds it until the night, and
//! other waves disturb nothing.
#![allow(clippy::unwrap_used, reason = "a panic is the report")]

use komainu_core::update::daily_window::DailyWindow;
use komainu_tests::repository::TODAY;
use komainu_tests::sim::Device;
use komainu_tests::sim::flash::draft;
use serde_json::json;

const HALTED: &str = "refused release=2 why=halted";

fn halt(device: &mut Device, halted: &[&str]) {
    device.server.halted = halted.iter().map(|&halt| halt.to_owned()).collect();
    device.server.publish_timestamp();
}

#[test]
fn a_halted_release_is_not_begun_and_goes_on_when_the_halt_ends() {
    for halted in ["gate-1/stable/2", "*"] {
        let mut device = Device::offered(2);
        halt(&mut device, &["gate-2/stable/2", halted]);
        device.run_until_quiet();
        assert_eq!(device.log.last().unwrap(), HALTED);
        device.poll_and_run();
        assert_eq!((device.running_release(), device.trials()), (1, 0));
        halt(&mut device, &["gate-2/stable/2", "gate-1/stable/3", "gate-1/beta/2"]);
        device.poll_and_run();
        assert_eq!(device.running_release(), 2, "{:#?}", device.log);
    }
}

#[test]
fn a_halt_stops_a_download_that_goes_on_where_it_was() {
    let mut device = Device::offered(2);
    device.take_turns(5);
    let staged = |device: &Device| device.record_on_disk().unwrap().update;
    let before = staged(&device);
    halt(&mut device, &["gate-1/stable/2"]);
    device.poll_and_run();
    assert_eq!(device.log.last().unwrap(), HALTED);
    assert_eq!(staged(&device), before, "nothing is written meanwhile");
    halt(&mut device, &[]);
    device.poll_and_run();
    assert_eq!(device.running_release(), 2);
    let begun = device.log.iter().filter(|line| line.starts_with("staging") && line.contains("bytes=0 "));
    assert_eq!(begun.count(), 1, "{:#?}", device.log);
}

#[test]
fn a_release_waits_for_the_night_and_its_maker_may_halt_it_until_then() {
    let mut device = Device::offered(2);
    device.settings.restart_window = DailyWindow::parse("03:30");
    device.run_until_quiet();
    device.says("postponed release=2 version=1.2 until=2027-01-16T03:30:00Z");
    halt(&mut device, &["gate-1/stable/2"]);
    let night = 19 * 3600 + 1800;
    device.pass(night);
    device.run_until_quiet();
    assert_eq!((device.log.last().unwrap().as_str(), device.trials()), (HALTED, 0));

    let mut device = Device::offered(2);
    device.settings.restart_window = DailyWindow::parse("03:30");
    device.run_until_quiet();
    device.pass(night - 60);
    device.run_until_quiet();
    assert_eq!(device.trials(), 0);
    device.pass(60);
    device.run_until_quiet();
    assert_eq!(device.running_release(), 2, "{:#?}", device.log);
}

#[test]
fn an_owner_who_wants_it_now_does_not_wait_for_the_night() {
    let mut device = Device::offered(2);
    device.settings.restart_window = DailyWindow::parse("03:30");
    device.run_until_quiet();
    device.poll_and_run();
    assert_eq!(device.running_release(), 2, "{:#?}", device.log);
}

#[test]
fn a_wave_is_entered_at_a_poll_and_new_waves_disturb_no_download() {
    let mut device = Device::offered(1);
    let waves = |from: i64| {
        json!([{ "from": TODAY.plus_seconds(-9).to_string(), "permille": 0 },
               { "from": TODAY.plus_seconds(from).to_string(), "permille": 1000 }])
    };
    device.server.publish(&draft(2).with(json!({ "waves": waves(600) })));
    device.run_until_quiet();
    device.pass(700);
    device.take_turns(1);
    assert_eq!(device.log.last().unwrap(), "wave-reached release=2");
    device.pass(3600);
    device.take_turns(4);
    device.says("staging release=2");
    device.server.publish(&draft(2).with(json!({ "waves": waves(500) })));
    device.poll_and_run();
    assert_eq!(device.running_release(), 2);
    let begun = device.log.iter().filter(|line| line.starts_with("staging") && line.contains("bytes=0 "));
    assert_eq!(begun.count(), 1, "{:#?}", device.log);
}

#[test]
fn a_halt_that_cannot_be_read_lets_nothing_in() {
    let mut device = Device::offered(1);
    device.run_until_quiet();
    device.server.publish(&draft(2));
    let key = device.server.keys["timestamp"].clone();
    let many: Vec<String> = (0..65).map(|number| format!("gate-1/stable/{number}")).collect();
    for halted in [json!("gate-1/stable/2"), json!([2]), json!(many)] {
        device.server.alter("timestamp.json", &[&key], |signed| signed["halted"] = halted.clone());
        device.poll_and_run();
        assert_eq!(device.running_release(), 1, "{halted}");
        device.says("halted");
    }
    device.server.publish_timestamp();
    device.poll_and_run();
    assert_eq!(device.running_release(), 2, "{:#?}", device.log);
}

#[test]
fn a_month_has_so_many_bytes_and_a_critical_release_more() {
    let mut device = Device::offered(2);
    device.settings.month_bytes_max = 8192;
    device.run_until_quiet();
    device.says("why=poll.month_bytes_max");
    assert_eq!(device.running_release(), 1);
    device.server.publish(&draft(2).with(json!({ "severity": "critical" })));
    device.poll_and_run();
    assert_eq!(device.running_release(), 2, "{:#?}", device.log);
}
