//! Decides about a withdrawal: before a release is activated the device obeys, afterwards it goes on and says so. A trial that
//! is broken off in the middle would be a second way back, and there is one only.

use super::action::{Action, ActionId, Ending, Stage};
use super::progress::is_activated;
use crate::fault::{Text, text};
use crate::update::facts::RecordSeen;

/// The answer to a withdrawal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CancelAnswer {
    /// The action does not go on.
    Accept,
    /// It does, for this reason.
    Refuse(Text),
}

/// Answers the withdrawal of the action `stop`.
pub fn cancel(action: Option<&Action>, stop: &ActionId, record: &RecordSeen) -> CancelAnswer {
    // Nothing of another action is under way here.
    let Some(action) = action.filter(|action| action.id == *stop) else { return CancelAnswer::Accept };
    let refuse = |why: &str| CancelAnswer::Refuse(text(format_args!("{why}")));
    match (&action.stage, record) {
        (Stage::Ended(Ending::Canceled) | Stage::Told(Ending::Canceled), _) => CancelAnswer::Accept,
        (Stage::Ended(_) | Stage::Told(_), _) => refuse("the action is over"),
        (Stage::Failing { .. }, _) => refuse("the release is being rolled back"),
        // Nothing is activated before a release was taken.
        (Stage::Looking { .. }, _) => CancelAnswer::Accept,
        (Stage::Taken { .. }, RecordSeen::Found(record)) if is_activated(record) => {
            refuse("the release is activated")
        }
        (Stage::Taken { .. }, RecordSeen::Found(_)) => CancelAnswer::Accept,
        (Stage::Taken { .. }, RecordSeen::Absent | RecordSeen::Lost(_)) => {
            refuse("the device cannot tell how far the release has come")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identifiers::{ReleaseId, Slot, Version};
    use crate::update::ddi::action::Names;
    use crate::update::fleet_order::FleetOrder;
    use crate::update::record::{Record, Update};

    fn id(text: &str) -> ActionId {
        ActionId::parse(text).unwrap()
    }

    fn with(update: Update) -> RecordSeen {
        RecordSeen::Found(Record { update, ..Record::first(Slot::A, None) })
    }

    fn accepts(stage: Stage, record: &RecordSeen) -> bool {
        let action = Action { stage, ..Action::new(id("17"), FleetOrder::Start, Names::new()) };
        cancel(Some(&action), &id("17"), record) == CancelAnswer::Accept
    }

    #[test]
    fn a_withdrawal_is_obeyed_until_the_release_is_activated() {
        let release = || ReleaseId { number: 2, version: Version::parse("2").unwrap() };
        let taken = || Stage::Taken { release: 2, failed: 0 };
        let slot = Slot::B;
        let staged =
            Update::Staged { release: release(), digest: crate::identifiers::Digest64::of(b""), slot };
        let trial = Update::Trial { release: release(), slot, deadline_seconds: 1, tries: None, restarts: 0 };
        let back = Update::RollingBack { release: release(), slot, restarts: 0 };
        let why = || text(format_args!("x"));
        for (stage, record, obeyed) in [
            (Stage::Looking { polls: 0 }, with(Update::Idle), true),
            (Stage::Looking { polls: 0 }, RecordSeen::Absent, true),
            (taken(), with(Update::Idle), true),
            (taken(), with(staged), true),
            (taken(), with(trial.clone()), false),
            (taken(), with(back), false),
            (taken(), RecordSeen::Lost(why()), false),
            (Stage::Failing { release: 2, why: why() }, with(trial), false),
            (Stage::Ended(Ending::Success(why())), with(Update::Idle), false),
            (Stage::Told(Ending::Failure(why())), with(Update::Idle), false),
            // The answer was lost: it is given again.
            (Stage::Told(Ending::Canceled), with(Update::Idle), true),
        ] {
            assert_eq!(accepts(stage.clone(), &record), obeyed, "{stage:?}");
        }
        assert_eq!(cancel(None, &id("17"), &with(Update::Idle)), CancelAnswer::Accept);
        let other = Action::new(id("18"), FleetOrder::Start, Names::new());
        assert_eq!(cancel(Some(&other), &id("17"), &with(Update::Idle)), CancelAnswer::Accept);
    }
}
