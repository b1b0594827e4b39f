//! The program as a person meets it: exit codes, outputs, questions.

use super::device::Place;
use komainu_maker::clock;
use komainu_maker::init::InitOptions;
use komainu_maker::publish::PublishOptions;
use komainu_maker::workshop::Workshop;
use komainu_maker::workshop::{Config, ExpiryDays};
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn maker(at: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_komainu-maker"));
    command.stdin(Stdio::null());
    command.args(line.split(' ')).current_dir(at).env_remove("KOMAINU_PASSPHRASE_FILE").output().unwrap()
}

fn says(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn the_first_steps_of_the_help_text_work() {
    let place = Place::new();
    komainu_maker::files::replace(&place.path("rootfs.img"), b"image").unwrap();
    let at = place.path(".");
    for (line, status, expected) in [
        ("init my", 0, "my is ready"),
        ("init my", 1, "exists already"),
        (
            "release add -w my --board gate-1 --channel stable --version 1.0.0 --image rootfs=rootfs.img",
            0,
            "put aside",
        ),
        ("release list -w my", 0, "put aside  gate-1/stable release 1 (1.0.0) normal"),
        ("publish -w my", 0, "Published: root 1, targets 2, snapshot 2, timestamp 2."),
        ("publish -w my", 0, "Nothing to do"),
        ("publish -w my --to mirror", 0, "Copied 6 files"),
        ("verify my", 0, "good  gate-1/stable release 1"),
        ("verify mirror --root my/root.json", 0, "good  root 1"),
        ("inspect my", 0, "gate-1/stable release 1 (1.0.0), normal"),
        ("inspect --json my/root.json", 0, "\"kind\": \"root\""),
        ("key show my/root.json", 0, "root: 2 of 3"),
        ("key new k.pem --type ecdsa", 0, "ecdsa-sha2-nistp256"),
        ("key new k.pem", 1, "exists already"),
        ("key new e.pem --encrypt", 1, "--passphrase-file"),
        ("key rotate timestamp -w my --add k.pem", 0, "root is version 2 now"),
        ("key rotate nobody -w my", 2, "a role is root, targets"),
        ("verify http://127.0.0.1:1/", 1, "http://127.0.0.1:1/ is an address, and verify reads a folder"),
        ("verify nowhere", 1, "nowhere is no folder"),
        ("help release add", 0, "--raw"),
        ("publish -w nowhere", 1, "is not a workshop"),
        ("nonsense", 2, "unrecognized subcommand"),
    ] {
        let output = maker(&at, line);
        assert_eq!(output.status.code(), Some(status), "{line}: {}", says(&output));
        assert!(says(&output).contains(expected), "{line}: {}", says(&output));
    }
}

#[test]
fn advisories_are_put_aside_checked_and_published() {
    let place = Place::new();
    let at = place.path(".");
    for (name, text) in [
        (
            "osv.json",
            r#"{"id":"CVE-1","modified":"2026-01-01T00:00:00Z","affected":[{"package":{"purl":"pkg:generic/x"},"versions":["1"]},
                {"package":{"purl":"pkg:generic/y"},"versions":["1"]}]}"#,
        ),
        (
            "vex.json",
            r#"{"@context":"https://openvex.dev/ns/v0.2.0","timestamp":"2026-01-01T00:00:00Z","statements":[
                {"vulnerability":{"name":"CVE-2"},"status":"under_investigation","products":[{"@id":"pkg:generic/b"}]}]}"#,
        ),
        (
            "sbom.json",
            r#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"name":"x","version":"1"},{"name":"z","version":"1"}]}"#,
        ),
    ] {
        komainu_maker::files::replace(&place.path(name), text.as_bytes()).unwrap();
    }
    for (line, status, expected) in [
        ("init my", 0, "my is ready"),
        ("advisory add -w my --board b osv.json --sbom sbom.json", 0, "no SBOM given here has pkg:generic/y"),
        ("advisory vex -w my --board b vex.json", 0, "1 vulnerabilities, 1 statements"),
        ("advisory list -w my --board b", 0, "CVE-1  unrated"),
        ("advisory check -w my --board b --sbom sbom.json", 0, "x 1 has CVE-1: update when there is one"),
        (
            "advisory check -w my --board b --sbom sbom.json",
            0,
            "cannot tell: the maker still looks into CVE-2 in b",
        ),
        ("advisory check -w my --board c --sbom sbom.json", 0, "nothing known"),
        ("advisory check -w my --board b", 1, "name the SBOM"),
        ("publish -w my", 0, "advisories.json"),
        ("verify my", 0, "good"),
        ("inspect my", 0, "target boards/b/advisories.json"),
        ("advisory remove -w my --board b CVE-1", 0, "0 vulnerabilities, 1 statements"),
        ("advisory remove -w my --board b CVE-1", 1, "there is nothing about CVE-1"),
    ] {
        let output = maker(&at, line);
        assert_eq!(output.status.code(), Some(status), "{line}: {}", says(&output));
        assert!(says(&output).contains(expected), "{line}: {}", says(&output));
    }
}

