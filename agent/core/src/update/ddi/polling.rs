//! When a DDI server is asked again: as it wants, within the bounds of the settings, and later after every failure.

use crate::update::lot::lot;

/// The bounds of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The shortest time between two polls, in seconds; at least 1.
    pub least_seconds: u32,
    /// The longest, in seconds; at least the shortest.
    pub most_seconds: u32,
}

/// Where the server does not say when it wants to be asked, it is after so many seconds: hawkBit's own default.
const SLEEP_SECONDS: u32 = 300;

/// How a round of questions went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contact {
    /// The server answered, and wants to be asked after so many seconds.
    Answered { sleep_seconds: Option<u32> },
    /// It did not, or refused.
    Failed {
        /// Failures in a row, this one counted.
        failures: u32,
        /// The seconds of `Retry-After`; 0: none.
        retry_after_seconds: u32,
    },
}

/// Seconds until the server is asked again. `round` differs from one round to the next, so that a fleet never marches in
/// step. A server, and anybody on the way of a plain request, can delay a device for the longest time at most.
pub fn wait_seconds(contact: Contact, bounds: Bounds, device_id: &str, round: u64) -> u32 {
    let Bounds { least_seconds: least, most_seconds: most } = bounds;
    let draw = |below: u32| {
        let drawn = lot(device_id, &alloc::format!("ddi {round}"), u64::from(below));
        u32::try_from(drawn).unwrap_or(0)
    };
    let wait = match contact {
        Contact::Answered { sleep_seconds } => {
            let sleep = sleep_seconds.unwrap_or(SLEEP_SECONDS).clamp(least, most);
            // A tenth more or less.
            sleep - sleep / 10 + draw(sleep / 5 + 1)
        }
        Contact::Failed { failures, retry_after_seconds } => {
            let doublings = failures.saturating_sub(1).min(20);
            let full = least.checked_shl(doublings).filter(|full| full >> doublings == least).unwrap_or(most);
            let full = full.min(most);
            // Half of it is certain, the other half drawn.
            (full / 2 + draw(full / 2 + 1)).max(retry_after_seconds)
        }
    };
    wait.clamp(least, most)
}

/// Reads the time between polls as the server writes it, in seconds: `HH:MM:SS`. What follows a `~` is a deviation, which
/// the server has drawn itself.
pub fn parse_sleep(text: &str) -> Option<u32> {
    let time = text.split('~').next().unwrap_or_default().trim_ascii();
    let mut parts = time.split(':');
    let mut next = |most: u32| {
        let digits = parts.next()?;
        let plain = (1..=4).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit());
        let number: u32 = if plain { digits.parse().ok()? } else { return None };
        (number <= most).then_some(number)
    };
    let (hours, minutes, seconds) = (next(9999)?, next(59)?, next(59)?);
    parts.next().is_none().then_some(hours * 3600 + minutes * 60 + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { least_seconds: 30, most_seconds: 3600 };

    fn waits(contact: Contact) -> (u32, u32) {
        let all = (0..200).map(|round| wait_seconds(contact, BOUNDS, "device-1", round));
        all.fold((u32::MAX, 0), |(least, most), wait| (least.min(wait), most.max(wait)))
    }

    #[test]
    fn a_server_is_asked_when_it_wants_within_the_bounds() {
        for (sleep, least, most) in
            [(Some(600), 540, 660), (None, 270, 330), (Some(0), 30, 36), (Some(1), 30, 36)]
        {
            let (shortest, longest) = waits(Contact::Answered { sleep_seconds: sleep });
            assert!(
                least <= shortest && longest <= most && shortest < longest,
                "{sleep:?}: {shortest} {longest}"
            );
        }
        let (shortest, longest) = waits(Contact::Answered { sleep_seconds: Some(u32::MAX) });
        assert!(shortest >= 3240 && longest <= 3600, "{shortest} {longest}");
    }

    #[test]
    fn waits_double_and_a_server_can_ask_for_more_up_to_the_bound() {
        for failures in 1..40 {
            let (shortest, longest) = waits(Contact::Failed { failures, retry_after_seconds: 0 });
            let full = (30u64 << (failures - 1).min(20)).min(3600) as u32;
            assert!(shortest >= (full / 2).max(30) && longest <= full, "{failures}: {shortest} {longest}");
        }
        for (asked, waited) in [(0, None), (700, Some(700)), (u32::MAX, Some(3600))] {
            let (shortest, longest) = waits(Contact::Failed { failures: 1, retry_after_seconds: asked });
            assert!(waited.is_none_or(|waited| (shortest, longest) == (waited, waited)), "{asked}");
        }
        let wide = Bounds { least_seconds: 86_400, most_seconds: u32::MAX };
        let contact = Contact::Failed { failures: u32::MAX, retry_after_seconds: 0 };
        assert!(wait_seconds(contact, wide, "x", 0) >= u32::MAX / 2);
    }

    #[test]
    fn a_time_is_read_as_hawkbit_writes_it() {
        for (text, seconds) in [
            ("00:05:00", Some(300)),
            ("23:59:59", Some(86_399)),
            ("00:10:00~10%", Some(600)),
            (" 00:00:30 ", Some(30)),
            ("9999:59:59", Some(35_999_999)),
        ] {
            assert_eq!(parse_sleep(text), seconds, "{text}");
        }
        for wrong in [
            "",
            "5",
            "00:05",
            "00:60:00",
            "00:00:60",
            "00:05:00:00",
            "-1:00:00",
            "+1:00:00",
            "a:b:c",
            "99999:00:00",
            "00::00",
            "PT5M",
        ] {
            assert_eq!(parse_sleep(wrong), None, "{wrong}");
        }
    }
}
