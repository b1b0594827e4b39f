//! A naive poller for comparison: a line of cron on every device, at the same minute, that fetches a small file and, where
//! it names a new release, all of it at once; without an answer it asks again every minute.

use crate::device::{IMAGE_BYTES, Traits};
use crate::scenario::{DAY, HOUR, Scenario};
use crate::server::{HEAD_BYTES, REQUEST_BYTES};
use crate::tally::Tally;

/// Bytes of the file that names the newest release.
const NEWS_BYTES: u64 = 400;
const EVERY_SECONDS: i64 = 6 * HOUR;

/// The same fleet, release and outage, with naive pollers. The maker's halt comes as a file that names no release.
pub fn run(scenario: &Scenario, devices: u64, seed: u64) -> Tally {
    let ends = scenario.days * DAY;
    let mut tally = Tally::new(ends);
    let (release_at, _) = scenario.release.unwrap_or((i64::MAX, &[]));
    let halt = scenario.halt.unwrap_or(i64::MAX);
    for number in 0..devices {
        let traits = Traits::of(number, seed);
        tally.devices += 1;
        let mut has = false;
        let mut second = 0;
        while second < ends {
            if scenario.outage.contains(&second) {
                tally.unanswered += 1;
                second += 60;
                continue;
            }
            tally.served(second, 1, REQUEST_BYTES + HEAD_BYTES + NEWS_BYTES, 0);
            if !has && second >= release_at && second < halt {
                has = true;
                let seconds = (IMAGE_BYTES / traits.bytes_per_second) as i64;
                tally.served(second, 1, IMAGE_BYTES, seconds);
                tally.begun.entry(2).or_default().push(second);
                if !scenario.is_bad {
                    tally.kept.entry(2).or_default().push(second + seconds);
                }
            }
            second = (second / EVERY_SECONDS + 1) * EVERY_SECONDS;
        }
    }
    tally.sorted()
}
