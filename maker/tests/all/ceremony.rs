//! The checklists: every command in them is typed here, in two folders that stand for the two machines.

use super::device::Place;
use sha2::{Digest, Sha256};
use std::path::Path;
use std::process::Command;

/// The machines' folders, with the program under its own name.
struct Machines {
    place: Place,
}

impl Machines {
    fn new() -> Machines {
        let place = Place::new();
        for name in ["offline", "workshop", "media", "bin"] {
            std::fs::create_dir(place.path(name)).unwrap();
        }
        let program = env!("CARGO_BIN_EXE_komainu-maker");
        std::os::unix::fs::symlink(program, place.path("bin/komainu-maker")).unwrap();
        komainu_maker::files::create_private(&place.path("passphrase"), b"correct horse battery\n").unwrap();
        Machines { place }
    }

    /// Types a line at a machine; gives what it printed.
    fn typed(&self, machine: &str, line: &str) -> String {
        let path = std::env::var("PATH").unwrap();
        let output = Command::new("sh")
            .args(["-c", line])
            .current_dir(self.place.path(machine))
            .env("PATH", format!("{}:{path}", self.place.path("bin").display()))
            .env("KOMAINU_PASSPHRASE_FILE", self.place.path("passphrase"))
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let faults = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{machine}$ {line}\n{said}{faults}");
        said
    }

    /// Prints a sheet at the workshop, and types everything on it; gives the sheet.
    fn hold(&self, words: &str) -> String {
        let media = self.place.path("media");
        let sheet =
            self.typed("workshop", &format!("komainu-maker ceremony {words} --media {}", media.display()));
        let commands = commands(&sheet);
        assert!(commands.len() > 10, "{sheet}");
        let carry = media.join("carry").display().to_string();
        for (machine, line) in commands {
            assert!(!line.contains("mkdir"), "{line}");
            // The medium was connected before this is typed.
            if let Some(medium) = line.strip_prefix("findmnt ") {
                std::fs::create_dir_all(medium).unwrap();
                continue;
            }
            let said = self.typed(&machine, &line);
            if line.contains(" sign add ") {
                assert!(said.contains("Signed "), "{line}: {said}");
                assert!(trusts_only_a_keeper_s_root(&line, &carry), "{line}");
                let said = words_apart(&said);
                for must in must_say(&sheet) {
                    assert!(said.contains(&must), "{must}: {said}");
                }
            }
            let makes_the_first = words.starts_with("first");
            assert!(makes_the_first || !line.starts_with("cp ") || !from_workshop(&line, &carry), "{line}");
        }
        sheet
    }

    fn root(&self) -> serde_json::Value {
        let bytes = std::fs::read(self.place.path("workshop/gates/root.json")).unwrap();
        serde_json::from_slice::<serde_json::Value>(&bytes).unwrap()["signed"].clone()
    }

    fn key(&self, role: &str, index: usize) -> String {
        self.root()["roles"][role]["keyids"][index].as_str().unwrap().to_owned()
    }
}

/// Machine and command of every line with a prompt.
fn commands(sheet: &str) -> Vec<(String, String)> {
    let sheet = sheet.replace(" \\\n", " ");
    let command = |line: &str| {
        let (prompt, rest) = line.trim_start().split_once("$ ")?;
        ["offline", "workshop"].contains(&prompt).then(|| (prompt.to_owned(), rest.to_owned()))
    };
    sheet.lines().filter_map(command).collect()
}

/// It names its root, which is not on the medium that travels, and neither is the key.
fn trusts_only_a_keeper_s_root(line: &str, carry: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let after = |option: &str| words.iter().position(|word| *word == option).map(|at| words[at + 1]);
    let own =
        |path: Option<&str>| path.is_some_and(|path| !path.starts_with(carry) && path.contains("media/"));
    own(after("--root"))
        && own(after("--keys"))
        && words.iter().filter(|word| **word == "--root").count() == 1
}

/// A copy of a root.json that was at the workshop.
fn from_workshop(line: &str, carry: &str) -> bool {
    line.contains(&format!("{carry}/root.json")) || line.contains("gates/root.json")
}

