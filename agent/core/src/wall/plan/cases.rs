//! The wall's plan, case by case.

mod limits;

use super::finding_digest::digest_of;
use super::watch::TRIAL_SECONDS;
use super::*;
use crate::wall::evidence::Evidence;
use crate::wall::measures::Measure;
use crate::wall::policy::Automatic;
use crate::wall::policy::tests::bare;
use crate::wall::remediation::ProcessId;
use crate::wall::report::Judgement;
use alloc::string::String;

const ALL: Automatic = Automatic {
    contain: true,
    evidence: true,
    restart: true,
    new_password: true,
    update: true,
    reimage: true,
};

fn policy(automatic: Automatic) -> Policy {
    Policy { automatic, ..bare() }
}

/// A policy that answers nothing by itself, of a router or of something else.
pub(crate) fn policy_of(forwards: bool) -> Policy {
    let mut policy = policy(NOTHING);
    policy.traffic.forwards = forwards;
    policy
}

const NOTHING: Automatic = Automatic::NOTHING;

fn end(pid: u32) -> Remediation {
    Remediation::End(ProcessId { pid, started: 7 })
}

fn infected() -> Report {
    let mut report = Report::default();
    let what = format_args!("a deleted program has a random name");
    report.weighed(Measure::Programs, Evidence::Infection, Some(end(9)), what);
    report
}

fn suspend(pid: u32) -> Remediation {
    Remediation::Suspend { id: ProcessId { pid, started: 7 }, done: false }
}

fn unlisted() -> Report {
    let mut report = Report::default();
    report.told(Measure::Services, Some(suspend(9)), format_args!("ftpd listens on tcp/21"));
    report
}

/// The same at the next look.
fn suspended() -> Report {
    let mut report = Report::default();
    let remediation = Remediation::Suspend { id: ProcessId { pid: 9, started: 7 }, done: true };
    report.told(Measure::Services, Some(remediation), format_args!("ftpd listens on tcp/21"));
    report
}

fn open_mount() -> Report {
    let mut report = Report::default();
    let remediation = Remediation::NoPrograms { mount: String::from("/tmp") };
    report.weak(Measure::Mounts, Some(remediation), format_args!("/tmp lets programs start"));
    report
}

/// A device that keeps its incident state, and is looked at again and again.
struct DeviceInTest {
    incident_state: IncidentState,
    watch: Watch,
    policy: Policy,
    owner: Digest64,
    polled: Option<u64>,
    booted: Slot,
    uptime: u64,
}

impl DeviceInTest {
    fn new(automatic: Automatic) -> DeviceInTest {
        DeviceInTest {
            incident_state: IncidentState::default(),
            watch: Watch::default(),
            policy: policy(automatic),
            owner: Digest64::of(b"first"),
            polled: None,
            booted: Slot::A,
            uptime: 100,
        }
    }

    fn look(&mut self, report: &Report, asked: Option<IncidentResponse>, health: Option<Health>) -> Vec<Act> {
        let view = View {
            report,
            incident_state: &self.incident_state.clone(),
            undo: &[],
            asked,
            owner: Some(self.owner),
            polled: self.polled,
            booted: Some(self.booted),
            health: health.filter(|_| self.watch.is_trial_due(self.uptime)),
            now: Moment(1_000_000),
            uptime: self.uptime,
        };
        let acts = plan(&view, &mut self.watch, &self.policy);
        for act in &acts {
            if let Act::Remember(incident_state) = act {
                self.incident_state = incident_state.clone();
            }
        }
        self.uptime += 2;
        acts
    }

    fn restart(&mut self) {
        self.watch = Watch::default();
        self.uptime = 20;
        self.polled = None;
    }

    fn words(acts: &[Act]) -> Vec<&'static str> {
        let word = |act: &Act| match act {
            Act::Remember(_) => "remember",
            Act::Evidence => "evidence",
            Act::Remediate { .. } => "remediate",
            Act::Undo { .. } => "undo",
            Act::Poll => "poll",
            Act::Restart => "restart",
        };
        acts.iter().map(word).collect()
    }
}

#[test]
fn a_device_without_findings_is_left_alone() {
    let mut device = DeviceInTest::new(ALL);
    for _ in 0..3 {
        assert_eq!(device.look(&Report::default(), None, None), []);
    }
}

