//! The memory of the wall's planner between looks: remediations on trial, failures, and what was done within the hour. A
//! restart loses it.

use super::budget::Budget;
use crate::fault::Text;
use crate::identifiers::Digest64;
use crate::wall::remediation::Remediation;
use crate::wall::report::Finding;
use alloc::vec::Vec;

/// The health checks judge a remediation on trial after this many seconds.
pub const TRIAL_SECONDS: u64 = 300;
/// A failed remediation is tried again after 2, 4, 8 … seconds, at most this many.
const BACKOFF_SECONDS_MAX: u64 = 600;
/// Remediations whose failures are remembered.
const FAILED_MAX: usize = 64;
/// Trials that ended well and are remembered.
const PASSED_MAX: usize = 64;
/// Most that is done within one trial, and undone with it.
const ONE_TRIAL_MAX: usize = 64;

/// A remediation whose trial has begun since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnTrial {
    /// The digest of the finding.
    pub finding: Digest64,
    /// The finding in words.
    pub what: Text,
    /// All that was done for it: of a program each process.
    pub remediations: Vec<Remediation>,
    /// When it is judged, in seconds of uptime.
    pub until: u64,
}

/// Memory between looks; a restart loses it, and may try everything at once.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    /// Remediations on trial.
    pub trials: Vec<OnTrial>,
    /// Trials since the start that ended well: the same needs no other.
    pub(super) passed: Vec<Digest64>,
    /// What was done within the hour.
    pub(super) budget: Budget,
    /// Findings of this look whose remediations are beyond the budget, in words.
    pub held_back: Vec<Text>,
    /// Findings that the last look had.
    pub reported: Vec<Digest64>,
    /// Failed remediations: the failures in a row, and the time of the last one (seconds of uptime).
    pub(super) failed: Vec<(Digest64, u32, u64)>,
    /// When the agent looked first, in seconds of uptime.
    pub(super) began: Option<u64>,
    /// When an infection was seen last, in seconds of uptime.
    pub(super) infected: Option<u64>,
    /// It was asked to poll for this incident.
    pub(super) polls: bool,
    /// A restart was asked for: findings until then did not come back after it.
    pub(super) restarts: bool,
}

impl Watch {
    /// A trial is due to be judged.
    pub fn is_trial_due(&self, uptime: u64) -> bool {
        self.trials.iter().any(|trial| trial.until <= uptime)
    }

    /// Records the result of a remediation.
    pub fn went(&mut self, finding: Digest64, failed: bool, uptime: u64) {
        let before = self.failed.iter().position(|(digest, ..)| *digest == finding);
        match (before, failed) {
            (Some(at), true) => {
                self.failed[at].1 = self.failed[at].1.saturating_add(1);
                self.failed[at].2 = uptime;
            }
            (None, true) => {
                if self.failed.len() == FAILED_MAX {
                    self.failed.remove(0);
                }
                self.failed.push((finding, 1, uptime));
            }
            (Some(at), false) => drop(self.failed.remove(at)),
            (None, false) => {}
        }
    }

    /// Remembers a trial that ended well.
    pub(super) fn pass(&mut self, finding: Digest64) {
        if self.passed.len() == PASSED_MAX {
            self.passed.remove(0);
        }
        self.passed.push(finding);
    }

    /// Adds a remediation to its trial, which begins with the first.
    pub(super) fn begin_trial(
        &mut self,
        digest: Digest64,
        finding: &Finding,
        remediation: &Remediation,
        uptime: u64,
    ) {
        let until = uptime + TRIAL_SECONDS;
        let trial = match self.trials.iter_mut().position(|trial| trial.finding == digest) {
            Some(at) => &mut self.trials[at],
            None => {
                let what = finding.what.clone();
                self.trials.push(OnTrial { finding: digest, what, remediations: Vec::new(), until });
                let last = self.trials.len() - 1;
                &mut self.trials[last]
            }
        };
        if trial.remediations.len() < ONE_TRIAL_MAX && !trial.remediations.contains(remediation) {
            trial.remediations.push(remediation.clone());
        }
    }

    /// A remediation that failed is not tried again yet.
    pub(super) fn waits(&self, finding: Digest64, uptime: u64) -> bool {
        self.failed.iter().any(|&(digest, times, last)| {
            digest == finding && uptime < last + (1 << times.min(30)).min(BACKOFF_SECONDS_MAX)
        })
    }
}
