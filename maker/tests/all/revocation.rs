//! Revoking keys: devices follow, the old key is worth nothing, and what a thief said is forgotten.

use super::device::{Device, NOW, Place};
use komainu_maker::files;
use komainu_maker::json_writer;
use komainu_maker::keyring::KeyRing;
use komainu_maker::keys::PrivateKey;
use komainu_maker::metadata;
use komainu_maker::passphrase::Passphrases;
use komainu_maker::public_key::KeyType;
use komainu_maker::publish::PublishOptions;
use komainu_maker::revoke::Revocation;
use komainu_maker::rotate::Rotation;
use komainu_maker::workshop::Workshop;
use komainu_trust::json;
use komainu_trust::json::{Json, Object};
use komainu_trust::roles::Role;
use komainu_trust::signatures::RoleKeys;
use std::path::Path;

const FAR: u64 = 1 << 40;

fn root(place: &Place) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(place.path("workshop/root.json")).unwrap()).unwrap()
}

fn key_of(place: &Place, role: &str, index: usize) -> String {
    root(place)["signed"]["roles"][role]["keyids"][index].as_str().unwrap().to_owned()
}

fn new_key(place: &Place, name: &str) -> PrivateKey {
    let key = PrivateKey::generate(KeyType::Ed25519).unwrap();
    key.save(&place.path("workshop/keys").join(format!("{name}.pem")), None).unwrap();
    key
}

fn revocation(key_id: &str, replace_with: Option<&PrivateKey>) -> Revocation {
    let replace_with = replace_with.map(PrivateKey::public);
    Revocation { key_id: key_id.into(), replace_with, old_keys_are_lost: false }
}

/// A thief: has a copy of all keys below root as they were.
struct Thief {
    ring: KeyRing,
    keys: Vec<(String, RoleKeys)>,
}

impl Thief {
    fn at(place: &Place) -> Thief {
        let stolen = place.path("stolen");
        std::fs::create_dir_all(&stolen).unwrap();
        for name in ["offline/targets-1.pem", "online/snapshot.pem", "online/timestamp.pem"] {
            let to = stolen.join(Path::new(name).file_name().unwrap());
            std::fs::copy(place.path("workshop/keys").join(name), to).unwrap();
        }
        let one = |role: &str| RoleKeys { key_ids: vec![key_of(place, role, 0)], threshold: 1 };
        let keys = ["targets", "snapshot", "timestamp"].map(|role| (role.to_owned(), one(role))).into();
        Thief { ring: KeyRing::look(&[stolen], Passphrases::none()).unwrap(), keys }
    }

    /// Puts the version of a file up, and signs it with the stolen key.
    fn resign(&mut self, role: &str, file: &Path, edit: impl FnOnce(&mut Object)) -> Vec<u8> {
        let mut signed = metadata::signed_part(role, &std::fs::read(file).unwrap()).unwrap();
        signed.insert("version".into(), json_writer::number(FAR));
        edit(&mut signed);
        let keys = self.keys.iter().find(|(name, _)| name == role).unwrap().1.clone();
        metadata::sign(role, &Json::Object(signed), &[&keys], &mut self.ring).unwrap()
    }

    /// A mirror on which versions of these roles were run up.
    fn mirror(&mut self, place: &Place, workshop: &Workshop, roles: &[&str]) -> std::path::PathBuf {
        let mirror = place.path("thief");
        files::remove(&mirror).unwrap();
        komainu_maker::upload::upload_to_folder(workshop, &mirror).unwrap();
        let meta = mirror.join("metadata");
        let listed = |name: &str, version: u64, bytes: &[u8]| {
            let hash = komainu_maker::metadata::target(&print(bytes));
            let Json::Object(mut fields) = hash else { unreachable!() };
            fields.insert("version".into(), json_writer::number(version));
            json_writer::object([(name, Json::Object(fields))])
        };
        let current: Vec<u64> = Device::new(&mirror).poll(&mirror, NOW).unwrap().versions().to_vec();
        let (mut snapshot_version, targets_version) = (current[2], current[3]);
        let mut snapshot = std::fs::read(meta.join(format!("{snapshot_version}.snapshot.json"))).unwrap();
        if roles.contains(&"targets") {
            let targets =
                self.resign("targets", &meta.join(format!("{targets_version}.targets.json")), |_| ());
            files::replace(&meta.join(format!("{FAR}.targets.json")), &targets).unwrap();
            let file = meta.join(format!("{snapshot_version}.snapshot.json"));
            let signed = |fields: &mut Object| {
                fields.insert("version".into(), json_writer::number(snapshot_version + 1));
                fields.insert("meta".into(), listed("targets.json", FAR, &targets));
            };
            snapshot = self.resign("snapshot", &file, signed);
            snapshot_version += 1;
            files::replace(&meta.join(format!("{snapshot_version}.snapshot.json")), &snapshot).unwrap();
        }
        if roles.contains(&"snapshot") {
            snapshot =
                self.resign("snapshot", &meta.join(format!("{snapshot_version}.snapshot.json")), |_| ());
            snapshot_version = FAR;
            files::replace(&meta.join(format!("{FAR}.snapshot.json")), &snapshot).unwrap();
        }
        let far = roles.contains(&"timestamp");
        let timestamp = self.resign("timestamp", &meta.join("timestamp.json"), |fields| {
            if !far {
                fields.insert("version".into(), json_writer::number(current[1] + 1));
            }
            fields.insert("meta".into(), listed("snapshot.json", snapshot_version, &snapshot));
        });
        files::replace(&meta.join("timestamp.json"), &timestamp).unwrap();
        mirror
    }
}

