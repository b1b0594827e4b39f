//! The power goes in every operation on every medium, then twice, for releases that are good, unhealthy and dead; what the
//! cut leaves of the operation is kept, lost, torn or mixed. At every start all invariants hold, and in the end the device
//! has settled where it should.
//!
//! `KOMAINU_CUTS=1000000 cargo test --release --test media_cuts` makes so many; a failure names what to repeat.
#![allow(clippy::unwrap_used, reason = "a panic is the report")]

use komainu_core::update::record::{TRIALS_MAX, Update};
use komainu_tests::invariants::{check_all, invariant_device_settles};
use komainu_tests::repository::Repository;
use komainu_tests::sim::disk::{ALL_AFTERS, After};
use komainu_tests::sim::flash::draft;
use komainu_tests::sim::medium::MediumKind;
use komainu_tests::sim::{Behaves, Device};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Cuts on each medium, where nothing else is asked for.
const CUTS: u64 = 2_500;
const STORIES: [(Behaves, u64); 3] = [(Behaves::Well, 2), (Behaves::Unhealthy, 1), (Behaves::Crashes, 1)];

/// Two cuts: the first in that operation, the second so many operations after the start that follows.
type Cuts = [Option<(u64, After)>; 2];

fn run(kind: MediumKind, (behaves, ends_with): (Behaves, u64), seed: u64, [first, second]: Cuts) -> Device {
    let mut server = Repository::new();
    server.publish(&draft(2));
    let mut device = Device::on(kind, seed, server);
    device.remembers_offer = true;
    device.behaves.push((2, behaves));
    (device.cut_at, device.cut_next) = (first, second);
    device.run_until_quiet();
    device.poll_and_run();
    (device.cut_at, device.cut_next) = (None, None);
    // Pauses between trials end with polls.
    for _ in 0..12 {
        if is_done(&device) {
            break;
        }
        device.poll_and_run();
    }
    check_all(&mut device);
    invariant_device_settles(&device);
    assert_eq!(device.running_release(), ends_with, "{:#?}", device.log);
    device
}

/// Nothing is under way, and the release has had its trials.
fn is_done(device: &Device) -> bool {
    let record = device.record_on_disk().unwrap();
    let tried = device.running_release() == 2 || record.times_failed(2) >= TRIALS_MAX;
    tried && record.update == Update::Idle
}

/// The cuts of number `n`: all first cuts without a second, then all pairs.
fn cuts(n: u64, changes: u64) -> Cuts {
    let (n, first) = (n / changes, 1 + n % changes);
    let (n, after) = (n / 4, ALL_AFTERS[(n % 4) as usize]);
    let second = n.checked_sub(1).map(|n| (1 + n / 4, ALL_AFTERS[(n % 4) as usize]));
    [Some((first, after)), second]
}

fn cut_everywhere(kind: MediumKind) {
    let wanted = std::env::var("KOMAINU_CUTS").map_or(CUTS, |all| all.parse::<u64>().unwrap() / 5);
    let mut tried = 0;
    for (number, story) in STORIES.into_iter().enumerate() {
        let changes = run(kind, story, 1, [None, None]).changes;
        let share = wanted / 3 + u64::from(number == 0) * (wanted % 3);
        for n in 0..share {
            let cuts = cuts(n, changes);
            let ran = catch_unwind(AssertUnwindSafe(|| run(kind, story, n + 1, cuts)));
            assert!(ran.is_ok(), "run({kind:?}, {story:?}, {}, {cuts:?})", n + 1);
            tried += 1 + u64::from(cuts[1].is_some());
        }
    }
    println!("power cuts tried: {tried}, bricks: 0 (in the operations on {kind:?})");
}

#[test]
fn a_cut_in_any_operation_on_a_block_device_is_harmless() {
    cut_everywhere(MediumKind::Block);
}

#[test]
fn a_cut_in_any_operation_on_nor_is_harmless() {
    cut_everywhere(MediumKind::Nor);
}

#[test]
fn a_cut_in_any_operation_on_nand_is_harmless() {
    cut_everywhere(MediumKind::Nand);
}

#[test]
fn a_cut_in_any_operation_on_a_dynamic_ubi_volume_is_harmless() {
    cut_everywhere(MediumKind::UbiDynamic);
}

#[test]
fn a_cut_in_any_operation_on_a_static_ubi_volume_is_harmless() {
    cut_everywhere(MediumKind::UbiStatic);
}
