//! When a staged release starts: at once, in the daily window of the settings, or as late as the owner asked for within
//! the maker's bound. A critical release waits for its owner alone.

use crate::settings::Settings;
use crate::update::daily_window::DailyWindow;
use crate::update::facts::Facts;
use crate::update::manifest::Severity;
use crate::update::offer::Release;
use crate::update::plan::is_recent;
use crate::update::record::{Postponed, Record};
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
