//! The program as a person meets it: exit codes, what is printed where, what is asked for.

use super::device::Place;
use std::path::Path;
use std::process::{Command, Output};

fn maker(at: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_komainu-maker"));
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
        ("publish -w nowhere", 1, "is not a workshop"),
        ("nonsense", 2, "unrecognized subcommand"),
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
        says.contains("timestamp.json version 1 refused (TUF 5.4.2): 0 valid signatures of 1 needed"),
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
