//! A trial as a table: what is seen in the new slot, and the plan. The times are seconds of uptime; the deadline is 300.

use crate::fault::text;
use crate::identifiers::{Digest64, Slot};
use crate::operator_request::OperatorRequest;
use crate::settings::{ConfirmBy, Settings, StartCount};
use crate::step::{Next, Step};
use crate::update::facts::{BootChoice, Facts, Health, RecordSeen};
use crate::update::plan::cases::{facts, release, settings};
use crate::update::plan::plan;
use crate::update::record::{TRIALS_MAX, Update};
use alloc::string::{String, ToString};

/// Slot b runs release 2 on trial, which was given three starts, of which `tries_left` are left.
fn on_trial(tries_left: Option<u8>, uptime: u64, health: Health) -> Facts {
    let trial = Update::Trial {
        release: release(2),
        slot: Slot::B,
        deadline_seconds: 300,
        tries: Some(3),
        restarts: 0,
    };
    let boot_choice = Ok(BootChoice { slot: Slot::B, tries_left, release: Some(2) });
    Facts { booted: Ok(Slot::B), boot_choice, uptime, health, ..facts(trial) }
}

fn good_since(since: u64, facts: Facts) -> Facts {
    let mut facts = facts;
    facts.retry.good_since = Some(since);
    facts
}

fn not_yet() -> Health {
    Health::NotYet(text(format_args!("no route")))
}

/// The plan in a line: its steps, with the failed trials that a rollback counts as; else the seconds to wait.
fn decided(facts: &Facts, settings: &Settings) -> String {
    let plan = plan(facts, settings);
    match (plan.steps.first(), plan.next) {
        (Some(Step::RollBack { times, .. }), _) => alloc::format!("rollback {times}"),
        (Some(step), _) => step.name().to_string(),
        (None, Next::Seconds(seconds)) => alloc::format!("wait {seconds}"),
        (None, next) => alloc::format!("{next:?}"),
    }
}

#[test]
fn a_release_is_confirmed_when_its_checks_were_good_for_the_whole_soak() {
    let soak = Settings { soak_seconds: 120, ..settings() };
    let good = |uptime| on_trial(Some(2), uptime, Health::Good);
    for (seen, wanted, why) in [
        (good(20), "wait 5", "the first good answer begins the soak"),
        (good_since(20, good(60)), "wait 5", "it is not over"),
        (good_since(20, good(138)), "wait 2", "it ends between two looks"),
        (good_since(20, good(140)), "confirm", "it is over"),
        (
            good_since(20, on_trial(Some(2), 60, not_yet())),
            "wait 5",
            "it begins anew with the next good answer",
        ),
        (good_since(290, good(305)), "wait 5", "who was good at the deadline is waited for"),
        (good_since(290, good(410)), "confirm", "and confirmed after it"),
        (good_since(290, on_trial(Some(2), 305, not_yet())), "rollback 1", "but for one bad answer"),
        (on_trial(Some(2), 299, not_yet()), "wait 1", "the deadline is met to the second"),
        (on_trial(Some(2), 300, not_yet()), "rollback 1", "never good"),
        (on_trial(None, 20, not_yet()), "confirm", "marked good before a cut: its soak was over then"),
    ] {
        assert_eq!(decided(&seen, &soak), wanted, "{why}");
    }
    let by_command = Settings { confirm_by: ConfirmBy::Command, ..soak };
    let asked = Facts { request: Some(OperatorRequest::Confirm), ..good(20) };
    assert_eq!(decided(&asked, &by_command), "confirm", "a command is the maker's own judgement");
    assert_eq!(decided(&good_since(20, good(140)), &by_command), "wait 5", "without it nothing is confirmed");
}

#[test]
fn a_check_that_says_it_will_not_get_better_ends_the_release_after_one_trial() {
    let failing = || Health::Failing(text(format_args!("no such driver")));
    assert_eq!(
        decided(&on_trial(Some(2), 20, failing()), &settings()),
        alloc::format!("rollback {TRIALS_MAX}")
    );
    let soak = Settings { soak_seconds: 120, ..settings() };
    let late = good_since(20, on_trial(Some(2), 100, failing()));
    assert_eq!(decided(&late, &soak), alloc::format!("rollback {TRIALS_MAX}"));
}

#[test]
fn a_boot_loader_that_does_not_count_is_noticed_at_the_first_trial() {
    let trusted = Settings { start_count: StartCount::Trusted, ..settings() };
    let earlier = |mut facts: Facts| {
        let RecordSeen::Found(record) = &mut facts.record else { panic!() };
        let Update::Trial { tries, .. } = &mut record.update else { panic!() };
        *tries = None;
        facts
    };
    let full = || on_trial(Some(3), 20, Health::Good);
    let counted_when_good = |health| {
        let boot_choice = Ok(BootChoice { slot: Slot::B, tries_left: Some(5), release: None });
        Facts { boot_choice, ..on_trial(None, 20, health) }
    };
    for (seen, settings, wanted, why) in [
        (full(), settings(), "rollback 0", "no try was taken: back to the slot that is known to start"),
        (
            Facts { request: Some(OperatorRequest::Confirm), ..full() },
            settings(),
            "rollback 0",
            "whoever asks",
        ),
        (on_trial(Some(2), 20, Health::Good), settings(), "confirm", "one try was taken"),
        (full(), trusted, "confirm", "the maker vouches for a count that Linux does not see"),
        (earlier(full()), settings(), "confirm", "an earlier komainu did not record the tries"),
        (
            counted_when_good(Health::Good),
            settings(),
            "confirm",
            "marked good before a cut, and the starts of good slots are counted, too",
        ),
        (counted_when_good(not_yet()), settings(), "wait 5", "and its health is asked again"),
    ] {
        assert_eq!(decided(&seen, &settings), wanted, "{why}");
    }
}

#[test]
fn nothing_is_activated_until_the_count_is_vouched_for() {
    let mut quiet = facts(Update::Staged { release: release(2), digest: Digest64::of(b""), slot: Slot::B });
    let RecordSeen::Found(record) = &mut quiet.record else { panic!() };
    record.uncounted = Some(2);
    quiet.request = Some(OperatorRequest::Confirm);
    let vouched = plan(&quiet, &settings());
    assert_eq!(vouched.reason.to_string(), "count-vouched-for release=2");
    let Some(Step::Adopt(record)) = vouched.steps.first() else { panic!("{vouched:?}") };
    assert_eq!(record.uncounted, None);
}

#[test]
fn a_slot_that_holds_nothing_is_not_gone_back_to() {
    for (health, uptime, request) in [
        (Health::Failing(text(format_args!("no such driver"))), 20, None),
        (not_yet(), 300, None),
        (Health::Good, 20, Some(OperatorRequest::Rollback)),
    ] {
        let seen = Facts { other_slot_blank: true, request, ..on_trial(Some(2), uptime, health) };
        let plan = plan(&seen, &settings());
        assert!(plan.reason.to_string().starts_with("no-way-back release=2 slot=a"), "{}", plan.reason);
        let Some(Step::Adopt(record)) = plan.steps.first() else { panic!("{plan:?}") };
        assert_eq!((record.confirmed_slot, &record.update), (Slot::B, &Update::Idle));
        assert!(record.confirmed.is_none() && record.times_failed(2) > 0, "it is no good release");
        // The next turn keeps the boot loader from falling back into the empty slot.
        let kept = Facts { record: RecordSeen::Found(record.clone()), request: None, ..seen };
        assert_eq!(decided(&kept, &settings()), "settle", "marked as the slot to start");
    }
}
