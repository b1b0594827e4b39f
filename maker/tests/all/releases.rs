//! Putting releases aside: a release that a device would refuse is refused at the desk already.

use super::device::{NOW, Place};
use komainu_maker::publish::PublishOptions;
use komainu_maker::release::ReleaseDraft;

#[test]
fn a_release_number_that_is_not_above_the_last_is_refused() {
    let place = Place::new();
    let mut workshop = place.workshop();
    let numbered = |number| ReleaseDraft { number: Some(number), ..place.draft("1") };
    workshop.add_release(&numbered(42)).unwrap();
    for number in [41, 42] {
        let fault = workshop.add_release(&numbered(number)).unwrap_err().to_string();
        assert!(fault.contains("is not above 42"), "{fault}");
    }
    workshop.publish(NOW, &PublishOptions::default()).unwrap();
    assert!(workshop.add_release(&numbered(42)).is_err());
    assert_eq!(workshop.add_release(&place.draft("2")).unwrap().release.number, 43);
}

#[test]
fn numbers_count_for_each_board_and_channel() {
    let place = Place::new();
    let mut workshop = place.workshop();
    workshop.add_release(&ReleaseDraft { number: Some(7), ..place.draft("1") }).unwrap();
    let beta = ReleaseDraft { channel: "beta".into(), ..place.draft("1") };
    assert_eq!(workshop.add_release(&beta).unwrap().release.number, 1);
}

#[test]
fn what_a_device_would_refuse_is_refused_before_anything_is_copied() {
    let place = Place::new();
    let mut workshop = place.workshop();
    let empty = place.path("empty");
    std::fs::File::create(&empty).unwrap();
    let good = place.draft("1");
    let twice = vec![good.images[0].clone(), good.images[0].clone()];
    for (draft, says) in [
        (ReleaseDraft { board: "Gate".into(), ..good.clone() }, "the board `Gate` must be 1 to 32"),
        (ReleaseDraft { channel: "../x".into(), ..good.clone() }, "the channel `../x`"),
        (ReleaseDraft { version: "1 0".into(), ..good.clone() }, "version must be"),
        (ReleaseDraft { images: vec![], ..good.clone() }, "images must be at least one image"),
        (ReleaseDraft { images: twice, ..good.clone() }, "a part that no other image is for"),
        (ReleaseDraft { images: vec![("rootfs".into(), empty)], ..good.clone() }, "empty is empty: a device"),
        (ReleaseDraft { images: vec![("rootfs".into(), place.path("."))], ..good.clone() }, "is a folder"),
        (
            ReleaseDraft { images: vec![("rootfs".into(), "/dev/null".into())], ..good.clone() },
            "is no ordinary file",
        ),
        (ReleaseDraft { images: vec![("rootfs".into(), place.path("none"))], ..good.clone() }, "cannot read"),
        (
            ReleaseDraft { notes: vec![("en".into(), "x".repeat(70_000))], ..good.clone() },
            "shorten the notes",
        ),
        (ReleaseDraft { fixes: vec!["CVE".into(); 257], ..good.clone() }, "fixes must be a shorter list"),
    ] {
        let fault = format!("{:#}", workshop.add_release(&draft).unwrap_err());
        assert!(fault.contains(says), "{fault}");
        assert!(!place.path("workshop/staging").exists());
    }
}

#[test]
fn an_added_release_is_not_visible_and_can_be_dropped() {
    let place = Place::new();
    let mut workshop = place.workshop();
    workshop.add_release(&place.draft("1")).unwrap();
    assert!(!workshop.repository().join("targets").exists());
    assert_eq!(workshop.releases().unwrap().1.len(), 1);
    workshop.drop_staged().unwrap();
    assert!(workshop.publish(NOW, &PublishOptions::default()).unwrap().files.is_empty());
}

#[test]
fn images_of_older_releases_are_no_longer_listed_but_stay_for_devices_that_fetch_them() {
    let place = Place::new();
    let mut workshop = place.workshop();
    workshop.add_release(&place.draft("1")).unwrap();
    let first = workshop.publish(NOW, &PublishOptions::default()).unwrap();
    workshop.add_release(&place.draft("2")).unwrap();
    workshop.publish(NOW, &PublishOptions::default()).unwrap();
    let order = komainu_maker::upload::upload_order(&workshop).unwrap();
    assert_eq!(order.iter().filter(|path| path.starts_with("targets/images/")).count(), 1);
    assert!(first.files.iter().all(|path| workshop.repository().join(path).exists()));
}

#[test]
fn an_image_that_looks_packed_is_refused_unless_the_maker_insists() {
    let place = Place::new();
    let mut workshop = place.workshop();
    let tar = [&[0; 257][..], b"ustar"].concat();
    for (name, bytes) in [
        ("gzip", &b"\x1f\x8b\x08\0"[..]),
        ("bzip2", b"BZh9"),
        ("xz", b"\xfd7zXZ\0\0"),
        ("zstd", b"\x28\xb5\x2f\xfd\x04"),
        ("lz4", b"\x04\x22\x4d\x18\x64"),
        ("lz4 (legacy)", b"\x02\x21\x4c\x18"),
        ("lzop", b"\x89LZO\0\r\n"),
        ("zip", b"PK\x03\x04\x14"),
        ("7z", b"7z\xbc\xaf\x27\x1c"),
        ("an Android sparse image", b"\x3a\xff\x26\xed\x01\0"),
        ("qcow2", b"QFI\xfb\0"),
        ("tar", &tar),
    ] {
        let file = place.path("packed.img");
        komainu_maker::files::replace(&file, bytes).unwrap();
        let draft = ReleaseDraft { images: vec![("rootfs".into(), file)], ..place.draft("1") };
        let fault = format!("{:#}", workshop.add_release(&draft).unwrap_err());
        assert!(fault.contains("packed.img looks packed") && fault.contains(&format!("({name})")), "{fault}");
        assert!(!place.path("workshop/staging").exists());
        let length = workshop.add_release(&ReleaseDraft { raw: true, ..draft }).unwrap().images[0].length;
        assert_eq!(length, bytes.len() as u64);
        workshop.drop_staged().unwrap();
    }
    // A file system, a kernel with its header, a flattened device tree: what slots hold.
    for bytes in [&b"hsqs\0\0\0\0"[..], b"\x27\x05\x19\x56", b"\xd0\x0d\xfe\xed", b"UBI#\x01", b"\x1f", b"PK"]
    {
        let file = place.path("plain.img");
        komainu_maker::files::replace(&file, bytes).unwrap();
        let draft = ReleaseDraft { images: vec![("rootfs".into(), file)], ..place.draft("1") };
        workshop.add_release(&draft).unwrap();
    }
}
