//! The budget of one look: so many processes, open files and milliseconds, so that an attacker who has many of them
//! takes no more of the agent's time. The rest is carried over to the next look.

use crate::os::clock::uptime_milliseconds;

/// Most open files of one look; each costs the kernel a path.
pub const FILES_PER_LOOK: usize = 4096;
/// Most processes that are met anew in one look; each costs some twenty system calls.
pub const PROCESSES_PER_LOOK: usize = 512;
/// Milliseconds after which a look goes no further.
const LOOK_MILLISECONDS: u64 = 100;
/// So many are looked at in any case: a device under load has no milliseconds to spare, and must be looked at.
const FILES_AT_LEAST: usize = 256;
const PROCESSES_AT_LEAST: usize = 64;

/// The rest of what a look may spend.
pub struct Budget {
    files: usize,
    processes: usize,
    deadline: u64,
    is_endless: bool,
}

impl Budget {
    /// For a look that begins at this uptime in milliseconds.
    pub fn of_a_look(now: u64) -> Budget {
        Budget {
            files: FILES_PER_LOOK,
            processes: PROCESSES_PER_LOOK,
            deadline: now + LOOK_MILLISECONDS,
            is_endless: false,
        }
    }

    /// For a caller that waits until everything was looked at.
    pub fn endless() -> Budget {
        Budget { files: usize::MAX, processes: usize::MAX, deadline: u64::MAX, is_endless: true }
    }

    /// The number of open files that may be looked at now, of those that are wished for.
    pub fn files(&self, wished: usize) -> usize {
        let spent = FILES_PER_LOOK.saturating_sub(self.files);
        if self.is_endless {
            usize::MAX
        } else if spent >= FILES_AT_LEAST && self.is_late() {
            0
        } else {
            wished.min(self.files)
        }
    }

    /// So many open files were looked at.
    pub fn spend_files(&mut self, count: usize) {
        self.files = self.files.saturating_sub(count);
    }

    /// One more process may be met; it counts as met.
    pub fn process(&mut self) -> bool {
        let spent = PROCESSES_PER_LOOK.saturating_sub(self.processes);
        let may = self.is_endless || self.processes > 0 && !(spent >= PROCESSES_AT_LEAST && self.is_late());
        self.processes = self.processes.saturating_sub(usize::from(may));
        may
    }

    fn is_late(&self) -> bool {
        uptime_milliseconds() >= self.deadline
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_ends_by_its_counts() {
        let mut budget = Budget { deadline: u64::MAX, ..Budget::of_a_look(0) };
        assert_eq!(budget.files(10), 10);
        budget.spend_files(FILES_PER_LOOK - 3);
        assert_eq!(budget.files(10), 3);
        budget.spend_files(10);
        assert_eq!(budget.files(10), 0);
        assert_eq!((0..2 * PROCESSES_PER_LOOK).filter(|_| budget.process()).count(), PROCESSES_PER_LOOK);
    }

    #[test]
    fn who_is_late_does_the_least_and_no_more() {
        let mut late = Budget { deadline: 0, ..Budget::of_a_look(0) };
        assert_eq!(late.files(10), 10);
        late.spend_files(FILES_AT_LEAST);
        assert_eq!(late.files(10), 0);
        assert_eq!((0..PROCESSES_PER_LOOK).filter(|_| late.process()).count(), PROCESSES_AT_LEAST);
    }

    #[test]
    fn who_waits_gets_everything() {
        let mut endless = Budget::endless();
        endless.spend_files(1 << 20);
        assert!(endless.files(10) >= 1 << 20 && (0..PROCESSES_PER_LOOK * 2).all(|_| endless.process()));
    }
}
