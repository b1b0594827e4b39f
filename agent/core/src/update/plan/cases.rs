//! The planner as a table: facts in, plan out. One row a case; the stories in `tests/` show the effects of an offer.

use super::{fleet_holds, plan};
use crate::fault::text;
use crate::identifiers::Digest64;
use crate::identifiers::{Name, ReleaseId, Slot, Version};
use crate::local_time::TimeZone;
use crate::operator_request::OperatorRequest;
use crate::retry_state::{Backoff, RetryState};
use crate::settings::{ConfirmBy, Settings, StartCount};
use crate::step::Next;
use crate::step::Step;
use crate::update::facts::{BootChoice, Facts, Health, Parts, RecordSeen};
use crate::update::fleet_order::{FleetOrder, FleetWord};
use crate::update::manifest::Manifest;
use crate::update::offer::{Offer, Release};
use crate::update::record::{Postponed, Record, Update};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use komainu_trust::Moment;

pub(crate) fn settings() -> Settings {
    Settings {
        board: Name::parse("gate-1").unwrap(),
        channel: Name::parse("stable").unwrap(),
        device_id: "device-1".into(),
        own_release: None,
        poll_seconds: 3600,
        first_poll_within_seconds: 0,
        full_refresh_seconds: 86_400,
        trial_seconds: 300,
        soak_seconds: 0,
        boot_tries: 3,
        start_count: StartCount::Seen,
        confirm_by: ConfirmBy::Health,
        checkpoint_bytes: 1 << 20,
        postpone_days_max: 7,
        postpone_critical_days_max: 1,
        time_zone: TimeZone::default(),
        restart_window: None,
        download_window: None,
        month_bytes_max: 0,
        restart_after_reset: true,
        firewall: crate::settings::FirewallSettings::default(),
    }
}

pub(crate) fn release(number: u64) -> ReleaseId {
    ReleaseId { number, version: Version::parse("2.0").unwrap() }
}

/// Release 2, with these fields more in its manifest.
pub(crate) fn offered(more: &str) -> Release {
    let text = alloc::format!(
        r#"{{ "format": 1, "board": "gate-1", "channel": "stable", "release": 2, "version": "2", {more}
             "images": [ {{ "part": "rootfs", "target": "x", "length": 8, "sha256": "{}" }} ] }}"#,
        "ab".repeat(32)
    );
    let manifest = Manifest::read(text.as_bytes()).unwrap();
    let digest = manifest.digest();
    Release { digest, manifest, fetch_paths: Vec::new(), patches: Vec::new(), halted: false }
}

/// A quiet device: release 1 in slot a is good, polled a minute ago.
pub(crate) fn facts(update: Update) -> Facts {
    let record = Record { update, ..Record::first(Slot::A, Some(release(1))) };
    Facts {
        now: Moment(1_800_000_000),
        clock_is_right: true,
        uptime: 1000,
        record: RecordSeen::Found(record),
        booted: Ok(Slot::A),
        boot_choice: Ok(good(Slot::A)),
        parts: Ok(Parts::new()),
        health: Health::Good,
        other_slot_blank: false,
        offer: Offer::Nothing,
        retry: RetryState { polled_uptime: Some(940), ..RetryState::default() },
        request: None,
        gate: None,
        reimage: false,
        fleet: FleetWord::default(),
    }
}

fn good(slot: Slot) -> BootChoice {
    BootChoice { slot, tries_left: None, release: None }
}

fn on_trial(tries: u8) -> BootChoice {
    BootChoice { slot: Slot::B, tries_left: Some(tries), release: Some(2) }
}

fn trial(restarts: u8) -> Update {
    Update::Trial { release: release(2), slot: Slot::B, deadline_seconds: 300, tries: Some(3), restarts }
}

fn rolling_back(restarts: u8) -> Update {
    Update::RollingBack { release: release(2), slot: Slot::B, restarts }
}

/// A plan in words: the steps, the beginning of the reason, and the next look.
fn decided(facts: &Facts) -> (Vec<&'static str>, String, Next) {
    let plan = plan(facts, &settings());
    let steps = plan.steps.iter().map(crate::step::Step::name).collect();
    (steps, plan.reason.to_string(), plan.next)
}

#[track_caller]
fn expect(facts: &Facts, steps: &[&str], reason: &str) -> Next {
    let (planned, why, next) = decided(facts);
    assert_eq!(planned, steps, "{why}");
    assert!(why.starts_with(reason), "{why}");
    next
}

#[test]
fn what_is_unknown_is_waited_for() {
    let unknown = || text(format_args!("no such file"));
    let quiet = facts(Update::Idle);
    expect(&Facts { booted: Err(unknown()), ..quiet.clone() }, &[], "booted-unknown");
    expect(&Facts { boot_choice: Err(unknown()), ..quiet.clone() }, &[], "boot-choice-unknown");
    expect(&Facts { parts: Err(unknown()), ..quiet.clone() }, &[], "parts-unknown");
    expect(&Facts { offer: Offer::Unusable(unknown()), ..quiet.clone() }, &[], "offer-unusable");
    expect(&quiet, &[], "offer-nothing");
}