#[test]
fn an_infection_is_remembered_before_it_is_answered() {
    let mut device = DeviceInTest::new(ALL);
    let acts = device.look(&infected(), None, None);
    assert_eq!(
        DeviceInTest::words(&acts),
        ["remember", "evidence", "remediate", "remember", "poll", "restart"]
    );
    let incident = device.incident_state.incident.unwrap();
    assert!(incident.contained && incident.evidence && incident.update);
    assert_eq!((incident.restarts, incident.password), (1, Some(device.owner)));
}

#[test]
fn a_policy_that_answers_nothing_still_ends_the_program() {
    let mut device = DeviceInTest::new(NOTHING);
    let acts = device.look(&infected(), None, None);
    assert_eq!(DeviceInTest::words(&acts), ["remember", "remediate"]);
    assert!(!device.incident_state.incident.unwrap().contained);
}

#[test]
fn a_device_is_restarted_once_and_what_comes_back_asks_for_a_new_image() {
    let mut device = DeviceInTest::new(ALL);
    assert!(device.look(&infected(), None, None).contains(&Act::Restart));
    assert!(!device.look(&infected(), None, None).contains(&Act::Restart), "it is on its way");
    assert_eq!(device.incident_state.incident.as_ref().unwrap().reimage, None);
    device.restart();
    assert!(!device.look(&infected(), None, None).contains(&Act::Restart));
    assert_eq!(device.incident_state.incident.as_ref().unwrap().reimage, Some(Slot::A));
    device.booted = Slot::B;
    device.restart();
    device.look(&Report::default(), None, None);
    assert_eq!(device.incident_state.incident.as_ref().unwrap().reimage, None, "it is done");
}

#[test]
fn what_comes_back_after_a_new_image_asks_for_no_other() {
    let mut device = DeviceInTest::new(ALL);
    device.look(&infected(), None, None);
    device.restart();
    for booted in [Slot::A, Slot::B, Slot::B, Slot::A] {
        device.booted = booted;
        device.look(&infected(), None, None);
        device.look(&infected(), None, None);
        let wanted = Some(Slot::A).filter(|_| !device.incident_state.incident.as_ref().unwrap().reimaged);
        assert_eq!(device.incident_state.incident.as_ref().unwrap().reimage, wanted);
        device.restart();
    }
    assert!(device.incident_state.incident.as_ref().unwrap().reimaged);
    let acts = device.look(&infected(), Some(IncidentResponse::Reimage), None);
    assert_eq!(DeviceInTest::words(&acts), ["remember", "remediate", "poll"]);
    assert_eq!(
        device.incident_state.incident.unwrap().reimage,
        Some(Slot::A),
        "a request for it is always carried out"
    );
}

#[test]
fn an_incident_is_over_after_quiet_a_new_password_and_a_poll() {
    let mut device = DeviceInTest::new(ALL);
    device.look(&infected(), None, None);
    device.restart();
    for (what, over) in [("too soon", false), ("the same password", false), ("no poll", false), ("all", true)]
    {
        match what {
            "the same password" => device.uptime += QUIET_SECONDS,
            "no poll" => device.owner = Digest64::of(b"second"),
            "all" => device.polled = Some(device.uptime),
            _ => {}
        }
        device.look(&Report::default(), None, None);
        assert_eq!(device.incident_state.incident.is_none(), over, "{what}");
    }
}

#[test]
fn what_the_owner_cut_off_the_owner_lets_go() {
    let mut device = DeviceInTest::new(NOTHING);
    device.look(&Report::default(), Some(IncidentResponse::Contain), None);
    device.uptime += 10 * QUIET_SECONDS;
    device.look(&Report::default(), None, None);
    assert!(device.incident_state.incident.as_ref().unwrap().contained);
    device.look(&Report::default(), Some(IncidentResponse::Release), None);
    assert_eq!(device.incident_state.incident, None);
}

#[test]
fn every_answer_can_be_asked_for() {
    for (asked, words) in [
        (IncidentResponse::Contain, &["remember"][..]),
        (IncidentResponse::Evidence, &["remember", "evidence"]),
        (IncidentResponse::Restart, &["remember", "remember", "restart"]),
        (IncidentResponse::NewPassword, &["remember"]),
        (IncidentResponse::Update, &["remember", "poll"]),
        (IncidentResponse::Reimage, &["remember"]),
        (IncidentResponse::Release, &[]),
    ] {
        let mut device = DeviceInTest::new(NOTHING);
        let acts = device.look(&Report::default(), Some(asked), None);
        assert_eq!(DeviceInTest::words(&acts), words, "{}", asked.name());
    }
}

