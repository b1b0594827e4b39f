//! Local time: a time zone as POSIX writes it in `TZ` (`CET-1CEST,M3.5.0,M10.5.0/3`), which is also the last line of a
//! file of zoneinfo. It says how far a clock on the wall is from UTC at a moment.

use alloc::format;
use alloc::string::String;
use komainu_trust::Moment;

/// A time zone with the rules of today; UTC by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeZone {
    /// Seconds east of Greenwich.
    standard_seconds: i32,
    daylight: Option<Daylight>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Daylight {
    /// Seconds east of Greenwich.
    seconds: i32,
    /// By standard time.
    begins: Change,
    /// By daylight-saving time.
    ends: Change,
}

/// A moment of each year: a day, and seconds after its midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Change {
    day: Day,
    seconds: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Day {
    /// 1 to 365; 29 February is never counted.
    WithoutLeap(i64),
    /// 0 to 365; 29 February is counted.
    NumberedFromZero(i64),
    /// The n-th such weekday of a month; 5 is the last. 0 is Sunday.
    MonthWeekday { month: i64, week: i64, weekday: i64 },
}

impl TimeZone {
    /// Reads the value of `TZ`; `None` if it is not in the form of POSIX.
    pub fn parse(text: &str) -> Option<TimeZone> {
        let rest = skip_name(text)?;
        let (west, rest) = take_time(rest)?;
        let standard_seconds = -west;
        if rest.is_empty() {
            return Some(TimeZone { standard_seconds, daylight: None });
        }
        let rest = skip_name(rest)?;
        let (seconds, rest) = match rest.strip_prefix(',') {
            Some(_) => (standard_seconds + 3600, rest),
            None => take_time(rest).map(|(west, rest)| (-west, rest))?,
        };
        let (begins, rest) = take_change(rest.strip_prefix(',')?)?;
        let (ends, rest) = take_change(rest.strip_prefix(',')?)?;
        rest.is_empty()
            .then_some(TimeZone { standard_seconds, daylight: Some(Daylight { seconds, begins, ends }) })
    }

    /// A moment on the clock on the wall, to the minute: `2026-12-01 03:30`.
    pub fn shown(&self, at: Moment) -> String {
        let mut text = format!("{}", at.plus_seconds(self.ahead_seconds(at)));
        text.truncate(text.len().saturating_sub(":00Z".len()));
        text.replacen('T', " ", 1)
    }

    /// Seconds by which the local clock is ahead of UTC at that moment.
    pub fn ahead_seconds(&self, at: Moment) -> i64 {
        let standard = i64::from(self.standard_seconds);
        let Some(Daylight { seconds, begins, ends }) = self.daylight else { return standard };
        let year = at.plus_seconds(standard).year().clamp(1, 9999);
        let begins = begins.in_year(year) - standard;
        let ends = ends.in_year(year) - i64::from(seconds);
        let is_daylight =
            if begins < ends { (begins..ends).contains(&at.0) } else { !(ends..begins).contains(&at.0) };
        if is_daylight { i64::from(seconds) } else { standard }
    }
}