#[test]
fn a_first_start_takes_what_runs_as_good() {
    let first = Facts { record: RecordSeen::Absent, booted: Ok(Slot::B), ..facts(Update::Idle) };
    expect(&first, &["adopt"], "first-start slot=b");
    let lost = Facts { record: RecordSeen::Lost(text(format_args!("torn"))), ..facts(Update::Idle) };
    expect(&lost, &["adopt"], "record-lost");
}

#[test]
fn a_poll_that_is_asked_for_comes_with_the_first_record() {
    let first =
        Facts { record: RecordSeen::Absent, request: Some(OperatorRequest::Poll), ..facts(Update::Idle) };
    expect(&first, &["adopt", "poll"], "first-start slot=a");
}

#[test]
fn without_a_record_the_release_of_a_good_boot_choice_spares_the_reinstall() {
    let choice = |slot, tries_left, release| BootChoice { slot, tries_left, release };
    for (boot_choice, confirmed, why) in [
        (choice(Slot::A, None, Some(2)), Some(2), "confirmed, and the state was lost"),
        (choice(Slot::A, None, None), None, "nothing is known"),
        (choice(Slot::B, None, Some(2)), None, "the release of the other slot"),
        (choice(Slot::A, Some(2), Some(2)), None, "on trial"),
    ] {
        let lost = Facts { record: RecordSeen::Absent, boot_choice: Ok(boot_choice), ..facts(Update::Idle) };
        let Some(Step::Adopt(first)) = plan(&lost, &settings()).steps.first().cloned() else { panic!() };
        assert_eq!(first.confirmed.as_ref().map(|release| release.number), confirmed, "{why}");
        assert_eq!(first.floor, confirmed.unwrap_or(0), "{why}");
    }
    let own = Settings { own_release: Some(release(3)), ..settings() };
    let lost = |number| Facts {
        record: RecordSeen::Absent,
        boot_choice: Ok(choice(Slot::A, None, Some(number))),
        ..facts(Update::Idle)
    };
    for (number, confirmed) in [(2, release(3)), (3, release(3))] {
        let Some(Step::Adopt(first)) = plan(&lost(number), &own).steps.first().cloned() else { panic!() };
        assert_eq!((first.floor, first.confirmed), (3, Some(confirmed)));
    }
}

#[test]
fn polls_come_when_they_are_due_or_asked_for() {
    let quiet = facts(Update::Idle);
    expect(&Facts { request: Some(OperatorRequest::Poll), ..quiet.clone() }, &["poll"], "poll-due");
    expect(&Facts { uptime: 940 + 3600 + 360, ..quiet.clone() }, &["poll"], "poll-due");
    expect(&Facts { retry: RetryState::default(), ..quiet.clone() }, &["poll"], "poll-due");
    let next = expect(&quiet, &[], "offer-nothing");
    assert!(matches!(next, Next::Seconds(seconds) if (3180..=3900).contains(&seconds)), "{next:?}");
}

#[test]
fn the_new_slot_on_trial() {
    let new = Facts { booted: Ok(Slot::B), boot_choice: Ok(on_trial(2)), uptime: 20, ..facts(trial(0)) };
    let why = || text(format_args!("no route"));
    expect(&new, &["confirm"], "confirming release=2");
    expect(
        &Facts { health: Health::NotYet(why()), ..new.clone() },
        &[],
        "trial-waits release=2 for=\"no route\"",
    );
    let late = Facts { health: Health::NotYet(why()), uptime: 300, ..new.clone() };
    expect(
        &late,
        &["rollback", "reboot"],
        "rolling-back release=2 version=2.0 why=\"not good after 300 s: no route\"",
    );
    expect(&Facts { health: Health::Failing(why()), ..new.clone() }, &["rollback", "reboot"], "rolling-back");
    expect(
        &Facts { request: Some(OperatorRequest::Rollback), ..new.clone() },
        &["rollback", "reboot"],
        "rolling-back",
    );
    let waiting =
        Facts { health: Health::NotYet(why()), request: Some(OperatorRequest::Confirm), ..new.clone() };
    expect(&waiting, &["confirm"], "confirming");
    // The slot was marked good, and the cut came before the record: it stays good.
    let marked = Facts { health: Health::NotYet(why()), boot_choice: Ok(good(Slot::B)), ..new };
    expect(&marked, &["confirm"], "confirming");
}

#[test]
fn the_old_slot_though_a_trial_is_on_record() {
    let old = |choice, restarts| Facts { boot_choice: Ok(choice), ..facts(trial(restarts)) };
    // The cut came before the choice, or before the restart.
    expect(&old(good(Slot::A), 0), &["activate", "reboot"], "restart-into-trial release=2");
    expect(&old(on_trial(3), 0), &["activate", "reboot"], "restart-into-trial");
    // The boot loader gave up: by count, or by naming the old slot itself.
    expect(&old(on_trial(0), 0), &["rollback"], "rolling-back");
    let renamed = BootChoice { slot: Slot::A, tries_left: None, release: Some(2) };
    expect(&old(renamed, 0), &["rollback"], "rolling-back");
    // Restarts without effect come to an end.
    expect(&old(on_trial(3), 3), &["rollback"], "rolling-back");
}

