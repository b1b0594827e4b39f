//! One test for each attack in the security documents, named as there: a repository that lies, in the ways that TUF
//! 1.0.34 §1.5.2 lists and a few more, against the whole agent on the simulated device. In each the slot that runs
//! stays as it was, the log says why, and an honest repository is followed again afterwards.
#![allow(clippy::unwrap_used, reason = "a panic is the report")]

use komainu_tests::attacked::{device, recovers, refused};
use komainu_tests::invariants::check_all;
use komainu_tests::repository::{BOARD, CHANNEL, Draft, TODAY, key};
use komainu_tests::sim::Device;
use komainu_tests::sim::disk::ALL_AFTERS;
use komainu_tests::sim::flash::draft;
use serde_json::json;

const MONTH: i64 = 31 * 86_400;

#[test]
fn a_forged_release_is_refused() {
    for role in ["timestamp", "snapshot", "targets"] {
        let mut device = device();
        let honest = device.server.clone();
        device.server.keys.insert(role, key(66));
        device.server.publish(&draft(3));
        refused(&mut device, "0 valid signatures of 1 needed");
        recovers(&mut device, honest, 3);
    }
}

#[test]
fn a_forged_image_is_refused() {
    let mut device = device();
    device.server.publish(&draft(3));
    let honest = device.server.clone();
    let forged = Draft::new(9, draft(3).images[0].1.len(), draft(3).images[1].1.len());
    for (name, bytes) in &mut device.server.targets {
        if name.starts_with("images/3/") {
            let which = usize::from(name.contains("rootfs"));
            *bytes = forged.images[which].1.clone();
        }
    }
    refused(&mut device, "does not have the signed sha256");
    let fetched = |device: &Device| device.log.iter().filter(|line| line.contains("bytes=0 of")).count();
    assert!(fetched(&device) < 8, "it backs off: {:#?}", device.log);
    recovers(&mut device, honest, 4);
}

#[test]
fn a_forged_manifest_is_refused() {
    let mut device = device();
    device.server.publish(&draft(3));
    let manifest = device.server.targets.iter_mut().filter(|(name, _)| name.starts_with("boards/"));
    for (_, bytes) in manifest {
        let forged = String::from_utf8(bytes.clone()).unwrap().replace("\"release\":3", "\"release\":4");
        *bytes = forged.into_bytes();
    }
    refused(&mut device, "boards/gate-1/stable.json refused (TUF 5.7): its hash is not the signed one");
}

#[test]
fn endless_data_is_cut_off() {
    let mut device = device();
    let honest = device.server.clone();
    for (file, bytes) in [("timestamp.json", 17 << 10), ("5.root.json", 65 << 10)] {
        device.server = honest.clone();
        device.server.metadata.insert(file.replace('5', "2"), vec![b' '; bytes]);
        refused(&mut device, "larger than its limit");
        device.pass(90_000);
    }
    recovers(&mut device, honest, 3);
}

#[test]
fn replayed_metadata_is_refused() {
    let mut device = device();
    let old = device.server.clone();
    device.server.publish(&draft(3));
    device.poll_and_run();
    assert_eq!(device.running_release(), 3);
    let newest = device.server.clone();
    device.server = old;
    refused(
        &mut device,
        "timestamp.json version 2 refused (TUF 5.4.3): 3 was seen before; looks like a stale mirror",
    );
    recovers(&mut device, newest, 4);
}

#[test]
fn an_older_release_is_refused_though_rightly_signed() {
    let mut device = device();
    device.server.publish(&draft(1));
    refused(&mut device, "refused release=1 why=below-floor floor=2");
}

#[test]
fn frozen_metadata_expires() {
    let mut device = device();
    device.pass(MONTH as u64);
    refused(&mut device, "expired");
    // The clock alone is no way out: accepted metadata stays, and news are taken when they come.
    device.server.expires = TODAY.plus_seconds(3 * MONTH);
    device.server.publish_root();
    let honest = device.server.clone();
    recovers(&mut device, honest, 3);
}

