//! Dates and times for people: "2026-11-22 06:40 UTC".

/// Seconds since 1970 as a date and time; a text that is no number stays as it is.
pub fn shown(seconds: &str) -> String {
    let Some(seconds) = seconds.parse::<u64>().ok().filter(|seconds| *seconds < 253_402_300_800) else {
        return seconds.to_owned();
    };
    let (year, month, day) = date(seconds / 86_400);
    let minutes = seconds % 86_400 / 60;
    let mut out = String::with_capacity(20);
    two(&mut out, year / 100);
    two(&mut out, year % 100);
    for (before, number) in [('-', month), ('-', day), (' ', minutes / 60), (':', minutes % 60)] {
        out.push(before);
        two(&mut out, number);
    }
    out.push_str(" UTC");
    out
}

fn two(out: &mut String, number: u64) {
    for digit in [number / 10 % 10, number % 10] {
        out.push(char::from(b'0' + digit as u8));
    }
}

/// Year, month and day of a day since 1970. Years begin in March here, so that the leap day is the last one.
fn date(day: u64) -> (u64, u64, u64) {
    let day = day + 719_468;
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let of_month = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_shown_in_universal_time() {
        for (seconds, moment) in [
            ("0", "1970-01-01 00:00 UTC"),
            ("951782399", "2000-02-28 23:59 UTC"),
            ("951782400", "2000-02-29 00:00 UTC"),
            ("1795329600", "2026-11-22 06:40 UTC"),
            ("4107542400", "2100-03-01 00:00 UTC"),
            ("253402300799", "9999-12-31 23:59 UTC"),
            ("253402300800", "253402300800"),
            ("soon", "soon"),
            ("", ""),
        ] {
            assert_eq!(shown(seconds), moment);
        }
    }
}