#[test]
fn a_fix_that_may_harm_is_on_trial_and_kept_where_the_device_is_well() {
    let mut device = DeviceInTest::new(NOTHING);
    assert_eq!(DeviceInTest::words(&device.look(&open_mount(), None, None)), ["remember", "remediate"]);
    assert_eq!(device.incident_state.trials.len(), 1);
    device.uptime += TRIAL_SECONDS;
    assert_eq!(DeviceInTest::words(&device.look(&Report::default(), None, Some(Health::Good))), ["remember"]);
    assert_eq!(device.incident_state, IncidentState::default());
}

#[test]
fn a_fix_that_harmed_is_undone_and_not_done_again() {
    let failing = || Some(Health::Failing(text(format_args!("no picture"))));
    for report in [open_mount(), unlisted()] {
        let mut device = DeviceInTest::new(NOTHING);
        device.look(&report, None, None);
        device.uptime += TRIAL_SECONDS;
        let acts = device.look(&Report::default(), None, failing());
        assert_eq!(DeviceInTest::words(&acts), ["remember", "undo"], "nothing is restarted for a trial");
        assert_eq!(device.look(&report, None, failing()), []);
        assert!(is_left_alone(report, &device.incident_state));
    }
}

#[test]
fn a_service_on_trial_is_suspended_each_time_it_appears() {
    let mut device = DeviceInTest::new(NOTHING);
    assert_eq!(DeviceInTest::words(&device.look(&unlisted(), None, None)), ["remember", "remediate"]);
    assert_eq!(device.look(&suspended(), None, None), [], "it is suspended");
    assert_eq!(DeviceInTest::words(&device.look(&unlisted(), None, None)), ["remediate"]);
    device.uptime += TRIAL_SECONDS;
    device.look(&suspended(), None, Some(Health::Good));
    assert_eq!(DeviceInTest::words(&device.look(&unlisted(), None, None)), ["remediate"], "it passed once");
}

#[test]
fn a_process_that_an_undone_trial_left_suspended_goes_on() {
    let mut device = DeviceInTest::new(NOTHING);
    device.look(&unlisted(), None, None);
    device.incident_state.end_trial(trial_of(&unlisted().findings[0]), true);
    let undo = leave_alone(&mut suspended(), &device.incident_state);
    assert_eq!(undo.len(), 1);
    assert!(leave_alone(&mut unlisted(), &device.incident_state).is_empty());
}

#[test]
fn a_trial_that_restarts_the_device_is_not_tried_for_ever() {
    let mut device = DeviceInTest::new(NOTHING);
    device.look(&open_mount(), None, None);
    device.restart();
    assert_eq!(
        DeviceInTest::words(&device.look(&open_mount(), None, None)),
        ["remember", "remediate"],
        "a pulled plug is none"
    );
    device.restart();
    assert_eq!(DeviceInTest::words(&device.look(&open_mount(), None, None)), ["remember"]);
    assert_eq!(device.incident_state.undone.len(), 1);
}

#[test]
fn a_fix_that_fails_waits_longer_each_time_and_holds_back_no_other() {
    let mut device = DeviceInTest::new(NOTHING);
    let mut report = infected();
    report.weak(Measure::Accounts, Some(end(10)), format_args!("another"));
    device.look(&report, None, None);
    let digest = failure_of(&report.findings[0]);
    device.watch.went(digest, true, device.uptime - 2);
    device.watch.went(digest, true, device.uptime - 2);
    assert_eq!(DeviceInTest::words(&device.look(&report, None, None)), ["remediate"], "the other");
    device.uptime += 4;
    assert_eq!(DeviceInTest::words(&device.look(&report, None, None)), ["remediate", "remediate"]);
}

