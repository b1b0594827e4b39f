//! What time it is. Asked once per command; everything below is given the moment.

use komainu_trust::Moment;
use std::time::{SystemTime, UNIX_EPOCH};

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
