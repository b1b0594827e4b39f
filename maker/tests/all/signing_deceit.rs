//! Signing requests that were made to deceive: nothing is signed that the signer is not shown.

use super::device::{NOW, Place};
use super::signing::{connected, edit, finish, in_words, judged, renewal, sign, try_sign};
use komainu_maker::keys::PrivateKey;
use komainu_maker::public_key::KeyType;
use komainu_maker::sign::signer_state::Seen;
use komainu_maker::sign::signing_request::Request;
use serde_json::{Value, json};
use std::process::Command;

const STABLE: &str = "boards/gate-1/stable.json";

type Edit<'a> = &'a dyn Fn(&mut Value);

fn refusal(place: &Place, file: &[u8], medium: &str) -> String {
    format!("{:#}", try_sign(place, file, medium).map(|_| ()).expect_err("it was signed"))
}

fn signed<'a>(request: &'a mut Value, name: &str) -> &'a mut Value {
    &mut request["metadata"][name]["signed"]
}

#[test]
fn a_key_that_was_swapped_under_its_old_identifier_is_refused() {
    let place = Place::new();
    let mut workshop = connected(&place);
    let file = workshop.request_keys(&renewal(), NOW).unwrap().to_bytes();
    let thief = PrivateKey::generate(KeyType::Ed25519).unwrap().public();
    for role in ["root", "targets", "snapshot", "timestamp"] {
        let swaps: [Edit<'_>; 4] = [
            &|key| key["keyval"]["public"] = thief.public.clone().into(),
            &|key| key["keytype"] = "ecdsa".into(),
            &|key| key["scheme"] = "rsassa-pss-sha256".into(),
            &|key| key["keyval"]["private"] = "and a field that reading passes over".into(),
        ];
        for swap in swaps {
            let swapped = edit(&file, |v| {
                let root = signed(v, "2.root.json");
                let id = root["roles"][role]["keyids"][0].as_str().unwrap().to_owned();
                swap(&mut root["keys"][&id]);
            });
            assert_ne!(file, swapped);
            let fault = refusal(&place, &swapped, "root-1");
            assert!(
                fault.contains("is another key than the one of that identifier in force"),
                "{role}: {fault}"
            );
        }
    }
    sign(&place, &file, "root-1");
}