#[test]
fn the_upload_order_is_alone_on_standard_output() {
    let place = Place::new();
    let at = place.path(".");
    maker(&at, "init my");
    let output = maker(&at, "publish -w my --renew --list");
    let list = String::from_utf8(output.stdout).unwrap();
    let expected =
        "metadata/1.targets.json\nmetadata/2.snapshot.json\nmetadata/timestamp.json\nmetadata/1.root.json\n";
    assert_eq!(list, expected);
}

#[test]
fn verify_names_the_file_that_a_device_would_refuse() {
    let place = Place::new();
    let at = place.path(".");
    maker(&at, "init my");
    let timestamp = place.path("my/repository/metadata/timestamp.json");
    let text = std::fs::read_to_string(&timestamp).unwrap();
    komainu_maker::files::replace(&timestamp, text.replace("\"version\": 1", "\"version\": 9").as_bytes())
        .unwrap();
    let output = maker(&at, "verify my");
    assert_eq!(output.status.code(), Some(1));
    let says = says(&output);
    assert!(
        says.contains("timestamp.json version 9 refused (TUF 5.4.2): 0 valid signatures of 1 needed"),
        "{says}"
    );
}

#[test]
fn passphrases_come_from_a_file() {
    let place = Place::new();
    let at = place.path(".");
    komainu_maker::files::create_private(&place.path("pass"), b"correct horse battery\n").unwrap();
    komainu_maker::files::create_private(&place.path("short"), b"short\n").unwrap();
    assert!(says(&maker(&at, "init s --encrypt --passphrase-file short")).contains("too short"));
    let output = maker(&at, "init my --encrypt --passphrase-file pass");
    assert_eq!(output.status.code(), Some(0), "{}", says(&output));
    assert!(says(&maker(&at, "publish -w my --renew-targets")).contains("is encrypted"));
    let output = maker(&at, "publish -w my --renew-targets --passphrase-file pass");
    assert_eq!(output.status.code(), Some(0), "{}", says(&output));
}

/// A workshop that was made so many days ago, and whose offline keys are elsewhere.
fn made_before(place: &Place, days: i64) -> Workshop {
    let expiry_days = ExpiryDays { targets: 3650, ..ExpiryDays::default() };
    let options = InitOptions { config: Config { expiry_days }, ..InitOptions::default() };
    let then = clock::now().plus_seconds(-days * 86_400);
    let workshop = Workshop::init(&place.path("my"), &options, then).unwrap();
    std::fs::remove_dir_all(place.path("my/keys/offline")).unwrap();
    workshop
}

