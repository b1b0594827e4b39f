//! Waves and halts from the maker's desk to a device.

use super::device::{Device, NOW, Place, days};
use komainu_core::update::manifest::{Severity, Wave};
use komainu_maker::halt::{HaltChange, Halted};
use komainu_maker::publish::PublishOptions;
use komainu_maker::release::ReleaseDraft;
use komainu_maker::rollout::RolloutChange;
use komainu_maker::workshop::Workshop;

fn of_gate() -> Halted {
    Halted::Release { board: "gate-1".into(), channel: "stable".into() }
}

fn published(place: &Place) -> Workshop {
    let mut workshop = place.workshop();
    let waves = vec![Wave { from: days(1), permille: 10 }, Wave { from: days(3), permille: 1000 }];
    workshop.add_release(&ReleaseDraft { waves, ..place.draft("1") }).unwrap();
    workshop.publish(NOW, &PublishOptions::default()).unwrap();
    workshop
}

#[test]
fn a_halt_is_a_new_timestamp_alone_and_needs_the_online_key_alone() {
    let place = Place::new();
    let mut workshop = published(&place);
    std::fs::remove_dir_all(place.path("workshop/keys/offline")).unwrap();
    let mut device = Device::new(&workshop.repository());
    assert!(!device.poll(&workshop.repository(), NOW).unwrap().is_halted("gate-1", "stable", 1));
    let done = workshop.change_halt(&of_gate(), HaltChange::Halt, NOW).unwrap();
    assert_eq!(done.files, ["metadata/timestamp.json"]);
    let trusted = device.poll(&workshop.repository(), NOW).unwrap();
    assert!(trusted.is_halted("gate-1", "stable", 1));
    for (board, channel, release) in [("gate-1", "stable", 2), ("gate-1", "beta", 1), ("gate", "stable", 1)] {
        assert!(!trusted.is_halted(board, channel, release), "{board} {channel} {release}");
    }
    let again = workshop.change_halt(&of_gate(), HaltChange::Halt, NOW).unwrap_err().to_string();
    assert!(again.contains("release 1 of gate-1/stable is halted already"), "{again}");
    assert!(workshop.rollouts(days(2)).unwrap().contains("HALTED"));

    // A nightly renewal keeps it.
    workshop.publish(days(4), &PublishOptions { online_only: true, ..PublishOptions::default() }).unwrap();
    assert!(device.poll(&workshop.repository(), days(4)).unwrap().is_halted("gate-1", "stable", 1));

    workshop.change_halt(&of_gate(), HaltChange::GoOn, days(4)).unwrap();
    assert!(device.poll(&workshop.repository(), days(4)).unwrap().halted().is_empty());
    assert!(workshop.change_halt(&of_gate(), HaltChange::GoOn, days(4)).is_err());
}

#[test]
fn a_later_release_ends_the_halt_and_a_halt_of_everything_stays() {
    let place = Place::new();
    let mut workshop = published(&place);
    workshop.change_halt(&of_gate(), HaltChange::Halt, NOW).unwrap();
    workshop.change_halt(&Halted::Everything, HaltChange::Halt, NOW).unwrap();
    workshop.add_release(&place.draft("2")).unwrap();
    workshop.publish(NOW, &PublishOptions::default()).unwrap();
    let trusted = Device::new(&workshop.repository()).poll(&workshop.repository(), NOW).unwrap();
    assert_eq!(trusted.halted(), ["*"]);
    assert!(trusted.is_halted("gate-1", "stable", 2) && trusted.is_halted("any", "beta", 7));
    let none = Halted::Release { board: "gate-2".into(), channel: "stable".into() };
    let fault = workshop.change_halt(&none, HaltChange::Halt, NOW).unwrap_err().to_string();
    assert!(fault.contains("nothing is published for gate-2/stable"), "{fault}");
}

#[test]
fn waves_and_urgency_change_without_a_new_release() {
    let place = Place::new();
    let mut workshop = published(&place);
    let before = workshop.releases().unwrap().0.remove(0);
    let waves = vec![Wave { from: days(2), permille: 5 }];
    let change = RolloutChange { waves: Some(waves.clone()), severity: Some(Severity::Critical) };
    workshop.change_rollout("gate-1", "stable", &change).unwrap();
    workshop.publish(NOW, &PublishOptions::default()).unwrap();
    let after = workshop.releases().unwrap().0.remove(0);
    assert_eq!((&after.waves, after.severity), (&waves, Severity::Critical));
    assert_eq!((&after.release, after.digest()), (&before.release, before.digest()));
    // A change of what is put aside already is one change more of the same file.
    workshop.add_release(&place.draft("2")).unwrap();
    let everybody = RolloutChange { waves: Some(vec![]), severity: None };
    assert_eq!(workshop.change_rollout("gate-1", "stable", &everybody).unwrap().release.number, 2);
    assert!(workshop.change_rollout("gate-2", "stable", &everybody).is_err());
    let wrong = RolloutChange { waves: Some(vec![waves[0]; 17]), severity: None };
    let fault = format!("{:#}", workshop.change_rollout("gate-1", "stable", &wrong).unwrap_err());
    assert!(fault.contains("waves must be a shorter list"), "{fault}");
}

#[test]
fn a_timestamp_tells_devices_without_a_clock_that_a_wave_has_begun() {
    let place = Place::new();
    let mut workshop = published(&place);
    let nightly = PublishOptions { online_only: true, ..PublishOptions::default() };
    assert!(workshop.publish(days(1).plus_seconds(-1), &nightly).unwrap().files.is_empty());
    let renewed = workshop.publish(days(1), &nightly).unwrap().files;
    assert_eq!(renewed, ["metadata/timestamp.json"]);
    assert!(workshop.publish(days(2), &nightly).unwrap().files.is_empty());
    let trusted = Device::new(&workshop.repository()).poll(&workshop.repository(), NOW).unwrap();
    assert_eq!(trusted.clock_floor(), days(1));
}

#[test]
fn the_status_says_where_a_roll_out_stands() {
    let place = Place::new();
    let workshop = published(&place);
    for (now, says) in [
        (NOW, "no device may take it yet; 1 % from 2026-11-23T00:00:00Z on"),
        (
            days(2),
            "1 % of the devices may take it since 2026-11-23T00:00:00Z; 100 % from 2026-11-25T00:00:00Z on",
        ),
        (days(3), "every device may take it since 2026-11-25T00:00:00Z"),
    ] {
        let words = workshop.rollouts(now).unwrap();
        assert!(words.contains(says), "{words}");
    }
    assert!(
        workshop
            .ends(NOW)
            .unwrap()
            .contains("timestamp.json version 2 expires 2026-11-29T00:00:00Z, 7 days left")
    );
}
