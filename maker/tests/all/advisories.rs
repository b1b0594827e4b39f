//! Advisories: files as OSV databases and OpenVEX authors write them, reduced, published, and what devices make of
//! them.

use super::device::{Device, NOW, Place, days};
use komainu_core::advisory::matching::{Firmware, matches};
use komainu_core::advisory::{ADVISORIES_BYTES_MAX, Advisories, Rating};
use komainu_maker::advisory::osv::Choice;
use komainu_maker::advisory::{read_sbom, strangers};
use komainu_maker::files;
use komainu_maker::publish::PublishOptions;
use komainu_maker::release::ReleaseDraft;
use komainu_maker::target_paths::{is_advisories, is_manifest};
use komainu_maker::workshop::Workshop;
use std::path::PathBuf;

/// As a database converts a CVE: commits, and the versions that it found for them; no package.
const CONVERTED: &str = r#"{ "id": "CVE-2020-36254", "published": "2021-02-25T09:15:13Z",
    "modified": "2025-01-14T08:49:06.123Z", "schema_version": "1.7.0",
    "details": "scp.c in Dropbear before 2020.79 mishandles the filename of . or an empty filename, a related issue to CVE-2018-20685.",
    "references": [ { "type": "FIX", "url": "https://example.org/commit/1" } ],
    "severity": [ { "type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:H" } ],
    "database_specific": { "epss": 0.01234 },
    "affected": [ { "ranges": [ { "type": "GIT", "repo": "https://example.org/dropbear",
        "events": [ { "introduced": "0" }, { "fixed": "8f8a3dff705fad774a10864a2e3dbcfa9779ceff" } ],
        "database_specific": { "versions": [ { "introduced": "0" }, { "fixed": "2020.79" } ] } } ],
      "versions": [ "DROPBEAR_2019.77", "DROPBEAR_2019.78" ] } ] }"#;

/// As GitHub writes it: words for severity, an ecosystem, an alias.
const GITHUB: &str = r#"{ "id": "GHSA-aaaa-bbbb-cccc", "modified": "2024-06-01T00:00:00Z",
    "aliases": [ "CVE-2024-1000" ], "summary": "A thing\nhappens", "details": "Long. Very long.",
    "severity": [ { "type": "CVSS_V4", "score": "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N" } ],
    "database_specific": { "severity": "MODERATE", "cwe_ids": [] },
    "affected": [
      { "package": { "ecosystem": "Debian:12", "name": "busybox", "purl": "pkg:deb/debian/busybox?arch=source" },
        "ranges": [ { "type": "ECOSYSTEM", "events": [ { "introduced": "0" }, { "fixed": "1:1.36.1-9" } ] } ],
        "versions": [ "1:1.35.0-4" ] },
      { "package": { "ecosystem": "Alpine:v3.20", "name": "busybox", "purl": "pkg:apk/alpine/busybox" },
        "ranges": [ { "type": "ECOSYSTEM", "events": [ { "introduced": "0" } ] } ] } ] }"#;

const VEX: &str = r#"{ "@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://example.org/vex-1", "author": "Maker",
    "timestamp": "2026-01-08T18:02:03.647787998-06:00", "version": 1,
    "statements": [
      { "vulnerability": { "name": "CVE-2024-1000" }, "timestamp": "2026-01-10T00:00:00Z",
        "products": [ { "@id": "pkg:generic/gate-1@2.1.0", "subcomponents": [ { "@id": "pkg:deb/debian/busybox" } ] } ],
        "status": "not_affected", "justification": "vulnerable_code_not_present", "impact_statement": "Not built." },
      { "vulnerability": { "name": "MAKER-7", "aliases": [ "CVE-2020-36254" ] },
        "products": [ { "@id": "https://example.org/gate-1", "identifiers": { "purl": "pkg:generic/gate-1" } } ],
        "status": "under_investigation" } ] }"#;

const SBOM: &str = r#"{ "bomFormat": "CycloneDX", "specVersion": "1.5", "components": [
    { "type": "library", "name": "dropbear", "version": "2019.78", "purl": "pkg:generic/dropbear@2019.78" },
    { "type": "library", "name": "busybox", "version": "1:1.35.0-4", "purl": "pkg:deb/debian/busybox@1:1.35.0-4?arch=mipsel" } ] }"#;

