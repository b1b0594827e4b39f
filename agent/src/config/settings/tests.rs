//! Unit tests of the settings: defaults, refusals, and what is left of a file that is wrong in parts.

use super::*;
use std::fmt;
use std::fs;
use std::io::Write;

const LEAST: &str = "[device]\nboard = \"gate-1\"\nid = \"x\"\n\
    [server]\nmetadata_url = \"https://updates.example/metadata\"\ntargets_url = \"http://127.0.0.1/t/\"\n\
    ca_files = [\"/etc/ca.pem\"]\n\
    [gate]\nlan = [\"br-lan\"]\n\
    [wall]\nkeep = false\n\
    [[part]]\nname = \"rootfs\"\na = \"/dev/a\"\nb = \"/dev/b\"\n";

#[test]
fn the_least_settings_are_enough() {
    let device = DeviceSettings::read(LEAST).unwrap();
    assert_eq!(device.server.metadata_url.to_string(), "https://updates.example/metadata/");
    assert_eq!(device.core.channel.as_str(), "stable");
}

#[test]
fn the_shipped_example_is_read_and_shows_the_defaults() {
    let shown = DeviceSettings::read(include_str!("../../../dist/komainu.toml")).unwrap();
    assert_eq!(shown.core.poll_seconds, 25_200);
    let same = |a: &dyn fmt::Debug, b: &dyn fmt::Debug| assert_eq!(format!("{a:?}"), format!("{b:?}"));
    let least = DeviceSettings::read(LEAST).unwrap();
    same(&shown.core.full_refresh_seconds, &least.core.full_refresh_seconds);
    same(&shown.boot, &least.boot);
    same(&shown.log, &least.log);
    same(&(&shown.state, &shown.run, &shown.root), &(&least.state, &least.run, &least.root));
}

