//! Signing in two steps: the offline keys lie on media of their own, and no medium ever meets the workshop.

use super::device::{Device, NOW, Place, days};
use komainu_maker::key_change::KeyChange;
use komainu_maker::keyring::KeyRing;
use komainu_maker::keys::PrivateKey;
use komainu_maker::passphrase::Passphrases;
use komainu_maker::public_key::KeyType;
use komainu_maker::publish::PublishOptions;
use komainu_maker::rotate::Rotation;
use komainu_maker::sign::judged::Judged;
use komainu_maker::sign::signer_state::Seen;
use komainu_maker::sign::signing_request::Request;
use komainu_maker::workshop::Workshop;
use komainu_trust::roles::Role;
use serde_json::Value;

/// A workshop whose offline keys were carried away.
pub fn connected(place: &Place) -> Workshop {
    let workshop = place.workshop();
    for name in ["root-1", "root-2", "root-3", "targets-1"] {
        std::fs::create_dir_all(place.path(&format!("media/{name}"))).unwrap();
        for ending in ["pem", "pub"] {
            let from = place.path(&format!("workshop/keys/offline/{name}.{ending}"));
            komainu_maker::files::move_to(&from, &place.path(&format!("media/{name}/{name}.{ending}")))
                .unwrap();
        }
    }
    std::fs::copy(workshop.root_file(), place.path("trusted.json")).unwrap();
    workshop
}

pub fn judged(place: &Place, request: &Request) -> anyhow::Result<Judged> {
    let root = request.root_in_force(&std::fs::read(place.path("trusted.json"))?)?;
    request.judge_after(&root, &Seen::load(&place.path("seen.json"))?, NOW)
}

/// Plays a person with one medium and a request file; gives how many signatures it added.
pub fn try_sign(place: &Place, file: &[u8], medium: &str) -> anyhow::Result<(Vec<u8>, usize)> {
    let mut request = Request::read(file)?;
    let mut seen = Seen::load(&place.path("seen.json"))?;
    let judged = judged(place, &request)?;
    let mut ring = KeyRing::look(&[place.path(&format!("media/{medium}"))], Passphrases::none())?;
    let added = request.sign(&judged, &mut ring)?.len();
    seen.remember(&request, &judged)?;
    seen.save(&place.path("seen.json"))?;
    Ok((request.to_bytes(), added))
}

pub fn sign(place: &Place, file: &[u8], medium: &str) -> Vec<u8> {
    try_sign(place, file, medium).unwrap().0
}

pub fn finish(workshop: &mut Workshop, file: &[u8]) -> anyhow::Result<[u64; 4]> {
    let request = Request::read(file)?;
    Ok(workshop.publish_request(&request, NOW)?.versions)
}

pub fn renewal() -> KeyChange {
    KeyChange::Rotate(Rotation {
        role: Role::Root,
        add: Vec::new(),
        remove: Vec::new(),
        threshold: None,
        old_keys_are_lost: false,
    })
}

fn change(role: Role, add: &PrivateKey, remove: &str) -> KeyChange {
    KeyChange::Rotate(Rotation {
        role,
        add: vec![add.public()],
        remove: vec![remove.into()],
        threshold: None,
        old_keys_are_lost: false,
    })
}

fn key_of(place: &Place, role: &str, index: usize) -> String {
    let root: Value =
        serde_json::from_slice(&std::fs::read(place.path("workshop/root.json")).unwrap()).unwrap();
    root["signed"]["roles"][role]["keyids"][index].as_str().unwrap().to_owned()
}

pub fn edit(file: &[u8], edit: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut value: Value = serde_json::from_slice(file).unwrap();
    edit(&mut value);
    serde_json::to_vec(&value).unwrap()
}

pub fn in_words(place: &Place, file: &[u8]) -> String {
    let request = Request::read(file).unwrap();
    let root = request.root_in_force(&std::fs::read(place.path("trusted.json")).unwrap()).unwrap();
    request.in_words(&judged(place, &request).unwrap(), &root)
}

