//! The limits of what the wall does, case by case: what policy enforces, what a restart would help, and the budget.

use super::*;
use crate::wall::policy::Enforce;

#[test]
fn what_policy_does_not_enforce_is_only_told() {
    for (enforce, done) in [
        (alloc::vec![], 0),
        (alloc::vec![Enforce::Row(Measure::Telnet)], 0),
        (alloc::vec![Enforce::Row(Measure::Services)], 1),
        (alloc::vec![Enforce::Kind("suspend")], 1),
        (alloc::vec![Enforce::Infection], 1),
        (alloc::vec![Enforce::All], 3),
    ] {
        let mut device = DeviceInTest::new(ALL);
        let contains = enforce.iter().any(|one| matches!(one, Enforce::Infection | Enforce::All));
        device.policy.enforce = enforce.clone();
        let mut report = infected();
        report.findings.extend(unlisted().findings);
        report.findings.extend(open_mount().findings);
        let acts = device.look(&report, None, None);
        let remediations = acts.iter().filter(|act| matches!(act, Act::Remediate { .. })).count();
        assert_eq!(remediations, done, "{enforce:?}");
        let incident = device.incident_state.incident.unwrap();
        assert_eq!(incident.contained, contains, "{enforce:?}");
        assert_eq!(acts.contains(&Act::Restart), contains, "{enforce:?}");
    }
}

#[test]
fn what_a_restart_would_not_take_away_restarts_nothing_and_writes_no_image() {
    let mut report = Report::default();
    let what = format_args!("a program on a disk has a random name");
    report.remaining(Measure::Programs, Evidence::Infection, Some(end(9)), what);
    let mut device = DeviceInTest::new(ALL);
    for _ in 0..3 {
        let acts = device.look(&report, None, None);
        assert!(!acts.contains(&Act::Restart));
        device.restart();
    }
    let incident = device.incident_state.incident.unwrap();
    assert_eq!((incident.contained, incident.restarts, incident.reimage), (true, 0, None));
}

#[test]
fn what_is_mended_again_and_again_is_only_told_until_the_hour_is_over() {
    let mut device = DeviceInTest::new(NOTHING);
    let mut report = Report::default();
    let restore = Some(Remediation::Restore { file: "/etc/hosts".into() });
    report.told(Measure::Configuration, restore, format_args!("/etc/hosts (names) was changed"));
    let mut done = 0;
    for _ in 0..900 {
        done += device.look(&report, None, None).len();
    }
    assert_eq!(done, 3);
    assert_eq!(&*device.watch.held_back[0], "/etc/hosts (names) was changed");
    device.uptime += 3600;
    assert_eq!(DeviceInTest::words(&device.look(&report, None, None)), ["remediate"]);
    assert!(device.watch.held_back.is_empty());
}

#[test]
fn no_flood_of_small_things_saves_an_infection_from_its_end() {
    let mut device = DeviceInTest::new(NOTHING);
    for look in 1..=100 {
        let mut flood = Report::default();
        for number in 0..20 {
            let pid = look * 100 + number;
            flood.weak(Measure::Telnet, Some(end(pid)), format_args!("telnet: process {pid} (/tmp/telnetd)"));
        }
        device.look(&flood, None, None);
    }
    assert!(!device.watch.held_back.is_empty(), "the budget is spent");
    let acts = device.look(&infected(), None, None);
    assert!(acts.iter().any(|act| matches!(act, Act::Remediate { remediation: Remediation::End(_), .. })));
}

#[test]
fn all_numbers_of_the_kernel_are_one_trial() {
    let mut device = DeviceInTest::new(NOTHING);
    let mut report = Report::default();
    for link in 0..40 {
        let name = alloc::format!("net/ipv4/conf/eth{link}/accept_redirects");
        let what = alloc::format!("{name} is 1");
        report.told(Measure::Egress, Some(Remediation::Tune { name, value: 0 }), format_args!("{what}"));
    }
    report.findings.extend(unlisted().findings);
    let acts = device.look(&report, None, None);
    assert_eq!(acts.iter().filter(|act| matches!(act, Act::Remediate { .. })).count(), 41);
    assert_eq!(device.incident_state.trials.len(), 2);
    device.uptime += TRIAL_SECONDS;
    let acts = device.look(&Report::default(), None, Some(Health::Failing(text(format_args!("no picture")))));
    assert_eq!(acts.iter().filter(|act| matches!(act, Act::Undo { .. })).count(), 41, "all are put back");
}

#[test]
fn a_remediation_without_a_place_for_its_trial_takes_nothing_from_the_budget() {
    use crate::wall::incident_state::REMEDIATIONS_MAX;
    let mut device = DeviceInTest::new(NOTHING);
    let others = |number: u8| RemediationTrial { finding: Digest64::of(&[number]), starts: 0 };
    for _ in 0..700 {
        // The others are not forgotten yet.
        device.watch.began = Some(device.uptime);
        device.incident_state.trials = (0..REMEDIATIONS_MAX as u8).map(others).collect();
        let acts = device.look(&unlisted(), None, None);
        assert!(acts.iter().all(|act| !matches!(act, Act::Remediate { .. })));
    }
    device.incident_state.trials.clear();
    let acts = device.look(&unlisted(), None, None);
    assert_eq!(DeviceInTest::words(&acts), ["remember", "remediate"]);
}
