//! Many boards: the list of targets is divided among hash bins, and devices follow through every change.

use super::device::{Device, NOW, Place, days};
use super::rotation::replace_key;
use komainu_maker::files;
use komainu_maker::publish::PublishOptions;
use komainu_maker::release::ReleaseDraft;
use komainu_maker::summary;
use komainu_maker::upload::{upload_order, upload_to_folder};
use komainu_maker::workshop::Workshop;
use komainu_trust::roles::Role;

const BOARDS: usize = 280;

fn draft(place: &Place, board: usize, version: &str) -> ReleaseDraft {
    ReleaseDraft { board: format!("gate-{board}"), ..place.draft(version) }
}

/// A workshop with so many boards, published at once.
fn with_boards(place: &Place) -> Workshop {
    let mut workshop = place.workshop();
    for board in 0..BOARDS {
        workshop.add_release(&draft(place, board, "1")).unwrap();
    }
    workshop.publish(NOW, &PublishOptions::default()).unwrap();
    workshop
}

fn bins(files: &[String]) -> usize {
    files.iter().filter(|file| file.contains(".bin-")).count()
}

#[test]
fn many_boards_are_divided_among_bins_and_devices_follow_every_change() {
    let place = Place::new();
    let mut workshop = with_boards(&place);
    let order = upload_order(&workshop).unwrap();
    assert_eq!(bins(&order), 64);
    let at = |file: &str| order.iter().position(|other| other.ends_with(file)).unwrap();
    let last_bin = order.iter().rposition(|file| file.contains(".bin-")).unwrap();
    assert!(last_bin < at(".targets.json") && at(".targets.json") < at(".snapshot.json"), "{order:?}");
    let mut device = Device::new(&workshop.repository());
    let trusted = device.poll(&workshop.repository(), NOW).unwrap();
    assert_eq!(trusted.target_paths().count(), 2 * BOARDS);

    // One board's release: the one bin that its manifest and its image are in, and no new targets.json.
    workshop.add_release(&draft(&place, 7, "2")).unwrap();
    let published = workshop.publish(NOW, &PublishOptions::default()).unwrap();
    assert!((1..=2).contains(&bins(&published.files)), "{:?}", published.files);
    assert!(!published.files.iter().any(|file| file.ends_with(".targets.json")), "{:?}", published.files);
    device.poll(&workshop.repository(), NOW).unwrap();

    // The next one's old image lies in that bin too.
    workshop.add_release(&draft(&place, 7, "3")).unwrap();
    assert_eq!(bins(&workshop.publish(NOW, &PublishOptions::default()).unwrap().files), 1);

    // Other targets keys sign every bin.
    let published = workshop.rotate(&replace_key(&place, Role::Targets, "targets-new"), NOW).unwrap();
    assert_eq!(bins(&published.files), 64);
    device.poll(&workshop.repository(), NOW).unwrap();

    // And so does a renewal, also where everything has expired.
    let renew = PublishOptions { renew_targets: true, ..PublishOptions::default() };
    assert_eq!(bins(&workshop.publish(days(400), &renew).unwrap().files), 64);
    device.poll(&workshop.repository(), days(400)).unwrap();
    let nothing = workshop.publish(days(400), &PublishOptions::default()).unwrap();
    assert!(nothing.files.is_empty(), "{:?}", nothing.files);

    let copied = upload_to_folder(&workshop, &place.path("mirror")).unwrap();
    assert_eq!(bins(&copied), 64);
    Device::new(&place.path("mirror")).poll(&place.path("mirror"), days(400)).unwrap();
    assert_eq!(workshop.releases().unwrap().0.len(), BOARDS);
    let summary = summary::of_repository(&workshop.repository(), NOW).unwrap();
    assert_eq!(summary["releases"].as_array().unwrap().len(), BOARDS);
    assert_eq!(workshop.add_release(&draft(&place, 9, "2")).unwrap().release.number, 2);
}

#[test]
fn a_bin_that_was_changed_or_is_gone_is_noticed() {
    let place = Place::new();
    let mut workshop = with_boards(&place);
    let order = upload_order(&workshop).unwrap();
    let bin = workshop.repository().join(order.iter().find(|file| file.contains(".bin-")).unwrap());
    let good = std::fs::read(&bin).unwrap();
    let changed = String::from_utf8(good.clone()).unwrap().replace("length", "lenght");
    files::replace(&bin, changed.as_bytes()).unwrap();
    let fault = workshop.publish(NOW, &PublishOptions::default()).unwrap_err().to_string();
    assert!(fault.contains("refused (TUF 5.6"), "{fault}");
    assert!(Device::new(&workshop.repository()).poll(&workshop.repository(), NOW).is_err());
    std::fs::remove_file(&bin).unwrap();
    let fault = workshop.publish(NOW, &PublishOptions::default()).unwrap_err().to_string();
    assert!(fault.contains("is missing"), "{fault}");
    files::replace(&bin, &good).unwrap();
    workshop.publish(NOW, &PublishOptions::default()).unwrap();
}

#[test]
fn a_signing_request_says_that_it_does_not_carry_bins() {
    let place = Place::new();
    let mut workshop = with_boards(&place);
    workshop.add_release(&draft(&place, 1, "2")).unwrap();
    let fault = workshop.request_targets(NOW).err().unwrap().to_string();
    assert!(fault.contains("64 hash bins") && fault.contains("--keys DIR"), "{fault}");
    workshop.publish(NOW, &PublishOptions::default()).unwrap();
}