#[test]
fn a_root_is_signed_by_several_people_in_any_order() {
    for order in [["root-1", "root-2", "new"], ["new", "root-2", "root-1"]] {
        let place = Place::new();
        let mut workshop = connected(&place);
        let mut device = Device::new(&workshop.repository());
        device.poll(&workshop.repository(), NOW).unwrap();
        let key = PrivateKey::generate(KeyType::Ecdsa).unwrap();
        std::fs::create_dir_all(place.path("media/new")).unwrap();
        key.save(&place.path("media/new/new.pem"), None).unwrap();
        let goes = key_of(&place, "root", 0);

        let request = workshop.request_keys(&change(Role::Root, &key, &goes), NOW).unwrap();
        let mut file = request.to_bytes();
        let words = in_words(&place, &file);
        assert!(words.contains(&format!("COMES   {}", key.key_id())), "{words}");
        assert!(words.contains(&format!("goes    {goes}")), "{words}");
        for medium in order {
            let fault = format!("{:#}", finish(&mut workshop, &file).unwrap_err());
            assert!(fault.contains("not enough signatures"), "{fault}");
            file = sign(&place, &file, medium);
            // Once more adds nothing and harms nothing.
            let (again, added) = try_sign(&place, &file, medium).unwrap();
            assert_eq!((added, &again), (0, &file));
        }
        assert_eq!(finish(&mut workshop, &file).unwrap(), [2, 1, 1, 1]);
        assert_eq!(device.poll(&workshop.repository(), NOW).unwrap().versions(), [2, 1, 1, 1]);
        assert!(workshop.requests_waiting().unwrap().is_empty());
    }
}

#[test]
fn both_the_old_and_the_new_root_keys_must_have_signed() {
    let place = Place::new();
    let mut workshop = connected(&place);
    let key = PrivateKey::generate(KeyType::Ed25519).unwrap();
    std::fs::create_dir_all(place.path("media/new")).unwrap();
    key.save(&place.path("media/new/new.pem"), None).unwrap();
    let goes = key_of(&place, "root", 0);
    let file = workshop.request_keys(&change(Role::Root, &key, &goes), NOW).unwrap().to_bytes();
    // Two signatures of the new keys, one of the old.
    let file = sign(&place, &sign(&place, &file, "new"), "root-2");
    let fault = format!("{:#}", finish(&mut workshop, &file).unwrap_err());
    assert!(fault.contains("1 of 2 signatures by the root keys of now"), "{fault}");
    assert!(fault.contains("2 of 2 signatures by the new root keys"), "{fault}");
    // The key that goes counts among the old ones.
    assert_eq!(finish(&mut workshop, &sign(&place, &file, "root-1")).unwrap(), [2, 1, 1, 1]);
}

#[test]
fn a_release_is_signed_away_from_the_workshop() {
    let place = Place::new();
    let mut workshop = connected(&place);
    workshop.add_release(&place.draft("1.0")).unwrap();
    let file = workshop.request_targets(NOW).unwrap().to_bytes();
    let words = in_words(&place, &file);
    assert!(words.contains("new      boards/gate-1/stable.json"), "{words}");
    assert!(words.contains("gate-1/stable release 1 (1.0), normal"), "{words}");
    let file = sign(&place, &file, "targets-1");
    assert_eq!(finish(&mut workshop, &file).unwrap(), [1, 2, 2, 2]);
    let mut device = Device::new(&workshop.repository());
    let trusted = device.poll(&workshop.repository(), NOW).unwrap();
    assert!(trusted.clone().target("boards/gate-1/stable.json").unwrap().is_some());
    assert!(!place.path("workshop/staging").exists());
    // Without anything put aside it renews.
    let file = workshop.request_targets(days(3)).unwrap().to_bytes();
    assert!(in_words(&place, &file).contains("no release changes; it is renewed"));
    assert_eq!(finish(&mut workshop, &sign(&place, &file, "targets-1")).unwrap(), [1, 3, 3, 3]);
}