impl Change {
    /// Seconds since 1970 on the local clock.
    fn in_year(self, year: i64) -> i64 {
        let month_begins = |year, month| Moment::of_date(year, month, 1).0 / 86_400;
        let first = month_begins(year, 1);
        let day = match self.day {
            Day::WithoutLeap(day) => first + day - 1 + i64::from(is_leap(year) && day >= 60),
            Day::NumberedFromZero(day) => first + day,
            Day::MonthWeekday { month, week, weekday } => {
                let begins = month_begins(year, month);
                // 1 January 1970 was a Thursday.
                let day = begins + (weekday - (begins + 4)).rem_euclid(7) + 7 * (week - 1);
                if day < month_begins(year + month / 12, month % 12 + 1) { day } else { day - 7 }
            }
        };
        day * 86_400 + i64::from(self.seconds)
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// The text behind the name of a zone, which is three letters or more, or `<…>`.
fn skip_name(text: &str) -> Option<&str> {
    if let Some(quoted) = text.strip_prefix('<') {
        let (name, rest) = quoted.split_once('>')?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-".contains(&byte);
        return (name.len() >= 3 && name.bytes().all(plain)).then_some(rest);
    }
    let letters = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    (letters >= 3).then(|| &text[letters..])
}

/// `[+-]hh[:mm[:ss]]` as seconds, and what follows it.
fn take_time(text: &str) -> Option<(i32, &str)> {
    let (sign, text) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let (hours, mut rest) = take_number(text, 167)?;
    let mut seconds = hours * 3600;
    for unit in [60, 1] {
        let Some(after) = rest.strip_prefix(':') else { break };
        let (number, after) = take_number(after, 59)?;
        seconds += number * unit;
        rest = after;
    }
    Some((sign * i32::try_from(seconds).ok()?, rest))
}

/// A day, and the time behind a slash: two o'clock where there is none.
fn take_change(text: &str) -> Option<(Change, &str)> {
    let (day, rest) = match text.as_bytes().first()? {
        b'M' => {
            let (month, rest) = take_number(&text[1..], 12)?;
            let (week, rest) = take_number(rest.strip_prefix('.')?, 5)?;
            let (weekday, rest) = take_number(rest.strip_prefix('.')?, 6)?;
            if month == 0 || week == 0 {
                return None;
            }
            (Day::MonthWeekday { month, week, weekday }, rest)
        }
        b'J' => {
            let (day, rest) = take_number(&text[1..], 365)?;
            ((day > 0).then_some(Day::WithoutLeap(day))?, rest)
        }
        _ => {
            let (day, rest) = take_number(text, 365)?;
            (Day::NumberedFromZero(day), rest)
        }
    };
    let (seconds, rest) = match rest.strip_prefix('/') {
        Some(time) => take_time(time)?,
        None => (2 * 3600, rest),
    };
    Some((Change { day, seconds }, rest))
}

fn take_number(text: &str, most: i64) -> Option<(i64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number = text[..digits].parse().ok().filter(|number| *number <= most)?;
    Some((number, &text[digits..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with GNU date: `TZ=… date -d @… +%z`.
    #[test]
    fn zones_are_what_another_program_says() {
        for (text, ahead) in AHEAD {
            let zone = TimeZone::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(TIMES.map(|at| zone.ahead_seconds(Moment(at)) / 60), *ahead, "{text}");
        }
        assert_eq!(TimeZone::default().ahead_seconds(Moment(i64::MAX)), 0);
        TimeZone::parse("CET-1CEST,M3.5.0,M10.5.0/3").unwrap().ahead_seconds(Moment(i64::MAX));
    }

    const TIMES: [i64; 11] = [
        951782400, 1709164799, 1774745999, 1774746000, 1793494799, 1793494800, 1772953199, 1772953200,
        4102444800, 1800000000, 1711846800,
    ];

    /// Minutes at each of these times.
    const AHEAD: &[(&str, [i64; 11])] = &[
        ("UTC0", [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("JST-9", [540, 540, 540, 540, 540, 540, 540, 540, 540, 540, 540]),
        ("CET-1CEST,M3.5.0,M10.5.0/3", [60, 60, 60, 120, 60, 60, 60, 60, 60, 60, 120]),
        ("EST5EDT,M3.2.0,M11.1.0", [-300, -300, -240, -240, -240, -240, -300, -240, -300, -300, -240]),
        ("AEST-10AEDT,M10.1.0,M4.1.0/3", [660, 660, 660, 660, 660, 660, 660, 660, 660, 660, 660]),
        ("<+0545>-5:45", [345, 345, 345, 345, 345, 345, 345, 345, 345, 345, 345]),
        ("<-0330>3:30", [-210, -210, -210, -210, -210, -210, -210, -210, -210, -210, -210]),
        (
            "NST3:30NDT,M3.2.0/0:01,M11.1.0/0:01",
            [-210, -210, -150, -150, -150, -150, -150, -150, -210, -210, -150],
        ),
        ("IST-1GMT0,M10.5.0,M3.5.0/1", [0, 0, 0, 60, 0, 0, 0, 0, 0, 0, 60]),
        ("XXX-2YYY,J60/0,J300/0", [120, 120, 180, 180, 120, 120, 180, 180, 120, 120, 180]),
        ("XXX-2YYY,59/0,299/0", [180, 180, 180, 180, 120, 120, 180, 180, 120, 120, 180]),
        ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", [-120, -120, -120, -60, -120, -120, -120, -120, -120, -120, -60]),
    ];

    #[test]
    fn what_is_no_zone_is_refused() {
        for text in [
            "",
            "J",
            "JS-9",
            "JST",
            "JST-",
            "JST-200",
            "JST-9x",
            "<JST-9",
            "<J>-9",
            "Europe/Berlin",
            ":JST-9",
            "CET-1CEST",
            "CET-1CEST,M3.5.0",
            "CET-1CEST,M13.5.0,M10.5.0",
            "CET-1CEST,M3.6.0,M10.5.0",
            "CET-1CEST,M3.5.7,M10.5.0",
            "CET-1CEST,M0.5.0,M10.5.0",
            "CET-1CEST,J0,J366",
            "CET-1CEST,M3.5.0,M10.5.0/",
            "CET-1CEST,M3.5.0,M10.5.0/3,",
            "CET-99999999999999999999",
        ] {
            assert_eq!(TimeZone::parse(text), None, "{text}");
        }
    }
}
