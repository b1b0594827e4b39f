//! Publishing: rehearsed first, and harmless to polling devices after every single file.

use super::device::{Device, NOW, Place, copy, days};
use komainu_maker::publish::{PublishOptions, Published};
use komainu_maker::upload::upload_to_folder;
use komainu_maker::workshop::Workshop;
use komainu_trust::Moment;

fn publish(workshop: &mut Workshop, now: Moment) -> Published {
    workshop.publish(now, &PublishOptions::default()).unwrap()
}

#[test]
fn nothing_new_changes_nothing_until_signatures_come_to_an_end() {
    let place = Place::new();
    let mut workshop = place.workshop();
    assert!(publish(&mut workshop, NOW).files.is_empty());
    assert!(publish(&mut workshop, days(3)).files.is_empty());
    assert_eq!(publish(&mut workshop, days(4)).files, ["metadata/timestamp.json"]);
    assert_eq!(publish(&mut workshop, days(16)).versions, [1, 3, 2, 1]);
    let renewed =
        workshop.publish(days(16), &PublishOptions { renew: true, ..PublishOptions::default() }).unwrap();
    assert_eq!(renewed.versions, [1, 4, 3, 1]);
}

#[test]
fn a_maker_is_warned_before_root_and_targets_expire() {
    let place = Place::new();
    let mut workshop = place.workshop();
    assert_eq!(publish(&mut workshop, days(300)).warnings.len(), 0);
    let warnings = publish(&mut workshop, days(330)).warnings;
    assert!(warnings[0].contains("targets.json expires 2027-11-22T00:00:00Z, 35 days left"), "{warnings:?}");
    let options = PublishOptions { renew_targets: true, ..PublishOptions::default() };
    assert_eq!(workshop.publish(days(330), &options).unwrap().versions[3], 2);
    assert!(
        publish(&mut workshop, days(660))
            .warnings
            .iter()
            .any(|warning| warning.contains("root.json expires"))
    );
}

#[test]
fn an_image_that_was_damaged_after_adding_is_not_published() {
    let place = Place::new();
    let mut workshop = place.workshop();
    let manifest = workshop.add_release(&place.draft("1")).unwrap();
    let hash = komainu_trust::hex::encode(&manifest.images[0].sha256);
    let staged = place.path(&format!("workshop/staging/targets/images/gate-1/stable/1/{hash}.rootfs.img"));
    let whole = std::fs::read(&staged).unwrap();
    for (damaged, says) in
        [(&b"Image of 1"[..], "its hash is not the signed one"), (b"short", "5 bytes, signed are 10")]
    {
        komainu_maker::files::replace(&staged, damaged).unwrap();
        let fault = format!("{:#}", workshop.publish(NOW, &PublishOptions::default()).unwrap_err());
        assert!(fault.contains("not published: a device would refuse it"), "{fault}");
        assert!(fault.contains(says), "{fault}");
        assert!(nothing_new_is_visible(&workshop));
    }
    komainu_maker::files::replace(&staged, &whole).unwrap();
    assert_eq!(publish(&mut workshop, NOW).versions, [1, 2, 2, 2]);
}

fn nothing_new_is_visible(workshop: &Workshop) -> bool {
    let trusted = Device::new(&workshop.repository()).poll(&workshop.repository(), NOW).unwrap();
    trusted.versions() == [1, 1, 1, 1] && !workshop.repository().join("metadata/2.targets.json").exists()
}

#[test]
fn expired_metadata_is_not_published() {
    let place = Place::new();
    let mut workshop = place.workshop();
    workshop.add_release(&place.draft("1")).unwrap();
    let fault = format!("{:#}", workshop.publish(days(731), &PublishOptions::default()).unwrap_err());
    assert!(fault.contains("1.root.json version 1 refused (TUF 5.3.10): expired 2028-11-21"), "{fault}");
    // A nightly renewal does not hide that the targets key is due.
    let fault = Place::new().workshop().publish(days(366), &PublishOptions::default()).unwrap_err();
    assert!(format!("{fault:#}").contains("targets.json version 1 refused"), "{fault:#}");
}