#[test]
fn a_root_with_anything_that_is_not_shown_is_refused() {
    let place = Place::new();
    let mut workshop = connected(&place);
    let file = workshop.request_keys(&renewal(), NOW).unwrap().to_bytes();
    let stranger = PrivateKey::generate(KeyType::Ed25519).unwrap();
    let key = json!({ "keytype": "ed25519", "scheme": "ed25519", "keyval": { "public": stranger.public().public } });
    let changes: [(Edit<'_>, &str); 5] = [
        (&|root| root["keys"][stranger.key_id()] = key.clone(), "no role has key"),
        (&|root| root["keys"]["00"] = key.clone(), "no role has key 00"),
        (&|root| root["mirrors"] = json!([]), "fields that this komainu-maker does not know"),
        (&|root| root["roles"]["targets"]["also"] = 1.into(), "fields that this komainu-maker does not know"),
        (&|root| root["roles"]["mirrors"] = json!({}), "fields that this komainu-maker does not know"),
    ];
    for (change, says) in changes {
        let changed = edit(&file, |v| change(signed(v, "2.root.json")));
        let fault = refusal(&place, &changed, "root-1");
        assert!(fault.contains(says), "{says}: {fault}");
    }
    let changed = edit(&file, |v| signed(v, "2.root.json")["spec_version"] = "1.99.0".into());
    assert!(in_words(&place, &changed).contains("spec_version changes to"));
}

#[test]
fn a_second_targets_file_is_not_signed_behind_the_first() {
    let place = Place::new();
    let mut workshop = connected(&place);
    workshop.add_release(&place.draft("1")).unwrap();
    let file = workshop.request_targets(NOW).unwrap().to_bytes();
    let doubled = |role: &str, version: u64| {
        edit(&file, |v| {
            let mut second = v["metadata"]["2.targets.json"].clone();
            second["signed"]["version"] = version.into();
            v["metadata"][format!("{version}.{role}.json")] = second;
        })
    };
    let fault = refusal(&place, &doubled("targets", 3), "targets-1");
    assert!(fault.contains("besides another file of that role"), "{fault}");
    // Only the file that was judged is signed, without the later insertion.
    let clean = judged(&place, &Request::read(&file).unwrap()).unwrap();
    let mut changed = Request::read(&doubled("targets", 3)).unwrap();
    let media = [place.path("media/targets-1")];
    let look = || {
        komainu_maker::keyring::KeyRing::look(&media, komainu_maker::passphrase::Passphrases::none()).unwrap()
    };
    assert_eq!(changed.sign(&clean, &mut look()).unwrap()[0].0, "2.targets.json");
    let written: Value = serde_json::from_slice(&changed.to_bytes()).unwrap();
    assert_eq!(written["metadata"]["3.targets.json"]["signatures"], json!([]));
    let later = edit(&file, |v| signed(v, "2.targets.json")["expires"] = "2099-01-01T00:00:00Z".into());
    let fault = Request::read(&later).unwrap().sign(&clean, &mut look()).unwrap_err().to_string();
    assert!(fault.contains("is not what was judged"), "{fault}");
}

/// Requests for release 1, release 2 and a renewal; the first two were signed and published.
fn three_requests(place: &Place) -> [Vec<u8>; 3] {
    let mut workshop = connected(place);
    let mut published = |version: &str| {
        workshop.add_release(&place.draft(version)).unwrap();
        let file = workshop.request_targets(NOW).unwrap().to_bytes();
        finish(&mut workshop, &sign(place, &file, "targets-1")).unwrap();
        file
    };
    let (first, second) = (published("1"), published("2"));
    [first, second, workshop.request_targets(NOW).unwrap().to_bytes()]
}

/// The renewal with the releases of an older request in it.
fn rollback(third: &[u8], older: &[u8]) -> Vec<u8> {
    let older: Value = serde_json::from_slice(older).unwrap();
    edit(third, |v| {
        let targets = older["metadata"]["2.targets.json"]["signed"]["targets"].clone();
        signed(v, "4.targets.json")["targets"] = targets;
        v["manifests"] = older["manifests"].clone();
    })
}

#[test]
fn an_older_published_targets_file_is_no_base_to_compare_with() {
    let place = Place::new();
    let [first, second, third] = three_requests(&place);
    assert!(in_words(&place, &third).contains("no release changes; it is renewed"));
    let published: Value = serde_json::from_slice(&second).unwrap();
    // Published is version 3; the request calls version 2 published and asks for version 4 with its releases.
    let back = edit(&rollback(&third, &first), |v| v["targets"] = published["targets"].clone());
    let fault = refusal(&place, &back, "targets-1");
    assert!(fault.contains("it calls targets version 2 published, but version 3 was signed"), "{fault}");
    // Even a clean request is only as good as its base.
    let fault = refusal(&place, &edit(&third, |v| v["targets"] = published["targets"].clone()), "targets-1");
    assert!(fault.contains("it calls targets version 2 published"), "{fault}");
    // A signer without a memory is told so, first of all.
    std::fs::remove_file(place.path("seen.json")).unwrap();
    let words = in_words(&place, &back);
    assert!(words.starts_with("THE CHANGES BEFORE TARGETS VERSION 4 ARE NOT KNOWN HERE"), "{words}");
    assert!(!words.contains("no release changes"), "{words}");
    assert!(words.contains("gate-1/stable release 1 (1), normal"), "{words}");
    assert!(words.contains("installs rootfs: images/gate-1/stable/1/rootfs.img"), "{words}");
}

#[test]
fn a_release_that_goes_back_behind_the_one_signed_last_is_refused() {
    let place = Place::new();
    let [first, _, third] = three_requests(&place);
    let back = rollback(&third, &first);
    let fault = refusal(&place, &back, "targets-1");
    assert!(fault.contains("stable.json goes back to release 1 from 2"), "{fault}");
    let mut seen = Seen::load(&place.path("seen.json")).unwrap();
    seen.allow_older = true;
    let request = Request::read(&back).unwrap();
    let root = request.root_in_force(&std::fs::read(place.path("trusted.json")).unwrap()).unwrap();
    let words = request.in_words(&request.judge_after(&root, &seen, NOW).unwrap(), &root);
    assert!(words.starts_with("IT GOES BACK: boards/gate-1/stable.json goes back to release 1"), "{words}");
    // Two different files of one version: only one can have been meant.
    sign(&place, &third, "targets-1");
    let other = edit(&third, |v| signed(v, "4.targets.json")["expires"] = "2027-01-01T00:00:00Z".into());
    assert!(in_words(&place, &other).starts_with("ANOTHER TARGETS VERSION 4 WAS SIGNED HERE BEFORE"));
    // The same once more is compared as it was the first time.
    assert!(in_words(&place, &third).contains("no release changes; it is renewed"));
}

#[test]
fn a_release_that_was_taken_away_does_not_come_back_older() {
    let place = Place::new();
    let [first, _, third] = three_requests(&place);
    let empty = edit(&third, |v| {
        signed(v, "4.targets.json")["targets"] = json!({});
        v["manifests"] = json!({});
    });
    assert!(in_words(&place, &empty).contains("gone     boards/gate-1/stable.json"));
    sign(&place, &empty, "targets-1");
    let fault = refusal(&place, &rollback(&third, &first), "targets-1");
    assert!(fault.contains("stable.json goes back to release 1 from 2"), "{fault}");
}

#[test]
fn versions_that_were_never_seen_here_are_no_mere_renewal() {
    let place = Place::new();
    let [_, _, third] = three_requests(&place);
    let skipped = edit(&third, |v| {
        let mut file = v["metadata"]["4.targets.json"].clone();
        file["signed"]["version"] = 9.into();
        v["metadata"] = json!({ "9.targets.json": file });
    });
    let words = in_words(&place, &skipped);
    assert!(words.starts_with("THE CHANGES BETWEEN TARGETS VERSION 3 AND 9 ARE NOT KNOWN HERE"), "{words}");
    assert!(!words.contains("no release changes"), "{words}");
    assert!(
        words.contains("same     boards/gate-1/stable.json") && words.contains("installs rootfs"),
        "{words}"
    );
}

#[test]
fn a_release_whose_manifest_is_left_out_is_not_signed() {
    let place = Place::new();
    let [_, _, third] = three_requests(&place);
    let left_out = edit(&third, |v| v["manifests"] = json!({}));
    let words = in_words(&place, &left_out);
    assert!(words.starts_with(&format!("{STABLE}: ITS MANIFEST IS NOT IN THE REQUEST")), "{words}");
    let fault = refusal(&place, &left_out, "targets-1");
    assert!(fault.contains("nothing is signed") && fault.contains(STABLE), "{fault}");
    let other = edit(&third, |v| {
        let text = v["manifests"][STABLE].as_str().unwrap().replace("gate-1", "gate-2");
        v["manifests"][STABLE] = text.into();
    });
    assert!(refusal(&place, &other, "targets-1").contains("IS NOT THE ONE TO BE SIGNED"));
}

#[test]
fn every_image_of_a_release_is_shown_before_it_is_signed() {
    let place = Place::new();
    let mut workshop = connected(&place);
    workshop.add_release(&place.draft("1")).unwrap();
    let file = workshop.request_targets(NOW).unwrap().to_bytes();
    let request: Value = serde_json::from_slice(&file).unwrap();
    let manifest: Value = serde_json::from_str(request["manifests"][STABLE].as_str().unwrap()).unwrap();
    let words = in_words(&place, &file);
    assert!(words.contains("installs rootfs: images/gate-1/stable/1/rootfs.img, 10 bytes"), "{words}");
    assert!(words.contains(manifest["images"][0]["sha256"].as_str().unwrap()), "{words}");
    assert!(words.contains("for every device at once"), "{words}");
}

#[test]
fn a_target_that_could_be_anything_is_refused() {
    let place = Place::new();
    let mut workshop = connected(&place);
    workshop.add_release(&place.draft("1")).unwrap();
    let file = workshop.request_targets(NOW).unwrap().to_bytes();
    let changes: [(Edit<'_>, &str); 3] = [
        (&|v| v["targets"][STABLE]["hashes"] = json!({ "sha512": "00".repeat(64) }), "has no SHA-256"),
        (&|v| v["targets"][STABLE]["custom"] = json!({ "x": 1 }), "has fields that"),
        (&|v| v["mirrors"] = json!([]), "has fields that"),
    ];
    for (change, says) in changes {
        let changed = edit(&file, |v| change(signed(v, "2.targets.json")));
        let fault = refusal(&place, &changed, "targets-1");
        assert!(fault.contains(says), "{says}: {fault}");
    }
}

#[test]
fn what_was_signed_is_remembered_beside_the_trusted_root() {
    let place = Place::new();
    let maker = |line: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_komainu-maker"))
            .args(line.split(' '))
            .current_dir(place.path("."))
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    };
    assert_eq!(maker("init my").0, Some(0));
    std::fs::create_dir(place.path("medium")).unwrap();
    std::fs::copy(place.path("my/root.json"), place.path("medium/root.json")).unwrap();
    let trusted = "--keys my/keys/offline --root medium/root.json";
    for (line, status, expected) in [
        ("sign request a.json targets -w my".to_owned(), 0, "no release changes; it is renewed"),
        (format!("sign add a.json {trusted}"), 0, "THE CHANGES BEFORE TARGETS VERSION 2 ARE NOT KNOWN HERE"),
        ("sign publish a.json -w my".to_owned(), 0, ""),
        ("sign request b.json targets -w my".to_owned(), 0, ""),
        (format!("sign add b.json {trusted}"), 0, "no release changes; it is renewed"),
        (format!("sign add b.json {trusted}"), 0, "no release changes; it is renewed"),
        (format!("sign add a.json {trusted}"), 1, "targets version 2 is older than version 3"),
        (format!("sign add a.json {trusted} --allow-older"), 0, "IT GOES BACK: targets version 2 is older"),
    ] {
        let (code, said) = maker(&line);
        assert_eq!(code, Some(status), "{line}: {said}");
        assert!(said.contains(expected), "{line}: {said}");
    }
    assert!(place.path("medium/seen.json").is_file());
}