#[test]
fn new_targets_keys_sign_what_they_will_speak_for() {
    let place = Place::new();
    let mut workshop = connected(&place);
    let mut device = Device::new(&workshop.repository());
    device.poll(&workshop.repository(), NOW).unwrap();
    let key = PrivateKey::generate(KeyType::Ecdsa).unwrap();
    std::fs::create_dir_all(place.path("media/new")).unwrap();
    key.save(&place.path("media/new/new.pem"), None).unwrap();
    let goes = key_of(&place, "targets", 0);
    let mut file = workshop.request_keys(&change(Role::Targets, &key, &goes), NOW).unwrap().to_bytes();
    for medium in ["root-1", "root-2", "new"] {
        file = sign(&place, &file, medium);
    }
    let fault = format!("{:#}", finish(&mut workshop, &file).unwrap_err());
    assert!(fault.contains("2.targets.json: 0 of 1 signatures by the targets keys of now"), "{fault}");
    let file = sign(&place, &file, "targets-1");
    assert_eq!(finish(&mut workshop, &file).unwrap(), [2, 2, 2, 2]);
    assert_eq!(device.poll(&workshop.repository(), NOW).unwrap().versions(), [2, 2, 2, 2]);
}

#[test]
fn copies_that_were_signed_in_parallel_are_merged() {
    let place = Place::new();
    let mut workshop = connected(&place);
    let file = workshop.request_keys(&renewal(), NOW).unwrap().to_bytes();
    let (one, two) = (sign(&place, &file, "root-1"), sign(&place, &file, "root-2"));
    let mut merged = Request::read(&one).unwrap();
    merged.merge(&Request::read(&two).unwrap()).unwrap();
    assert!(finish(&mut workshop, &one).is_err() && finish(&mut workshop, &two).is_err());
    assert_eq!(finish(&mut workshop, &merged.to_bytes()).unwrap(), [2, 1, 1, 1]);
    let other = workshop.request_keys(&renewal(), NOW).unwrap();
    assert!(merged.merge(&other).unwrap_err().to_string().contains("asks for something else"));
}

#[test]
fn a_signature_is_over_the_canonical_form_and_nothing_else() {
    let place = Place::new();
    let mut workshop = connected(&place);
    let file = sign(&place, &workshop.request_keys(&renewal(), NOW).unwrap().to_bytes(), "root-1");
    let value = komainu_trust::json::parse(&file).unwrap();
    let top = komainu_trust::fields::Field::top(&value);
    let envelope = top.field("metadata").unwrap().field("2.root.json").unwrap();
    let signed = komainu_trust::json::canonical(envelope.field("signed").unwrap().json().unwrap());
    let signatures = envelope.field("signatures").unwrap().items(9).unwrap();
    assert_eq!(signatures.len(), 1);
    let signature = komainu_trust::hex::decode(signatures[0].field("sig").unwrap().text().unwrap()).unwrap();
    let key = PrivateKey::load(&place.path("media/root-1/root-1.pem"), &mut Passphrases::none()).unwrap();
    assert_eq!(signatures[0].field("keyid").unwrap().text().unwrap(), key.key_id());
    assert!(key.public().verifies(&signed, &signature));
}

#[test]
fn a_nightly_renewal_leaves_a_request_alone() {
    let place = Place::new();
    let mut workshop = connected(&place);
    workshop.add_release(&place.draft("1")).unwrap();
    let targets = workshop.request_targets(NOW).unwrap().to_bytes();
    let root = workshop.request_keys(&renewal(), NOW).unwrap().to_bytes();
    for night in [5, 16, 30] {
        let published = workshop.publish(days(night), &PublishOptions::default()).unwrap();
        assert!(!published.files.is_empty());
        assert!(published.notes[0].contains("waits for its signatures"), "{:?}", published.notes);
        assert_eq!(published.versions[3], 1);
    }
    let renewed = PublishOptions { renew_targets: true, ..PublishOptions::default() };
    let fault = workshop.publish(NOW, &renewed).unwrap_err().to_string();
    assert!(fault.contains("waits for its signatures"), "{fault}");
    for file in [sign(&place, &sign(&place, &root, "root-1"), "root-2"), sign(&place, &targets, "targets-1")]
    {
        workshop.publish_request(&Request::read(&file).unwrap(), days(30)).unwrap();
    }
    let trusted = Device::new(&workshop.repository()).poll(&workshop.repository(), days(30)).unwrap();
    assert_eq!(trusted.versions()[0], 2);
    assert!(trusted.clone().target("boards/gate-1/stable.json").unwrap().is_some());
}