fn print(bytes: &[u8]) -> files::Fingerprint {
    use sha2::Digest;
    files::Fingerprint { length: bytes.len() as u64, sha256: sha2::Sha256::digest(bytes).into() }
}

fn with_release(place: &Place) -> Workshop {
    let mut workshop = place.workshop();
    workshop.add_release(&place.draft("1")).unwrap();
    workshop.publish(NOW, &PublishOptions::default()).unwrap();
    workshop
}

/// A device that followed the thief, and cannot come back.
fn led_astray(place: &Place, workshop: &Workshop, thief: &mut Thief, roles: &[&str]) -> Device {
    let mut device = Device::new(&workshop.repository());
    device.poll(&workshop.repository(), NOW).unwrap();
    let mirror = thief.mirror(place, workshop, roles);
    let versions = device.poll(&mirror, NOW).unwrap().versions();
    assert!(versions.contains(&FAR), "{versions:?}");
    let fault = device.poll(&workshop.repository(), NOW).unwrap_err();
    assert!(fault.to_string().contains("5.4.3"), "{fault:#}");
    device
}

#[test]
fn versions_that_a_thief_ran_up_are_forgotten_with_the_key() {
    for role in ["timestamp", "snapshot"] {
        let place = Place::new();
        let mut workshop = with_release(&place);
        let mut thief = Thief::at(&place);
        let mut device = led_astray(&place, &workshop, &mut thief, &[role]);
        let key = new_key(&place, "new");
        workshop.revoke(&revocation(&key_of(&place, role, 0), Some(&key)), NOW).unwrap();
        let versions = device.poll(&workshop.repository(), NOW).unwrap().versions();
        assert_eq!(versions[0], 2);
        assert!(versions.iter().all(|version| *version < FAR), "{role}: {versions:?}");
        // And the thief's mirror is refused from now on.
        let fault = thief_again(&place, &workshop, &mut thief, &mut device);
        assert!(fault.contains("0 valid signatures of 1 needed"), "{role}: {fault}");
    }
}

/// The answer of a device to metadata that the stolen keys signed, after it followed the new root.
fn thief_again(place: &Place, workshop: &Workshop, thief: &mut Thief, device: &mut Device) -> String {
    let mirror = place.path("thief-again");
    komainu_maker::upload::upload_to_folder(workshop, &mirror).unwrap();
    let meta = mirror.join("metadata");
    let role =
        if key_of(place, "timestamp", 0) == thief.keys[2].1.key_ids[0] { "snapshot" } else { "timestamp" };
    if role == "timestamp" {
        let timestamp = thief.resign("timestamp", &meta.join("timestamp.json"), |_| ());
        files::replace(&meta.join("timestamp.json"), &timestamp).unwrap();
    } else {
        // The timestamp key is still good; it names a file that the old snapshot key signed.
        let version = device.poll(&workshop.repository(), NOW).unwrap().versions()[2];
        let snapshot = thief.resign("snapshot", &meta.join(format!("{version}.snapshot.json")), |_| ());
        files::replace(&meta.join(format!("{FAR}.snapshot.json")), &snapshot).unwrap();
        let Json::Object(mut fields) = metadata::target(&print(&snapshot)) else { unreachable!() };
        fields.insert("version".into(), json_writer::number(FAR));
        let timestamp = thief.resign("timestamp", &meta.join("timestamp.json"), |signed| {
            signed.insert("meta".into(), json_writer::object([("snapshot.json", Json::Object(fields))]));
        });
        files::replace(&meta.join("timestamp.json"), &timestamp).unwrap();
    }
    device.poll(&mirror, NOW).unwrap_err().to_string()
}

#[test]
fn targets_versions_that_a_thief_ran_up_need_a_new_snapshot_key_too() {
    let place = Place::new();
    let mut workshop = with_release(&place);
    let mut thief = Thief::at(&place);
    let mut device = led_astray(&place, &workshop, &mut thief, &["targets"]);
    let (targets, snapshot) = (key_of(&place, "targets", 0), key_of(&place, "snapshot", 0));
    let words = workshop.consequences(&targets).unwrap().join("\n");
    assert!(words.contains("replace the snapshot key too"), "{words}");
    assert!(words.contains("number the next release above anything that was ever published"), "{words}");

    let key = new_key(&place, "targets-new");
    workshop.revoke(&revocation(&targets, Some(&key)), NOW).unwrap();
    // The new root alone does not make it forget.
    assert!(device.clone().poll(&workshop.repository(), NOW).is_err());
    let key = new_key(&place, "snapshot-new");
    workshop.revoke(&revocation(&snapshot, Some(&key)), NOW).unwrap();
    let versions = device.poll(&workshop.repository(), NOW).unwrap().versions();
    assert_eq!((versions[0], versions[3]), (3, 3), "{versions:?}");
}

