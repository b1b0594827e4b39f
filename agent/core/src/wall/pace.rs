//! The pace of dear work: after a piece of it comes a pause by the processor's time that it took, so that all of it
//! together takes no more than a share of the processor, on a fast machine and on a slow one.

/// A share of the processor, and the bounds of the pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The work takes at most one part in so many of the processor, while the pause is within its bounds.
    pub one_in: u64,
    /// The shortest and the longest pause, in milliseconds.
    pub pause: (u64, u64),
}

/// Whole turns of the wall: a third of a per cent, and every ten seconds to two minutes where nothing changes.
pub const WHOLE_TURNS: Pace = Pace { one_in: 300, pause: (10_000, 120_000) };
/// Turns because something changed: a twentieth, with the second turn that follows each, where one change follows the other,
/// as on a device whose scripts start a program every second. The first change after a pause is looked at at once.
pub const CHANGES: Pace = Pace { one_in: 40, pause: (0, 20_000) };
/// Tries of passwords: a tenth of a per cent, and one every ten seconds to five minutes.
pub const PASSWORD_TRIES: Pace = Pace { one_in: 1000, pause: (10_000, 300_000) };

impl Pace {
    /// The pause after work that took so many microseconds of the processor, in milliseconds.
    pub fn pause_after(self, microseconds: u64) -> u64 {
        let (shortest, longest) = self.pause;
        (microseconds.saturating_mul(self.one_in) / 1000).clamp(shortest, longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_grows_with_the_work_within_its_bounds() {
        for (pace, took, pause) in [
            (WHOLE_TURNS, 0, 10_000),
            (WHOLE_TURNS, 33_000, 10_000),
            (WHOLE_TURNS, 70_000, 21_000),
            (WHOLE_TURNS, 200_000, 60_000),
            (WHOLE_TURNS, 400_010, 120_000),
            (WHOLE_TURNS, u64::MAX, 120_000),
            (CHANGES, 0, 0),
            (CHANGES, 15_000, 600),
            (CHANGES, 500_000, 20_000),
            (CHANGES, 2_000_000, 20_000),
            (PASSWORD_TRIES, 4_000, 10_000),
            (PASSWORD_TRIES, 200_000, 200_000),
            (PASSWORD_TRIES, u64::MAX, 300_000),
        ] {
            assert_eq!(pace.pause_after(took), pause, "{pace:?} {took}");
        }
    }
}