#[test]
fn a_release_that_is_added_while_a_request_waits_stays_put_aside() {
    let place = Place::new();
    let mut workshop = connected(&place);
    workshop.add_release(&place.draft("1")).unwrap();
    let file = workshop.request_targets(NOW).unwrap().to_bytes();
    workshop.add_release(&place.draft("2")).unwrap();
    finish(&mut workshop, &sign(&place, &file, "targets-1")).unwrap();
    let (published, staged) = workshop.releases().unwrap();
    assert_eq!((published[0].release.number, staged[0].release.number), (1, 2));
    let file = workshop.request_targets(NOW).unwrap().to_bytes();
    finish(&mut workshop, &sign(&place, &file, "targets-1")).unwrap();
    assert_eq!(workshop.releases().unwrap().0[0].release.number, 2);
}

#[test]
fn a_request_is_refused_when_the_workshop_moved_on() {
    let place = Place::new();
    let mut workshop = connected(&place);
    let stale = workshop.request_keys(&renewal(), NOW).unwrap().to_bytes();
    let stale = sign(&place, &sign(&place, &stale, "root-1"), "root-2");
    workshop.add_release(&place.draft("1")).unwrap();
    let targets = sign(&place, &workshop.request_targets(NOW).unwrap().to_bytes(), "targets-1");

    let mut elsewhere = Workshop::open(&place.path("workshop")).unwrap().with_keys(&place.path("media"));
    let KeyChange::Rotate(renew) = renewal() else { unreachable!() };
    elsewhere.rotate(&renew, NOW).unwrap();
    let fault = format!("{:#}", finish(&mut workshop, &stale).unwrap_err());
    assert!(fault.contains("the workshop moved on: root is version 2 by now"), "{fault}");
    // The keys of targets are the same: their signatures are as good as before.
    finish(&mut workshop, &targets).unwrap();
    let fault = format!("{:#}", finish(&mut workshop, &targets).unwrap_err());
    assert!(fault.contains("the workshop moved on: targets metadata is version 2"), "{fault}");
    // A signer with the new root notices at once.
    std::fs::copy(workshop.root_file(), place.path("trusted.json")).unwrap();
    let fault = format!("{:#}", try_sign(&place, &stale, "root-1").unwrap_err());
    assert!(fault.contains("it is stale"), "{fault}");
}

#[test]
fn requests_that_would_cross_are_refused_until_one_is_given_up() {
    let place = Place::new();
    let mut workshop = connected(&place);
    let first = workshop.request_keys(&renewal(), NOW).unwrap();
    let fault = workshop.request_keys(&renewal(), NOW).err().unwrap().to_string();
    assert!(fault.contains(&format!("request {} waits", first.id())), "{fault}");
    workshop.request_targets(NOW).unwrap();
    assert!(workshop.drop_request("zzzz").is_err());
    workshop.drop_request(&first.id()[..6]).unwrap();
    workshop.request_keys(&renewal(), days(1)).unwrap();
    let given_up = sign(&place, &sign(&place, &first.to_bytes(), "root-1"), "root-2");
    let fault = format!("{:#}", finish(&mut workshop, &given_up).unwrap_err());
    assert!(fault.contains("did not ask for that"), "{fault}");
}

