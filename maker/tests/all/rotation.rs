//! Changing keys: devices follow, however far behind, and no half-copied upload stops them.

use super::device::{Device, NOW, Place, copy, days};
use komainu_maker::key_change::KeyChange;
use komainu_maker::keyring::KeyRing;
use komainu_maker::keys::PrivateKey;
use komainu_maker::passphrase::Passphrases;
use komainu_maker::public_key::KeyType;
use komainu_maker::publish::PublishOptions;
use komainu_maker::rotate::Rotation;
use komainu_maker::upload::upload_to_folder;
use komainu_maker::workshop::Workshop;
use komainu_trust::roles::Role;

fn rotation(role: Role) -> Rotation {
    Rotation { role, add: Vec::new(), remove: Vec::new(), threshold: None, old_keys_are_lost: false }
}

/// A new key in the workshop, and a rotation that puts it in the place of the role's first.
pub fn replace_key(place: &Place, role: Role, name: &str) -> Rotation {
    let root = std::fs::read(place.path("workshop/root.json")).unwrap();
    let root: serde_json::Value = serde_json::from_slice(&root).unwrap();
    let old = root["signed"]["roles"][role.name()]["keyids"][0].as_str().unwrap().to_owned();
    let key = PrivateKey::generate(KeyType::Ecdsa).unwrap();
    key.save(&place.path("workshop/keys").join(format!("{name}.pem")), None).unwrap();
    Rotation { add: vec![key.public()], remove: vec![old], ..rotation(role) }
}

fn with_release(place: &Place) -> Workshop {
    let mut workshop = place.workshop();
    workshop.add_release(&place.draft("1")).unwrap();
    workshop.publish(NOW, &PublishOptions::default()).unwrap();
    workshop
}

#[test]
fn a_device_that_is_three_roots_behind_follows() {
    let place = Place::new();
    let mut workshop = with_release(&place);
    let mut device = Device::new(&workshop.repository());
    device.poll(&workshop.repository(), NOW).unwrap();
    for (index, role) in [Role::Root, Role::Timestamp, Role::Root].into_iter().enumerate() {
        let rotation = replace_key(&place, role, &format!("new-{index}"));
        workshop.rotate(&rotation, NOW).unwrap();
    }
    assert_eq!(device.poll(&workshop.repository(), NOW).unwrap().versions(), [4, 3, 2, 2]);
    assert_eq!(
        Device::new(&workshop.repository()).poll(&workshop.repository(), NOW).unwrap().versions()[0],
        4
    );
    workshop.publish(NOW, &PublishOptions { renew: true, ..PublishOptions::default() }).unwrap();
    assert_eq!(device.poll(&workshop.repository(), NOW).unwrap().versions(), [4, 4, 3, 2]);
}

#[test]
fn changing_any_role_s_key_never_leaves_a_device_without_an_answer() {
    for role in [Role::Root, Role::Targets, Role::Snapshot, Role::Timestamp] {
        let place = Place::new();
        let mut workshop = with_release(&place);
        let upload = place.path("upload");
        upload_to_folder(&workshop, &upload).unwrap();
        let mut watching = Device::new(&upload);
        watching.poll(&upload, NOW).unwrap();

        let published = workshop.rotate(&replace_key(&place, role, "new"), NOW).unwrap();
        let mut following = watching.clone();
        for step in 0..=published.files.len() {
            copy(&published.files[..step], &workshop.repository(), &upload);
            for device in [&mut watching.clone(), &mut Device::new(&upload), &mut following] {
                device.poll(&upload, NOW).unwrap_or_else(|fault| {
                    panic!("{} rotated, {:?} copied: {fault:#}", role.name(), &published.files[..step])
                });
            }
        }
        assert_eq!(following.poll(&upload, NOW).unwrap().versions(), published.versions);
        // The old key is worth nothing from now on, the new one is enough.
        let renewed = PublishOptions { renew: true, renew_targets: true, ..PublishOptions::default() };
        workshop.publish(NOW, &renewed).unwrap();
        following.poll(&workshop.repository(), NOW).unwrap();
    }
}

#[test]
fn releases_that_are_put_aside_survive_a_rotation() {
    let place = Place::new();
    let mut workshop = with_release(&place);
    workshop.add_release(&place.draft("2")).unwrap();
    workshop.rotate(&replace_key(&place, Role::Targets, "new"), NOW).unwrap();
    assert_eq!(workshop.releases().unwrap().1.len(), 1);
    workshop.publish(NOW, &PublishOptions::default()).unwrap();
    assert_eq!(workshop.releases().unwrap().0[0].release.number, 2);
}

#[test]
fn a_root_without_a_change_renews_its_expiry() {
    let place = Place::new();
    let mut workshop = place.workshop();
    let published = workshop.rotate(&rotation(Role::Root), days(3)).unwrap();
    assert_eq!(published.files, ["metadata/2.root.json"]);
    let trusted = Device::new(&workshop.repository()).poll(&workshop.repository(), days(3)).unwrap();
    assert_eq!(trusted.expiries()[0], Some(days(733)));
    assert!(workshop.rotate(&rotation(Role::Targets), NOW).is_err());
}

