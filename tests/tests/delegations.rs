//! Delegated roles against the whole agent: who may speak for which paths, and what happens to who may not.
#![allow(clippy::unwrap_used, reason = "a panic is the report")]

use komainu_tests::invariants::{check_all, invariant_device_settles};
use komainu_tests::repository::{Repository, key};
use komainu_tests::sim::Device;
use komainu_tests::sim::disk::{ALL_AFTERS, draft};
use serde_json::json;

const ALL: &[&str] = &["boards/gate-1/*", "images/*/*"];

/// A repository in which `gate-1` speaks for its board, and the top-level role for nothing.
fn delegating(role: &str, paths: &[&str]) -> Repository {
    let mut server = Repository::new();
    let board = key(50);
    server.delegate(role, &board, &draft(2));
    server.delegates(&[&board], &[Repository::delegation(role, &board, paths, false)]);
    server.publish_metadata();
    server
}

fn ends_with(server: Repository, release: u64) -> Device {
    let mut device = Device::new(server);
    device.run_until_quiet();
    check_all(&device);
    assert_eq!(device.running_release(), release, "{:#?}", device.log);
    device
}

fn says(device: &Device, words: &str) {
    assert!(device.log.iter().any(|line| line.contains(words)), "no `{words}` in {:#?}", device.log);
}

#[test]
fn a_delegated_role_speaks_for_its_paths() {
    let mut device = ends_with(delegating("gate-1", ALL), 2);
    // And again, with a new version of it.
    device.server.delegate("gate-1", &key(50), &draft(3));
    device.server.publish_metadata();
    device.poll_and_run();
    assert_eq!(device.running_release(), 3, "{:#?}", device.log);
    let before = device.requests;
    device.poll_and_run();
    assert_eq!(device.requests - before, 1, "nothing new is still one request");
}

#[test]
fn a_delegated_role_cannot_speak_for_other_paths() {
    let device = ends_with(delegating("gate-1", &["boards/camera-7/*", "images/*/*"]), 1);
    says(&device, "offer-nothing");
    // The manifest alone is not enough: its images are spoken for by nobody.
    let device = ends_with(delegating("gate-1", &["boards/gate-1/*"]), 1);
    says(&device, "is not among the signed targets");
}

#[test]
fn a_delegated_role_is_judged_by_its_delegators_keys() {
    let mut server = delegating("gate-1", ALL);
    server.delegate("gate-1", &key(66), &draft(2));
    server.publish_metadata();
    says(&ends_with(server, 1), "gate-1.json refused (TUF 5.6.3): 0 valid signatures of 1 needed");
}

#[test]
fn odd_role_names_are_names_like_any_other() {
    for role in ["../x", "/x", "?", "#", "a b", "日", ".", "%2e", "x/../../y"] {
        ends_with(delegating(role, ALL), 2);
    }
    for role in ["root", "timestamp", "snapshot", "targets", ""] {
        // Where such a file is taken for the top-level one, that is what refuses it.
        says(&ends_with(delegating(role, ALL), 1), " refused (TUF 5.");
    }
}

#[test]
fn the_first_role_that_lists_a_target_wins_and_a_terminating_one_ends_the_search() {
    let (first, second) = (key(50), key(51));
    let mut server = Repository::new();
    server.delegate("first", &first, &draft(2));
    server.delegate("second", &second, &draft(3));
    let both = |server: &mut Repository, terminating: bool, paths: &[&str]| {
        let roles = [
            Repository::delegation("first", &first, paths, terminating),
            Repository::delegation("second", &second, ALL, false),
        ];
        server.delegates(&[&first, &second], &roles);
        server.publish_metadata();
    };
    both(&mut server, false, ALL);
    ends_with(server.clone(), 2);
    // The first one covers other paths only: the second is asked.
    both(&mut server, true, &["boards/camera-7/*"]);
    ends_with(server.clone(), 3);
    // It covers the path, terminates the search, and lists nothing: nobody else is asked.
    server.delegate("first", &first, &{
        let mut other = draft(2);
        other.images.clear();
        other.with(json!({ "board": "camera-7" }))
    });
    server.delegates(
        &[&first, &second],
        &[
            Repository::delegation("nobody", &first, &["boards/gate-1/*"], true),
            Repository::delegation("second", &second, ALL, false),
        ],
    );
    server.delegate("nobody", &first, &draft(5));
    server.empty_delegated("nobody");
    server.publish_metadata();
    says(&ends_with(server, 1), "offer-nothing");
}

#[test]
fn a_cut_while_delegated_roles_are_fetched_is_harmless() {
    for at in 1..=8 {
        for after in ALL_AFTERS {
            let mut device = Device::new(delegating("gate-1", ALL));
            device.cut_at = Some((at, after));
            device.run_until_quiet();
            device.poll_and_run();
            check_all(&device);
            invariant_device_settles(&device);
            assert_eq!(device.running_release(), 2, "{at} {after:?}: {:#?}", device.log);
        }
    }
}
