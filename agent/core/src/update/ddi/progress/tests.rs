//! An action through an update: each way to its end, and each moment at which it has not ended.

use super::*;
use crate::identifiers::{Slot, Version};
use crate::retry_state::{Backoff, RetryState};
use crate::update::ddi::action::{ActionId, Names};
use crate::update::fleet_order::{FleetOrder, FleetWord};
use crate::update::plan::cases;

const QUIET: Polls<'_> = Polls { worked: false, fault: None };
const WORKED: Polls<'_> = Polls { worked: true, fault: None };

fn action(names: &[&str], stage: Stage) -> Action {
    let names: Names = names.iter().filter_map(|name| Version::parse(name)).collect();
    Action { stage, ..Action::new(ActionId::parse("17").unwrap(), FleetOrder::Start, names) }
}

fn looking() -> Action {
    action(&["2.0"], Stage::Looking { polls: 0 })
}

fn taken() -> Action {
    action(&["2.0"], Stage::Taken { release: 2, failed: 0 })
}

fn facts(update: Update) -> Facts {
    cases::facts(update)
}

fn on_trial() -> Facts {
    facts(Update::Trial {
        release: cases::release(2),
        slot: Slot::B,
        deadline_seconds: 300,
        tries: Some(3),
        restarts: 0,
    })
}

fn with_record(change: impl FnOnce(&mut Record)) -> Facts {
    let mut facts = facts(Update::Idle);
    if let RecordSeen::Found(record) = &mut facts.record {
        change(record);
    }
    facts
}

fn staging() -> Reason {
    Reason::Staging { release: cases::release(2), slot: Slot::B, done_bytes: 0, total_bytes: 8 }
}

fn refused(release: u64, refusal: Refusal) -> Reason {
    Reason::Refused { release, refusal }
}

fn up_to_date() -> Reason {
    refused(1, Refusal::UpToDate)
}

fn why(words: &str) -> Text {
    text(format_args!("{words}"))
}

