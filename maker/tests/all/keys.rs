//! Private keys: only their owner may read the file, a passphrase protects them, and nothing is overwritten.

use super::device::{NOW, Place, days};
use komainu_maker::init::InitOptions;
use komainu_maker::keys::{PrivateKey, read_public};
use komainu_maker::passphrase::Passphrases;
use komainu_maker::public_key::{KeyType, key_id};
use komainu_maker::publish::PublishOptions;
use komainu_maker::workshop::Workshop;
use std::os::unix::fs::PermissionsExt;

#[test]
fn private_keys_are_readable_by_their_owner_only() {
    let place = Place::new();
    place.workshop();
    let mut seen = 0;
    for folder in ["keys/offline", "keys/online"] {
        for entry in std::fs::read_dir(place.path("workshop").join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().unwrap() == "pem" {
                assert_eq!(
                    path.metadata().unwrap().permissions().mode() & 0o777,
                    0o600,
                    "{}",
                    path.display()
                );
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 6);
}

#[test]
fn a_key_is_never_overwritten() {
    let place = Place::new();
    let path = place.path("key.pem");
    let first = PrivateKey::generate(KeyType::Ed25519).unwrap();
    first.save(&path, None).unwrap();
    let second = PrivateKey::generate(KeyType::Ed25519).unwrap();
    assert!(second.save(&path, None).unwrap_err().to_string().contains("exists already"));
    assert_eq!(PrivateKey::load(&path, &mut Passphrases::none()).unwrap().key_id(), first.key_id());
}

#[test]
fn a_saved_key_signs_what_the_device_verifies() {
    let place = Place::new();
    for (key_type, passphrase) in [
        (KeyType::Ed25519, None),
        (KeyType::Ecdsa, None),
        (KeyType::Ed25519, Some("a long enough one")),
        (KeyType::Ecdsa, Some("a long enough one")),
    ] {
        let path = place.path(&format!("{key_type:?}-{}.pem", passphrase.is_some()));
        let key = PrivateKey::generate(key_type).unwrap();
        key.save(&path, passphrase).unwrap();
        let mut passphrases = passphrase.map_or(Passphrases::none(), Passphrases::known);
        let loaded = PrivateKey::load(&path, &mut passphrases).unwrap();
        assert_eq!(loaded.public(), key.public());
        assert!(key.public().verifies(b"message", &loaded.sign(b"message").unwrap()));
        assert!(!key.public().verifies(b"another", &loaded.sign(b"message").unwrap()));
        // The public half beside it needs no passphrase.
        assert_eq!(key_id(&read_public(&path, &mut Passphrases::none()).unwrap()), key.key_id());
    }
}

#[test]
fn other_pem_files_beside_the_keys_are_left_alone() {
    let place = Place::new();
    let mut workshop = place.workshop();
    let certificate = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    komainu_maker::files::create_public(&place.path("workshop/keys/online/tls.pem"), certificate).unwrap();
    std::fs::remove_file(place.path("workshop/keys/online/timestamp.pub")).unwrap();
    assert_eq!(workshop.publish(days(5), &PublishOptions::default()).unwrap().versions, [1, 2, 1, 1]);
}

#[test]
fn key_identifiers_are_those_of_securesystemslib() {
    // Computed with securesystemslib 1.6.0: compute_default_keyid("ed25519", "ed25519", {"public": "00"…}).
    let key = komainu_trust::keys::Key {
        keytype: "ed25519".into(),
        scheme: "ed25519".into(),
        public: "00".repeat(32),
    };
    assert_eq!(key_id(&key), "7f7373360bc914a5d4a7bd87711615178beb6cf52494fcc49082ec65ba62908c");
}

#[test]
fn encrypted_keys_need_the_passphrase() {
    let place = Place::new();
    let options =
        InitOptions { passphrase: Some("correct horse battery".to_owned().into()), ..InitOptions::default() };
    let mut workshop = Workshop::init(&place.path("workshop"), &options, NOW).unwrap();
    workshop.add_release(&place.draft("1")).unwrap();
    let pem = std::fs::read_to_string(place.path("workshop/keys/offline/targets-1.pem")).unwrap();
    assert!(pem.contains("ENCRYPTED"));

    let fault = workshop.publish(NOW, &PublishOptions::default()).unwrap_err();
    assert!(format!("{fault:#}").contains("is encrypted and no passphrase was given"), "{fault:#}");
    let mut workshop = workshop.with_passphrases(Passphrases::known("wrong"));
    let fault = workshop.publish(NOW, &PublishOptions::default()).unwrap_err();
    assert!(format!("{fault:#}").contains("the passphrase is wrong"), "{fault:#}");
    let mut workshop = workshop.with_passphrases(Passphrases::known("correct horse battery"));
    assert_eq!(workshop.publish(NOW, &PublishOptions::default()).unwrap().versions, [1, 2, 2, 2]);
}

#[test]
fn the_nightly_renewal_needs_no_passphrase_and_no_offline_key() {
    let place = Place::new();
    let options =
        InitOptions { passphrase: Some("correct horse battery".to_owned().into()), ..InitOptions::default() };
    let mut workshop = Workshop::init(&place.path("workshop"), &options, NOW).unwrap();
    std::fs::remove_dir_all(place.path("workshop/keys/offline")).unwrap();
    assert_eq!(workshop.publish(days(5), &PublishOptions::default()).unwrap().versions, [1, 2, 1, 1]);
}

#[test]
fn keys_may_lie_on_another_medium() {
    let place = Place::new();
    let mut workshop = place.workshop();
    workshop.add_release(&place.draft("1")).unwrap();
    std::fs::create_dir(place.path("medium")).unwrap();
    for name in ["targets-1.pem", "targets-1.pub"] {
        let from = place.path("workshop/keys/offline").join(name);
        std::fs::copy(&from, place.path("medium").join(name)).unwrap();
        std::fs::remove_file(from).unwrap();
    }
    let fault = workshop.publish(NOW, &PublishOptions::default()).unwrap_err();
    assert!(format!("{fault:#}").contains("2.targets.json needs 1 signatures, but only 0"), "{fault:#}");
    let mut workshop = workshop.with_keys(&place.path("medium"));
    workshop.publish(NOW, &PublishOptions::default()).unwrap();
}