fn file(place: &Place, name: &str, text: &str) -> PathBuf {
    files::replace(&place.path(name), text.as_bytes()).unwrap();
    place.path(name)
}

fn dropbear() -> Choice {
    Choice { purl: Some("pkg:generic/dropbear".into()), ..Choice::default() }
}

/// The findings of a device with [`SBOM`] and this version.
fn found(place: &Place, advisories: &Advisories, version: &str) -> Vec<String> {
    let components = read_sbom(&file(place, "sbom.json", SBOM)).unwrap();
    let checked = matches(&components, advisories, &Firmware { board: "gate-1", version: Some(version) });
    checked.matches.iter().map(|one| format!("{} {}", one.component, one.id)).collect()
}

fn fault(result: anyhow::Result<impl Sized>) -> String {
    match result {
        Ok(_) => String::new(),
        Err(fault) => format!("{fault:#}"),
    }
}

#[test]
fn an_entry_with_cvss_4_and_no_word_is_rated_by_its_score() {
    let place = Place::new();
    let no_word = GITHUB.replace("\"severity\": \"MODERATE\", ", "");
    assert_ne!(no_word, GITHUB);
    let done =
        place.workshop().add_osv("gate-1", &[file(&place, "a", &no_word)], &Choice::default()).unwrap();
    assert_eq!(done.advisories.osv[0].rating, Some(Rating::Critical));
}

#[test]
fn real_files_are_reduced_and_devices_find_what_they_have() {
    let place = Place::new();
    let mut workshop = place.workshop();
    workshop.add_osv("gate-1", &[file(&place, "a", CONVERTED)], &dropbear()).unwrap();
    let debian = Choice { ecosystem: Some("Debian:12".into()), ..Choice::default() };
    let done = workshop.add_osv("gate-1", &[file(&place, "b", GITHUB)], &debian).unwrap();
    let [cve, ghsa] = &done.advisories.osv[..] else { panic!("{:?}", done.advisories) };
    assert_eq!((cve.rating, ghsa.rating), (Some(Rating::High), Some(Rating::Medium)));
    assert_eq!(ghsa.summary.as_deref(), Some("A thing happens"));
    assert!(cve.summary.as_ref().is_some_and(|one| one.starts_with("scp.c in Dropbear before 2020.79")));
    assert_eq!((ghsa.affected.len(), ghsa.affected[0].purl.as_str()), (1, "pkg:deb/debian/busybox"));
    assert!(done.bytes < 700, "{} bytes", done.bytes);
    let both = ["dropbear CVE-2020-36254", "busybox CVE-2024-1000"];
    assert_eq!(found(&place, &done.advisories, "2.1.0"), both);

    let done = workshop.add_vex("gate-1", &[file(&place, "vex", VEX)]).unwrap();
    assert_eq!(done.advisories.vex[0].vulnerability, "CVE-2020-36254", "the name that the entry has");
    assert_eq!(found(&place, &done.advisories, "2.1.0"), ["dropbear CVE-2020-36254"]);
    assert_eq!(found(&place, &done.advisories, "2.0.0").len(), 2, "the word is about 2.1.0 only");

    // A statement stays where an older one comes later, and goes where a newer one does.
    let older = VEX.replace("2026-01-10", "2026-01-09").replace("not_affected", "fixed");
    let done = workshop.add_vex("gate-1", &[file(&place, "vex", &older)]).unwrap();
    assert_eq!(found(&place, &done.advisories, "2.1.0").len(), 1);
    assert_eq!(done.advisories.vex.len(), 2);
    let newer = older.replace("2026-01-09", "2026-02-01").replace("fixed", "under_investigation");
    let done = workshop.add_vex("gate-1", &[file(&place, "vex", &newer)]).unwrap();
    assert_eq!((found(&place, &done.advisories, "2.1.0").len(), done.advisories.vex.len()), (2, 2));

    // Withdrawn, or taken out.
    let withdrawn = CONVERTED.replace("\"published\"", "\"withdrawn\"");
    let done = workshop.add_osv("gate-1", &[file(&place, "a", &withdrawn)], &dropbear()).unwrap();
    assert_eq!(done.advisories.osv.len(), 1);
    let done = workshop.remove_advisories("gate-1", &["CVE-2024-1000".into()]).unwrap();
    assert_eq!((done.advisories.osv.len(), done.advisories.vex.len()), (0, 1));
    let says = fault(workshop.remove_advisories("gate-1", &["CVE-1".into()]));
    assert_eq!(says, "there is nothing about CVE-1 among the advisories for gate-1");
}