#[test]
fn a_request_that_was_changed_is_refused() {
    let place = Place::new();
    let mut workshop = connected(&place);
    let clean = workshop.request_keys(&renewal(), NOW).unwrap().to_bytes();
    let signed = sign(&place, &clean, "root-1");
    let envelope = |value: &mut Value, field: &str, new: Value| {
        value["metadata"]["2.root.json"]["signed"][field] = new;
    };
    let stranger = PrivateKey::generate(KeyType::Ed25519).unwrap();
    type Edit<'a> = Box<dyn FnOnce(&mut Value) + 'a>;
    let cases: Vec<(Edit<'_>, &str)> = vec![
        (
            Box::new(|v| envelope(v, "expires", "2099-01-01T00:00:00Z".into())),
            "changed after that key signed",
        ),
        (
            Box::new(|v| v["metadata"]["2.root.json"]["signatures"][0]["sig"] = "00".into()),
            "changed after that key",
        ),
        (
            Box::new(|v| v["metadata"]["2.root.json"]["signatures"][0]["keyid"] = stranger.key_id().into()),
            "which has no say in it",
        ),
        (Box::new(|v| envelope(v, "version", 3.into())), "the file called 2.root.json is root version 3"),
        (Box::new(|v| envelope(v, "consistent_snapshot", false.into())), "consistent snapshots"),
        (Box::new(|v| envelope(v, "expires", "2020-01-01T00:00:00Z".into())), "which is over"),
        (
            Box::new(|v| v["metadata"]["timestamp.json"] = v["metadata"]["2.root.json"].clone()),
            "neither root nor",
        ),
        (Box::new(|v| v["roots"] = Value::Array(Vec::new())), "no roots in it"),
        (
            Box::new(|v| v["targets"] = v["targets"].as_str().unwrap().replace(": 1", ": 9").into()),
            "is not signed by the targets keys",
        ),
        (Box::new(|v| v["format"] = "another".into()), "it is not a signing request"),
    ];
    for (change, says) in cases {
        let changed = edit(&signed, change);
        let fault = format!("{:#}", try_sign(&place, &changed, "root-2").unwrap_err());
        assert!(fault.contains(says), "{says}: {fault}");
        assert!(finish(&mut workshop, &changed).is_err(), "{says}");
    }
    // Changed before anybody signed: signatures fit, but the workshop knows what it asked for.
    let changed = edit(&clean, |v| envelope(v, "expires", "2099-01-01T00:00:00Z".into()));
    let changed = sign(&place, &sign(&place, &changed, "root-1"), "root-2");
    let fault = format!("{:#}", finish(&mut workshop, &changed).unwrap_err());
    assert!(fault.contains("this workshop did not ask for that"), "{fault}");
    assert_eq!(finish(&mut workshop, &sign(&place, &signed, "root-2")).unwrap(), [2, 1, 1, 1]);
}

#[test]
fn what_would_change_is_told_by_the_trusted_root_and_not_by_the_request() {
    let place = Place::new();
    let mut workshop = connected(&place);
    let request = workshop.request_keys(&renewal(), NOW).unwrap().to_bytes();
    // A thief at the workshop brings a root of their own, in which a new root changes nothing.
    let other = Place::new();
    let mut stranger = connected(&other);
    let theirs = stranger.request_keys(&renewal(), NOW).unwrap().to_bytes();
    let fault = format!("{:#}", try_sign(&place, &theirs, "root-1").unwrap_err());
    assert!(fault.contains("root version 1 is not the one that is trusted here"), "{fault}");
    let chained = edit(&request, |v| {
        let theirs: Value = serde_json::from_slice(&theirs).unwrap();
        let mut second = theirs["metadata"]["2.root.json"].clone();
        second["signatures"] = Value::Array(Vec::new());
        v["roots"].as_array_mut().unwrap().push(second.to_string().into());
    });
    let fault = format!("{:#}", try_sign(&place, &chained, "root-1").unwrap_err());
    assert!(fault.contains("signatures of 2 needed"), "{fault}");
}

#[test]
fn an_old_trusted_root_is_enough_to_judge_a_request() {
    let place = Place::new();
    let mut workshop = connected(&place);
    for _ in 0..2 {
        let file = workshop.request_keys(&renewal(), NOW).unwrap().to_bytes();
        finish(&mut workshop, &sign(&place, &sign(&place, &file, "root-1"), "root-2")).unwrap();
    }
    let file = workshop.request_keys(&renewal(), NOW).unwrap().to_bytes();
    assert!(in_words(&place, &file).contains("root version 4 (in force is 3)"));
    assert_eq!(finish(&mut workshop, &sign(&place, &sign(&place, &file, "root-3"), "root-2")).unwrap()[0], 4);
}

#[test]
fn a_manifest_that_is_not_the_one_to_be_signed_is_called_so() {
    let place = Place::new();
    let mut workshop = connected(&place);
    workshop.add_release(&place.draft("1")).unwrap();
    let file = workshop.request_targets(NOW).unwrap().to_bytes();
    let changed = edit(&file, |v| {
        let path = "boards/gate-1/stable.json";
        let text = v["manifests"][path].as_str().unwrap().replace("\"version\": \"1\"", "\"version\": \"9\"");
        v["manifests"][path] = text.into();
    });
    assert_ne!(file, changed);
    assert!(in_words(&place, &changed).contains("IS NOT THE ONE TO BE SIGNED"));
}
