//! The budget of remediations: how often each kind may act within an hour, and how often all of them may write to flash.
//! A remediation beyond it is only told until the hour is over. It is kept in memory; a restart begins a new hour.

use crate::identifiers::Digest64;
use crate::wall::remediation::{FLASH_WRITES_AN_HOUR, KINDS, Kind, SAME_AN_HOUR};
use alloc::vec::Vec;

const HOUR_SECONDS: u64 = 3600;
/// Findings whose remediations are counted one by one; a further one finds the budget spent.
const SAME_MAX: usize = 64;

/// Times within an hour, the first of which opened it.
#[derive(Clone, Copy, Debug, Default)]
struct Spent {
    /// The first time, in seconds of uptime.
    since: u64,
    times: u16,
}

impl Spent {
    fn is_below(&self, most: u16, uptime: u64) -> bool {
        self.times < most || uptime >= self.since + HOUR_SECONDS
    }

    fn add(&mut self, uptime: u64) {
        if self.times == 0 || uptime >= self.since + HOUR_SECONDS {
            *self = Spent { since: uptime, times: 0 };
        }
        self.times = self.times.saturating_add(1);
    }
}

/// All that was done within the hour.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    kinds: [Spent; KINDS.len()],
    same: Vec<(Digest64, Spent)>,
    flash: Spent,
    trials: Spent,
}

impl Budget {
    /// Takes one remediation of this kind, for the finding with this digest; false, and nothing is taken, where the budget
    /// is spent.
    pub fn take(&mut self, kind: &Kind, finding: Digest64, uptime: u64) -> bool {
        let Some(at) = KINDS.iter().position(|one| one.name == kind.name) else { return false };
        if !self.kinds[at].is_below(kind.an_hour, uptime) {
            return false;
        }
        if kind.writes_flash && !(self.has_flash(uptime) && self.take_same(finding, uptime)) {
            return false;
        }
        if kind.writes_flash {
            self.flash.add(uptime);
        }
        self.kinds[at].add(uptime);
        true
    }

    /// Takes one write of the wall's own files for a trial; false where the hour has no more. Any user can start programs
    /// that are put on trial: those leave half of the writes to the rest.
    pub fn take_trial(&mut self, uptime: u64) -> bool {
        let has = self.has_flash(uptime) && self.trials.is_below(FLASH_WRITES_AN_HOUR / 2, uptime);
        if has {
            self.flash.add(uptime);
            self.trials.add(uptime);
        }
        has
    }

    fn has_flash(&self, uptime: u64) -> bool {
        self.flash.is_below(FLASH_WRITES_AN_HOUR, uptime)
    }

    fn take_same(&mut self, finding: Digest64, uptime: u64) -> bool {
        self.same.retain(|(_, spent)| uptime < spent.since + HOUR_SECONDS);
        let at = match self.same.iter().position(|(digest, _)| *digest == finding) {
            Some(at) => at,
            None if self.same.len() < SAME_MAX => {
                self.same.push((finding, Spent::default()));
                self.same.len() - 1
            }
            None => return false,
        };
        let spent = &mut self.same[at].1;
        let has = spent.is_below(SAME_AN_HOUR, uptime);
        if has {
            spent.add(uptime);
        }
        has
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wall::remediation::kind;

    fn digest(number: u32) -> Digest64 {
        Digest64::of(&number.to_be_bytes())
    }

    #[test]
    fn a_file_that_is_changed_again_and_again_is_put_back_a_few_times_an_hour() {
        let (mut budget, restore) = (Budget::default(), kind("restore").unwrap());
        let times = |budget: &mut Budget, from: u64| {
            (from..from + 1800).step_by(2).filter(|&at| budget.take(restore, digest(1), at)).count()
        };
        assert_eq!(times(&mut budget, 10), usize::from(SAME_AN_HOUR));
        assert!(budget.take(restore, digest(2), 1900), "another file is another's");
        assert_eq!(times(&mut budget, 10 + HOUR_SECONDS), usize::from(SAME_AN_HOUR));
    }

    #[test]
    fn flash_is_written_so_often_an_hour_whatever_is_found() {
        let mut budget = Budget::default();
        let kinds = ["restore", "lock-account", "quarantine", "remove-key", "stop-starting"];
        let mut done = 0;
        for number in 0..1000u32 {
            let kind = kind(kinds[number as usize % kinds.len()]).unwrap();
            done += u16::from(budget.take(kind, digest(number), 50 + u64::from(number)));
        }
        assert_eq!(done, FLASH_WRITES_AN_HOUR);
        assert!(!budget.take_trial(1060));
        assert!(budget.take(kind("end").unwrap(), digest(1), 1060), "what writes nothing goes on");
        assert!(budget.take_trial(60 + HOUR_SECONDS));
    }

    #[test]
    fn programs_on_trial_leave_half_of_the_writes_to_the_rest() {
        let mut budget = Budget::default();
        let trials = (50..500).filter(|&at| budget.take_trial(at)).count();
        assert_eq!(trials, usize::from(FLASH_WRITES_AN_HOUR / 2));
        assert!(budget.take(kind("lock-account").unwrap(), digest(1), 500));
        assert!(budget.take_trial(50 + HOUR_SECONDS));
    }
}
