//! Delegated roles against the whole agent: the paths that a role may sign for, and the refusal of all others.
#![allow(clippy::unwrap_used, reason = "a panic is the report")]

use ed25519_dalek::SigningKey;
use komainu_tests::invariants::{check_all, invariant_device_settles};
use komainu_tests::repository::{Repository, TODAY, key, sha256, sign};
use komainu_tests::sim::Device;
use komainu_tests::sim::disk::ALL_AFTERS;
use komainu_tests::sim::flash::draft;
use komainu_trust::TrustFault;
use komainu_trust::delegations::Found;
use komainu_trust::refresh::{Ask, drive};
use komainu_trust::trusted::{Clock, Stored};
use serde_json::{Value, json};

const ALL: &[&str] = &["boards/gate-1/*", "images/*/*"];

/// A repository in which `gate-1` signs for its board, and the top-level role for nothing.
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
    check_all(&mut device);
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
    // The manifest alone is not enough: no role signs for its images.
    let device = ends_with(delegating("gate-1", &["boards/gate-1/*"]), 1);
    says(&device, "is not among the signed targets");
}

#[test]
fn a_delegated_role_is_judged_by_its_delegators_keys() {
    let mut server = delegating("gate-1", ALL);
    server.delegate("gate-1", &key(66), &draft(2));
    server.publish_metadata();
    says(&ends_with(server, 1), "gate-1.json version 3 refused (TUF 5.6.3): 0 valid signatures of 1 needed");
}

/// `a` and `b` may both delegate to `c`, each with keys of its own; `c` lists a release and delegates no further.
fn c_under_a_and_b(signs_c: &SigningKey, a_names: &SigningKey, b_names: &SigningKey) -> Repository {
    let (a, b) = (key(51), key(52));
    let mut server = Repository::new();
    for name in ["a", "b"] {
        server.delegate(name, if name == "a" { &a } else { &b }, &draft(2));
        server.empty_delegated(name);
    }
    server.delegate("c", signs_c, &draft(2));
    let child = |key: &SigningKey, paths| {
        Repository::delegations(&[key], &[Repository::delegation("c", key, paths, false)])
    };
    server.delegated_delegations.insert("a".into(), child(a_names, &["images/*/*"]));
    server.delegated_delegations.insert("b".into(), child(b_names, &["boards/gate-1/*"]));
    server.delegates(
        &[&a, &b],
        &[
            Repository::delegation("a", &a, &["images/*/*"], false),
            Repository::delegation("b", &b, &["boards/gate-1/*"], false),
        ],
    );
    server.publish_metadata();
    server
}

#[test]
fn a_role_cached_under_one_delegator_is_not_trusted_for_another() {
    let (one, other) = (key(60), key(61));
    // Both name the same key: `c` signs for the manifest through `b` and for the images through `a`.
    ends_with(c_under_a_and_b(&one, &one, &one), 2);
    // `c` is signed by the key that `a` names. Its list is not believed on the path through `b`, and the other way
    // round: one acceptance does not count on the other path.
    says(&ends_with(c_under_a_and_b(&one, &one, &other), 1), "c.json version 2 refused (TUF 5.6.3): 0 valid");
    says(&ends_with(c_under_a_and_b(&one, &other, &one), 1), "c.json version 2 refused (TUF 5.6.3): 0 valid");
}

