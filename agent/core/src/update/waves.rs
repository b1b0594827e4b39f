//! Waves: the roll-out of a release to a growing share of all devices. A device's id and the release number draw its
//! place in the roll-out, so that each release begins with other devices, and the same device always has the same answer.

use crate::update::lot::lot;
use crate::update::manifest::{EVERYBODY, Wave};
use komainu_trust::Moment;

/// The place of a device in the roll-out of a release, 0 to 999: it belongs to every share that is larger.
pub fn place(device_id: &str, release: u64) -> u16 {
    // Below a thousand, so that nothing is cut off.
    lot(device_id, &alloc::format!("release {release}"), u64::from(EVERYBODY)) as u16
}

/// The share of devices that may take a release now, in devices of a thousand. Without waves it is everybody; a later wave
/// that names a smaller share takes nothing back.
pub fn share_now(waves: &[Wave], now: Moment) -> u16 {
    if waves.is_empty() {
        return EVERYBODY;
    }
    waves.iter().filter(|wave| wave.from <= now).map(|wave| wave.permille).max().unwrap_or(0)
}

/// The next wave after now that brings more devices; `None`: no more devices come.
pub fn next_wave(waves: &[Wave], now: Moment) -> Option<Wave> {
    let share = share_now(waves, now);
    let more = waves.iter().filter(|wave| wave.from > now && wave.permille > share);
    more.min_by_key(|wave| wave.from).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::vec::Vec;

    fn waves(pairs: &[(i64, u16)]) -> Vec<Wave> {
        pairs.iter().map(|&(from, permille)| Wave { from: Moment(from), permille }).collect()
    }

    /// Computed with Python's hashlib: whatever the order of bytes in the processor, a device keeps its place.
    #[test]
    fn the_place_of_a_device_is_the_same_on_every_processor() {
        for (device_id, release, wanted) in PLACES {
            assert_eq!(place(device_id, *release), *wanted, "{device_id} {release}");
        }
    }

    const PLACES: &[(&str, u64, u16)] = &[
        ("device-1", 42, 897),
        ("device-1", 43, 494),
        ("02:00:5e:00:00:01", 7, 988),
        ("", 1, 310),
        ("ガルド", 18446744073709551615, 385),
    ];

    #[test]
    fn a_share_grows_with_its_waves_and_nothing_is_taken_back() {
        let waves = waves(&[(100, 10), (300, 1000), (200, 5)]);
        for (now, share) in [(99, 0), (100, 10), (200, 10), (299, 10), (300, 1000), (i64::MAX, 1000)] {
            assert_eq!(share_now(&waves, Moment(now)), share, "{now}");
        }
        assert_eq!(share_now(&[], Moment(0)), EVERYBODY);
        let next = |now| next_wave(&waves, Moment(now)).map(|wave| wave.from.0);
        assert_eq!([next(0), next(100), next(299), next(300)], [Some(100), Some(300), Some(300), None]);
    }

    #[test]
    fn each_share_holds_the_smaller_one_and_the_last_holds_everybody() {
        let count = |permille| {
            let devices = (0..20_000).map(|number| format!("02:00:5e:{number:06x}"));
            devices.filter(|id| place(id, 42) < permille).count()
        };
        assert_eq!([count(0), count(EVERYBODY)], [0, 20_000]);
        // A binomial of 20,000: four standard deviations around the share.
        for (permille, spread) in [(1_u16, 18), (10, 57), (100, 170), (500, 283)] {
            let wanted = usize::from(permille) * 20;
            assert!(count(permille).abs_diff(wanted) <= spread, "{permille}: {}", count(permille));
        }
    }

    #[test]
    fn another_release_begins_with_other_devices() {
        let first =
            |release| (0..20_000).filter(move |number| place(&format!("device-{number}"), release) < 10);
        let both = first(42).filter(|number| place(&format!("device-{number}"), 43) < 10).count();
        assert!(both < 12, "{both} of {} devices are in the first share twice", first(42).count());
    }
}