#[test]
fn every_refusal_names_its_line() {
    for (from, to, says) in [
        ("id = \"x\"", "idd = \"x\"", "id"),
        ("id = \"x\"\n", "id = \"x\"\ncolour = \"red\"\n", "line 4: "),
        ("gate-1", "GateSettings 1", "line 2: "),
        ("https://updates", "ftp://updates", "line 5: "),
        ("\"/dev/b\"", "\"/dev/a\"", "line 15: "),
        ("\"/dev/b\"", "\"mtd:\"", "line 14: "),
        ("lan = [\"br-lan\"]\n", "", "lan"),
        ("[\"br-lan\"]", "[\"a link with a long name\"]", "line 9: "),
        ("[\"br-lan\"]", "[\"br-lan\"]\nrule = \"mine\"", "line 10: "),
        ("[[part]]", "[[parts]]", "part"),
        ("[device]\n", "[device]\nrelease = 4\n", "version"),
        ("[device]\n", "[poll]\ninterval_seconds = 5\n[device]\n", "line 2: "),
        ("[device]\n", "[poll]\nrestart_window = \"3:30\"\n[device]\n", "line 2: "),
        ("[device]\n", "[device]\ntime_zone = \"Europe/Berlin\"\n", "line 2: "),
    ] {
        assert!(LEAST.contains(from), "{from}");
        let fault = DeviceSettings::read(&LEAST.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(fault.contains(says), "{from} -> {to}: {fault}");
    }
}

#[test]
fn what_is_wrong_elsewhere_leaves_the_links_of_the_lan() {
    let whole = DeviceSettings::read_what_is_whole(LEAST);
    assert!(whole.faults.all().is_empty());
    for (from, to, update, gate, wall) in [
        ("keep = false\n", "keep = fal\n", false, false, true),
        ("[wall]\n", "[wall\n", true, true, true),
        ("name = \"rootfs\"\n", "", true, false, false),
        ("gate-1\"", "gate-1", true, false, false),
        ("[server]\n", "[server]\nmetadata_url = \"again\"\n", true, false, false),
        ("[device]\n", "\u{1}[device]\n", true, true, true),
        ("[gate]\n", "[gate]\nwipe = [\"/a\n", false, true, false),
        ("[gate]\n", "[gate]\npage_port = 0\n", false, true, false),
        ("[\"br-lan\"]", "[\"br-lan\", \"a link with a long name\"]", false, true, false),
        ("[\"br-lan\"]", "[\"br-lan\"]\nwipe = [\"/var/lib\"]", false, true, false),
        ("[[part]]\n", "[[service]]\nwhat = 1\n[[part]]\n", false, false, true),
    ] {
        assert!(LEAST.contains(from), "{from}");
        let settings = DeviceSettings::read_what_is_whole(&LEAST.replacen(from, to, 1));
        let faults = &settings.faults;
        let seen = (faults.update.is_some(), faults.gate.is_some(), faults.wall.is_some());
        assert_eq!(seen, (update, gate, wall), "{to}: {faults:?}");
        assert_eq!(settings.core.firewall.lan, ["br-lan"], "{to}");
        assert!(settings.gate.is_some_and(|gate| gate.wipe.is_empty()), "{to}");
        assert!(faults.all().iter().all(|fault| fault.line > 0 || to.contains("wipe")), "{to}: {faults:?}");
    }
}

#[test]
fn without_settings_there_is_a_gate_without_a_lan() {
    for text in ["", "[gate", "[gate]\nlan = [\n", "\0\0\0", "[[gate]]\nlan = [\"br-lan\"]\n"] {
        let settings = DeviceSettings::read_what_is_whole(text);
        assert!(settings.gate.is_some() && settings.wall.is_none(), "{text:?}");
        assert!(settings.faults.gate.is_some() && settings.faults.update.is_some(), "{text:?}");
        assert!(settings.core.firewall.lan.is_empty(), "{text:?}");
    }
    let gone = DeviceSettings::load(Path::new("/nowhere/komainu.toml"));
    assert!(gone.gate.is_some() && gone.wall.is_none() && gone.faults.all().len() == 1);
}

#[test]
fn an_id_file_may_be_missing_and_must_not_be_empty() {
    let folder = std::env::temp_dir().join(format!("komainu-id-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("id");
    let of = |folder: &Path| {
        let id = format!("id_file = \"{}\"", folder.join("id").display());
        let state = format!("\n[state]\ndirectory = \"{}\"\n[server]\n", folder.join("state").display());
        LEAST.replace("id = \"x\"", &id).replace("[server]\n", &state)
    };
    let missing = DeviceSettings::read(&of(&folder)).unwrap();
    assert_eq!(missing.id_file.as_deref(), Some(&*file));
    fs::create_dir_all(folder.join("state")).unwrap();
    let mut kept = fs::File::create(identity::kept(&folder.join("state"))).unwrap();
    kept.write_all(b"former\n").unwrap();
    assert_eq!(DeviceSettings::read(&of(&folder)).unwrap().core.device_id, "former");
    std::os::unix::fs::symlink("id", &file).unwrap();
    assert_eq!(DeviceSettings::read(&of(&folder)).unwrap().core.device_id, "former");
    fs::remove_file(&file).unwrap();
    fs::File::create(&file).unwrap();
    let fault = DeviceSettings::read(&of(&folder)).unwrap_err().to_string();
    assert!(fault.starts_with("line 3: ") && fault.contains("empty"), "{fault}");
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_the_device_is_is_read_and_what_is_too_long_or_deceives_is_refused_with_its_line() {
    let with = |value: &str| LEAST.replacen("[gate]", &format!("[identity]\ncontact = {value}\n[gate]"), 1);
    let longest = "端".repeat(80);
    for good in
        ["+81 3 1234 5678, help@installer.example", "<script>alert(1)</script> & \\\"co\\\"", &longest]
    {
        let device = DeviceSettings::read(&with(&format!("\"{good}\""))).unwrap();
        let wanted = good.replace("\\\"", "\"");
        assert_eq!(device.identity.rows().collect::<Vec<_>>(), [("contact", &*wanted)]);
        assert_eq!(device.gate.unwrap().identity, device.identity);
    }
    assert_eq!(DeviceSettings::read(&with("\"\"")).unwrap().identity.rows().count(), 0, "empty is none");
    for (bad, says) in [
        (
            format!("\"{longest}x\""),
            "line 9: `identity.contact` must have 80 characters at most, and this has 81",
        ),
        ("\"a\\u202eb\"".into(), "line 9: `identity.contact` must be plain text"),
        ("\"a\\nb\"".into(), "must be plain text"),
        ("\"a\\u200bb\"".into(), "must be plain text"),
        ("7".into(), "line 9: `identity.contact`"),
        ("\"x\"\ncontct = \"y\"".into(), "line 10: "),
    ] {
        let device = DeviceSettings::read_what_is_whole(&with(&bad));
        let fault = device.faults.gate.as_ref().map(ToString::to_string).unwrap_or_default();
        assert!(fault.contains(says), "{bad}: {fault}");
        // The gate goes on with its links, and the update does not depend on it.
        assert_eq!(device.gate.unwrap().lan, ["br-lan"]);
        assert!(device.faults.update.is_none() && device.faults.wall.is_none(), "{bad}");
    }
}