#[test]
fn a_finding_is_the_same_whatever_number_its_process_has() {
    let finding = |what| {
        let mut report = Report::default();
        report.weak(Measure::Services, None, what);
        report.findings.remove(0)
    };
    let first = finding(format_args!("port 21 (tcp): process 54 (/usr/sbin/ftpd)"));
    assert_eq!(
        digest_of(&first),
        digest_of(&finding(format_args!("port 21 (tcp): process 1077 (/usr/sbin/ftpd)")))
    );
    assert_ne!(
        digest_of(&first),
        digest_of(&finding(format_args!("port 22 (tcp): process 54 (/usr/sbin/ftpd)")))
    );
}

#[test]
fn a_full_flash_keeps_no_bot_from_being_ended() {
    let mut report = infected();
    report.findings.extend(open_mount().findings);
    let mut device = DeviceInTest::new(ALL);
    let acts = device.look(&report, None, None);
    assert_eq!(
        DeviceInTest::words(&acts),
        ["remember", "evidence", "remediate", "remediate", "remember", "poll", "restart"]
    );
    let unremembered: Vec<Act> = acts.into_iter().filter(|act| !act.needs_incident_state()).collect();
    assert_eq!(DeviceInTest::words(&unremembered), ["remediate", "poll"]);
    assert!(matches!(&unremembered[0], Act::Remediate { remediation, .. } if *remediation == end(9)));
}

#[test]
fn a_service_that_is_needed_is_left_alone_whatever_number_and_port_it_has_after_the_restart() {
    let report = |pid: u32, port: u16| {
        let mut report = Report::default();
        let what = format_args!("port {port} (tcp) is not on the list: process {pid} (/usr/sbin/mountd)");
        report.told(Measure::Services, Some(suspend(pid)), what);
        report
    };
    let mut device = DeviceInTest::new(NOTHING);
    for pid in 50..80 {
        let acts = device.look(&report(pid, 700 + pid as u16), None, None);
        let words = DeviceInTest::words(&acts);
        assert!(words.contains(&"remediate"), "{pid} is suspended as often as it comes back");
    }
    assert_eq!(device.incident_state.trials.len(), 1);
    device.uptime += TRIAL_SECONDS;
    let failing = Some(Health::Failing(text(format_args!("no pictures"))));
    let acts = device.look(&Report::default(), None, failing);
    assert_eq!(DeviceInTest::words(&acts).iter().filter(|word| **word == "undo").count(), 30, "all go on");
    device.restart();
    assert_eq!(device.look(&report(81, 999), None, None), []);
    assert!(is_left_alone(report(82, 1), &device.incident_state));
}

#[test]
fn who_is_cut_off_is_not_asked_for_its_health() {
    let mut device = DeviceInTest::new(NOTHING);
    device.look(&open_mount(), None, None);
    device.look(&Report::default(), Some(IncidentResponse::Contain), None);
    device.uptime += TRIAL_SECONDS;
    let failing = || Some(Health::Failing(text(format_args!("no way to the internet"))));
    assert_eq!(device.look(&Report::default(), None, failing()), []);
    device.look(&Report::default(), Some(IncidentResponse::Release), None);
    assert_eq!(DeviceInTest::words(&device.look(&Report::default(), None, Some(Health::Good))), ["remember"]);
    assert_eq!(device.incident_state.undone, []);
}

/// The only finding of a report has become something that cannot be enforced.
fn is_left_alone(mut report: Report, incident_state: &IncidentState) -> bool {
    let measure = report.findings[0].measure;
    leave_alone(&mut report, incident_state);
    report.findings.is_empty() && matches!(report.judgement(measure), Judgement::CannotEnforce(_))
}

#[test]
fn what_infects_is_never_left_alone() {
    let mut report = infected();
    let undone =
        IncidentState { undone: alloc::vec![trial_of(&report.findings[0])], ..IncidentState::default() };
    leave_alone(&mut report, &undone);
    assert_eq!(report, infected());
}

#[test]
fn a_trial_whose_fix_outlived_its_agent_is_over_when_nothing_happened() {
    let mut device = DeviceInTest::new(NOTHING);
    device.look(&open_mount(), None, None);
    // The agent starts again, the device does not: the mount still takes no programs.
    device.watch = Watch::default();
    device.look(&Report::default(), None, None);
    assert_eq!(device.incident_state.trials.len(), 1);
    device.uptime += TRIAL_SECONDS;
    device.look(&Report::default(), None, None);
    assert_eq!(device.incident_state, IncidentState::default());
}