#[test]
fn mixed_and_matched_metadata_is_refused() {
    let mut device = device();
    let old = device.server.clone();
    device.server.publish(&draft(3));
    let honest = device.server.clone();
    let mixed = old.metadata["2.snapshot.json"].clone();
    device.server.metadata.insert("3.snapshot.json".into(), mixed);
    refused(&mut device, "snapshot.json version 2 refused (TUF 5.5.2): its hash is not the signed one");
    device.server = honest.clone();
    device.server.metadata.insert("3.targets.json".into(), old.metadata["2.targets.json"].clone());
    refused(
        &mut device,
        "targets.json version 2 refused (TUF 5.6.4): announced was 3; looks like a stale mirror",
    );
    recovers(&mut device, honest, 4);
}

#[test]
fn a_stolen_timestamp_key_installs_nothing() {
    // The key's holder can say which snapshot is current, and can only name existing ones.
    let mut device = device();
    let honest = device.server.clone();
    device.server.keys.insert("snapshot", key(66));
    device.server.keys.insert("targets", key(66));
    device.server.publish(&draft(3));
    refused(
        &mut device,
        "snapshot.json version 3 refused (TUF 5.5.3): 0 valid signatures of 1 needed; looks like an attack",
    );
    recovers(&mut device, honest, 3);
}

#[test]
fn a_snapshot_cannot_take_targets_back() {
    let mut device = device();
    let honest = device.server.clone();
    let snapshot = key(3);
    // With stolen snapshot and timestamp keys: a newer snapshot that lists older targets.
    device.server.publish_snapshot();
    device.server.alter("3.snapshot.json", &[&snapshot], |signed| {
        signed["meta"]["targets.json"]["version"] = json!(1);
    });
    device.server.publish_timestamp();
    refused(
        &mut device,
        "snapshot.json version 3 refused (TUF 5.5.5): it lists targets.json version 1, 2 was seen before; looks like an attack",
    );
    device.server = honest;
}

#[test]
fn a_fast_forward_is_undone_by_new_keys() {
    let mut device = device();
    let mut honest = device.server.clone();
    // The thief of the timestamp key has used up version numbers.
    device.server.versions.insert("timestamp", i64::MAX as u64 - 1);
    device.server.publish_timestamp();
    device.poll_and_run();
    device.server = honest.clone();
    refused(&mut device, "refused (TUF 5.4.3)");
    // The maker replaces the key: the numbers of the stolen one are forgotten.
    honest.keys.insert("timestamp", key(77));
    honest.publish_root();
    recovers(&mut device, honest, 3);
}

#[test]
fn a_release_number_run_up_with_stolen_keys_is_undone_by_a_new_targets_key() {
    // The holder of the keys of targets, snapshot and timestamp can install anything: here, a number that the maker
    // will not reach.
    let attacked = || {
        let mut device = device();
        let honest = device.server.clone();
        device.server.publish(&draft(12));
        device.poll_and_run();
        assert_eq!(device.record_on_disk().unwrap().floor, 12, "{:#?}", device.log);
        (device, honest)
    };
    let (mut device, mut honest) = attacked();
    for role in ["timestamp", "snapshot", "targets"] {
        honest.versions.insert(role, 20);
    }
    honest.publish(&draft(3));
    device.server = honest.clone();
    refused(&mut device, "refused release=3 why=below-floor floor=12");

    for at in 1..=12 {
        for after in ALL_AFTERS {
            let (mut device, mut honest) = attacked();
            for (role, seed) in [("timestamp", 77), ("snapshot", 78), ("targets", 79)] {
                honest.keys.insert(role, key(seed));
            }
            honest.publish_root();
            // At any cut the floor is forgotten together with the keys.
            device.cut_at = Some((device.changes + at, after));
            recovers(&mut device, honest, 3);
            assert_eq!(device.record_on_disk().unwrap().floor, 3, "{at} {after:?}");
        }
    }
}

