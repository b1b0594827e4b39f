//! When the images of a release are fetched: in the daily window of the settings, within the bytes of a month, and in a
//! wave only with a fresh answer of the server. A critical release waits for the last of these alone.

use crate::identifiers::Slot;
use crate::settings::Settings;
use crate::update::facts::Facts;
use crate::update::manifest::Severity;
use crate::update::offer::Release;
use crate::update::record::{Fetched, Record, Update};
use crate::update::schedule::is_recent;
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
        /// The setting that holds it.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identifiers::Digest64;
    use crate::update::daily_window::DailyWindow;
    use crate::update::facts::RecordSeen;
    use crate::update::plan::cases::{facts, offered, release, settings};

    fn decided(facts: &Facts, offered: &Release, settings: &Settings) -> &'static str {
        let RecordSeen::Found(record) = &facts.record else { panic!() };
        match fetch_time(record, offered, Slot::B, facts, settings) {
            FetchTime::Now => "now",
            FetchTime::AtPoll => "at poll",
            FetchTime::Later { why, .. } => why,
            FetchTime::Count(_) => "count",
        }
    }

    const WAVES: &str = r#""waves": [ { "from": "2026-01-01T00:00:00Z", "permille": 1000 } ],"#;
    const CRITICAL: &str = r#""severity": "critical","#;

    fn staging(digest: Digest64) -> Update {
        Update::Staging { release: release(2), digest, slot: Slot::B, part: 0, offset: 4096 }
    }

    #[test]
    fn a_wave_is_entered_with_a_fresh_answer_and_left_by_none() {
        let (waves, plain) = (offered(WAVES), offered(""));
        let stale = Facts { uptime: 940 + 601, ..facts(Update::Idle) };
        assert_eq!(decided(&facts(Update::Idle), &waves, &settings()), "now");
        assert_eq!(decided(&stale, &waves, &settings()), "at poll");
        assert_eq!(decided(&stale, &plain, &settings()), "now");
        let begun = Facts { record: facts(staging(waves.digest)).record, ..stale.clone() };
        assert_eq!(decided(&begun, &waves, &settings()), "now");
        let other = Facts { record: facts(staging(Digest64::of(b"other"))).record, ..stale };
        assert_eq!(decided(&other, &waves, &settings()), "at poll");
    }

    #[test]
    fn a_window_holds_a_download_and_no_critical_one() {
        // Eight in the morning, UTC.
        let closed = Settings { download_window: DailyWindow::parse("01:00-05:00"), ..settings() };
        let open = Settings { download_window: DailyWindow::parse("07:55-08:05"), ..settings() };
        let at = |now| Facts { now, ..facts(Update::Idle) };
        let eight = at(Moment(1_800_000_000));
        assert_eq!(decided(&eight, &offered(""), &closed), "poll.download_window");
        assert_eq!(decided(&eight, &offered(CRITICAL), &closed), "now");
        assert_eq!(decided(&Facts { clock_is_right: false, ..eight }, &offered(""), &closed), "now");
        assert_eq!(decided(&at(Moment(1_800_000_299)), &offered(""), &open), "now");
    }

    #[test]
    fn the_bytes_of_a_month_hold_a_download_until_the_month_is_over() {
        let bound = Settings { month_bytes_max: 100, ..settings() };
        let mut facts = facts(Update::Idle);
        let now = facts.now;
        let fetched = |since: i64, bytes| Some(Fetched { since: now.plus_seconds(since), bytes });
        for (so_far, does) in [
            (None, "count"),
            (fetched(0, 99), "now"),
            (fetched(0, 100), "poll.month_bytes_max"),
            (fetched(1 - MONTH_SECONDS, 100), "poll.month_bytes_max"),
            (fetched(-MONTH_SECONDS, 100), "count"),
            // The clock went back.
            (fetched(1, 100), "count"),
        ] {
            let RecordSeen::Found(record) = &mut facts.record else { panic!() };
            record.fetched = so_far;
            assert_eq!(decided(&facts, &offered(""), &bound), does, "{so_far:?}");
            assert_eq!(decided(&facts, &offered(CRITICAL), &bound), "now");
        }
    }
}
