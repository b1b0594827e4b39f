//! The checklists: every command in them is typed here, in two folders that stand for the two machines.

use super::device::Place;
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
        for (machine, line) in commands {
            let said = self.typed(&machine, &line);
            assert!(!line.contains(" sign add ") || said.contains("Signed "), "{line}: {said}");
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
