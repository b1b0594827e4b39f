//! The properties of a roll-out, on a small fleet: each is a sentence about every device.

use crate::device::Traits;
use crate::naive;
use crate::scenario::{DAY, HOUR, Scenario, WAVES};
use crate::tally::Tally;
use komainu_core::update::waves::place;

const DEVICES: u64 = 4000;
const SEED: u64 = 7;

fn run(scenario: &Scenario) -> Tally {
    scenario.run(DEVICES, SEED, 2)
}

fn rolled_out() -> Scenario {
    Scenario { release: Some((DAY, WAVES)), ..Scenario::default() }
}

/// How many devices belong to a share of the fleet.
fn members(permille: u16) -> u64 {
    (0..DEVICES).filter(|number| place(&Traits::of(*number, SEED).id, 2) < permille).count() as u64
}

#[test]
fn no_device_comes_before_its_wave_and_none_is_left_behind_after_the_last() {
    let tally = run(&rolled_out());
    let begun = &tally.begun[&2];
    assert_eq!(begun.len() as u64, DEVICES, "each begins once");
    assert_eq!(tally.kept_count(2), DEVICES);
    for pair in WAVES.windows(2) {
        let [(_, permille), (next, _)] = pair else { unreachable!("windows of two") };
        let before = begun.iter().filter(|second| **second < DAY + next).count() as u64;
        assert!(before <= members(*permille), "{before} began before {next} s, of {}", members(*permille));
    }
    assert!(begun[0] >= DAY);
    // Two polls after its wave a device with a clock has begun; one without a clock waits for the night's timestamp.
    let (last, _) = WAVES[WAVES.len() - 1];
    let latest = begun[begun.len() - 1] - DAY - last;
    assert!(latest <= DAY + 2 * 8 * HOUR, "the last device began {latest} s after the last wave");
}

#[test]
fn a_halt_in_the_first_wave_reaches_all_others() {
    let bad = Scenario { is_bad: true, ..rolled_out() };
    let halted = run(&Scenario { halt: Some(DAY + 12 * HOUR), ..bad.clone() });
    assert!(halted.begun_count(2) <= members(10), "{} began", halted.begun_count(2));
    assert!(halted.begun_count(2) * 100 <= 2 * DEVICES);
    assert_eq!(halted.kept_count(2), 0);
    // A halt as the second wave begins: what has asked before it is all that begins.
    let late = run(&Scenario { halt: Some(2 * DAY + 60), ..bad.clone() });
    let (asked, rest) = (late.begun_count(2).saturating_sub(members(10)), DEVICES - members(10));
    assert!(asked * 100 <= rest, "{asked} of {rest} began after the halt");
    // Without one, every device tries it.
    assert_eq!(run(&bad).begun_count(2), DEVICES);
}

#[test]
fn a_bad_release_is_tried_at_most_three_times_by_a_device() {
    let tally = run(&Scenario { is_bad: true, ..rolled_out() });
    assert!(tally.failed_trials <= 3 * DEVICES, "{}", tally.failed_trials);
    assert!(tally.failed_trials >= DEVICES);
}

#[test]
fn a_device_asks_at_most_four_times_a_day() {
    let tally = run(&Scenario { days: 14, ..Scenario::default() });
    assert!(tally.requests_per_device_day() <= 4.0, "{}", tally.requests_per_device_day());
    assert!(tally.idle_bytes <= 1024 * tally.idle_polls);
}

#[test]
fn no_herd_comes_back_after_an_outage() {
    let dark = Scenario { days: 4, outage: 2 * DAY..2 * DAY + 6 * HOUR, ..Scenario::default() };
    let (ours, naive) = (run(&dark), naive::run(&dark, DEVICES, SEED));
    let back = (2 * DAY + 6 * HOUR) / crate::tally::BIN_SECONDS;
    let busiest = |tally: &Tally| tally.requests[back as usize..].iter().max().copied().unwrap_or(0);
    assert!(busiest(&naive) >= DEVICES, "{}", busiest(&naive));
    // Waits that double are spread over ten octaves, each of which brings as many requests as a quiet day has.
    assert!(busiest(&ours) * 8 <= DEVICES, "{} of {DEVICES} devices asked in five minutes", busiest(&ours));
    assert!(ours.unanswered <= 12 * DEVICES, "{} attempts", ours.unanswered);
}

#[test]
fn one_seed_gives_one_result_for_any_number_of_threads() {
    let scenario = Scenario { days: 3, ..rolled_out() };
    let [one, three] = [1, 3].map(|threads| scenario.run(500, SEED, threads));
    assert_eq!((one.requests, one.bytes, one.begun), (three.requests, three.bytes, three.begun));
}
