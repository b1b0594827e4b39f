//! Uploads to a folder: files that are missing or cut off are sent, and nothing newer or foreign is touched.
//! Other machines and object stores are in tests/peers.

use super::device::{Device, NOW, Place, days};
use komainu_maker::files;
use komainu_maker::init::InitOptions;
use komainu_maker::publish::PublishOptions;
use komainu_maker::upload::{upload_order, upload_to_folder};
use komainu_maker::workshop::Workshop;
use komainu_trust::Moment;
use std::path::Path;
use std::process::Command;

fn published(place: &Place) -> Workshop {
    let mut workshop = place.workshop();
    workshop.add_release(&place.draft("1")).unwrap();
    workshop.publish(NOW, &PublishOptions::default()).unwrap();
    workshop
}

fn renew(workshop: &mut Workshop, now: Moment) {
    workshop.publish(now, &PublishOptions { renew: true, ..PublishOptions::default() }).unwrap();
}

/// Copies a workshop as a person does who sets a second machine up.
fn copied(from: &Path, to: &Path) -> Workshop {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
    Workshop::open(to).unwrap()
}

fn says(workshop: &Workshop, to: &Path) -> String {
    format!("{:#}", upload_to_folder(workshop, to).unwrap_err())
}

#[test]
fn only_what_is_missing_is_sent_and_in_the_order_of_the_list() {
    let place = Place::new();
    let mut workshop = published(&place);
    let web = place.path("web");
    let sent = upload_to_folder(&workshop, &web).unwrap();
    assert_eq!(sent, upload_order(&workshop).unwrap());
    assert_eq!(sent.len(), 6);
    assert!(upload_to_folder(&workshop, &web).unwrap().is_empty());
    Device::new(&web).poll(&web, NOW).unwrap();
    renew(&mut workshop, NOW);
    assert_eq!(
        upload_to_folder(&workshop, &web).unwrap(),
        ["metadata/3.snapshot.json", "metadata/timestamp.json"]
    );
    Device::new(&web).poll(&web, NOW).unwrap();
}

#[test]
fn a_file_that_was_cut_off_or_lost_is_sent_again() {
    let place = Place::new();
    let workshop = published(&place);
    let web = place.path("web");
    for path in upload_to_folder(&workshop, &web).unwrap() {
        let whole = std::fs::read(web.join(&path)).unwrap();
        for part in [&[][..], &whole[..whole.len() / 2]] {
            files::replace(&web.join(&path), part).unwrap();
            assert_eq!(upload_to_folder(&workshop, &web).unwrap(), std::slice::from_ref(&path));
            assert_eq!(std::fs::read(web.join(&path)).unwrap(), whole, "{path}");
        }
        files::remove(&web.join(&path)).unwrap();
        assert_eq!(upload_to_folder(&workshop, &web).unwrap(), [path]);
    }
}

#[test]
fn an_older_copy_of_a_workshop_replaces_nothing() {
    let place = Place::new();
    let mut workshop = published(&place);
    let web = place.path("web");
    let mut other = copied(workshop.dir(), &place.path("other"));
    renew(&mut workshop, NOW);
    upload_to_folder(&workshop, &web).unwrap();
    let before = std::fs::read(web.join("metadata/timestamp.json")).unwrap();
    assert!(says(&other, &web).contains("another copy of it has published since"), "{}", says(&other, &web));
    renew(&mut other, days(1));
    let fault = says(&other, &web);
    assert!(fault.contains("another timestamp.json of version 3 than this workshop signed"), "{fault}");
    // One further, its timestamp would be the newer one; the snapshot below it is there already, and is another.
    renew(&mut other, days(1));
    renew(&mut workshop, NOW);
    upload_to_folder(&workshop, &web).unwrap();
    renew(&mut other, days(1));
    files::replace(&web.join("metadata/5.snapshot.json"), b"another").unwrap();
    let fault = says(&other, &web);
    assert!(fault.contains("metadata/5.snapshot.json at") && fault.contains("has other content"), "{fault}");
    assert_ne!(std::fs::read(web.join("metadata/timestamp.json")).unwrap(), before);
}

#[test]
fn another_repository_stays_as_it_is() {
    let place = Place::new();
    let workshop = published(&place);
    let web = place.path("web");
    let stranger = Workshop::init(&place.path("stranger"), &InitOptions::default(), NOW).unwrap();
    upload_to_folder(&stranger, &web).unwrap();
    let fault = says(&workshop, &web);
    assert!(fault.contains("metadata/1.root.json at") && fault.contains("another repository"), "{fault}");
    assert!(!web.join("targets").exists());
    assert!(upload_to_folder(&stranger, &web).unwrap().is_empty());
    let fault = says(&workshop, &workshop.repository());
    assert!(fault.contains("the workshop's own repository"), "{fault}");
}

#[test]
fn a_folder_that_another_upload_writes_to_is_left_alone() {
    let place = Place::new();
    let workshop = published(&place);
    let web = place.path("web");
    files::make_folder(&web).unwrap();
    let folder = std::fs::File::open(&web).unwrap();
    let lock = nix::fcntl::Flock::lock(folder, nix::fcntl::FlockArg::LockExclusiveNonblock).unwrap();
    assert!(says(&workshop, &web).contains("another komainu-maker publishes to"));
    drop(lock);
    upload_to_folder(&workshop, &web).unwrap();
}
