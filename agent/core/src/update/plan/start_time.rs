//! When a staged release starts: at once, in the daily window of the settings, or as late as the owner asked for within
//! the maker's bound. A critical release waits for its owner alone.

use crate::settings::Settings;
use crate::update::daily_window::DailyWindow;
use crate::update::facts::Facts;
use crate::update::manifest::Severity;
use crate::update::offer::Release;
use crate::update::record::{Postponed, Record};
use crate::update::schedule::is_recent;
use komainu_trust::Moment;

const DAY_SECONDS: i64 = 86_400;
/// A device that is switched off in every window starts its release at any time, after so many days.
const MISSED_DAYS_MAX: i64 = 3;

/// When a staged release starts.
pub(super) enum Start {
    Now,
    /// In the next window: to be recorded.
    Plan(Postponed),
    Wait(Moment),
    /// Now, unless the server says at this moment that it is halted.
    Ask,
}

pub(super) fn start(record: &Record, offered: &Release, facts: &Facts, settings: &Settings) -> Start {
    let critical = offered.manifest.severity == Severity::Critical;
    let window = settings.restart_window.filter(|_| facts.clock_is_right && !critical);
    let next = |window: DailyWindow| window.next(facts.now, &settings.time_zone, &settings.device_id);
    let release = offered.manifest.release.number;
    // A clock that went back ends a postponement: the time that is left is unknown.
    let planned = record.postponed.filter(|planned| planned.release == release && planned.since <= facts.now);
    let planned = match (planned, window) {
        (None, None) => return Start::Now,
        (None, Some(window)) => Postponed { release, since: facts.now, until: next(window), asked: false },
        (Some(planned), _) if critical => hastened(planned, facts.now, settings),
        (Some(planned), Some(window)) if is_missed(&planned, window, facts.now) => {
            Postponed { until: next(window), ..planned }
        }
        (Some(planned), _) => planned,
    };
    if planned.until > facts.now {
        return if record.postponed == Some(planned) {
            Start::Wait(planned.until)
        } else {
            Start::Plan(planned)
        };
    }
    // Where the server does not answer it cannot be waited for: it may be gone for good.
    let asked = is_recent(&facts.retry, facts.uptime) || facts.retry.poll.failures > 0;
    if asked { Start::Now } else { Start::Ask }
}

/// The maker calls a release critical: no window holds it, and its owner may put it off for a shorter time.
fn hastened(planned: Postponed, now: Moment, settings: &Settings) -> Postponed {
    let days = i64::from(settings.postpone_critical_days_max);
    let bound = if planned.asked { planned.since.plus_seconds(days * DAY_SECONDS) } else { now };
    Postponed { until: planned.until.min(bound), ..planned }
}

/// The record after the owner's wish for a release now: no window holds it, and the maker's bound does not begin anew.
pub(super) fn start_at_once(
    record: &Record,
    offered: Option<u64>,
    facts: &Facts,
    settings: &Settings,
) -> Option<Postponed> {
    if let Some(planned) = record.postponed.filter(|planned| facts.now < planned.until) {
        return Some(Postponed { until: planned.since, ..planned });
    }
    let planned = |release| record.postponed.is_some_and(|planned| planned.release == release);
    let release = offered.filter(|release| *release > record.floor && !planned(*release))?;
    let now = facts.now;
    settings.restart_window.map(|_| Postponed { release, since: now, until: now, asked: true })
}

/// The device did not run while its window was open, and it may wait for another one.
fn is_missed(planned: &Postponed, window: DailyWindow, now: Moment) -> bool {
    planned.until > planned.since
        && now >= planned.until.plus_seconds(window.length_seconds())
        && now < planned.since.plus_seconds(MISSED_DAYS_MAX * DAY_SECONDS)
}

/// The record after the owner's postponement, from one window to the next, or else by all of the maker's bound; `None`:
/// the bound is reached.
pub fn postpone(record: &Record, offered: &Release, now: Moment, settings: &Settings) -> Option<Postponed> {
    let days = match offered.manifest.severity {
        Severity::Critical => settings.postpone_critical_days_max,
        _ => settings.postpone_days_max,
    };
    let release = offered.manifest.release.number;
    let before = record.postponed.filter(|postponed| postponed.release == release && postponed.since <= now);
    let since = before.map_or(now, |postponed| postponed.since);
    let bound = since.plus_seconds(i64::from(days) * DAY_SECONDS);
    let planned = before.map_or(now, |postponed| postponed.until.max(now));
    let until = match settings.restart_window {
        Some(window) => {
            let after = planned.plus_seconds(window.length_seconds());
            window.next(after, &settings.time_zone, &settings.device_id)
        }
        None => bound,
    };
    (until > planned && until <= bound).then_some(Postponed { release, since, until, asked: true })
}