#[test]
fn a_root_that_came_with_firmware_outlasts_that_firmware() {
    let mut device = device();
    let first = device.server.clone();
    // The next firmware ships a root that takes every key of the roles below away, and no server ever showed it.
    let mut honest = device.server.clone();
    for (role, seed) in [("timestamp", 77), ("snapshot", 78), ("targets", 79)] {
        honest.keys.insert(role, key(seed));
    }
    honest.publish_root();
    let newer = honest.metadata["2.root.json"].clone();
    device.server.metadata.insert("1.root.json".into(), newer);
    device.server.metadata.remove("timestamp.json");
    device.poll_and_run();
    assert_eq!(device.record_on_disk().unwrap().floor, 0, "the targets key is gone, and the floor with it");
    // One day the older firmware starts again: the thief of the old keys gains nothing from that.
    device.server = first.clone();
    device.server.publish(&draft(3));
    device.pass(90_000);
    refused(
        &mut device,
        "refused (TUF 5.4.2): 0 valid signatures of 1 needed; looks like an attack, or a mirror",
    );
    honest.metadata.insert("1.root.json".into(), first.metadata["1.root.json"].clone());
    recovers(&mut device, honest, 3);
}

#[test]
fn a_floor_that_was_forgotten_is_known_again_when_the_new_keys_offer_what_runs() {
    let mut device = device();
    device.server.keys.insert("targets", key(79));
    device.server.publish_root();
    device.server.publish(&draft(2));
    device.pass(90_000);
    device.poll_and_run();
    assert!(device.log.iter().any(|line| line == "floor-known-again floor=2"), "{:#?}", device.log);
    assert_eq!(device.record_on_disk().unwrap().floor, 2);
}

#[test]
fn a_root_that_the_old_keys_did_not_sign_is_refused() {
    let mut device = device();
    let honest = device.server.clone();
    device.server.keys.insert("root", key(66));
    device.server.publish_root();
    device.pass(90_000);
    refused(&mut device, "2.root.json version 2 refused (TUF 5.3.4): 0 valid signatures of 1 needed");
    recovers(&mut device, honest, 3);
}

#[test]
fn root_keys_are_replaced_step_by_step() {
    let mut device = device();
    for (step, number) in [(80, 3), (81, 4), (82, 5)] {
        let old = device.server.keys["root"].clone();
        device.server.keys.insert("root", key(step));
        device.server.publish_root_signed_by(vec![old, key(step)]);
        device.server.publish(&draft(number));
    }
    device.pass(90_000);
    device.poll_and_run();
    assert_eq!(device.running_release(), 5, "{:#?}", device.log);
}

#[test]
fn a_root_of_another_version_is_refused() {
    let mut device = device();
    device.server.publish_root();
    device.server.publish_root();
    let third = device.server.metadata["3.root.json"].clone();
    device.server.metadata.insert("2.root.json".into(), third);
    device.pass(90_000);
    refused(&mut device, "2.root.json version 3 refused (TUF 5.3.5): announced was 2");
}

#[test]
fn a_signature_that_is_repeated_does_not_count_twice() {
    let mut device = device();
    device.server.publish(&draft(3));
    let bytes = device.server.metadata["timestamp.json"].clone();
    let mut whole: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let signature = whole["signatures"][0].clone();
    whole["signatures"].as_array_mut().unwrap().push(signature);
    device.server.metadata.insert("timestamp.json".into(), whole.to_string().into_bytes());
    refused(&mut device, "signatures[1].keyid must be a key identifier that did not sign already");
}

#[test]
fn a_release_for_another_board_is_refused() {
    let mut device = device();
    device.server.publish(&draft(3).with(json!({ "board": "camera-7" })));
    refused(&mut device, "refused release=3 why=other-board manifest=camera-7");
    device.server.publish(&draft(4).with(json!({ "channel": "beta" })));
    refused(&mut device, "refused release=4 why=other-channel manifest=beta");
}

#[test]
fn a_release_that_needs_more_than_the_device_can_is_refused() {
    let mut device = device();
    device.server.publish(&draft(3).with(json!({ "needs": ["delta-9"] })));
    refused(&mut device, "refused release=3 why=unknown-need need=delta-9");
}

#[test]
fn an_image_that_does_not_fit_is_refused() {
    let mut device = device();
    device.server.publish(&Draft::new(3, 1000, 65 * 1024));
    refused(&mut device, "why=slot-too-small part=rootfs image_bytes=66560 part_bytes=65536");
}