#[test]
fn from_the_first_day_expired_metadata_is_called_expired() {
    let place = Place::new();
    let mut workshop = place.workshop();
    publish(&mut workshop, days(362));
    // The timestamp is not due yet, so that nothing is published and nothing refused.
    let published = publish(&mut workshop, days(365));
    assert_eq!((published.files.len(), published.warnings.len()), (0, 0));
    let says = &published.expired[0];
    assert!(says.starts_with("targets.json EXPIRED less than a day ago"), "{says}");
    assert!(says.contains("publish --renew-targets --keys"), "{says}");
    let fault = workshop.publish(days(367), &PublishOptions::default()).unwrap_err();
    assert!(format!("{fault:#}").starts_with("targets.json EXPIRED 2 days ago"), "{fault:#}");
    let options = PublishOptions { renew_targets: true, ..PublishOptions::default() };
    assert!(workshop.publish(days(367), &options).unwrap().expired.is_empty());
    let fault = workshop.publish(days(740), &options).unwrap_err();
    let fault = format!("{fault:#}");
    assert!(
        fault.starts_with("root.json EXPIRED 10 days ago") && !fault.contains("targets.json EXP"),
        "{fault}"
    );
    assert!(fault.contains("komainu-maker key rotate root"), "{fault}");
}

#[test]
fn only_who_says_so_publishes_without_rehearsal() {
    let place = Place::new();
    let mut workshop = place.workshop();
    let options = PublishOptions { renew: true, without_rehearsal: true, ..PublishOptions::default() };
    workshop.publish(days(731), &options).unwrap();
    assert!(Device::new(&workshop.repository()).poll(&workshop.repository(), days(731)).is_err());
}