#[test]
fn a_revoked_key_goes_out_of_every_role_that_has_it() {
    let place = Place::new();
    let mut workshop = with_release(&place);
    let mut device = Device::new(&workshop.repository());
    // One key for both online roles.
    let both = new_key(&place, "both");
    for role in [Role::Snapshot, Role::Timestamp] {
        let rotation = Rotation {
            role,
            add: vec![both.public()],
            remove: vec![key_of(&place, role.name(), 0)],
            threshold: None,
            old_keys_are_lost: false,
        };
        workshop.rotate(&rotation, NOW).unwrap();
    }
    let key = new_key(&place, "new");
    let words = workshop.consequences(&both.key_id()).unwrap().join("\n");
    assert!(words.contains("snapshot: a thief of the key could, alone"), "{words}");
    assert!(words.contains("timestamp: a thief of the key could, alone"), "{words}");
    workshop.revoke(&revocation(&both.key_id()[..10], Some(&key)), NOW).unwrap();
    let root = root(&place);
    assert!(root["signed"]["keys"].get(both.key_id()).is_none());
    for role in ["snapshot", "timestamp"] {
        assert_eq!(root["signed"]["roles"][role]["keyids"], serde_json::json!([key.key_id()]));
    }
    assert_eq!(device.poll(&workshop.repository(), NOW).unwrap().versions()[0], 4);
}

#[test]
fn a_threshold_that_nobody_could_reach_is_refused_with_what_to_add() {
    let place = Place::new();
    let mut workshop = place.workshop();
    let fault = workshop.revoke(&revocation(&key_of(&place, "timestamp", 0), None), NOW).unwrap_err();
    let fault = fault.to_string();
    assert!(fault.contains("timestamp has 0 keys, and 1 of them must sign"), "{fault}");
    assert!(fault.contains("--replace-with FILE"), "{fault}");
    // Two of three root keys: one may go, the next may not.
    workshop.revoke(&revocation(&key_of(&place, "root", 0), None), NOW).unwrap();
    let fault = workshop.revoke(&revocation(&key_of(&place, "root", 0), None), NOW).unwrap_err().to_string();
    assert!(fault.contains("root has 1 keys, and 2 of them must sign"), "{fault}");
    for wrong in ["zz", ""] {
        assert!(workshop.revoke(&revocation(wrong, None), NOW).is_err());
    }
}

#[test]
fn a_revoked_root_key_has_no_say_in_the_next_root() {
    let place = Place::new();
    let mut workshop = place.workshop();
    let stolen = key_of(&place, "root", 0);
    let words = workshop.consequences(&stolen).unwrap().join("\n");
    assert!(words.contains("2 keys must sign, so this one alone could sign nothing"), "{words}");
    let key = new_key(&place, "root-new");
    workshop.revoke(&revocation(&stolen, Some(&key)), NOW).unwrap();
    let mut device = Device::new(&workshop.repository());
    assert_eq!(device.poll(&workshop.repository(), NOW).unwrap().versions()[0], 2);
    // The thief, with the stolen key and one more, makes a root of version 3.
    let mut signed = metadata::signed_part("root", &std::fs::read(workshop.root_file()).unwrap()).unwrap();
    signed.insert("version".into(), json_writer::number(3));
    let signed = Json::Object(signed);
    let message = json::canonical(&signed);
    let mut ring = KeyRing::look(&[place.path("workshop/keys")], Passphrases::none()).unwrap();
    let mut signatures = metadata::Signatures::new();
    for id in [stolen.as_str(), &key_of(&place, "root", 0)] {
        assert!(metadata::sign_with(id, &message, &mut signatures, &mut ring).unwrap());
    }
    let file = workshop.repository().join("metadata/3.root.json");
    files::replace(&file, &json_writer::pretty(&metadata::envelope(&signed, &signatures))).unwrap();
    let fault = device.poll(&workshop.repository(), NOW).unwrap_err().to_string();
    assert!(fault.contains("1 valid signatures of 2 needed"), "{fault}");
}

#[test]
fn a_key_that_replaces_another_takes_its_place_in_the_list() {
    let place = Place::new();
    let mut workshop = place.workshop();
    let before: Vec<String> = (0..3).map(|index| key_of(&place, "root", index)).collect();
    let [one, two, three] = ["one", "two", "three"].map(|name| new_key(&place, name));
    workshop.revoke(&revocation(&before[1], Some(&one)), NOW).unwrap();
    let rotation = Rotation {
        role: Role::Root,
        add: vec![two.public(), three.public()],
        remove: vec![before[2].clone(), before[0].clone()],
        threshold: None,
        old_keys_are_lost: false,
    };
    workshop.rotate(&rotation, NOW).unwrap();
    let after: Vec<String> = (0..3).map(|index| key_of(&place, "root", index)).collect();
    assert_eq!(after, [three.key_id(), one.key_id(), two.key_id()]);
}
