//! The power goes at every changing call of an update, then twice, then during the rollback; unsynced writes are
//! kept, lost, torn or arrive out of order. At every start all invariants hold, and in the end the device has settled
//! where it should. Prints the number of cuts.
#![allow(clippy::unwrap_used, reason = "a panic is the report")]

use komainu_tests::invariants::{
    check_all, invariant_device_settles, invariant_failed_trials_are_never_forgotten,
};
use komainu_tests::repository::Repository;
use komainu_tests::sim::disk::{ALL_AFTERS, After};
use komainu_tests::sim::flash::draft;
use komainu_tests::sim::{Behaves, Device};

/// The wanted end of a story.
struct Story {
    name: &'static str,
    behaves: Behaves,
    ends_with: u64,
}

const STORIES: [Story; 4] = [
    Story { name: "a good release", behaves: Behaves::Well, ends_with: 2 },
    Story { name: "a release that fails its health check", behaves: Behaves::Unhealthy, ends_with: 1 },
    Story { name: "a release that never becomes good", behaves: Behaves::NeverGood, ends_with: 1 },
    Story { name: "a release that does not start", behaves: Behaves::Crashes, ends_with: 1 },
];

fn device(story: &Story) -> Device {
    let mut server = Repository::new();
    server.publish(&draft(2));
    let mut device = Device::new(server);
    device.remembers_offer = true;
    device.behaves.push((2, story.behaves));
    device
}

fn run(story: &Story, cuts: &[(u64, After)]) -> Device {
    let mut device = device(story);
    let mut waiting = cuts.iter();
    device.cut_at = waiting.next().copied();
    device.run_until_quiet();
    for &(after_changes, after) in waiting {
        device.cut_at = Some((device.changes + after_changes, after));
        device.poll_and_run();
    }
    device.cut_at = None;
    device.poll_and_run();
    check_all(&mut device);
    invariant_device_settles(&device);
    ends_as_told(&device, story);
    assert_eq!(device.owners.format, story.ends_with, "{}, cuts {cuts:?}: {:#?}", story.name, device.log);
    assert_eq!(device.running_release(), story.ends_with, "{}, cuts {cuts:?}: {:#?}", story.name, device.log);
    device
}

fn ends_as_told(device: &Device, story: &Story) {
    if story.ends_with == 1 {
        invariant_failed_trials_are_never_forgotten(device, 2);
    }
}

fn changes_of(story: &Story) -> u64 {
    run(story, &[]).changes
}

#[test]
fn a_cut_at_every_changing_call_is_harmless() {
    let mut cuts = 0;
    for story in &STORIES {
        for at in 1..=changes_of(story) {
            for after in ALL_AFTERS {
                run(story, &[(at, after)]);
                cuts += 1;
            }
        }
    }
    println!("power cuts tried: {cuts}, bricks: 0 (one cut at every changing call)");
}

#[test]
fn a_second_cut_while_the_first_is_mended_is_harmless() {
    let mut cuts = 0;
    for story in &STORIES {
        for at in 1..=changes_of(story) {
            // The second cut falls at every one of the next changing calls, counted from the start.
            for later in 1..=12 {
                let (first, second) = (ALL_AFTERS[(at % 4) as usize], ALL_AFTERS[(later % 4) as usize]);
                cuts += run_cut_again(story, at, first, later, second);
            }
        }
    }
    println!("power cuts tried: {cuts}, bricks: 0 (two cuts, the second while the first is mended)");
}

/// Cuts at `at`, and again `later` changing calls after the start that follows.
fn run_cut_again(story: &Story, at: u64, first: After, later: u64, second: After) -> u64 {
    let mut device = device(story);
    device.cut_at = Some((at, first));
    device.cut_next = Some((later, second));
    device.run_until_quiet();
    let happened = 2 - u64::from(device.cut_next.is_some()) - u64::from(device.cut_at.is_some());
    (device.cut_at, device.cut_next) = (None, None);
    device.poll_and_run();
    check_all(&mut device);
    invariant_device_settles(&device);
    ends_as_told(&device, story);
    let ended = device.running_release();
    assert_eq!(device.owners.format, story.ends_with, "{} {at} {later}: {:#?}", story.name, device.log);
    assert_eq!(ended, story.ends_with, "{} {at} {first:?} {later} {second:?}: {:#?}", story.name, device.log);
    happened
}

#[test]
fn ten_cuts_in_normal_service_lose_nothing() {
    let mut device = run(&STORIES[0], &[]);
    for _ in 0..10 {
        device.pull_the_plug(After::Lost);
        device.run_until_quiet();
    }
    assert_eq!(device.running_release(), 2);
    invariant_device_settles(&device);
}

#[test]
fn cuts_in_three_turns_running_are_harmless() {
    for at in [3, 9, 17, 23] {
        run(&STORIES[0], &[(at, After::Torn), (2, After::Mixed), (3, After::Lost)]);
        run(&STORIES[1], &[(at, After::Mixed), (1, After::Torn), (4, After::Kept)]);
    }
}
