//! Daily windows: a part of each day on the clock on the wall in which a device restarts into a release, or fetches one.
//! Each device has its own moment in it, drawn from its id, so that a street does not restart at once.

use crate::local_time::TimeZone;
use crate::update::lot::lot;
use komainu_trust::Moment;

const DAY_SECONDS: i64 = 86_400;
/// A window that is one time of day (`03:30`) is open for so many seconds all the same: a device may be busy at its
/// beginning.
const SHORTEST_SECONDS: i64 = 900;

/// A part of each day. It may pass midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DailyWindow {
    /// Minutes after midnight, 0 to 1439.
    begins_minute: u16,
    /// Its length in minutes, 0 to 1439; 0: every device has the same moment, its beginning.
    minutes: u16,
}

impl DailyWindow {
    /// Reads `03:30` or `01:00-05:00`; `None` if it is neither.
    pub fn parse(text: &str) -> Option<DailyWindow> {
        let (begins, ends) = text.split_once('-').unwrap_or((text, text));
        let (begins, ends) = (read_minute(begins)?, read_minute(ends)?);
        Some(DailyWindow { begins_minute: begins, minutes: (ends + 1440 - begins) % 1440 })
    }

    /// The device's next moment in the window: now, where the window is open and the moment of this day has come.
    pub fn next(self, now: Moment, zone: &TimeZone, device_id: &str) -> Moment {
        let own = lot(device_id, "window", u64::from(self.minutes) * 60) as i64;
        let length = self.length_seconds();
        let today = now.0.saturating_add(zone.ahead_seconds(now)).div_euclid(DAY_SECONDS);
        for day in today - 1..today + 3 {
            let begins = day.saturating_mul(DAY_SECONDS).saturating_add(i64::from(self.begins_minute) * 60);
            let begins = to_utc(begins, zone);
            let moment = begins.saturating_add(own);
            if moment >= now.0 {
                return Moment(moment);
            }
            if now.0 < begins.saturating_add(length) {
                return now;
            }
        }
        // A zone cannot shift a day so far; a clock at the end of time can.
        now
    }

    /// How long it is open, in seconds.
    pub fn length_seconds(self) -> i64 {
        (i64::from(self.minutes) * 60).max(SHORTEST_SECONDS)
    }
}

/// A moment on the local clock, in seconds since 1970, as UTC. Of an hour that comes twice it is one of the two.
fn to_utc(local: i64, zone: &TimeZone) -> i64 {
    let near = local.saturating_sub(zone.ahead_seconds(Moment(local)));
    local.saturating_sub(zone.ahead_seconds(Moment(near)))
}

/// `hh:mm` as minutes after midnight.
fn read_minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |digits: &str, most: u16| {
        let plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse::<u16>().ok().filter(|number| plain && *number <= most)
    };
    Some(number(hour, 23)? * 60 + number(minute, 59)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn moment(text: &str) -> Moment {
        Moment::parse(text).unwrap()
    }

    #[test]
    fn the_next_moment_is_on_the_clock_on_the_wall() {
        for (window, zone, now, next) in [
            ("03:30", "JST-9", "2026-11-30T12:00:00Z", "2026-11-30T18:30:00Z"),
            ("03:30", "JST-9", "2026-11-30T18:30:00Z", "2026-11-30T18:30:00Z"),
            // Fourteen minutes late is not too late; a quarter of an hour is.
            ("03:30", "JST-9", "2026-11-30T18:44:59Z", "2026-11-30T18:44:59Z"),
            ("03:30", "JST-9", "2026-11-30T18:45:00Z", "2026-12-01T18:30:00Z"),
            ("03:30", "CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-28T12:00:00Z", "2026-03-29T01:30:00Z"),
            ("03:30", "CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-24T12:00:00Z", "2026-10-25T02:30:00Z"),
            ("03:30", "EST5EDT,M3.2.0,M11.1.0", "2026-07-01T07:00:00Z", "2026-07-01T07:30:00Z"),
            ("00:00", "UTC0", "2026-07-01T00:00:01Z", "2026-07-01T00:00:01Z"),
            ("23:50", "<+14>-14", "2026-07-01T00:00:00Z", "2026-07-01T09:50:00Z"),
        ] {
            let (window, zone) = (DailyWindow::parse(window).unwrap(), TimeZone::parse(zone).unwrap());
            assert_eq!(window.next(moment(now), &zone, "device-1"), moment(next), "{now} {zone:?}");
        }
    }

    #[test]
    fn every_device_has_its_own_moment_in_the_window_and_keeps_it() {
        let window = DailyWindow::parse("23:00-01:00").unwrap();
        let (zone, evening) = (TimeZone::default(), moment("2026-11-30T20:00:00Z"));
        let begins = moment("2026-11-30T23:00:00Z").0;
        let mut quarters = [0; 8];
        for device in 0..4000 {
            let id = format!("device-{device}");
            let next = window.next(evening, &zone, &id);
            quarters[usize::try_from((next.0 - begins) / 900).unwrap()] += 1;
            assert_eq!(window.next(next, &zone, &id), next);
            let tomorrow = window.next(Moment(begins + 2 * 3600), &zone, &id);
            assert_eq!(tomorrow.0 - next.0, 86_400);
        }
        assert!(quarters.iter().all(|&count| (420..580).contains(&count)), "{quarters:?}");
    }

    #[test]
    fn what_is_no_window_is_refused() {
        for text in
            ["", "3:30", "03:60", "24:00", "03:30-", "-03:30", "03:30-4:00", "+3:30", "03:30-04:00-05:00"]
        {
            assert_eq!(DailyWindow::parse(text), None, "{text}");
        }
    }

    #[test]
    fn no_clock_breaks_it() {
        let zone = TimeZone::parse("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        for now in [i64::MIN, -1, i64::MAX] {
            DailyWindow::parse("03:30-05:00").unwrap().next(Moment(now), &zone, "device-1");
        }
    }
}