#[test]
fn a_release_without_all_parts_is_refused() {
    let mut device = device();
    let mut half = draft(3);
    half.images.remove(0);
    device.server.publish(&half);
    refused(&mut device, "refused release=3 why=part-without-image part=kernel");
    let mut odd = draft(4);
    odd.images[0].0 = "bootloader".into();
    device.server.publish(&odd);
    refused(&mut device, "refused release=4 why=image-without-part part=bootloader");
}

#[test]
fn a_manifest_that_contradicts_the_signed_targets_is_refused() {
    let mut device = device();
    let mut draft = draft(3);
    device.server.list(&draft);
    draft.images[1].1[5000] ^= 1;
    let images: Vec<_> = draft
        .images
        .iter()
        .map(|(part, bytes)| {
            let hash = komainu_tests::repository::sha256(bytes);
            json!({ "part": part, "target": format!("images/3/{part}.img"), "length": bytes.len(), "sha256": hash })
        })
        .collect();
    let manifest = json!({ "format": 1, "board": BOARD, "channel": CHANNEL, "release": 3, "version": "3",
        "images": images });
    let path = format!("boards/{BOARD}/{CHANNEL}.json");
    device.server.list_target(&path, manifest.to_string().as_bytes());
    device.server.publish_metadata();
    refused(&mut device, "differs from the signed target in length or sha256");
}

#[test]
fn a_malicious_mirror_can_only_delay() {
    let mut device = device();
    device.server.publish(&draft(3));
    let honest = device.server.clone();
    // The first root was built into the device.
    let files: Vec<String> = honest.metadata.keys().filter(|name| *name != "1.root.json").cloned().collect();
    device.server.metadata.remove("timestamp.json");
    for file in files {
        for garbage in [&b""[..], b"{}", b"[[[[", b"{\"signatures\":[],\"signed\":{}}", &[0xff; 100]] {
            device.server.metadata.insert(file.clone(), garbage.to_vec());
            device.poll_and_run();
            check_all(&mut device);
            assert_eq!(device.running_release(), 2, "{file}: {:#?}", device.log);
            device.server = honest.clone();
            if file.starts_with("1.") || file.starts_with("2.") {
                break;
            }
        }
        device.server.metadata.remove("timestamp.json");
    }
    device.server = honest;
    device.poll_and_run();
    assert_eq!(device.running_release(), 3, "{:#?}", device.log);
}

#[test]
fn a_root_that_only_spells_keys_anew_forgets_nothing() {
    let mut device = device();
    let old = device.server.clone();
    for _ in 0..5 {
        device.server.publish_timestamp();
    }
    device.poll_and_run();
    let honest = device.server.clone();
    // Every key in capitals: the same keys, so that nobody lost one, and an old timestamp is old.
    device.server = old;
    device.server.publish_root();
    let root_key = device.server.keys["root"].clone();
    device.server.alter("2.root.json", &[&root_key], |signed| {
        for key in signed["keys"].as_object_mut().unwrap().values_mut() {
            let public = key["keyval"]["public"].as_str().unwrap().to_uppercase();
            key["keyval"]["public"] = json!(public);
        }
    });
    refused(&mut device, "timestamp.json version 2 refused (TUF 5.4.3): 7 was seen before");
    recovers(&mut device, honest, 3);
}

#[test]
fn more_new_roots_than_a_poll_takes_are_taken_by_the_next() {
    let mut device = device();
    for number in 0..301 {
        device.server.keys.insert("timestamp", key(100 + (number % 2) as u8));
        device.server.publish_root();
    }
    device.server.publish(&draft(3));
    device.log.clear();
    device.poll_and_run();
    let says = |words: &str| device.log.iter().any(|line| line.contains(words));
    assert!(
        says("this poll took 256 new roots and no more: the next poll goes on from there"),
        "{:#?}",
        device.log
    );
    assert!(!says("attack"), "{:#?}", device.log);
    check_all(&mut device);
    device.pass(90_000);
    device.poll_and_run();
    assert_eq!(device.running_release(), 3, "{:#?}", device.log);
}
