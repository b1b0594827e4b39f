//! A scenario: a fleet, what its maker does, and how long it is watched. Devices are independent of each other, so that
//! threads share them out; the result is the same for any number of threads.

use crate::device::{Device, Traits};
use crate::server::{Deed, Server, Waves};
use crate::tally::Tally;
use komainu_core::firewall::table::Traffic;
use komainu_core::identifiers::{Name, ReleaseId, Version};
use komainu_core::local_time::TimeZone;
use komainu_core::settings::{ConfirmBy, FirewallSettings, Settings, StartCount};
use komainu_trust::Moment;
use std::ops::Range;
use std::thread;

pub const DAY: i64 = 86_400;
pub const HOUR: i64 = 3600;
/// 2026-12-01, midnight in UTC.
const BEGINS: Moment = Moment(1_796_083_200);

/// One per cent, ten, half, all: within a week.
pub const WAVES: Waves = &[(0, 10), (DAY, 100), (3 * DAY, 500), (5 * DAY, 1000)];
/// The waves that Bottlerocket ships as its default, in the same words.
pub const BOTTLEROCKET: Waves = &[(HOUR, 10), (4 * HOUR, 50), (DAY, 100), (3 * DAY, 250), (6 * DAY, 1000)];

/// The events in the life of a fleet, and the time for which it is watched.
#[derive(Clone)]
pub struct Scenario {
    pub days: i64,
    /// The second and the waves of release 2, if it comes.
    pub release: Option<(i64, Waves)>,
    /// Release 2 never becomes good.
    pub is_bad: bool,
    pub halt: Option<i64>,
    pub outage: Range<i64>,
    /// Every device is switched on in the same minute, as after a power cut.
    pub all_at_once: bool,
}

impl Default for Scenario {
    fn default() -> Scenario {
        Scenario { days: 10, release: None, is_bad: false, halt: None, outage: 0..0, all_at_once: false }
    }
}

/// The settings as a device is shipped with them.
pub fn settings() -> Settings {
    Settings {
        board: Name::parse(crate::repository::BOARD).expect("a plain word"),
        channel: Name::parse(crate::repository::CHANNEL).expect("a plain word"),
        device_id: String::new(),
        own_release: Some(ReleaseId { number: 1, version: Version::parse("1.1").expect("a version") }),
        poll_seconds: 7 * 3600,
        first_poll_within_seconds: 300,
        full_refresh_seconds: 2 * 86_400,
        trial_seconds: 600,
        soak_seconds: 300,
        boot_tries: 3,
        start_count: StartCount::Seen,
        confirm_by: ConfirmBy::Health,
        checkpoint_bytes: 16 << 20,
        postpone_days_max: 7,
        postpone_critical_days_max: 1,
        time_zone: TimeZone::default(),
        restart_window: None,
        download_window: None,
        month_bytes_max: 0,
        restart_after_reset: true,
        firewall: FirewallSettings { traffic: Traffic::default(), ..FirewallSettings::default() },
    }
}

impl Scenario {
    /// The maker's deeds: release 1 before the beginning, a timestamp where the nightly renewal would sign one (halfway
    /// through its week, or after a wave began), and the rest of the scenario.
    fn server(&self) -> Server {
        let mut deeds = vec![(-10 * DAY, Deed::Release { number: 1, waves: &[] })];
        let mut last = -10 * DAY;
        let wave_began = |from: i64, to: i64| {
            let waves = self.release.iter().flat_map(|(at, waves)| waves.iter().map(move |wave| at + wave.0));
            waves.into_iter().any(|wave| from < wave && wave <= to)
        };
        for night in -9..self.days {
            let at = night * DAY + 3 * HOUR + 17 * 60;
            if at - last > 7 * DAY / 2 || wave_began(last, at) {
                deeds.push((at, Deed::Renew));
                last = at;
            }
        }
        if let Some((at, waves)) = self.release {
            deeds.push((at, Deed::Release { number: 2, waves }));
        }
        deeds.extend(self.halt.map(|at| (at, Deed::Halt { number: 2 })));
        deeds.sort_by_key(|(at, _)| *at);
        Server::new(BEGINS, &deeds, self.outage.clone(), &settings())
    }

    /// Lets so many devices live through it.
    pub fn run(&self, devices: u64, seed: u64, threads: u64) -> Tally {
        let server = self.server();
        let bad_release = if self.is_bad { 2 } else { 0 };
        let ends = self.days * DAY;
        let share = |thread: u64| {
            let mut tally = Tally::new(ends);
            let mut settings = settings();
            for number in (thread..devices).step_by(threads as usize) {
                let mut traits = Traits::of(number, seed);
                if self.all_at_once {
                    traits.on_since = 0;
                }
                settings.device_id.clone_from(&traits.id);
                Device::new(&server, &settings, &traits, BEGINS, bad_release).live(ends, &mut tally);
            }
            tally
        };
        let mut sum = Tally::new(ends);
        thread::scope(|scope| {
            let share = &share;
            let running: Vec<_> = (0..threads).map(|thread| scope.spawn(move || share(thread))).collect();
            for thread in running {
                sum.add(&thread.join().expect("a device broke down"));
            }
        });
        sum.sorted()
    }
}
