//! Years of a device's life, drawn from a seed: good and bad releases, power cuts, wrong clocks, broken servers, rotting
//! flash, lost records. The invariants hold at every start, and in the end the device takes the next good release.
//!
//! `KOMAINU_LIVES=1000..3000 cargo test --test years` lives other lives; a failure names its seed.
#![allow(clippy::unwrap_used, reason = "a panic is the report")]

use komainu_tests::invariants::{check_all, invariant_device_settles};
use komainu_tests::repository::{Repository, TODAY};
use komainu_tests::sim::disk::ALL_AFTERS;
use komainu_tests::sim::flash::{RELEASES_MAX, draft};
use komainu_tests::sim::medium::ALL_MEDIA;
use komainu_tests::sim::{Behaves, Device};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

const DAY: i64 = 86_400;
/// A life ends after so many months, or when the releases are used up.
const MONTHS: u32 = 36;

/// Numbers that follow from a seed (xorshift64*).
struct Lot(u64);

impl Lot {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit
    }

    fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }
}

/// What happened in some lives.
#[derive(Default)]
struct Tally {
    months: u32,
    releases: u64,
    cuts: u64,
}

/// Makes the server's metadata last for two months from the true time on.
fn sign_again(device: &mut Device, days: i64) {
    device.server.expires = TODAY.plus_seconds((days + 60) * DAY);
    device.server.publish_root();
    device.server.publish_metadata();
}

/// One month: perhaps a release, perhaps misfortune.
fn live_a_month(device: &mut Device, lot: &mut Lot, days: i64, newest: &mut u64, tally: &mut Tally) {
    sign_again(device, days);
    if lot.one_in(2) && *newest + 2 < RELEASES_MAX {
        *newest += 1;
        let behaves =
            lot.of(&[Behaves::Well, Behaves::Well, Behaves::Unhealthy, Behaves::NeverGood, Behaves::Crashes]);
        device.behaves.push((*newest, behaves));
        device.server.publish(&draft(*newest));
        tally.releases += 1;
    }
    if lot.one_in(4) {
        device.broken_pieces = lot.below(9) as u32;
    }
    if lot.one_in(6) {
        device.rot_after_syncs = Some(lot.below(6) as u32);
    }
    if lot.one_in(6) {
        let years = lot.of(&[-40, -1, 1, 30]);
        device.clock_jump_at = Some((device.calls + 1 + lot.below(60), years * 365 * DAY));
    }
    if lot.one_in(12) {
        device.disk.lose_newest_record();
    }
    if !lot.one_in(3) {
        device.cut_at = Some((device.changes + 1 + lot.below(80), lot.of(&ALL_AFTERS)));
        device.cut_next = lot.one_in(2).then(|| (1 + lot.below(30), lot.of(&ALL_AFTERS)));
    }
    let planned = u64::from(device.cut_at.is_some()) + u64::from(device.cut_next.is_some());
    device.poll_and_run();
    let waiting = u64::from(device.cut_at.take().is_some()) + u64::from(device.cut_next.take().is_some());
    tally.cuts += planned - waiting.min(planned);
    (device.broken_pieces, device.rot_after_syncs, device.clock_jump_at) = (0, None, None);
    if lot.one_in(3) {
        device.pull_the_plug(lot.of(&ALL_AFTERS));
        tally.cuts += 1;
        device.run_until_quiet();
    }
    check_all(device);
}

fn live(seed: u64, tally: &mut Tally) {
    let mut lot = Lot(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut server = Repository::new();
    server.publish(&draft(1));
    let kind = lot.of(&ALL_MEDIA);
    let mut device = Device::on(kind, seed, server);
    let (mut days, mut newest) = (0, 1);
    device.run_until_quiet();
    for _ in 0..MONTHS {
        live_a_month(&mut device, &mut lot, days, &mut newest, tally);
        days += 30;
        tally.months += 1;
        // Time servers put the clock right, most of the time.
        if !lot.one_in(5) {
            device.system_clock = TODAY.plus_seconds(days * DAY);
        }
    }
    device.system_clock = TODAY.plus_seconds(days * DAY);
    sign_again(&mut device, days);
    device.server.publish(&draft(newest + 1));
    for _ in 0..3 {
        device.poll_and_run();
        device.pass(2 * 3600);
    }
    check_all(&mut device);
    invariant_device_settles(&device);
    let log = &device.log[device.log.len().saturating_sub(40)..];
    assert_eq!(device.running_release(), newest + 1, "the last release is not taken: {log:#?}");
}

fn live_all(seeds: Range<u64>) {
    let mut tally = Tally::default();
    let lives = seeds.end - seeds.start;
    for seed in seeds {
        let lived = catch_unwind(AssertUnwindSafe(|| live(seed, &mut tally)));
        assert!(lived.is_ok(), "the life with seed {seed} ended badly: KOMAINU_LIVES={seed}..{}", seed + 1);
    }
    println!(
        "lives: {lives}, years: {}, releases: {}, power cuts: {}, bricks: 0",
        tally.months / 12,
        tally.releases,
        tally.cuts
    );
}

#[test]
fn a_device_lives_for_years_and_takes_the_next_good_release() {
    let range = std::env::var("KOMAINU_LIVES").unwrap_or_else(|_| "1..25".into());
    let (from, to) = range.split_once("..").expect("KOMAINU_LIVES=FROM..TO");
    live_all(from.parse().unwrap()..to.parse().unwrap());
}