fn words_apart(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The lines that the screen must show, but for handwriting and the list of roots.
fn must_say(sheet: &str) -> Vec<String> {
    let quoted = sheet.lines().filter_map(|line| line.trim_start().strip_prefix("| "));
    let known = quoted.filter(|line| !line.contains("written down") && !line.starts_with("root version"));
    let lines: Vec<String> = known.map(words_apart).collect();
    assert!(lines.iter().any(|line| line.contains("until now")), "{sheet}");
    lines
}

fn private_keys(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(private_keys(&path));
        } else if path.extension().is_some_and(|extension| extension == "pem") {
            found.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    found.sort();
    found
}

#[test]
fn every_command_of_every_ceremony_works() {
    let machines = Machines::new();
    let sheet = machines.hold("first --workshop gates");
    assert!(sheet.contains("2 of 3"), "{sheet}");
    assert_eq!(private_keys(&machines.place.path("workshop")), ["snapshot.pem", "timestamp.pem"]);
    assert_eq!(private_keys(&machines.place.path("media/carry")), Vec::<String>::new());
    assert_eq!(machines.root()["version"], 1);

    let media = machines.place.path("media");
    for (kind, role, index, version) in [
        ("rotate", "root", 0, 2),
        ("revoke", "timestamp", 0, 3),
        ("rotate", "targets", 0, 4),
        ("lost", "root", 1, 5),
        ("lost", "targets", 0, 6),
        ("revoke", "root", 2, 7),
    ] {
        let goes = machines.key(role, index);
        let medium = media.join(format!("{role}-{}", index + 1));
        if kind == "lost" {
            std::fs::remove_dir_all(&medium).unwrap();
        }
        let sheet = machines.hold(&format!("{kind} --workshop gates --key {}", &goes[..12]));
        assert!(sheet.contains(&goes), "{sheet}");
        assert!(sheet.contains("good until 2"), "{sheet}");
        let first = std::fs::read(machines.place.path("media/root-1/root.json")).unwrap();
        let sha256 = komainu_trust::hex::encode(&Sha256::digest(first));
        assert!(sheet.contains(&format!("root version 1, sha256 {sha256}")), "{sheet}");
        let root = machines.root();
        assert_eq!(root["version"], version, "{kind} {role}");
        assert!(root["keys"].get(&goes).is_none(), "{kind} {role}");
        let new = media.join(format!("{role}-new"));
        if new.exists() {
            // As the sheet says: the new medium gets the label of the old one.
            komainu_maker::files::remove(&medium).unwrap();
            komainu_maker::files::move_to(&new, &medium).unwrap();
        }
    }
}

#[test]
fn as_many_root_keys_must_sign_as_the_sheet_says() {
    let machines = Machines::new();
    machines.hold("first --workshop gates --root-keys 4 --threshold 3");
    let root = machines.root();
    assert_eq!(root["roles"]["root"]["threshold"], 3);
    assert_eq!(root["roles"]["root"]["keyids"].as_array().unwrap().len(), 4);
}

#[test]
fn a_sheet_without_a_key_says_that_it_must_be_filled_in() {
    let machines = Machines::new();
    let said = machines.typed("workshop", "komainu-maker ceremony rotate 2>&1 >sheet");
    assert!(said.contains("KEYID") && said.contains("root key 1 goes"), "{said}");
    let sheet = machines.typed("workshop", "cat sheet");
    assert!(sheet.contains("KEYID, the key that goes: ___") && sheet.contains("Filled in by"), "{sheet}");
    assert!(sheet.contains("Keeper of the new key: ___"), "{sheet}");
}

#[test]
fn no_sheet_takes_a_root_or_a_key_from_the_medium_that_travels() {
    let machines = Machines::new();
    for kind in ["rotate", "revoke", "lost"] {
        for more in ["", " --tokens"] {
            let sheet = machines.typed("workshop", &format!("komainu-maker ceremony {kind}{more}"));
            let lines = commands(&sheet);
            let adds: Vec<_> = lines.iter().filter(|(_, line)| line.contains(" sign add ")).collect();
            assert_eq!(adds.len(), 3, "{sheet}");
            for (_, line) in adds {
                assert!(trusts_only_a_keeper_s_root(line, "/media/carry"), "{line}");
            }
            for (_, line) in lines.iter().filter(|(_, line)| line.starts_with("cp ")) {
                assert!(!from_workshop(line, "/media/carry"), "{line}");
            }
        }
    }
}

#[test]
fn who_keeps_a_stolen_targets_key_does_not_sign() {
    let machines = Machines::new();
    machines.hold("first --workshop gates");
    let goes = machines.key("targets", 0);
    std::fs::remove_dir_all(machines.place.path("media/targets-1")).unwrap();
    let sheet = machines.hold(&format!("revoke --workshop gates --key {goes}"));
    assert!(!sheet.contains("The keeper of targets-1") && sheet.contains("--old-keys-are-lost"), "{sheet}");
}

#[test]
fn a_sheet_is_plain_text_to_print_and_to_write_on() {
    let machines = Machines::new();
    for kind in ["first", "rotate", "revoke", "lost"] {
        for more in ["", " --tokens", " --root-keys 5 --threshold 3"] {
            let sheet = machines.typed("workshop", &format!("komainu-maker ceremony {kind}{more}"));
            assert!(sheet.is_ascii(), "{kind}{more}");
            assert!(sheet.lines().all(|line| line.len() <= 100), "{kind}{more}");
            assert!(sheet.contains("1. [ ] ") && sheet.contains("____"), "{kind}{more}");
        }
    }
}

#[test]
fn a_ceremony_that_could_not_help_is_not_printed() {
    let machines = Machines::new();
    for (words, says) in [
        ("lost --root-keys 2 --threshold 2", "no ceremony can help"),
        ("first --root-keys 2 --threshold 3", "3 of 2 root keys cannot be"),
        ("first --workshop 'a b'", "would have to be quoted"),
        ("revoke --key abc", "name it with --workshop"),
        ("revoke --workshop nowhere", "is not a workshop"),
    ] {
        let line = format!("! komainu-maker ceremony {words} 2>&1");
        let said = machines.typed("workshop", &line);
        assert!(said.contains(says), "{words}: {said}");
    }
}
