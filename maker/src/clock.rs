//! Reads the clock, once per command; everything below is given the moment.

use komainu_trust::Moment;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The time of this machine's clock.
#[expect(clippy::disallowed_methods, reason = "the one place of the maker that reads the clock")]
pub fn now() -> Moment {
    let now = SystemTime::now();
    let seconds = match now.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX),
    };
    Moment(seconds)
}

/// Measures how long things take, whatever happens to the clock.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts at zero.
    #[expect(clippy::disallowed_methods, reason = "shown to people; nothing is decided by it")]
    pub fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// Milliseconds since it was started.
    pub fn milliseconds(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
