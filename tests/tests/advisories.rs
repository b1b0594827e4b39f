//! Advisories against the whole agent: they are polled, proven and compared with an SBOM; an update never waits for
//! them, and a power cut costs nothing.
#![allow(clippy::unwrap_used, reason = "a panic is the report")]

use komainu_agent::wall::vulnerabilities::FirmwareInventory;
use komainu_core::advisory;
use komainu_core::advisory::ADVISORIES_BYTES_MAX;
use komainu_core::device::{Host, Repository as _};
use komainu_core::identifiers::{ReleaseId, Version};
use komainu_core::wall::judge::vulnerabilities::{FirmwareSeen, judge};
use komainu_core::wall::measures::Measure;
use komainu_core::wall::report::{Judgement, Report};
use komainu_tests::invariants::{check_all, invariant_device_settles};
use komainu_tests::repository::{BOARD, Repository, key};
use komainu_tests::sim::disk::{ALL_AFTERS, After};
use komainu_tests::sim::flash::draft;
use komainu_tests::sim::{Device, name};
use std::io::Write;
use std::path::PathBuf;

const PATH: &str = "boards/gate-1/advisories.json";
const ADVISORIES: &str = r#"{
    "osv": [ { "id": "CVE-2020-36254", "database_specific": { "severity": "HIGH" },
      "summary": "scp takes file names that it should not",
      "affected": [ { "package": { "purl": "pkg:generic/dropbear" },
        "ranges": [ { "type": "ECOSYSTEM", "events": [ { "introduced": "0" }, { "fixed": "2020.79" } ] } ] } ] } ],
    "vex": [ { "vulnerability": { "name": "CVE-2026-0001" }, "status": "under_investigation",
      "products": [ { "@id": "pkg:generic/gate-1", "subcomponents": [ { "@id": "pkg:generic/busybox" } ] } ] } ] }"#;
const SBOM: &str = r#"{ "bomFormat": "CycloneDX", "specVersion": "1.6", "components": [
    { "type": "application", "name": "dropbear", "version": "2019.78", "purl": "pkg:generic/dropbear@2019.78" },
    { "type": "application", "name": "busybox", "version": "1.36.1", "purl": "pkg:generic/busybox@1.36.1" } ] }"#;

fn device_with(release: u64, advisories: &[u8]) -> Device {
    let mut server = Repository::new();
    server.list_target(PATH, advisories);
    server.publish(&draft(release));
    Device::new(server)
}

fn says(device: &Device, words: &str) -> bool {
    device.log.iter().any(|line| line.contains(words))
}

/// The advisories that the device can prove from its stored files.
fn proven(device: &mut Device) -> komainu_agent::wall::vulnerabilities::Proven {
    let (kept, bytes, clock) = (device.stored(), device.advisories(), device.clock());
    advisory::prove(&kept, bytes, clock, &name(BOARD))
}

fn why(device: &mut Device) -> String {
    proven(device).unwrap_err().to_string()
}

/// An SBOM in a folder of its own, which is removed afterwards.
struct Sbom {
    folder: PathBuf,
}