#[test]
fn a_role_is_known_by_the_whole_path_of_delegations_to_it() {
    // `b` stands under the top for paths in x, and under `a`, with another key, for paths in y. A mirror shows two
    // files of that name, and a `c` whose key only the first of them names.
    let [a, b_of_top, b_of_a, c_of_first, c_of_second] = [51, 52, 53, 54, 55].map(key);
    let role = |signs: &SigningKey, targets: Value, below: Option<(&str, &SigningKey, &[&str])>| {
        let delegations = below.map(|(name, key, paths)| {
            Repository::delegations(&[key], &[Repository::delegation(name, key, paths, false)])
        });
        let mut signed = json!({ "_type": "targets", "spec_version": "1.0.34", "version": 2,
            "expires": TODAY.plus_seconds(86_400).to_string(), "targets": targets });
        if let Some(delegations) = delegations {
            signed["delegations"] = delegations;
        }
        sign(&signed, &[signs])
    };
    let listed = json!({ "y/firmware": { "length": 1, "hashes": { "sha256": sha256(b"!") } } });
    let first_b = role(&b_of_top, json!({}), Some(("c", &c_of_first, &["x/*", "y/*"])));
    let second_b = role(&b_of_a, json!({}), Some(("c", &c_of_second, &["y/*"])));
    let forged_c = role(&c_of_first, listed, None);

    let mut server = Repository::new();
    for name in ["a", "b", "c"] {
        server.delegate(name, &a, &draft(2));
        server.empty_delegated(name);
    }
    let to_b = Repository::delegations(&[&b_of_a], &[Repository::delegation("b", &b_of_a, &["y/*"], false)]);
    server.delegated_delegations.insert("a".into(), to_b);
    let by_top = [
        Repository::delegation("b", &b_of_top, &["x/*"], false),
        Repository::delegation("a", &a, &["y/*"], false),
    ];
    server.delegates(&[&a, &b_of_top], &by_top);
    server.publish_metadata();

    let stored = Stored { root: server.shipped_root(), ..Stored::default() };
    let clock = Clock { system: TODAY, built: TODAY };
    let fetch = |ask: &Ask| Ok::<_, TrustFault>(server.metadata.get(&ask.name).cloned());
    let mut trusted = drive(stored, clock, fetch, |_, _| Ok(())).unwrap();
    let mut give = |path: &str, name: &str, bytes: &[u8]| {
        let Found::Wanted(wanted) = trusted.find(path).unwrap() else { panic!("{name} is not wanted") };
        assert_eq!(wanted.role, name);
        trusted.give_delegated(&wanted, Some(bytes))
    };
    give("x/nothing", "b", &first_b).unwrap();
    give("x/nothing", "c", &forged_c).unwrap();
    give("y/firmware", "a", &server.metadata["2.a.json"]).unwrap();
    give("y/firmware", "b", &second_b).unwrap();
    let refusal = give("y/firmware", "c", &forged_c).unwrap_err().to_string();
    assert!(refusal.starts_with("c.json version 2 refused (TUF 5.6.3): 0 valid signatures"), "{refusal}");
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
    // It covers the path, terminates the search, and lists nothing: no other role is asked.
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
fn a_bracket_in_a_pattern_is_a_set_and_no_other_role_gets_the_file() {
    ends_with(delegating("gate-1", &["boards/[f-h]ate-[!0]/*", "images/*/*"]), 2);
    says(&ends_with(delegating("gate-1", &["boards/[f-h]ate-[!1]/*", "images/*/*"]), 1), "offer-nothing");
    // The terminating role covers the path by its set and lists nothing: the one behind it may not speak.
    let (first, second) = (key(50), key(51));
    let mut server = Repository::new();
    server.delegate("first", &first, &draft(2));
    server.empty_delegated("first");
    server.delegate("second", &second, &draft(3));
    server.delegates(
        &[&first, &second],
        &[
            Repository::delegation("first", &first, &["boards/[a-m]*/*"], true),
            Repository::delegation("second", &second, ALL, false),
        ],
    );
    server.publish_metadata();
    says(&ends_with(server, 1), "offer-nothing");
}

#[test]
fn a_key_of_an_unknown_kind_beside_a_good_one_stands_in_nobodys_way() {
    for odd in
        [json!("no key"), json!(null), json!({ "keytype": "x", "scheme": "x", "keyval": { "public": 7 } })]
    {
        let mut server = delegating("gate-1", ALL);
        let delegations = server.delegations.as_mut().unwrap();
        delegations["keys"]["0d"] = odd;
        delegations["roles"][0]["keyids"].as_array_mut().unwrap().push(json!("0d"));
        server.publish_metadata();
        ends_with(server, 2);
    }
}

#[test]
fn a_cut_while_delegated_roles_are_fetched_is_harmless() {
    for at in 1..=8 {
        for after in ALL_AFTERS {
            let mut device = Device::new(delegating("gate-1", ALL));
            device.cut_at = Some((at, after));
            device.run_until_quiet();
            device.poll_and_run();
            check_all(&mut device);
            invariant_device_settles(&device);
            assert_eq!(device.running_release(), 2, "{at} {after:?}: {:#?}", device.log);
        }
    }
}