#[test]
fn the_way_back() {
    let back = Facts { boot_choice: Ok(good(Slot::A)), ..facts(rolling_back(1)) };
    assert_eq!(expect(&back, &["rollback"], "rolling-back"), Next::Now);
    let failed = |choice, restarts| Facts {
        booted: Ok(Slot::B),
        boot_choice: Ok(choice),
        ..facts(rolling_back(restarts))
    };
    expect(&failed(on_trial(2), 0), &["rollback", "reboot"], "restart-into-old slot=a");
    expect(&failed(good(Slot::A), 2), &["rollback", "reboot"], "restart-into-old");
    // The boot loader does not obey: the running slot stays, and an event says so.
    expect(&failed(good(Slot::A), 3), &["adopt"], "cannot-leave slot=b");
}

#[test]
fn what_others_changed_is_put_right_or_taken_over() {
    let quiet = facts(Update::Idle);
    expect(
        &Facts { booted: Ok(Slot::B), ..quiet.clone() },
        &["adopt"],
        "other-slot-runs recorded=a running=b",
    );
    expect(&Facts { boot_choice: Ok(good(Slot::B)), ..quiet.clone() }, &["settle"], "boot-choice-off");
    let found = Facts { booted: Ok(Slot::B), boot_choice: Ok(on_trial(1)), ..quiet };
    expect(&found, &["adopt"], "trial-found release=2");
}

#[test]
fn what_is_staged_can_be_given_up() {
    let staged = Update::Staged { release: release(2), digest: Digest64::of(b""), slot: Slot::B };
    expect(
        &Facts { request: Some(OperatorRequest::Rollback), ..facts(staged) },
        &["adopt"],
        "rolling-back release=2",
    );
}

#[test]
fn setbacks_of_the_device_make_it_wait_but_not_a_person() {
    let backoff = Backoff { failures: 3, last_uptime: 990, retry_after_seconds: 0 };
    let retry = RetryState { device: backoff, ..facts(Update::Idle).retry };
    let old = Facts { boot_choice: Ok(good(Slot::A)), retry, ..facts(trial(0)) };
    expect(&old, &[], "backing-off failures=3");
    expect(&Facts { request: Some(OperatorRequest::Rollback), ..old }, &["rollback"], "rolling-back");
}

#[test]
fn an_update_that_is_wanted_now_does_not_begin_the_bound_of_postponing_anew() {
    let mut facts = facts(Update::Idle);
    let (since, until) = (Moment(facts.now.0 - 1000), Moment(facts.now.0 + 1000));
    let RecordSeen::Found(record) = &mut facts.record else { panic!() };
    record.postponed = Some(Postponed { release: 2, since, until, asked: true });
    facts.request = Some(OperatorRequest::Poll);
    let Some(Step::Adopt(adopted)) = plan(&facts, &settings()).steps.first().cloned() else { panic!() };
    assert_eq!(adopted.postponed, Some(Postponed { release: 2, since, until: since, asked: true }));
}

#[test]
fn who_wants_to_wait_is_heard_when_a_poll_is_due() {
    let mut facts = facts(Update::Idle);
    facts.retry.polled_uptime = None;
    let polls = |facts: &Facts| matches!(plan(facts, &settings()).steps.first(), Some(Step::Poll));
    assert!(polls(&facts));
    facts.request = Some(OperatorRequest::Postpone);
    assert!(!polls(&facts));
}

#[test]
fn a_fleet_server_asks_for_one_look_and_not_for_more() {
    let since = |at| Facts {
        fleet: FleetWord { order: FleetOrder::Start, look_since: Some(at) },
        ..facts(Update::Idle)
    };
    expect(&since(1000), &["poll"], "poll-due");
    // It was looked since, the look is for the next second, or polls fail.
    expect(&since(940), &[], "offer-nothing");
    expect(&since(1001), &[], "offer-nothing");
    let mut failing = since(1000);
    failing.retry.poll = Backoff { failures: 1, last_uptime: 999, retry_after_seconds: 0 };
    expect(&failing, &[], "offer-nothing");
}

#[test]
fn a_fleet_server_holds_a_release_back_and_no_answer_to_an_infection() {
    for (order, staging, starting) in [
        (FleetOrder::Free, false, false),
        (FleetOrder::Hold, true, true),
        (FleetOrder::Stage, false, true),
        (FleetOrder::Start, false, false),
    ] {
        let mut facts = facts(Update::Idle);
        facts.fleet.order = order;
        assert_eq!((fleet_holds(&facts, false), fleet_holds(&facts, true)), (staging, starting), "{order:?}");
        facts.reimage = true;
        assert!(!fleet_holds(&facts, false) && !fleet_holds(&facts, true));
    }
}