#[test]
fn an_answer_of_the_api_is_a_list_of_entries() {
    let place = Place::new();
    let mut workshop = place.workshop();
    let answer = format!(r#"{{ "vulns": [ {CONVERTED}, {GITHUB} ] }}"#);
    let done = workshop.add_osv("gate-1", &[file(&place, "a", &answer)], &dropbear()).unwrap();
    assert_eq!(done.advisories.osv.len(), 2);
}

#[test]
fn what_no_device_could_use_is_refused_and_nothing_put_aside() {
    let place = Place::new();
    let mut workshop = place.workshop();
    let add = |workshop: &mut Workshop, text: &str, choice: &Choice| {
        fault(workshop.add_osv("gate-1", &[file(&place, "x", text)], choice))
    };
    let none = Choice::default();
    let arch = Choice { ecosystem: Some("Arch".into()), ..Choice::default() };
    let odd = Choice { purl: Some("dropbear".into()), ..Choice::default() };
    for (text, choice, says) in [
        ("[", &none, "is not JSON"),
        ("{}", &none, "no OSV entry: it has no `id`"),
        (r#"{ "id": "CVE-1" }"#, &none, "it has no `modified`"),
        (r#"{ "id": "CVE-1", "modified": "x" }"#, &none, "CVE-1 names no package"),
        (CONVERTED, &none, "CVE-2020-36254: a package has no package URL"),
        (CONVERTED, &odd, "`dropbear` is no package URL"),
        (GITHUB, &arch, "names no package of that ecosystem"),
    ] {
        let fault = add(&mut workshop, text, choice);
        assert!(fault.contains(says), "{fault}");
    }
    let vex =
        |workshop: &mut Workshop, text: &str| fault(workshop.add_vex("gate-1", &[file(&place, "x", text)]));
    for (from, to, says) in [
        ("https://openvex.dev/ns/v0.2.0", "https://example.org", "no OpenVEX document"),
        ("\"statements\"", "\"x\"", "it has no `statements`"),
        ("under_investigation", "maybe", "vex[0].status must be not_affected"),
        ("under_investigation", "affected", "statements[1]: affected needs an `action_statement`"),
        ("\"justification\"", "\"x\": 1, \"impact_statement\": \"\", \"y\"", ""),
        ("pkg:generic/gate-1@2.1.0", "gate-1", "product \"gate-1\" has no package URL"),
        ("2026-01-10T00:00:00Z", "yesterday", "`yesterday` is no time"),
    ] {
        assert!(VEX.contains(from));
        let fault = vex(&mut workshop, &VEX.replacen(from, to, 1));
        assert!(fault.contains(says), "{fault}");
    }
    workshop.drop_staged().unwrap();
    let many: Vec<String> =
        (0..900).map(|at| CONVERTED.replacen("CVE-2020-36254", &format!("CVE-2020-{at}"), 1)).collect();
    let fault = add(&mut workshop, &format!("[{}]", many.join(",")), &dropbear());
    assert!(fault.contains(&format!("devices read at most {ADVISORIES_BYTES_MAX}")), "{fault}");
    assert!(!place.path("workshop/staging").exists());
    let says = fault_of_board(&mut workshop, &place);
    assert!(says.contains("the board `Gate` must be"), "{says}");
}

fn fault_of_board(workshop: &mut Workshop, place: &Place) -> String {
    fault(workshop.add_osv("Gate", &[file(place, "x", CONVERTED)], &dropbear()))
}

#[test]
fn advisories_are_published_with_releases_and_rehearsed() {
    let place = Place::new();
    let mut workshop = place.workshop();
    workshop.add_release(&place.draft("1")).unwrap();
    workshop.add_osv("gate-1", &[file(&place, "a", CONVERTED)], &dropbear()).unwrap();
    let published = workshop.publish(NOW, &PublishOptions::default()).unwrap();
    let target = published.files.iter().find(|path| path.ends_with(".advisories.json")).unwrap();
    assert!(target.starts_with("targets/boards/gate-1/"), "{target}");
    let mut device = Device::new(&workshop.repository());
    let mut trusted = device.poll(&workshop.repository(), NOW).unwrap();
    assert!(trusted.target("boards/gate-1/advisories.json").unwrap().is_some());
    assert_eq!(workshop.releases().unwrap().0.len(), 1, "they are no release");

    // The next ones build on what is published.
    workshop.add_vex("gate-1", &[file(&place, "vex", VEX)]).unwrap();
    assert_eq!(workshop.advisories("gate-1").unwrap().osv.len(), 1);
    workshop.publish(days(1), &PublishOptions::default()).unwrap();
    device.poll(&workshop.repository(), days(1)).unwrap();
    let now = workshop.advisories("gate-1").unwrap();
    assert_eq!((now.osv.len(), now.vex.len()), (1, 2));

    // A bundle has them too.
    let of = komainu_maker::bundle::Of {
        board: komainu_core::identifiers::Name::parse("gate-1").unwrap(),
        channel: komainu_core::identifiers::Name::parse("stable").unwrap(),
    };
    let shelf = komainu_maker::shelf::Shelf::of(&workshop.repository());
    let root = std::fs::read(workshop.repository().join("metadata/1.root.json")).unwrap();
    let hidden = komainu_maker::progress::Progress::Hidden;
    let made = komainu_maker::bundle::make(&shelf, root, &of, days(1), &place.path("b.tar"), hidden).unwrap();
    assert_eq!(made.files.iter().filter(|name| name.ends_with("advisories.json")).count(), 1);
}

#[test]
fn advisories_that_a_device_would_refuse_are_not_published() {
    let place = Place::new();
    let mut workshop = place.workshop();
    workshop.add_osv("gate-1", &[file(&place, "a", CONVERTED)], &dropbear()).unwrap();
    workshop.publish(NOW, &PublishOptions::default()).unwrap();
    // They are changed on the server.
    let folder = workshop.repository().join("targets/boards/gate-1");
    let path = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[10] ^= 1;
    files::replace(&path, &bytes).unwrap();
    let says = fault(Device::new(&workshop.repository()).poll(&workshop.repository(), NOW));
    assert!(says.contains("boards/gate-1/advisories.json"), "{says}");
    let says = fault(workshop.advisories("gate-1"));
    assert!(says.contains("was changed since it was signed"), "{says}");
}

#[test]
fn no_channel_takes_the_place_of_advisories() {
    let place = Place::new();
    let draft = ReleaseDraft { channel: "advisories".into(), ..place.draft("1") };
    let says = fault(place.workshop().add_release(&draft));
    assert!(says.contains("no channel can be called advisories"), "{says}");
    for (path, manifest, advisories) in [
        ("boards/gate-1/stable.json", true, false),
        ("boards/gate-1/advisories.json", false, true),
        ("boards/gate-1/x/advisories.json", false, false),
        ("boards/advisories.json", false, false),
        ("boards/gate-1/my-advisories.json", true, false),
    ] {
        assert_eq!((is_manifest(path), is_advisories(path)), (manifest, advisories), "{path}");
    }
}

#[test]
fn names_that_no_sbom_knows_are_told() {
    let place = Place::new();
    let mut workshop = place.workshop();
    let components = read_sbom(&file(&place, "sbom.json", SBOM)).unwrap();
    workshop.add_osv("gate-1", &[file(&place, "b", GITHUB)], &Choice::default()).unwrap();
    let done = workshop.add_vex("gate-1", &[file(&place, "vex", VEX)]).unwrap();
    assert_eq!(strangers(&done.advisories, "gate-1", &components), ["pkg:apk/alpine/busybox"]);
    assert_eq!(strangers(&done.advisories, "gate-2", &components).len(), 2, "another board's firmware, too");
}
