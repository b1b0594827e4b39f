//! The fleet order: how far a fleet server lets this device go with a release that its repository offers. It never makes a
//! device take a release; it only holds one back, or asks for a look.

use crate::retry_state::RetryState;

/// How far a release may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FleetOrder {
    /// No server is waited for: a release is taken as the repository offers it.
    #[default]
    Free,
    /// No release begins, and a staged one does not start.
    Hold,
    /// A release may be staged, and does not start.
    Stage,
    /// A release may be staged and started.
    Start,
}

impl FleetOrder {
    /// Whether a release may be fetched and written to the slot that is not running.
    pub fn may_stage(self) -> bool {
        self != FleetOrder::Hold
    }

    /// Whether a staged release may start.
    pub fn may_start(self) -> bool {
        matches!(self, FleetOrder::Free | FleetOrder::Start)
    }

    /// The word in a record.
    pub fn name(self) -> &'static str {
        match self {
            FleetOrder::Free => "free",
            FleetOrder::Hold => "hold",
            FleetOrder::Stage => "stage",
            FleetOrder::Start => "start",
        }
    }

    /// Reads the word of a record.
    pub fn parse(word: &str) -> Option<FleetOrder> {
        let all = [FleetOrder::Free, FleetOrder::Hold, FleetOrder::Stage, FleetOrder::Start];
        all.into_iter().find(|order| order.name() == word)
    }
}

/// The order, and since when a look at the repository is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FleetWord {
    pub order: FleetOrder,
    /// A poll that began before this time is too old, in seconds of uptime; `None`: no look is wanted.
    pub look_since: Option<u64>,
}

impl FleetWord {
    /// Whether the look that is wanted is still to come. It is due from its second on, so that a poll within that second
    /// counts.
    pub fn wants_look(&self, retry: &RetryState) -> bool {
        self.look_since.is_some_and(|since| retry.polled_uptime.is_none_or(|polled| polled < since))
    }

    /// The time from which a look is wanted that is asked for now: a poll within this very second may have been too early.
    pub fn look_from(retry: &RetryState, uptime: u64) -> u64 {
        retry.polled_uptime.map_or(uptime, |polled| uptime.max(polled + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_read_as_it_is_written() {
        for order in [FleetOrder::Free, FleetOrder::Hold, FleetOrder::Stage, FleetOrder::Start] {
            assert_eq!(FleetOrder::parse(order.name()), Some(order));
            assert!(!order.may_start() || order.may_stage());
        }
        assert_eq!(FleetOrder::parse("go"), None);
    }

    #[test]
    fn a_poll_of_the_same_second_is_too_old_for_a_look() {
        let polled = |at| RetryState { polled_uptime: Some(at), ..RetryState::default() };
        let since = FleetWord::look_from(&polled(70), 70);
        let word = FleetWord { order: FleetOrder::Start, look_since: Some(since) };
        assert!(word.wants_look(&polled(70)));
        assert!(!word.wants_look(&polled(71)));
        assert!(word.wants_look(&RetryState::default()));
        assert!(!FleetWord::default().wants_look(&RetryState::default()));
    }
}