#[test]
fn a_repository_that_others_changed_is_not_built_upon() {
    let place = Place::new();
    let mut workshop = place.workshop();
    let targets = workshop.repository().join("metadata/1.targets.json");
    let text = std::fs::read_to_string(&targets).unwrap();
    let evil = text.replace(r#""targets": {}"#, r#""targets": { "images/evil": {} }"#);
    assert_ne!(text, evil);
    komainu_maker::files::replace(&targets, evil.as_bytes()).unwrap();
    workshop.add_release(&place.draft("1")).unwrap_err();
    let fault = workshop.publish(NOW, &PublishOptions::default()).unwrap_err();
    assert!(fault.to_string().contains("are not those that this workshop signed"), "{fault:#}");
}

#[test]
fn an_upload_that_stops_anywhere_leaves_devices_at_the_old_or_the_new_state() {
    let place = Place::new();
    let mut workshop = place.workshop();
    workshop.add_release(&place.draft("1")).unwrap();
    publish(&mut workshop, NOW);
    let upload = place.path("upload");
    upload_to_folder(&workshop, &upload).unwrap();
    let mut watching = Device::new(&upload);
    let old = watching.poll(&upload, NOW).unwrap().versions();

    workshop.add_release(&place.draft("2")).unwrap();
    let published = publish(&mut workshop, NOW);
    let mut seen = Vec::new();
    for step in 0..=published.files.len() {
        copy(&published.files[..step], &workshop.repository(), &upload);
        for mut device in [watching.clone(), Device::new(&upload)] {
            let versions = device.poll(&upload, NOW).unwrap().versions();
            assert!(versions == old || versions == published.versions, "after {step} files: {versions:?}");
            seen.push(versions);
        }
    }
    assert_eq!(*seen.last().unwrap(), published.versions);
}

#[test]
fn a_publication_that_was_cut_off_is_completed_by_the_next_one() {
    let place = Place::new();
    let mut workshop = place.workshop();
    workshop.add_release(&place.draft("1")).unwrap();
    // A file where a folder must come stops it in the middle of moving targets.
    std::fs::create_dir_all(workshop.repository().join("targets")).unwrap();
    let obstacle = workshop.repository().join("targets/images");
    std::fs::File::create(&obstacle).unwrap();
    workshop.publish(NOW, &PublishOptions::default()).unwrap_err();
    let mut device = Device::new(&workshop.repository());
    assert_eq!(device.poll(&workshop.repository(), NOW).unwrap().versions(), [1, 1, 1, 1]);
    let fault = workshop.add_release(&place.draft("2")).unwrap_err();
    assert!(fault.to_string().contains("was cut off"), "{fault:#}");

    std::fs::remove_file(&obstacle).unwrap();
    let published = publish(&mut workshop, NOW);
    assert_eq!(published.versions, [1, 2, 2, 2]);
    assert_eq!(device.poll(&workshop.repository(), NOW).unwrap().versions(), [1, 2, 2, 2]);
    assert!(!place.path("workshop/next").exists() && !place.path("workshop/staging").exists());
    assert!(publish(&mut workshop, NOW).files.is_empty());
}

#[test]
fn a_publication_that_was_cut_off_too_long_ago_is_made_anew() {
    let place = Place::new();
    let mut workshop = place.workshop();
    workshop.add_release(&place.draft("1")).unwrap();
    std::fs::create_dir_all(workshop.repository().join("targets")).unwrap();
    let obstacle = workshop.repository().join("targets/images");
    std::fs::File::create(&obstacle).unwrap();
    workshop.publish(NOW, &PublishOptions::default()).unwrap_err();
    std::fs::remove_file(&obstacle).unwrap();
    let published = publish(&mut workshop, days(8));
    assert!(published.warnings[0].contains("is given up"), "{:?}", published.warnings);
    let trusted = Device::new(&workshop.repository()).poll(&workshop.repository(), days(8)).unwrap();
    assert!(trusted.clone().target("boards/gate-1/stable.json").unwrap().is_some());
}

#[test]
fn two_at_work_in_one_workshop_do_not_cross() {
    let place = Place::new();
    let mut workshop = place.workshop();
    let file = std::fs::File::options().create(true).append(true).open(place.path("workshop/.lock")).unwrap();
    let lock = nix::fcntl::Flock::lock(file, nix::fcntl::FlockArg::LockExclusiveNonblock).unwrap();
    let fault = workshop.publish(NOW, &PublishOptions::default()).unwrap_err();
    assert!(fault.to_string().contains("another komainu-maker is at work"), "{fault:#}");
    drop(lock);
    publish(&mut workshop, NOW);
}

#[test]
fn devices_learn_the_time_of_signing() {
    let place = Place::new();
    let mut workshop = place.workshop();
    publish(&mut workshop, days(5));
    let trusted = Device::new(&workshop.repository()).poll(&workshop.repository(), Moment(0)).unwrap();
    assert_eq!(trusted.clock_floor(), days(5));
}

#[test]
fn a_file_that_is_replaced_is_dated_at_least_a_second_later() {
    let place = Place::new();
    let mut workshop = place.workshop();
    let upload = place.path("upload");
    let files =
        [workshop.repository().join("metadata/timestamp.json"), upload.join("metadata/timestamp.json")];
    let mut before = Vec::new();
    for round in 0..3 {
        workshop.publish(NOW, &PublishOptions { renew: true, ..PublishOptions::default() }).unwrap();
        upload_to_folder(&workshop, &upload).unwrap();
        let dates: Vec<_> = files.iter().map(|file| file.metadata().unwrap().modified().unwrap()).collect();
        for (old, new) in before.iter().zip(&dates) {
            let later = std::time::Duration::from_secs(1);
            assert!(*old + later <= *new, "round {round}: {old:?} {new:?}");
        }
        before = dates;
    }
}
