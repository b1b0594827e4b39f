//! Answers as hawkBit writes them, and answers as an attacker would.

use super::*;
use alloc::format;
use alloc::vec::Vec;

/// From hawkBit's documents of its DDI.
const BASE: &str = r#"{ "config": { "polling": { "sleep": "12:00:00" } }, "_links": {
    "deploymentBase": { "href": "https://server/DEFAULT/controller/v1/device/deploymentBase/3?c=-2129030598" },
    "installedBase": { "href": "https://server/DEFAULT/controller/v1/device/installedBase/2" },
    "configData": { "href": "https://server/DEFAULT/controller/v1/device/configData" } } }"#;

const DEPLOYMENT: &str = r#"{ "id": "8", "deployment": { "download": "forced", "update": "forced",
    "maintenanceWindow": "available",
    "chunks": [ { "part": "jvm", "version": "1.0.62", "name": "oneapp runtime", "artifacts": [ {
        "filename": "binary.tgz", "hashes": { "sha1": "3dceccec02e7626184bdbba12b247b67ff04c363",
        "md5": "a9a7df0aa4c72b3b03b654c42d29744b", "sha256": "971d8db8" }, "size": 11,
        "_links": { "download": { "href": "https://cdn/x" }, "md5sum": { "href": "https://cdn/x.MD5SUM" } } } ],
        "metadata": [ { "key": "aMetadataKey", "value": "Metadata value" } ] },
      { "part": "bApp", "version": "2.1 beta", "name": "oneapplication", "artifacts": [] },
      { "part": "os", "version": "1.0.62", "name": "again", "artifacts": [] } ] },
    "actionHistory": { "status": "RUNNING", "messages": [ "Reboot", 1.5 ] } }"#;

fn asked(id: &str) -> ActionId {
    ActionId::parse(id).unwrap()
}

#[test]
fn a_poll_is_answered_with_links_and_a_time() {
    let read = base(BASE.as_bytes()).unwrap();
    assert_eq!(read.sleep_seconds, Some(43_200));
    assert_eq!(read.deployment, Some(Link { id: asked("3"), query: "c=-2129030598".into() }));
    assert!(read.wants_attributes && read.cancel.is_none() && read.confirmation.is_none());
    assert_eq!(base(b"{}"), Ok(Base::default()));
    let nothing = br#"{"config":null,"_links":{"deploymentBase":null,"configData":null}}"#;
    assert_eq!(base(nothing), Ok(Base::default()));
}

#[test]
fn a_deployment_names_versions_and_how_far_to_go() {
    let read = deployment(DEPLOYMENT.as_bytes(), &asked("8")).unwrap();
    let names: Vec<&str> = read.names.iter().map(Version::as_str).collect();
    // The second one cannot be the version of a release.
    assert_eq!((read.order, names), (FleetOrder::Start, ["1.0.62"].to_vec()));
    for (old, new, order) in [
        ("\"update\": \"forced\"", "\"update\": \"skip\"", FleetOrder::Stage),
        ("\"update\": \"forced\"", "\"update\": \"attempt\"", FleetOrder::Start),
        ("\"maintenanceWindow\": \"available\"", "\"maintenanceWindow\": \"unavailable\"", FleetOrder::Stage),
        ("\"download\": \"forced\"", "\"download\": \"skip\"", FleetOrder::Hold),
    ] {
        let text = DEPLOYMENT.replace(old, new);
        assert_eq!(deployment(text.as_bytes(), &asked("8")).unwrap().order, order, "{new}");
    }
}

#[test]
fn ids_are_words_or_numbers() {
    let plain = br#"{"id": 8, "deployment": {"chunks": []}}"#;
    assert_eq!(deployment(plain, &asked("8")).unwrap().order, FleetOrder::Start);
    for text in [r#"{"id":"11","cancelAction":{"stopId":"10"}}"#, r#"{"cancelAction":{"stopId":10}}"#] {
        assert_eq!(cancellation(text.as_bytes()), Ok(asked("10")));
    }
}