#[test]
fn a_new_root_needs_the_threshold_of_the_old_keys() {
    let place = Place::new();
    let mut workshop = place.workshop();
    for name in ["root-1", "root-2"] {
        std::fs::remove_file(place.path(&format!("workshop/keys/offline/{name}.pem"))).unwrap();
    }
    let fault = workshop.rotate(&rotation(Role::Root), NOW).unwrap_err();
    assert!(fault.to_string().contains("2.root.json needs 2 signatures, but only 1"), "{fault:#}");
    assert!(!workshop.repository().join("metadata/2.root.json").exists());
}

#[test]
fn a_lost_timestamp_key_can_be_replaced() {
    let place = Place::new();
    let mut workshop = with_release(&place);
    let mut device = Device::new(&workshop.repository());
    device.poll(&workshop.repository(), NOW).unwrap();
    let rotation = replace_key(&place, Role::Timestamp, "new");
    std::fs::remove_file(place.path("workshop/keys/online/timestamp.pem")).unwrap();
    assert!(workshop.rotate(&rotation, NOW).is_err());
    workshop.rotate(&Rotation { old_keys_are_lost: true, ..rotation }, NOW).unwrap();
    assert_eq!(device.poll(&workshop.repository(), NOW).unwrap().versions(), [2, 3, 2, 2]);
}

#[test]
fn a_rotation_that_nobody_could_sign_for_is_refused() {
    let place = Place::new();
    let mut workshop = place.workshop();
    let fault = workshop.rotate(&Rotation { threshold: Some(4), ..rotation(Role::Root) }, NOW).unwrap_err();
    assert!(fault.to_string().contains("3 keys and a threshold of 4"), "{fault:#}");
    let wrong = Rotation { remove: vec!["xyz".into()], ..rotation(Role::Root) };
    assert!(workshop.rotate(&wrong, NOW).unwrap_err().to_string().contains("fits 0 of the keys"));
}

#[test]
fn a_new_root_heals_whatever_has_expired_where_the_keys_are_at_hand() {
    // Ten days without a nightly run; targets expired; root too; for long.
    for (day, versions) in
        [(10, [2, 3, 2, 2]), (400, [2, 3, 3, 3]), (731, [2, 3, 3, 3]), (5000, [2, 3, 3, 3])]
    {
        let place = Place::new();
        let mut workshop = with_release(&place);
        let mut device = Device::new(&workshop.repository());
        device.poll(&workshop.repository(), NOW).unwrap();
        assert!(device.clone().poll(&workshop.repository(), days(day)).is_err(), "{day}");
        let published = workshop.rotate(&rotation(Role::Root), days(day)).unwrap();
        assert_eq!(published.versions, versions, "{day}");
        for device in [&mut device, &mut Device::new(&workshop.repository())] {
            let versions = device.poll(&workshop.repository(), days(day)).unwrap().versions();
            assert_eq!(versions, published.versions, "{day}");
        }
        let after = workshop.publish(days(day), &PublishOptions::default()).unwrap();
        assert!(after.warnings.is_empty() && after.expired.is_empty() && after.files.is_empty(), "{after:?}");
    }
}

#[test]
fn a_new_root_that_was_signed_elsewhere_heals_too() {
    let place = Place::new();
    let mut workshop = with_release(&place);
    let root = workshop.rotate(&rotation(Role::Root), days(1)).unwrap().versions[0];
    // Targets are good, snapshot and timestamp are over.
    let now = days(300);
    let mut request = workshop.request_keys(&KeyChange::Rotate(rotation(Role::Root)), now).unwrap();
    let trusted = std::fs::read(workshop.root_file()).unwrap();
    let judged = request.judge(&request.root_in_force(&trusted).unwrap(), now).unwrap();
    let mut ring = KeyRing::look(&[place.path("workshop/keys/offline")], Passphrases::none()).unwrap();
    request.sign(&judged, &mut ring).unwrap();
    assert_eq!(workshop.publish_request(&request, now).unwrap().versions, [root + 1, 3, 3, 2]);
    Device::new(&workshop.repository()).poll(&workshop.repository(), now).unwrap();
}

#[test]
fn a_new_root_leaves_alone_what_its_keys_are_not_there_for() {
    let place = Place::new();
    let mut workshop = with_release(&place);
    std::fs::remove_file(place.path("workshop/keys/offline/targets-1.pem")).unwrap();
    workshop.publish(days(350), &PublishOptions::default()).unwrap();
    let published = workshop.rotate(&rotation(Role::Root), days(350)).unwrap();
    assert_eq!(published.files, ["metadata/2.root.json"]);
    let fault = workshop.rotate(&rotation(Role::Root), days(366)).unwrap_err();
    assert!(format!("{fault:#}").contains("targets.json version 2 refused"), "{fault:#}");
}