fn ends(stage: Option<Stage>, success: bool, words: &str) {
    match stage {
        Some(Stage::Ended(Ending::Success(why))) if success => assert!(why.contains(words), "{why}"),
        Some(Stage::Ended(Ending::Failure(why))) if !success => assert!(why.contains(words), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_release_that_the_plan_takes_is_the_actions() {
    let next = follow(&looking(), &facts(Update::Idle), &staging(), WORKED);
    assert_eq!(next, Some(Stage::Taken { release: 2, failed: 0 }));
    // Not before the repository was looked at.
    let mut early = facts(Update::Idle);
    early.fleet = FleetWord { look_since: Some(1000), ..FleetWord::default() };
    assert_eq!(follow(&looking(), &early, &staging(), QUIET), None);
}

#[test]
fn success_is_a_confirmed_release_and_nothing_before() {
    for (facts, reason) in [
        (facts(Update::Idle), staging()),
        (facts(Update::Idle), Reason::Activating { release: cases::release(2), slot: Slot::B }),
        (on_trial(), Reason::TrialWaits { release: cases::release(2), waits_for: why("health") }),
        // The plan to confirm is no confirmation: the record says when it is done.
        (on_trial(), Reason::Confirming(cases::release(2))),
    ] {
        assert_eq!(follow(&taken(), &facts, &reason, QUIET), None, "{reason}");
    }
    let done = with_record(|record| record.confirmed = Some(cases::release(2)));
    ends(
        follow(&taken(), &done, &refused(2, Refusal::UpToDate), QUIET),
        true,
        "release 2 version 2.0 is confirmed",
    );
    let other = Action { names: [Version::parse("3.0").unwrap()].into(), ..taken() };
    ends(
        follow(&other, &done, &refused(2, Refusal::UpToDate), QUIET),
        false,
        "which the action does not name",
    );
    let any = Action { names: Names::new(), ..taken() };
    ends(follow(&any, &done, &refused(2, Refusal::UpToDate), QUIET), true, "is confirmed");
}

#[test]
fn a_failure_is_told_with_the_reason_from_before_the_restart() {
    let reason = Reason::RollingBack { release: cases::release(2), why: why("health check 10-web: exit 2") };
    let failing = follow(&taken(), &on_trial(), &reason, QUIET).unwrap();
    assert_eq!(failing, Stage::Failing { release: 2, why: why("health check 10-web: exit 2") });
    let failing = Action { stage: failing, ..taken() };
    let back = facts(Update::RollingBack { release: cases::release(2), slot: Slot::B, restarts: 0 });
    let again = Reason::RollingBack { release: cases::release(2), why: why("back in slot a") };
    assert_eq!(follow(&failing, &back, &again, QUIET), None);
    let over = with_record(|record| record.count_failure(2, 1));
    ends(follow(&failing, &over, &up_to_date(), QUIET), false, "10-web: exit 2");
    // The reason was lost with the power.
    ends(follow(&taken(), &over, &up_to_date(), QUIET), false, "the trial of release 2 failed");
    // A failure of an earlier action is none of this one.
    let before = with_record(|record| record.count_failure(2, 1));
    let second = Action { stage: Stage::Taken { release: 2, failed: 1 }, ..taken() };
    assert_eq!(follow(&second, &before, &staging(), QUIET), None);
}

#[test]
fn a_release_that_runs_already_ends_the_action() {
    let runs = with_record(|record| record.confirmed = Some(cases::release(2)));
    ends(follow(&looking(), &runs, &refused(2, Refusal::UpToDate), WORKED), true, "runs already");
}

#[test]
fn a_repository_may_be_late_a_few_times() {
    let mut action = action(&["9"], Stage::Looking { polls: 0 });
    for polls in 1..EMPTY_POLLS_MAX {
        assert_eq!(follow(&action, &facts(Update::Idle), &up_to_date(), QUIET), None);
        let next = follow(&action, &facts(Update::Idle), &up_to_date(), WORKED).unwrap();
        assert_eq!(next, Stage::Looking { polls });
        action.stage = next;
    }
    let last = follow(&action, &facts(Update::Idle), &up_to_date(), WORKED);
    ends(last, false, "offers nothing newer than release 1");
}

#[test]
fn a_refusal_is_told_and_a_wave_is_waited_for() {
    for (refusal, words) in [
        (Refusal::Halted, "why=halted"),
        (Refusal::BelowFloor(9), "floor=9"),
        (Refusal::FailedBefore(3), "why=failed-before"),
    ] {
        for action in [looking(), taken()] {
            ends(follow(&action, &facts(Update::Idle), &refused(2, refusal.clone()), QUIET), false, words);
        }
    }
    for refusal in [Refusal::WaveNotReached(10), Refusal::FailedLately { times: 1, polls: 2 }] {
        for action in [looking(), taken()] {
            assert_eq!(follow(&action, &facts(Update::Idle), &refused(2, refusal.clone()), WORKED), None);
        }
    }
    ends(follow(&taken(), &facts(Update::Idle), &Reason::OfferNothing, QUIET), false, "not offered any more");
}

#[test]
fn a_repository_that_cannot_be_read_is_waited_for_and_then_told() {
    let mut silent = facts(Update::Idle);
    silent.fleet = FleetWord { look_since: Some(1000), ..FleetWord::default() };
    for (failures, over) in [(1, false), (FAILED_POLLS_MAX - 1, false), (FAILED_POLLS_MAX, true)] {
        let poll = Backoff { failures, last_uptime: 990, retry_after_seconds: 0 };
        silent.retry = RetryState { poll, ..RetryState::default() };
        let polls = Polls { worked: false, fault: Some("timestamp.json: unreachable") };
        let next = follow(&looking(), &silent, &Reason::PollDue, polls);
        if over { ends(next, false, "timestamp.json: unreachable") } else { assert_eq!(next, None) }
    }
}

#[test]
fn a_release_that_cannot_be_staged_is_given_up_after_many_tries() {
    let after = |failures| Backoff { failures, last_uptime: 990, retry_after_seconds: 0 };
    for (stage, proof, words) in [
        (FAILED_POLLS_MAX - 1, PROOFS_MAX - 1, None),
        (FAILED_POLLS_MAX, 0, Some("fetched or written")),
        (0, PROOFS_MAX, Some("not what was signed")),
    ] {
        let mut failing = facts(Update::Idle);
        (failing.retry.stage, failing.retry.proof) = (after(stage), after(proof));
        let reason = Reason::BackingOff { failures: stage, seconds: 9 };
        let next = follow(&taken(), &failing, &reason, QUIET);
        match words {
            Some(words) => ends(next, false, words),
            None => assert_eq!(next, None),
        }
    }
}

#[test]
fn a_trial_from_before_is_waited_for() {
    assert_eq!(follow(&looking(), &on_trial(), &Reason::Confirming(cases::release(2)), WORKED), None);
    let lost = Facts { record: RecordSeen::Absent, ..facts(Update::Idle) };
    for action in [looking(), taken()] {
        assert_eq!(follow(&action, &lost, &staging(), WORKED), None);
    }
}