impl Sbom {
    fn new(test: &str, text: &str) -> Sbom {
        let folder = std::env::temp_dir().join(format!("komainu-advisories-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let sbom = Sbom { folder };
        sbom.write(text);
        sbom
    }

    fn path(&self) -> PathBuf {
        self.folder.join("sbom.json")
    }

    /// Written in place: the same file with other bytes.
    fn write(&self, text: &str) {
        let mut options = std::fs::File::options();
        let mut file = options.write(true).create(true).truncate(true).open(self.path()).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }
}

impl Drop for Sbom {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn release(number: u64) -> ReleaseId {
    ReleaseId { number, version: Version::parse(&format!("1.{number}")).unwrap() }
}

#[test]
fn a_device_polls_advisories_and_tells_its_owner() {
    let sbom = Sbom::new("story", SBOM);
    let mut device = device_with(2, ADVISORIES.as_bytes());
    device.run_until_quiet();
    assert_eq!(device.running_release(), 2);
    let mut scanner = FirmwareInventory::new(&sbom.path());
    let checked = scanner.compare(&proven(&mut device), &name(BOARD), Some(&release(2)));
    let support_end = None;
    let mut report = Report::default();
    judge(&FirmwareSeen { checked, support_end, now: device.system_clock }, &mut report);
    let told: Vec<&str> = report.findings.iter().map(|finding| &*finding.what).collect();
    assert_eq!(
        told,
        [
            "dropbear 2019.78 has CVE-2020-36254 (high): update when there is one. scp takes file names that it should not"
        ]
    );
    let doubts: Vec<String> = report
        .doubts
        .iter()
        .filter_map(|(measure, outcome)| match outcome {
            Judgement::CannotTell(why) if *measure == Measure::Vulnerabilities => Some(why.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(doubts, ["the maker still looks into CVE-2026-0001 in busybox 1.36.1"]);

    // The maker mends it, and says so; the SBOM of the new image says it as well.
    sbom.write(&SBOM.replace("2019.78", "2022.83"));
    let fixed = ADVISORIES.replace("under_investigation", "not_affected");
    device.server.list_target(PATH, fixed.as_bytes());
    device.server.publish(&draft(3));
    device.poll_and_run();
    assert_eq!(device.running_release(), 3);
    let checked = scanner.compare(&proven(&mut device), &name(BOARD), Some(&release(3))).unwrap();
    assert_eq!((checked.components, checked.matches.len()), (2, 0));
}

#[test]
fn what_cannot_be_compared_says_why() {
    let sbom = Sbom::new("why", SBOM);
    let compare = |device: &mut Device| {
        let compared = FirmwareInventory::new(&sbom.path()).compare(&proven(device), &name(BOARD), None);
        compared.unwrap_err().to_string()
    };
    let mut server = Repository::new();
    server.publish(&draft(2));
    let mut device = Device::new(server);
    assert_eq!(
        compare(&mut device),
        "the maker's advisories cannot be used: timestamp.json is not fetched yet"
    );
    device.run_until_quiet();
    assert_eq!(compare(&mut device), "the maker publishes no advisories for gate-1");
    let mut device = device_with(2, b"{ \"osv\": 7 }");
    device.run_until_quiet();
    assert_eq!(compare(&mut device), "the maker's advisories cannot be used: osv must be a list");
    let mut device = device_with(2, ADVISORIES.as_bytes());
    device.run_until_quiet();
    sbom.write("{}");
    let fault = compare(&mut device);
    assert!(fault.starts_with("the SBOM /") && fault.contains("bomFormat must be a string"), "{fault}");
    std::fs::remove_file(sbom.path()).unwrap();
    let fault = compare(&mut device);
    assert!(fault.starts_with("the image has no SBOM at /"), "{fault}");
}

#[test]
fn the_same_sbom_and_advisories_are_compared_once() {
    let sbom = Sbom::new("once", SBOM);
    let mut device = device_with(2, ADVISORIES.as_bytes());
    device.run_until_quiet();
    let proven = proven(&mut device);
    let mut scanner = FirmwareInventory::new(&sbom.path());
    let first = scanner.compare(&proven, &name(BOARD), None).unwrap();
    // Other bytes behind the same length, time and inode: the agent does not read them.
    let stamp = std::fs::metadata(sbom.path()).unwrap().modified().unwrap();
    sbom.write(&SBOM.replace("2019.78", "2022.83"));
    let file = std::fs::File::options().append(true).open(sbom.path()).unwrap();
    file.set_modified(stamp).unwrap();
    assert_eq!(scanner.compare(&proven, &name(BOARD), None).unwrap(), first);
    file.set_modified(stamp + std::time::Duration::from_secs(1)).unwrap();
    assert_eq!(scanner.compare(&proven, &name(BOARD), None).unwrap().matches.len(), first.matches.len() - 1);
}

#[test]
fn nothing_new_is_still_one_request() {
    let mut device = device_with(2, ADVISORIES.as_bytes());
    device.run_until_quiet();
    let before = device.requests;
    device.poll_and_run();
    assert_eq!(device.requests - before, 1);
    // A maker without advisories costs nothing either.
    let mut server = Repository::new();
    server.publish(&draft(2));
    let mut device = Device::new(server);
    device.run_until_quiet();
    assert!(!says(&device, "advisories"), "{:#?}", device.log);
    assert!(proven(&mut device).unwrap().is_none());
}

#[test]
fn an_update_does_not_wait_for_advisories_and_they_come_later() {
    let mut device = device_with(2, ADVISORIES.as_bytes());
    let missing: Vec<_> =
        device.server.targets.keys().filter(|path| path.contains("advisories")).cloned().collect();
    let bytes = device.server.targets.remove(&missing[0]).unwrap();
    device.run_until_quiet();
    assert_eq!(device.running_release(), 2, "{:#?}", device.log);
    assert!(
        says(&device, "advisories-missed why=\"boards/gate-1/advisories.json: not found\""),
        "{:#?}",
        device.log
    );
    assert_eq!(why(&mut device), "boards/gate-1/advisories.json: not fetched yet");
    // No new metadata is needed for the next poll to find them.
    device.server.targets.insert(missing[0].clone(), bytes);
    device.poll_and_run();
    assert!(proven(&mut device).unwrap().is_some());
    let before = device.requests;
    device.poll_and_run();
    assert_eq!(device.requests - before, 1);
}

#[test]
fn advisories_that_are_not_what_was_signed_or_too_long_are_refused_and_the_update_taken() {
    let mut device = device_with(2, ADVISORIES.as_bytes());
    for (path, bytes) in &mut device.server.targets {
        if path.contains("advisories") {
            bytes[20] ^= 1;
        }
    }
    device.run_until_quiet();
    assert_eq!(device.running_release(), 2);
    assert!(
        says(&device, "advisories-missed why=\"boards/gate-1/advisories.json refused (TUF 5.7)"),
        "{:#?}",
        device.log
    );
    let mut device = device_with(2, &vec![b' '; ADVISORIES_BYTES_MAX as usize + 1]);
    device.run_until_quiet();
    assert_eq!(device.running_release(), 2);
    assert!(says(&device, "131073 bytes, allowed are 131072"), "{:#?}", device.log);
    assert!(device.advisories().is_none(), "it was not even fetched");
}

#[test]
fn advisories_that_flash_has_spoilt_are_not_used_and_fetched_again() {
    let mut device = device_with(2, ADVISORIES.as_bytes());
    device.run_until_quiet();
    device.disk.write_file(
        komainu_core::device::StoredFile::Advisories,
        Some(ADVISORIES.replace("2020.79", "0.0001").as_bytes()),
        After::Kept,
    );
    assert!(why(&mut device).contains("refused (TUF 5.7)"));
    device.pass(86_400);
    device.run_until_quiet();
    assert!(proven(&mut device).unwrap().is_some());
}

#[test]
fn advisories_that_are_no_longer_signed_are_forgotten() {
    let mut device = device_with(2, ADVISORIES.as_bytes());
    device.run_until_quiet();
    device.server.unlist_target(PATH);
    device.server.publish_metadata();
    // Before the device polls, the old list still holds; afterwards nothing is left.
    assert!(proven(&mut device).unwrap().is_some());
    device.poll_and_run();
    assert!(device.advisories().is_none() && proven(&mut device).unwrap().is_none());
}

#[test]
fn only_who_speaks_for_the_board_speaks_of_its_vulnerabilities() {
    for (paths, theirs) in [(&["boards/gate-1/*", "images/*/*"][..], true), (&["boards/other/*"][..], false)]
    {
        let board = key(50);
        let mut server = Repository::new();
        server.list_target(PATH, ADVISORIES.as_bytes());
        server.delegate_all("team", &board);
        server.delegates(&[&board], &[Repository::delegation("team", &board, paths, false)]);
        server.publish(&draft(2));
        let mut device = Device::new(server);
        device.run_until_quiet();
        assert_eq!(device.running_release(), 2);
        assert_eq!(proven(&mut device).unwrap().is_some(), theirs, "{paths:?} {:#?}", device.log);
    }
}

#[test]
fn expired_metadata_says_nothing_of_vulnerabilities() {
    let mut device = device_with(2, ADVISORIES.as_bytes());
    device.run_until_quiet();
    device.system_clock = device.server.expires;
    assert!(why(&mut device).contains("expired"), "{}", why(&mut device));
}

#[test]
fn a_cut_at_every_changing_call_costs_neither_update_nor_advisories() {
    let run = |cut: Option<(u64, After)>| {
        let mut device = device_with(2, ADVISORIES.as_bytes());
        device.cut_at = cut;
        device.run_until_quiet();
        device.cut_at = None;
        device.poll_and_run();
        check_all(&mut device);
        invariant_device_settles(&device);
        assert_eq!(device.running_release(), 2, "{cut:?} {:#?}", device.log);
        assert!(proven(&mut device).unwrap().is_some(), "{cut:?} {:#?}", device.log);
        device.changes
    };
    let changes = run(None);
    for at in 1..=changes {
        for after in ALL_AFTERS {
            run(Some((at, after)));
        }
    }
    println!("power cuts tried: {}, advisories lost: 0", changes * 4);
}
