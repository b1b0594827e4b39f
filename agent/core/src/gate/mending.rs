//! Mending: removed rules are put back at once. Where other software removes them without end, the work has a budget, and the
//! rules are never away for longer than a bound.

/// So many times in a row the rules are put back at once.
pub const AT_ONCE: u16 = 40;
/// Beyond that, once in so many milliseconds: the longest time that rules are away.
pub const APART_MILLISECONDS: u64 = 50;

/// The budget for putting rules back: each time takes one of [`AT_ONCE`], and each [`APART_MILLISECONDS`] give one back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MendBudget {
    left: u16,
    /// The budget was counted at this time, in milliseconds of uptime.
    counted: u64,
}

impl MendBudget {
    /// A whole budget.
    pub fn new(now: u64) -> MendBudget {
        MendBudget { left: AT_ONCE, counted: now }
    }

    /// Takes one, or tells after how many milliseconds there is one.
    ///
    /// # Errors
    /// The milliseconds; at most [`APART_MILLISECONDS`].
    pub fn take(&mut self, now: u64) -> Result<(), u64> {
        let passed = now.saturating_sub(self.counted);
        let back = u16::try_from(passed / APART_MILLISECONDS).unwrap_or(u16::MAX);
        self.left = self.left.saturating_add(back).min(AT_ONCE);
        self.counted =
            if self.left == AT_ONCE { now } else { self.counted + u64::from(back) * APART_MILLISECONDS };
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(APART_MILLISECONDS - now.saturating_sub(self.counted).min(APART_MILLISECONDS - 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_removals_are_mended_at_once_and_no_wait_is_long() {
        let mut budget = MendBudget::new(1000);
        for _ in 0..AT_ONCE {
            assert_eq!(budget.take(1000), Ok(()));
        }
        assert_eq!(budget.take(1000), Err(APART_MILLISECONDS));
        assert_eq!(budget.take(1020), Err(30));
        assert_eq!(budget.take(1050), Ok(()));
        assert_eq!(budget.take(1051), Err(49));
    }

    #[test]
    fn a_storm_costs_a_bounded_number_and_a_quiet_time_gives_all_back() {
        let mut budget = MendBudget::new(0);
        let mended = (0..60_000).filter(|now| budget.take(*now).is_ok()).count();
        assert_eq!(mended, usize::from(AT_ONCE) + 1199);
        let mut after = budget.clone();
        let later = 60_000 + APART_MILLISECONDS * u64::from(AT_ONCE);
        assert_eq!((0..60).filter(|_| after.take(later).is_ok()).count(), usize::from(AT_ONCE));
        // A clock that stands still or goes back gives nothing.
        assert!(budget.take(0).is_err());
    }
}
