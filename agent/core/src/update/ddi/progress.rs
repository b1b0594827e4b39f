//! Follows an action through an update. What the device does is decided by its plan; here it is only told apart how far that
//! has come, and how it ended. Success is a release that is confirmed, and that the action names; nothing else is.

use super::action::{Action, Ending, Stage};
use crate::fault::{Text, text};
use crate::identifiers::ReleaseId;
use crate::reason::Reason;
use crate::update::facts::{Facts, RecordSeen};
use crate::update::record::{Record, Update};
use crate::update::verify::Refusal;

/// So many polls may bring no release that the action names: a mirror may be behind its server.
pub const EMPTY_POLLS_MAX: u8 = 3;
/// After so many polls in a row that failed, the action has failed: some two hours.
pub const FAILED_POLLS_MAX: u32 = 8;

/// After so many complete images that were not what was signed, the action has failed.
pub const PROOFS_MAX: u32 = 3;

/// News about polls since the action was followed last.
#[derive(Clone, Copy, Debug)]
pub struct Polls<'a> {
    /// At least one of them worked.
    pub worked: bool,
    /// Why the last one failed, in words.
    pub fault: Option<&'a str>,
}

/// The stage that follows from a look and its plan, before that plan is carried out; `None`: the stage stays.
pub fn follow(action: &Action, facts: &Facts, reason: &Reason, polls: Polls<'_>) -> Option<Stage> {
    // Without the record, nothing can be said; the next turns make one.
    let RecordSeen::Found(record) = &facts.record else { return None };
    match &action.stage {
        Stage::Looking { polls: empty } => looking(action, facts, record, reason, *empty, polls),
        Stage::Taken { release, failed } => taken(action, facts, record, reason, *release, *failed),
        Stage::Failing { release, why } => failing(action, record, *release, why),
        Stage::Ended(_) | Stage::Told(_) => None,
    }
}

fn looking(
    action: &Action,
    facts: &Facts,
    record: &Record,
    reason: &Reason,
    empty: u8,
    polls: Polls<'_>,
) -> Option<Stage> {
    // A release that was on trial before belongs to no action of this server, or to one that is over.
    if is_activated(record) {
        return None;
    }
    if facts.fleet.wants_look(&facts.retry) {
        let why = polls.fault.filter(|_| facts.retry.poll.failures >= FAILED_POLLS_MAX)?;
        return Some(failure(text(format_args!("the repository could not be read: {why}"))));
    }
    if let Some(release) = worked_on(reason) {
        return Some(Stage::Taken { release, failed: record.times_failed(release) });
    }
    let nothing = match reason {
        Reason::Refused { refusal: Refusal::UpToDate, .. } => match &record.confirmed {
            Some(runs) if action.means(&runs.version) => return Some(success(runs, "runs already")),
            Some(runs) => text(format_args!("the repository offers nothing newer than {}", words(runs))),
            None => text(format_args!("the release that runs is not known")),
        },
        Reason::Refused { refusal: Refusal::WaveNotReached(_) | Refusal::FailedLately { .. }, .. } => {
            return None;
        }
        Reason::Refused { .. } | Reason::StartsNotCounted(_) => {
            return Some(failure(text(format_args!("{reason}"))));
        }
        Reason::OfferNothing => {
            text(format_args!("the repository offers nothing for this board and channel"))
        }
        Reason::OfferUnusable(why) => why.clone(),
        _ => return None,
    };
    if !polls.worked {
        return None;
    }
    let empty = empty.saturating_add(1);
    Some(if empty >= EMPTY_POLLS_MAX { failure(nothing) } else { Stage::Looking { polls: empty } })
}

fn taken(
    action: &Action,
    facts: &Facts,
    record: &Record,
    reason: &Reason,
    release: u64,
    failed: u8,
) -> Option<Stage> {
    if let Some(stage) = confirmed(action, record, release) {
        return Some(stage);
    }
    match reason {
        Reason::RollingBack { release: back, why } if back.number == release => {
            return Some(Stage::Failing { release, why: why.clone() });
        }
        Reason::NoWayBack { release: stays, why, .. } if stays.number == release => {
            let why = text(format_args!("{why}; it stays, because the other slot holds nothing"));
            return Some(Stage::Failing { release, why });
        }
        _ => {}
    }
    if is_activated(record) {
        return None;
    }
    if record.times_failed(release) > failed || record.uncounted == Some(release) {
        return Some(failure(text(format_args!("the trial of release {release} failed"))));
    }
    if let Some(why) = given_up(facts) {
        return Some(failure(why));
    }
    if facts.fleet.wants_look(&facts.retry) {
        return None;
    }
    if let Some(other) = worked_on(reason) {
        let newer = Stage::Taken { release: other, failed: record.times_failed(other) };
        return (other != release).then_some(newer);
    }
    match reason {
        Reason::Refused { refusal: Refusal::WaveNotReached(_) | Refusal::FailedLately { .. }, .. } => None,
        Reason::Refused { refusal: Refusal::UpToDate, .. } | Reason::OfferNothing => {
            Some(failure(text(format_args!("release {release} is not offered any more"))))
        }
        Reason::Refused { .. } => Some(failure(text(format_args!("{reason}")))),
        _ => None,
    }
}

fn failing(action: &Action, record: &Record, release: u64, why: &Text) -> Option<Stage> {
    // The reason was told, and the way back could not be gone after all.
    if let Some(stage) = confirmed(action, record, release) {
        return Some(stage);
    }
    (!is_activated(record)).then(|| failure(why.clone()))
}

/// The end of an action whose release is confirmed.
fn confirmed(action: &Action, record: &Record, release: u64) -> Option<Stage> {
    let runs = record.confirmed.as_ref().filter(|runs| runs.number == release)?;
    if is_activated(record) {
        return None;
    }
    if action.means(&runs.version) {
        return Some(success(runs, "is confirmed"));
    }
    Some(failure(text(format_args!("{} is confirmed, which the action does not name", words(runs)))))
}

/// Why a release will not come into its slot, or start: so many failures in a row are no bad minute.
fn given_up(facts: &Facts) -> Option<Text> {
    let retry = &facts.retry;
    let what = match () {
        () if retry.proof.failures >= PROOFS_MAX => "its images are not what was signed",
        () if retry.stage.failures >= FAILED_POLLS_MAX => "its images could not be fetched or written",
        () if retry.device.failures >= FAILED_POLLS_MAX => "the device could not activate it",
        () => return None,
    };
    Some(text(format_args!("{what}, in so many tries that the device waits for another action")))
}

/// The boot choice names a release on trial, or the way back from one.
pub fn is_activated(record: &Record) -> bool {
    matches!(record.update, Update::Trial { .. } | Update::RollingBack { .. })
}

/// The release that a plan is about to fetch, keep or start.
fn worked_on(reason: &Reason) -> Option<u64> {
    match reason {
        Reason::Staging { release, .. } | Reason::Activating { release, .. } => Some(release.number),
        _ => None,
    }
}

fn success(runs: &ReleaseId, how: &str) -> Stage {
    Stage::Ended(Ending::Success(text(format_args!("{} {how}", words(runs)))))
}

fn failure(why: Text) -> Stage {
    Stage::Ended(Ending::Failure(why))
}

fn words(release: &ReleaseId) -> Text {
    text(format_args!("release {} version {}", release.number, release.version))
}

#[cfg(test)]
mod tests;