#[test]
fn a_link_leads_nowhere_but_to_an_id() {
    for (href, id) in [
        ("http://elsewhere.example/x/deploymentBase/3?c=1", Some("3")),
        ("/DEFAULT/controller/v1/a/deploymentBase/3", Some("3")),
        ("deploymentBase/3", Some("3")),
        ("http://a/deploymentBase/..", None),
        ("http://a/deploymentBase/", None),
        ("http://a/deploymentBase/3/feedback", None),
        ("http://a/deploymentBase/3?c=1&next=http://b/", None),
        ("http://a/deploymentBase/3?c=\r\nHost: b", None),
        ("http://a/cancelAction/3", None),
        ("", None),
        (&format!("a/deploymentBase/{}", "3".repeat(41)), None),
        (&format!("a/deploymentBase/3?{}", "c".repeat(QUERY_BYTES_MAX + 1)), None),
    ] {
        let found = parse_link(href, "deploymentBase").map(|link| link.id);
        assert_eq!(found, id.map(asked), "{href}");
    }
}

#[test]
fn nothing_follows_from_an_answer_that_means_nothing() {
    let deep = format!(r#"{{"_links":{}1{}}}"#, r#"{"href":"#.repeat(100), "}".repeat(100));
    let many = format!(r#"{{"_links":[{}1]}}"#, "1,".repeat(40_000));
    for wrong in [
        "",
        "null",
        "[]",
        "<html>",
        r#"{"config":[]}"#,
        r#"{"config":{"polling":{"sleep":5}}}"#,
        r#"{"_links":"x"}"#,
        r#"{"_links":{"deploymentBase":"x"}}"#,
        r#"{"_links":{"deploymentBase":{"href":7}}}"#,
        r#"{"_links":{"deploymentBase":{}}}"#,
        r#"{"_links":{"cancelAction":{"href":"http://a/x"}}}"#,
        r#"{"_links":{},"_links":{}}"#,
        r#"{"_links":{}} trailing"#,
        &deep,
        &many,
        &" ".repeat(BASE_BYTES_MAX as usize + 1),
    ] {
        assert!(base(wrong.as_bytes()).is_err(), "{wrong:.60}");
    }
    assert!(base(b"\xff{}").is_err());
    for wrong in [
        r#"{"deployment":{"chunks":[]}}"#,
        r#"{"id":"9","deployment":{"chunks":[]}}"#,
        r#"{"id":8.5,"deployment":{"chunks":[]}}"#,
        r#"{"id":"8"}"#,
        r#"{"id":"8","deployment":[]}"#,
        r#"{"id":"8","deployment":{}}"#,
        r#"{"id":"8","deployment":{"chunks":{}}}"#,
        r#"{"id":"8","deployment":{"chunks":[1]}}"#,
        r#"{"id":"8","deployment":{"chunks":[{"version":[]}]}}"#,
        r#"{"id":"8","deployment":{"chunks":[],"update":"now"}}"#,
        r#"{"id":"8","deployment":{"chunks":[],"download":true}}"#,
        r#"{"id":"8","deployment":{"chunks":[],"maintenanceWindow":"soon"}}"#,
        &format!(r#"{{"id":"8","deployment":{{"chunks":[{}{{}}]}}}}"#, "{},".repeat(CHUNKS_MAX)),
    ] {
        assert!(deployment(wrong.as_bytes(), &asked("8")).is_err(), "{wrong:.80}");
    }
    for wrong in [r#"{"cancelAction":{}}"#, r#"{"cancelAction":{"stopId":"../x"}}"#, r#"{"stopId":"1"}"#] {
        assert!(cancellation(wrong.as_bytes()).is_err(), "{wrong}");
    }
}

#[test]
fn only_so_many_versions_are_remembered() {
    let chunks: Vec<_> = (0..100).map(|number| format!(r#"{{"version":"{number}"}}"#)).collect();
    let text = format!(r#"{{"id":"8","deployment":{{"chunks":[{}]}}}}"#, chunks.join(","));
    let read = deployment(text.as_bytes(), &asked("8")).unwrap();
    assert_eq!(read.names.len(), super::super::action::NAMES_MAX);
}
