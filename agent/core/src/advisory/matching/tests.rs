//! Tables of the versions that an advisory means, and of the effect of statements on it.

use super::*;
use alloc::format;
use alloc::string::ToString;

const GATE: Firmware<'_> = Firmware { board: "gate-1", version: Some("2.1.0") };

fn component(name: &str, version: &str, purl: Option<&str>) -> Component {
    Component { name: name.into(), version: version.into(), purl: purl.map(Into::into), cpe: None }
}

fn dropbear(version: &str) -> Component {
    component("dropbear", version, Some("pkg:generic/dropbear"))
}

/// An entry for dropbear with these fields in `affected`.
fn entry(affected: &str) -> String {
    format!(
        r#"{{ "id": "GHSA-1", "aliases": [ "CVE-1" ], "database_specific": {{ "severity": "high" }},
              "affected": [ {{ "package": {{ "purl": "pkg:generic/dropbear" }}, {affected} }} ] }}"#
    )
}

fn check(osv: &[String], vex: &str, components: &[Component]) -> Vec<Match> {
    let file = format!(r#"{{ "osv": [{}], "vex": [{vex}] }}"#, osv.join(","));
    let advisories = Advisories::read(file.as_bytes()).unwrap_or_else(|why| panic!("{why}: {file}"));
    let checked = matches(components, &advisories, &GATE);
    assert_eq!((checked.components, checked.more), (components.len(), 0));
    checked.matches
}

/// The same in short.
fn states(osv: &[String], vex: &str, components: &[Component]) -> String {
    let word = |state| match state {
        State::Affected => "affected",
        State::UnderInvestigation => "investigated",
        State::Unclear => "unclear",
    };
    let found = check(osv, vex, components);
    let line = |m: &Match| format!("{} {} {}", m.component, m.id, word(m.state));
    found.iter().map(line).collect::<Vec<_>>().join(", ")
}

fn range(kind: &str, events: &str) -> String {
    format!(r#""ranges": [ {{ "type": "{kind}", "events": [ {events} ] }} ]"#)
}

#[test]
fn versions_and_ranges_say_what_is_vulnerable() {
    let (yes, no, unclear) = ("dropbear CVE-1 affected", "", "dropbear CVE-1 unclear");
    let from_start = range("ECOSYSTEM", r#"{ "introduced": "0" }, { "fixed": "2020.79" }"#);
    let twice = range(
        "ECOSYSTEM",
        r#"{ "fixed": "4.0" }, { "introduced": "3.0" }, { "introduced": "1.0" }, { "fixed": "2.0" }"#,
    );
    let last = range("SEMVER", r#"{ "introduced": "1.0.0" }, { "last_affected": "1.2.0" }"#);
    let commits = range("GIT", r#"{ "introduced": "0" }"#);
    let exact = r#""versions": [ "2019.78", "DROPBEAR_2018" ]"#.to_string();
    for (affected, version, expected) in [
        (&exact, "2019.78", yes),
        (&exact, "2019.77", no),
        (&exact, "DROPBEAR_2018", yes),
        (&exact, "DROPBEAR_2019", no),
        (&exact, "", unclear),
        (&from_start, "0.1", yes),
        (&from_start, "2019.78", yes),
        (&from_start, "2020.79", no),
        (&from_start, "2022.83-1", no),
        (&from_start, "unknown", unclear),
        (&from_start, "", unclear),
        (&twice, "0.9", no),
        (&twice, "1.0", yes),
        (&twice, "1.9.9", yes),
        (&twice, "2.0", no),
        (&twice, "2.5", no),
        (&twice, "3.1", yes),
        (&twice, "4.0", no),
        (&last, "1.2.0", yes),
        (&last, "1.2.0+vendor.3", yes),
        (&last, "1.2.1", no),
        (&last, "1.0.0-rc1", no),
        (&commits, "1.0", unclear),
        (&format!("{exact}, {from_start}"), "2021.1", no),
        (&format!("{exact}, {commits}"), "2019.77", no),
    ] {
        let found = states(&[entry(affected)], "", &[dropbear(version)]);
        assert_eq!(found, expected, "{version} {affected}");
    }
}

#[test]
fn a_component_is_meant_by_its_purl_or_by_its_name_where_it_has_none() {
    let all = [entry(&range("ECOSYSTEM", r#"{ "introduced": "0" }"#))];
    for (name, purl, meant) in [
        ("dropbear", Some("pkg:generic/dropbear@2019.78?arch=mipsel"), true),
        ("dropbear", Some("pkg:deb/debian/dropbear@2019.78"), false),
        ("ssh server", Some("pkg:generic/dropbear"), true),
        ("dropbear", Some("pkg:generic/dropbear-bin"), false),
        ("dropbear", None, true),
        ("dropbear2", None, false),
        // No purl at all, so that only the name is left.
        ("dropbear", Some("cpe:2.3:a:x"), true),
    ] {
        let found = check(&all, "", &[component(name, "2019.78", purl)]);
        assert_eq!(found.len(), usize::from(meant), "{name} {purl:?}");
    }
    // The version may stand in the purl alone.
    let exact = [entry(r#""versions": [ "2019.78" ]"#)];
    assert_eq!(check(&exact, "", &[component("x", "", Some("pkg:generic/dropbear@2019.78"))]).len(), 1);
}

#[test]
fn a_match_says_what_people_look_for_and_the_gravest_comes_first() {
    let low = entry(r#""versions": [ "1" ]"#).replace("-1\"", "-2\"").replace("high", "low");
    let found = check(&[low, entry(r#""versions": [ "1" ]"#)], "", &[dropbear("1")]);
    let ids: Vec<_> = found.iter().map(|one| (one.id.as_str(), one.rating)).collect();
    assert_eq!(ids, [("CVE-1", Some(Rating::High)), ("CVE-2", Some(Rating::Low))]);
}

#[test]
fn the_last_statement_that_applies_counts() {
    let osv = [entry(&range("ECOSYSTEM", r#"{ "introduced": "0" }"#))];
    let says = |status: &str, products: &str| {
        format!(
            r#"{{ "vulnerability": {{ "name": "CVE-1" }}, "status": "{status}", "products": [ {products} ] }}"#
        )
    };
    let plain = r#"{ "@id": "pkg:generic/dropbear@2019.78" }"#;
    let gate = r#"{ "@id": "pkg:generic/gate-1@2.1.0" }"#;
    let within = r#"{ "@id": "pkg:generic/gate-1", "subcomponents": [ { "@id": "pkg:generic/dropbear" } ] }"#;
    let (yes, no, open) = ("dropbear CVE-1 affected", "", "dropbear CVE-1 investigated");
    for (vex, expected) in [
        (says("not_affected", plain), no),
        (says("fixed", gate), no),
        (says("fixed", within), no),
        (says("under_investigation", within), open),
        (says("affected", within), yes),
        (says("not_affected", &plain.replace("2019.78", "2020.79")), yes),
        (says("not_affected", &gate.replace("2.1.0", "2.0.0")), yes),
        (says("not_affected", &gate.replace("gate-1", "gate-2")), yes),
        (says("not_affected", &within.replace("dropbear", "busybox")), yes),
        (says("not_affected", plain).replace("CVE-1", "GHSA-1"), no),
        (says("not_affected", plain).replace("CVE-1", "CVE-9"), yes),
        (format!("{}, {}", says("under_investigation", gate), says("not_affected", within)), no),
        (format!("{}, {}", says("not_affected", within), says("under_investigation", gate)), open),
    ] {
        assert_eq!(states(&osv, &vex, &[dropbear("2019.78")]), expected, "{vex}");
    }
}

#[test]
fn a_statement_alone_is_told_too() {
    let says = |status: &str, products: &str| {
        format!(
            r#"{{ "vulnerability": {{ "name": "CVE-7" }}, "status": "{status}", "products": [ {products} ],
                  "action_statement": "Turn it off" }}"#
        )
    };
    let gate = r#"{ "@id": "pkg:generic/gate-1" }"#;
    let within = r#"{ "@id": "pkg:generic/gate-1", "subcomponents": [ { "@id": "pkg:generic/dropbear" } ] }"#;
    for (vex, expected) in [
        (says("under_investigation", gate), "gate-1 CVE-7 investigated"),
        (says("affected", gate), "gate-1 CVE-7 affected"),
        (says("fixed", gate), ""),
        (says("affected", within), "dropbear CVE-7 affected"),
        (says("affected", r#"{ "@id": "pkg:generic/dropbear@1" }"#), "dropbear CVE-7 affected"),
        (says("affected", r#"{ "@id": "pkg:generic/dropbear@2" }"#), ""),
        (format!("{}, {}", says("under_investigation", gate), says("fixed", gate)), ""),
        (
            format!("{}, {}", says("under_investigation", gate), says("affected", within)),
            "dropbear CVE-7 affected",
        ),
    ] {
        assert_eq!(states(&[], &vex, &[dropbear("1")]), expected, "{vex}");
    }
    let found = check(&[], &says("affected", gate), &[]);
    assert_eq!((found[0].version.as_str(), found[0].action.as_deref()), ("2.1.0", Some("Turn it off")));
}

#[test]
fn comparisons_have_a_limit() {
    // As many as allowed, and one more.
    let all: Vec<Component> = (0..2048).map(|_| dropbear("2")).collect();
    for (entries, more) in [(COMPARISONS_MAX / 2048 - 1, 0), (COMPARISONS_MAX / 2048 + 1, 1)] {
        let osv: Vec<String> = (0..entries).map(|_| entry(r#""versions": [ "1" ]"#)).collect();
        let file = format!(r#"{{ "osv": [{}] }}"#, osv.join(","));
        let checked = matches(&all, &Advisories::read(file.as_bytes()).unwrap(), &GATE);
        assert_eq!((checked.matches.len(), checked.more), (0, more));
    }
}

#[test]
fn matches_have_a_limit() {
    let osv: Vec<String> = (0..MATCHES_MAX + 5)
        .map(|at| entry(r#""versions": [ "1" ]"#).replace("CVE-1", &format!("CVE-9-{at}")))
        .collect();
    let file = format!(r#"{{ "osv": [{}] }}"#, osv.join(",").replace("  ", ""));
    let checked = matches(&[dropbear("1")], &Advisories::read(file.as_bytes()).unwrap(), &GATE);
    assert_eq!((checked.matches.len(), checked.more), (MATCHES_MAX, 5));
}

/// A component as a builder of firmware writes it.
fn built(name: &str, version: &str, cpe: &str) -> Component {
    Component { name: name.into(), version: version.into(), purl: None, cpe: Some(cpe.into()) }
}

#[test]
fn what_builders_know_by_cpe_is_found_by_product_by_vendor_and_by_name() {
    let dropbear = built("dropbear", "2019.78-r3", "cpe:/a:dropbear_ssh_project:dropbear_ssh:2019.78");
    let openssl = built("libopenssl3", "3.0.13-r1", "cpe:2.3:a:openssl:openssl:3.0.13:*:*:*:*:*:*:*");
    let other = built("openssl", "1.0", "cpe:/a:nodejs:openssl:1.0");
    let components = [dropbear, openssl, other];
    for (purl, expected) in [
        ("pkg:generic/dropbear", "dropbear CVE-1 affected"),
        ("pkg:generic/dropbear_ssh", "dropbear CVE-1 affected"),
        ("pkg:generic/dropbear_ssh_project/dropbear_ssh", "dropbear CVE-1 affected"),
        ("pkg:generic/matt/dropbear", ""),
        ("pkg:generic/openssl/openssl", "libopenssl3 CVE-1 affected"),
        ("pkg:generic/libopenssl3", "libopenssl3 CVE-1 affected"),
        ("pkg:generic/openssl", "libopenssl3 CVE-1 affected, openssl CVE-1 affected"),
        ("pkg:deb/debian/openssl", "libopenssl3 CVE-1 affected, openssl CVE-1 affected"),
        ("pkg:generic/busybox", ""),
    ] {
        let all = range("ECOSYSTEM", r#"{ "introduced": "0" }"#);
        let entry = entry(&all).replace("pkg:generic/dropbear", purl);
        assert_eq!(states(&[entry], "", &components), expected, "{purl}");
    }
}

#[test]
fn the_version_of_a_cpe_counts_without_the_builders_own_number() {
    let openssl = || [built("libopenssl3", "3.0.13-r1", "cpe:/a:openssl:openssl:3.0.13")];
    let affected = "libopenssl3 CVE-1 affected";
    for (events, expected) in [
        (r#"{ "introduced": "0" }, { "last_affected": "3.0.13" }"#, affected),
        (r#"{ "introduced": "0" }, { "fixed": "3.0.13" }"#, ""),
        (r#"{ "introduced": "3.0.13" }"#, affected),
    ] {
        let entry = entry(&range("ECOSYSTEM", events)).replace("generic/dropbear", "generic/openssl");
        assert_eq!(states(&[entry], "", &openssl()), expected, "{events}");
    }
    // Exact versions may be of either writing, and a CPE that is for all versions leaves the builder's.
    for (exact, cpe, expected) in [
        ("3.0.13", "cpe:/a:openssl:openssl:3.0.13", affected),
        ("3.0.13-r1", "cpe:/a:openssl:openssl:3.0.13", affected),
        ("3.0.13-r1", "cpe:/a:openssl:openssl", affected),
        ("3.0.13", "cpe:/a:openssl:openssl", ""),
    ] {
        let entry =
            entry(&format!(r#""versions": [ "{exact}" ]"#)).replace("generic/dropbear", "generic/openssl");
        assert_eq!(
            states(&[entry], "", &[built("libopenssl3", "3.0.13-r1", cpe)]),
            expected,
            "{exact} {cpe}"
        );
    }
}

#[test]
fn statements_are_about_components_with_a_cpe_as_well() {
    let openssl = || [built("libopenssl3", "3.0.13-r1", "cpe:/a:openssl:openssl:3.0.13")];
    let entry =
        entry(&range("ECOSYSTEM", r#"{ "introduced": "0" }"#)).replace("generic/dropbear", "generic/openssl");
    for (subcomponent, expected) in [
        ("pkg:generic/openssl/openssl@3.0.13", ""),
        ("pkg:generic/openssl@3.0.13-r1", ""),
        ("pkg:generic/openssl@3.0.12", "libopenssl3 CVE-1 affected"),
        ("pkg:generic/wolfssl/openssl", "libopenssl3 CVE-1 affected"),
    ] {
        let vex = format!(
            r#"{{ "vulnerability": {{ "name": "CVE-1" }}, "status": "not_affected",
                  "products": [ {{ "@id": "pkg:generic/gate-1", "subcomponents": [ {{ "@id": "{subcomponent}" }} ] }} ] }}"#
        );
        assert_eq!(states(core::slice::from_ref(&entry), &vex, &openssl()), expected, "{subcomponent}");
    }
}
