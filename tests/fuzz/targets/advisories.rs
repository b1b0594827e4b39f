//! Advisories from a server, before and after they are compared with an SBOM that has whatever they name.
#![no_main]

use komainu_core::advisory::{Advisories, ENTRIES_MAX, Status, version};
use komainu_core::advisory::matching::{Firmware, MATCHES_MAX, State, matches};
use komainu_core::advisory::purl::Purl;
use komainu_core::advisory::sbom::Component;
use komainu_core::wall::report::Report;
use komainu_core::wall::judge::vulnerabilities::{FirmwareSeen, TOLD_MAX, judge};
use komainu_fuzz::tree;
use komainu_trust::Moment;
use std::cmp::Ordering;

const FIRMWARE: Firmware<'_> = Firmware { board: "gate-1", version: Some("2.1.0") };

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    tree::mutate(data, size, max_size, seed, 0)
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| match Advisories::read(bytes) {
    Ok(advisories) => {
        assert!(advisories.osv.len() <= ENTRIES_MAX && advisories.vex.len() <= ENTRIES_MAX);
        versions_are_in_one_order(&advisories);
        what_is_found_was_said(&advisories);
    }
    Err(fault) => assert!(!fault.is_empty()),
});

/// All components that the advisories name, each in the versions that they name.
fn components(advisories: &Advisories) -> Vec<Component> {
    let mut all = Vec::new();
    for affected in advisories.osv.iter().flat_map(|entry| &entry.affected) {
        let purl = Purl::parse(&affected.purl).expect("it was read as one");
        let with = |version: &str, purl: Option<&str>| Component {
            name: Purl::parse(&affected.purl).expect("it was read as one").name().into(),
            version: version.into(),
            purl: purl.map(Into::into),
            cpe: None,
        };
        all.extend(affected.versions.iter().take(4).map(|version| with(version, Some(purl.package))));
        all.extend([with("1.36.1", None), with("", Some(&affected.purl))]);
    }
    all.truncate(64);
    all
}

fn what_is_found_was_said(advisories: &Advisories) {
    let components = components(advisories);
    let checked = matches(&components, advisories, &FIRMWARE);
    assert_eq!(checked.components, components.len());
    assert!(checked.matches.len() <= MATCHES_MAX);
    for found in &checked.matches {
        let by_entry = advisories.osv.iter().any(|entry| entry.known_as() == found.id);
        assert!(by_entry || advisories.vex.iter().any(|statement| statement.vulnerability == found.id));
        if found.state == State::UnderInvestigation {
            assert!(advisories.vex.iter().any(|statement| statement.status == Status::UnderInvestigation));
        }
    }
    assert!(checked.matches.is_sorted_by_key(|found| found.state));
    let mut report = Report::default();
    judge(&FirmwareSeen { checked: Ok(checked), support_end: None, now: Moment(0) }, &mut report);
    assert!(report.findings.len() <= TOLD_MAX + 1 && report.doubts.len() <= 2);
    // A statement that all of the firmware is not affected takes everything away.
    let mut none = advisories.clone();
    for entry in &advisories.osv {
        let all = br#"{"vex":[{"vulnerability":{"name":"x"},"status":"not_affected","products":[{"@id":"pkg:generic/gate-1"}]}]}"#;
        let mut word = Advisories::read(all).expect("it is written above").vex.remove(0);
        word.vulnerability.clone_from(&entry.id);
        none.vex.push(word);
    }
    let left = matches(&components, &none, &FIRMWARE).matches;
    assert!(left.iter().all(|found| advisories.osv.iter().all(|entry| entry.known_as() != found.id)));
}

fn versions_are_in_one_order(advisories: &Advisories) {
    let versions = advisories.osv.iter().flat_map(|entry| &entry.affected).flat_map(|affected| &affected.versions);
    let versions: Vec<&str> = versions.take(8).map(String::as_str).collect();
    for one in &versions {
        assert_eq!(version::compare(one, one), Ordering::Equal);
        for other in &versions {
            let order = version::compare(one, other);
            assert_eq!(order, version::compare(other, one).reverse(), "{one:?} {other:?}");
            for third in &versions {
                if order != Ordering::Greater && version::compare(other, third) != Ordering::Greater {
                    assert_ne!(version::compare(one, third), Ordering::Greater, "{one:?} {other:?} {third:?}");
                }
            }
        }
    }
}