#[test]
fn the_nightly_renewal_prints_only_what_a_person_should_know() {
    let place = Place::new();
    let at = place.path(".");
    made_before(&place, 5).add_release(&place.draft("1")).unwrap();
    let nightly = "publish --workshop my --online-only --quiet --warn-status";
    // A release that waits for a person does not keep the timestamp from being renewed.
    let output = maker(&at, nightly);
    assert_eq!(output.status.code(), Some(0), "{}", says(&output));
    assert_eq!(says(&output), "");
    let shown = says(&maker(&at, "inspect my"));
    assert!(shown.contains("timestamp version 2"), "{shown}");
    let said = says(&maker(&at, "publish --workshop my --online-only --renew"));
    assert!(said.contains("Published: root 1, targets 1, snapshot 2, timestamp 3."), "{said}");
    assert!(said.contains("something is put aside"), "{said}");
    let output = maker(&at, nightly);
    assert_eq!((output.status.code(), says(&output).as_str()), (Some(0), ""));
    // Without --online-only the release counts, and the targets key is not there.
    let output = maker(&at, "publish --workshop my --quiet");
    assert_eq!(output.status.code(), Some(1));
    assert!(says(&output).contains("2.targets.json needs 1 signatures"), "{}", says(&output));
}

#[test]
fn a_monitor_can_tell_that_a_person_is_needed_soon() {
    let place = Place::new();
    let at = place.path(".");
    made_before(&place, 700);
    for (line, status, expected) in [
        ("verify my --quiet", 1, "expired"),
        ("publish -w my --quiet --warn-status", 3, "warning: root.json expires"),
        ("publish -w my --quiet --warn-status", 3, "renew it with `key rotate root`"),
        ("publish -w my --quiet", 0, "warning: root.json expires"),
        ("verify my --expires-within 5", 0, "good  timestamp 2"),
        ("verify my --expires-within 20 --quiet", 3, "soon  timestamp 2"),
        ("verify my --expires-within 31", 3, "soon  root 1"),
        ("verify my", 0, "good  root 1"),
        ("verify my --expires-within x", 2, "invalid value"),
    ] {
        let output = maker(&at, line);
        assert_eq!(output.status.code(), Some(status), "{line}: {}", says(&output));
        assert!(says(&output).contains(expected), "{line}: {}", says(&output));
    }
    let help = says(&maker(&at, "publish --help"));
    assert!(help.contains("3 (with --warn-status)") && help.contains("17 3 * * *"), "{help}");
}

#[test]
fn an_expired_root_is_a_failure_whether_or_not_there_is_something_to_do() {
    let place = Place::new();
    let at = place.path(".");
    made_before(&place, 732)
        .publish(clock::now().plus_seconds(-3 * 86_400), &PublishOptions::default())
        .unwrap();
    for (line, status) in [
        ("publish -w my", 1),
        ("publish -w my --online-only --quiet --warn-status", 1),
        ("publish -w my --renew", 1),
    ] {
        let output = maker(&at, line);
        assert_eq!(output.status.code(), Some(status), "{line}: {}", says(&output));
        assert!(says(&output).contains("root.json EXPIRED 2 days ago: devices take no release"), "{line}");
        assert!(says(&output).contains("komainu-maker ceremony rotate"), "{line}: {}", says(&output));
    }
}

