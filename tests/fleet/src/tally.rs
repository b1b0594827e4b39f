//! What a fleet did, counted in bins of five minutes: requests and bytes at the server, devices that took a release.

use std::collections::BTreeMap;

/// Seconds of a bin: a server feels no shorter burst that its listen queue does not hold.
pub const BIN_SECONDS: i64 = 300;

#[derive(Clone)]
pub struct Tally {
    pub devices: u64,
    /// Requests that reached the server, by bin.
    pub requests: Vec<u64>,
    /// Bytes in both directions, by bin.
    pub bytes: Vec<u64>,
    /// Attempts while the server did not answer.
    pub unanswered: u64,
    /// Decisions of the planner.
    pub plans: u64,
    /// Polls without any news, and their bytes.
    pub idle_polls: u64,
    pub idle_bytes: u64,
    /// Seconds at which devices began to fetch, and kept, a release; by release.
    pub begun: BTreeMap<u64, Vec<i64>>,
    pub kept: BTreeMap<u64, Vec<i64>>,
    /// Trials that failed.
    pub failed_trials: u64,
}

impl Tally {
    pub fn new(seconds: i64) -> Tally {
        let bins = usize::try_from(seconds / BIN_SECONDS).unwrap_or(0);
        Tally {
            devices: 0,
            requests: vec![0; bins],
            bytes: vec![0; bins],
            unanswered: 0,
            plans: 0,
            idle_polls: 0,
            idle_bytes: 0,
            begun: BTreeMap::new(),
            kept: BTreeMap::new(),
            failed_trials: 0,
        }
    }

    /// Requests at a second, and bytes from then on for some seconds. Those before the beginning are not counted.
    pub fn served(&mut self, second: i64, requests: u64, bytes: u64, seconds: i64) {
        if let Some(bin) = self.bin(second) {
            self.requests[bin] += requests;
        }
        let bins = 1 + seconds / BIN_SECONDS;
        for part in 0..bins {
            if let Some(bin) = self.bin(second + part * BIN_SECONDS) {
                self.bytes[bin] += bytes / bins.unsigned_abs();
            }
        }
    }

    fn bin(&self, second: i64) -> Option<usize> {
        usize::try_from(second.div_euclid(BIN_SECONDS)).ok().filter(|bin| *bin < self.requests.len())
    }

    /// Adds what other devices did.
    pub fn add(&mut self, other: &Tally) {
        self.devices += other.devices;
        self.unanswered += other.unanswered;
        self.plans += other.plans;
        self.idle_polls += other.idle_polls;
        self.idle_bytes += other.idle_bytes;
        self.failed_trials += other.failed_trials;
        for (sum, more) in [(&mut self.requests, &other.requests), (&mut self.bytes, &other.bytes)] {
            sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        }
        for (sum, more) in [(&mut self.begun, &other.begun), (&mut self.kept, &other.kept)] {
            for (release, seconds) in more {
                sum.entry(*release).or_default().extend(seconds);
            }
        }
    }

    /// Orders the moments, so that a result does not depend on which thread was first.
    pub fn sorted(mut self) -> Tally {
        self.begun.values_mut().chain(self.kept.values_mut()).for_each(|seconds| seconds.sort_unstable());
        self
    }

    pub fn requests_per_device_day(&self) -> f64 {
        let days = self.requests.len() as f64 * BIN_SECONDS as f64 / 86_400.0;
        self.requests.iter().sum::<u64>() as f64 / self.devices as f64 / days
    }

    /// Requests a second in the busiest bin, and in the mean.
    pub fn peak_and_mean(&self) -> (f64, f64) {
        let peak = self.requests.iter().max().copied().unwrap_or(0) as f64 / BIN_SECONDS as f64;
        let sum = self.requests.iter().sum::<u64>() as f64;
        (peak, sum / (self.requests.len() as f64 * BIN_SECONDS as f64))
    }

    /// Hours from a second on until so many of a hundred devices had kept a release; `None`: they never did.
    pub fn hours_until(&self, release: u64, percent: u64, from: i64) -> Option<f64> {
        let kept = self.kept.get(&release)?;
        let index = (self.devices * percent).div_ceil(100).checked_sub(1)?;
        kept.get(usize::try_from(index).ok()?).map(|second| (second - from) as f64 / 3600.0)
    }

    pub fn begun_count(&self, release: u64) -> u64 {
        self.begun.get(&release).map_or(0, |begun| begun.len() as u64)
    }

    pub fn kept_count(&self, release: u64) -> u64 {
        self.kept.get(&release).map_or(0, |kept| kept.len() as u64)
    }
}