/// The time to which the start of this release is put off, if it is. A clock that went back ends it: the time that is
/// left is unknown.
pub fn postponed(record: &Record, release: u64, now: Moment) -> Option<Postponed> {
    let holds = |p: &Postponed| p.release == release && p.since <= now && now < p.until;
    record.postponed.filter(holds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identifiers::{Digest64, Slot};
    use crate::local_time::TimeZone;
    use crate::update::facts::RecordSeen;
    use crate::update::plan::cases::{facts, offered, settings};
    use crate::update::record::Update;
    use alloc::format;

    const HOUR: i64 = 3600;

    fn of_severity(severity: &str) -> Release {
        offered(&format!(r#""severity": "{severity}","#))
    }

    /// At nine in the evening in Japan, with a window at half past three.
    fn evening() -> (Facts, Settings) {
        let slot = Slot::B;
        let staged = Update::Staged {
            release: crate::update::plan::cases::release(2),
            digest: Digest64::of(b""),
            slot,
        };
        let now = Moment::parse("2026-11-30T12:00:00Z").unwrap();
        let settings = Settings {
            restart_window: DailyWindow::parse("03:30"),
            time_zone: TimeZone::parse("JST-9").unwrap(),
            ..settings()
        };
        (Facts { now, ..facts(staged) }, settings)
    }

    fn record(facts: &Facts) -> Record {
        let RecordSeen::Found(record) = &facts.record else { panic!() };
        record.clone()
    }

    /// The decision, with its time in tenths of an hour from the evening.
    fn decided(record: &Record, severity: &str, facts: &Facts, settings: &Settings) -> (&'static str, i64) {
        let hours = |until: Moment| (until.0 - evening().0.now.0) * 10 / HOUR;
        match start(record, &of_severity(severity), facts, settings) {
            Start::Now => ("now", 0),
            Start::Ask => ("ask", 0),
            Start::Plan(planned) => ("plan", hours(planned.until)),
            Start::Wait(until) => ("wait", hours(until)),
        }
    }

    fn planned(facts: &Facts, hours: i64, asked: bool) -> Record {
        let until = facts.now.plus_seconds(hours * HOUR / 10);
        Record { postponed: Some(Postponed { release: 2, since: facts.now, until, asked }), ..record(facts) }
    }

    fn later(facts: &Facts, tenths: i64) -> Facts {
        let uptime = facts.uptime + (tenths * HOUR / 10).unsigned_abs();
        Facts { now: facts.now.plus_seconds(tenths * HOUR / 10), uptime, ..facts.clone() }
    }

    #[test]
    fn a_staged_release_starts_in_the_window_unless_it_is_critical_or_the_hour_is_unknown() {
        let (facts, settings) = evening();
        let first = record(&facts);
        assert_eq!(decided(&first, "normal", &facts, &settings), ("plan", 65));
        assert_eq!(decided(&first, "critical", &facts, &settings), ("now", 0));
        let lost = Facts { clock_is_right: false, ..facts.clone() };
        assert_eq!(decided(&first, "normal", &lost, &settings), ("now", 0));
        let none = Settings { restart_window: None, ..settings.clone() };
        assert_eq!(decided(&first, "normal", &facts, &none), ("now", 0));
        let tonight = planned(&facts, 65, false);
        assert_eq!(decided(&tonight, "normal", &facts, &settings), ("wait", 65));
        // The maker calls it critical meanwhile.
        assert_eq!(decided(&tonight, "critical", &facts, &settings), ("now", 0));
    }

    #[test]
    fn the_server_is_asked_once_more_before_a_planned_start_and_not_waited_for() {
        let (facts, settings) = evening();
        let tonight = planned(&facts, 65, false);
        let mut night = later(&facts, 65);
        assert_eq!(decided(&tonight, "normal", &night, &settings), ("ask", 0));
        night.retry.poll.failures = 1;
        assert_eq!(decided(&tonight, "normal", &night, &settings), ("now", 0));
        night.retry.poll.failures = 0;
        night.retry.polled_uptime = Some(night.uptime);
        assert_eq!(decided(&tonight, "normal", &night, &settings), ("now", 0));
    }

    #[test]
    fn a_device_that_is_off_in_its_windows_starts_after_three_days_all_the_same() {
        let (facts, settings) = evening();
        let tonight = planned(&facts, 65, false);
        for (tenths, does) in
            [(67, ("ask", 0)), (68, ("plan", 305)), (300, ("plan", 305)), (719, ("plan", 785))]
        {
            assert_eq!(decided(&tonight, "normal", &later(&facts, tenths), &settings), does, "{tenths}");
        }
        assert_eq!(decided(&tonight, "normal", &later(&facts, 720), &settings), ("ask", 0));
    }

    #[test]
    fn an_owner_postpones_from_window_to_window_within_the_bound_and_may_want_it_now() {
        let (facts, settings) = evening();
        let mut kept = planned(&facts, 65, false);
        for nights in 1..7 {
            let asked = postpone(&kept, &of_severity("normal"), facts.now, &settings).unwrap();
            assert_eq!((asked.until.0 - facts.now.0) * 10 / HOUR, 65 + nights * 240);
            kept.postponed = Some(asked);
        }
        assert_eq!(postpone(&kept, &of_severity("normal"), facts.now, &settings), None);
        assert_eq!(decided(&kept, "normal", &facts, &settings), ("wait", 65 + 6 * 240));
        // Critical: a day from the beginning, whatever the owner said before.
        assert_eq!(decided(&kept, "critical", &facts, &settings), ("plan", 240));
        kept.postponed = start_at_once(&kept, Some(2), &facts, &settings);
        assert_eq!(decided(&kept, "normal", &later(&facts, 30), &settings), ("ask", 0));
        // Before anything is planned, "now" is remembered for the release that is on offer.
        let first = record(&facts);
        assert_eq!(start_at_once(&first, Some(1), &facts, &settings), None);
        let at_once = Record { postponed: start_at_once(&first, Some(2), &facts, &settings), ..first };
        assert_eq!(decided(&at_once, "normal", &later(&facts, 30), &settings), ("ask", 0));
    }
}