#[test]
fn a_request_is_signed_at_a_machine_without_a_workshop() {
    let place = Place::new();
    let at = place.path(".");
    maker(&at, "init my");
    std::fs::create_dir(place.path("medium")).unwrap();
    for name in ["keys/offline/root-1.pem", "keys/offline/root-1.pub"] {
        let name = Path::new(name);
        std::fs::copy(place.path("my").join(name), place.path("medium").join(name.file_name().unwrap()))
            .unwrap();
    }
    for (line, status, expected) in [
        ("sign request r.json rotate root -w my", 0, "root version 2 (in force is 1)"),
        ("sign request r.json rotate root -w my", 1, "exists already"),
        ("sign request s.json rotate root -w my", 1, "waits for signatures already"),
        ("sign drop -w my", 0, "2.root.json"),
        ("sign add r.json --keys medium", 1, "a root that you trust is needed"),
        ("sign show r.json --root my/root.json", 0, "0 of 2 signatures by the root keys of now"),
        ("sign add r.json --keys medium --root my/root.json", 0, "1 of 2 signatures"),
        ("sign add r.json --keys medium --root my/root.json", 0, "No key within reach adds a signature"),
        // A root that travels with the request says nothing of it.
        ("sign add r.json --keys my", 1, "name the root that you trust with --root"),
        ("sign add r.json --keys nothing --root my/root.json", 1, "nothing was signed: no private key in"),
        ("sign publish r.json -w my", 1, "it has not enough signatures"),
        ("sign add r.json --keys my/keys/offline/root-2.pem --root my/root.json", 0, "That is enough"),
        ("sign publish r.json -w my", 0, "root is version 2 now"),
        ("sign publish r.json -w my", 1, "the workshop moved on: root is version 2 by now"),
        ("sign add r.json --keys medium --root my/root.json", 1, "it is stale"),
        ("sign show my/root.json --root my/root.json", 1, "it is not a signing request"),
        ("sign drop abc -w my", 1, "fits 0 of the 0 requests"),
    ] {
        let output = maker(&at, line);
        assert_eq!(output.status.code(), Some(status), "{line}: {}", says(&output));
        assert!(says(&output).contains(expected), "{line}: {}", says(&output));
    }
}

#[test]
fn a_workshop_can_be_made_from_keys_that_exist() {
    let place = Place::new();
    let at = place.path(".");
    for name in ["a", "b", "c", "t"] {
        std::fs::create_dir(place.path(name)).unwrap();
        let output = maker(&at, &format!("key new {name}/key.pem --type ecdsa"));
        assert_eq!(output.status.code(), Some(0), "{}", says(&output));
    }
    let keys = "--root-key a/key.pem --root-key b/key.pub --root-key c/key.pub --targets-key t/key.pem";
    komainu_maker::files::move_to(&place.path("b/key.pem"), &place.path("elsewhere/key.pem")).unwrap();
    komainu_maker::files::move_to(&place.path("c/key.pem"), &place.path("lost/key.pem")).unwrap();
    let output = maker(&at, &format!("init my {keys}"));
    assert!(says(&output).contains("1.root.json needs 2 signatures, but only 1"), "{}", says(&output));
    assert!(!place.path("my").exists());
    let output = maker(&at, &format!("init my {keys} --keys elsewhere"));
    assert_eq!(output.status.code(), Some(0), "{}", says(&output));
    assert_eq!(std::fs::read_dir(place.path("my/keys/offline")).unwrap().count(), 0);
    assert!(says(&maker(&at, "key show my/root.json")).contains("root: 2 of 3 must sign"));
    for (line, expected) in [
        ("init x --root-key a/key.pem --root-key a/key.pub", "twice"),
        ("init x --root-key a/key.pem", "2 of 1 keys cannot be"),
        ("init x --root-key nothing.pem --root-threshold 1", "there is no key file"),
        ("init x --root-key a/key.pem --root-keys 3", "cannot be used with"),
    ] {
        assert!(says(&maker(&at, line)).contains(expected), "{line}: {}", says(&maker(&at, line)));
        assert!(!place.path("x").exists(), "{line}");
    }
}

#[test]
fn a_revocation_says_what_a_thief_could_have_done() {
    let place = Place::new();
    let at = place.path(".");
    maker(&at, "init my");
    maker(&at, "key new my/keys/online/new.pem");
    let root: serde_json::Value =
        serde_json::from_slice(&std::fs::read(place.path("my/root.json")).unwrap()).unwrap();
    let id = root["signed"]["roles"]["timestamp"]["keyids"][0].as_str().unwrap();
    let output = maker(&at, &format!("key revoke {id} -w my"));
    assert_eq!(output.status.code(), Some(1));
    assert!(says(&output).contains("timestamp has 0 keys"), "{}", says(&output));
    let output = maker(&at, &format!("key revoke {id} -w my --replace-with my/keys/online/new.pem"));
    assert_eq!(output.status.code(), Some(0), "{}", says(&output));
    assert!(says(&output).contains("If that key was stolen"), "{}", says(&output));
    assert!(says(&output).contains("put their clocks forward"), "{}", says(&output));
}

