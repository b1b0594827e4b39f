//! When the images of a release are fetched: in the daily window of the settings, within the bytes of a month, and in a
//! wave only with a fresh answer of the server. A critical release waits for the last of these alone.

use crate::identifiers::Slot;
use crate::settings::Settings;
use crate::update::facts::Facts;
use crate::update::manifest::Severity;
use crate::update::offer::Release;
use crate::update::plan::is_recent;
use crate::update::record::{Fetched, Record, Update};
use komainu_trust::Moment;

/// The month of [`Settings::month_bytes_max`].
const MONTH_SECONDS: i64 = 30 * 86_400;

/// When images are fetched.
pub(super) enum FetchTime {
    Now,
    /// With the next poll.
    AtPoll,
    Later {
        until: Moment,
        /// The setting.
        why: &'static str,
    },
    /// Bytes are counted from now on: to be recorded first.
    Count(Fetched),
}

pub(super) fn fetch_time(
    record: &Record,
    offered: &Release,
    into: Slot,
    facts: &Facts,
    settings: &Settings,
) -> FetchTime {
    let begun = matches!(&record.update, Update::Staging { digest, slot, .. }
        if *digest == offered.digest && *slot == into);
    // A wave begins for all its devices at one moment. Each takes its release with its next poll, which spreads them, and
    // which knows whether the release was halted.
    if !begun
        && !offered.manifest.waves.is_empty()
        && !facts.reimage
        && !is_recent(&facts.retry, facts.uptime)
    {
        return FetchTime::AtPoll;
    }
    if facts.reimage || offered.manifest.severity == Severity::Critical {
        return FetchTime::Now;
    }
    if let Some(window) = settings.download_window.filter(|_| facts.clock_is_right) {
        let until = window.next(facts.now, &settings.time_zone, &settings.device_id);
        if until > facts.now {
            return FetchTime::Later { until, why: "poll.download_window" };
        }
    }
    if settings.month_bytes_max == 0 {
        return FetchTime::Now;
    }
    let ends = |fetched: Fetched| fetched.since.plus_seconds(MONTH_SECONDS);
    match record.fetched.filter(|fetched| fetched.since <= facts.now && facts.now < ends(*fetched)) {
        None => FetchTime::Count(Fetched { since: facts.now, bytes: 0 }),
        Some(fetched) if fetched.bytes >= settings.month_bytes_max => {
            FetchTime::Later { until: ends(fetched), why: "poll.month_bytes_max" }
        }
        Some(_) => FetchTime::Now,
    }
}