#[test]
fn faults_with_tokens_are_said_in_words() {
    let place = Place::new();
    let at = place.path(".");
    komainu_maker::files::create_public(&place.path("module.so"), b"not a library").unwrap();
    for (line, expected) in [
        ("key new k.token", "say which with --token URI"),
        ("key new k.pem --token pkcs11:token=a;object=b?module-path=/none.so", "must end in .token"),
        ("key new k.token --token pkcs11:token=a;object=b?module-path=/none.so", "there is no such file"),
        ("key link k.token pkcs11:token=a;object=b?module-path=module.so", "it cannot be loaded"),
        ("key link k.token pkcs11:token=a", "must name the key"),
    ] {
        let output = maker(&at, line);
        assert_ne!(output.status.code(), Some(0), "{line}");
        assert!(says(&output).contains(expected), "{line}: {}", says(&output));
        assert!(!place.path("k.token").exists());
    }
}

/// Escape, C1 introducer, bell, carriage return, line end, and a turn of the order of letters; as JSON and as bytes.
const HOSTILE_JSON: &str = r"\u001b[2J\u009b31m\u0007\r\nSigned\u202e\u2066";
const HOSTILE: &str = "\u{1b}[2J\u{9b}31m\u{7}\r\nSigned\u{202e}\u{2066}";

#[test]
fn names_with_control_characters_do_not_reach_the_screen() {
    let place = Place::new();
    let at = place.path(".");
    komainu_maker::files::replace(&place.path("rootfs.img"), b"image").unwrap();
    maker(&at, "init my");
    maker(&at, "release add -w my --board g --channel s --version 1 --image rootfs=rootfs.img");
    maker(&at, "publish -w my");
    maker(&at, "sign request r.json rotate root -w my");
    let put = |from: &str, to: &str, old: &str| {
        let text = std::fs::read_to_string(place.path(from)).unwrap();
        assert!(text.contains(old), "{from} has no {old}");
        let new = format!("{}{HOSTILE_JSON}\"", old.trim_end_matches('"'));
        komainu_maker::files::replace(&place.path(to), text.replace(old, &new).as_bytes()).unwrap();
    };
    put("r.json", "named.json", "\"2.root.json\"");
    put("my/repository/metadata/2.targets.json", "targets.json", "\"boards/g/s.json\"");
    put("my/repository/metadata/1.root.json", "root.json", "\"ed25519\"");
    let gone = format!("gone{HOSTILE}");
    for (arguments, status) in [
        (vec!["sign", "show", "named.json", "--root", "my/root.json"], 1),
        (vec!["inspect", "targets.json"], 0),
        (vec!["inspect", "--json", "targets.json"], 0),
        (vec!["inspect", "root.json"], 0),
        (vec!["inspect", &gone], 1),
        (vec!["verify", &gone], 1),
        (vec!["sign", "show", &gone], 1),
        (vec!["publish", "-w", &gone], 1),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_komainu-maker"));
        let output = command.args(&arguments).current_dir(&at).stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", says(&output));
        let said = says(&output);
        let strange = |letter: char| letter != '\n' && komainu_core::printable::is_deceptive(letter);
        assert!(!said.contains(strange), "{arguments:?}: {said:?}");
        assert!(said.contains("31m"), "{arguments:?} shows the name: {said:?}");
        assert!(
            !said.lines().any(|line| line.starts_with("Signed")),
            "{arguments:?} forges a line: {said:?}"
        );
    }
}
