//! The house rules that a compiler does not check: who may know whom, where `unsafe` lives, what SECURITY.md
//! claims, and that every file is about one thing.
#![allow(clippy::unwrap_used, reason = "a panic is the report")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !["target", "work", ".git", "corpus"].contains(&name.as_str()) {
            files(&path, ending, found);
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
}

fn all(ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    files(&top(), ending, &mut found);
    assert!(!found.is_empty());
    found
}

/// The crates of ours that a manifest names among its ordinary dependencies.
fn knows(manifest: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(top().join(manifest)).unwrap();
    let ordinary = text.split("\n[").find(|table| table.starts_with("dependencies]")).unwrap_or_default();
    let name = |line: &str| line.split([' ', '.', '=']).next().unwrap_or_default().to_owned();
    ordinary.lines().map(name).filter(|name| name.starts_with("komainu")).collect()
}

#[test]
fn dependencies_follow_the_arrows() {
    let allowed = [
        ("trust/Cargo.toml", &[][..]),
        ("agent/core/Cargo.toml", &["komainu-trust"]),
        ("bootstrap/Cargo.toml", &[]),
        ("agent/Cargo.toml", &["komainu-bootstrap", "komainu-core", "komainu-trust"]),
        ("maker/Cargo.toml", &["komainu-bootstrap", "komainu-core", "komainu-trust"]),
    ];
    for (manifest, allowed) in allowed {
        let allowed: BTreeSet<String> = allowed.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(knows(manifest), allowed, "{manifest}");
    }
}

#[test]
fn unsafe_lives_in_one_file() {
    for path in all(".rs") {
        let relative = path.strip_prefix(top()).unwrap().to_owned();
        if relative == Path::new("agent/src/os/sys.rs") || relative == Path::new("tests/tests/house.rs") {
            continue;
        }
        for (number, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            let code = line.split("//").next().unwrap();
            let words = code.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
            let found = words.into_iter().any(|word| word == "unsafe");
            assert!(!found, "{}:{}: {line}", relative.display(), number + 1);
        }
    }
}

#[test]
fn crates_without_a_door_forbid_unsafe() {
    for root in [
        "trust/src/lib.rs",
        "agent/core/src/lib.rs",
        "bootstrap/src/lib.rs",
        "maker/src/lib.rs",
        "tests/src/lib.rs",
    ] {
        let text = fs::read_to_string(top().join(root)).unwrap();
        assert!(text.contains("#![forbid(unsafe_code)]"), "{root}");
    }
    for root in ["trust/src/lib.rs", "agent/core/src/lib.rs"] {
        let text = fs::read_to_string(top().join(root)).unwrap();
        assert!(text.contains("#![no_std]"), "{root}");
    }
}

#[test]
fn decisions_touch_nothing() {
    // no_std already keeps files and clocks out; these would be ways around it.
    for path in all(".rs") {
        let relative = path.strip_prefix(top()).unwrap();
        if !relative.starts_with("agent/core") && !relative.starts_with("trust/src") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for word in ["std::", "extern crate std", "from_ne_bytes", "to_ne_bytes", "AtomicU64", "AtomicI64"] {
            assert!(!text.contains(word), "{}: {word}", relative.display());
        }
    }
}

#[test]
fn files_are_about_one_thing() {
    let long = |path: &PathBuf| fs::read_to_string(path).unwrap().lines().count() > 450;
    let found: Vec<PathBuf> = all(".rs").into_iter().filter(long).collect();
    assert!(found.is_empty(), "over 450 lines, two subjects in one? {found:#?}");
}

#[test]
fn files_begin_with_what_lives_there() {
    for path in all(".rs") {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//!"), "{}", path.display());
    }
}

/// Every test there is, by its function: Rust's, and in Python what stands below `@test` or is given to `tests`, where one
/// function is many tests.
fn tests() -> BTreeSet<String> {
    let after = |text: &str, mark: &str, start: &str, end: char| -> Vec<String> {
        let names = text.split(mark).skip(1).filter_map(|rest| rest.split_once(start)?.1.split_once(end));
        names.map(|(name, _)| name.to_owned()).collect()
    };
    let mut found = BTreeSet::new();
    for path in all(".rs") {
        found.extend(after(&fs::read_to_string(path).unwrap(), "#[test]\n", "fn ", '('));
    }
    for path in all(".py") {
        let text = fs::read_to_string(path).unwrap();
        found.extend(after(&text, "@test\n", "def ", '('));
        found.extend(after(&text, "\ntests", "(", ','));
        // `("a_sentence_by_{}", function),`: a row of a loop that gives one function after the other to `tests`.
        found.extend(after(&text, "{}\",", "", ')').iter().map(|name| name.trim().to_owned()));
    }
    found
}

#[test]
fn every_test_that_security_md_names_is_there() {
    let text = fs::read_to_string(top().join("SECURITY.md")).unwrap();
    let tests = tests();
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with('|') && line.contains('`')).collect();
    assert!(rows.len() > 20, "SECURITY.md has lost its table");
    for row in rows {
        let last = row.trim_end_matches(['|', ' ']).rsplit('|').next().unwrap();
        let named: Vec<&str> = last.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "no test in the row: {row}");
        for name in named {
            assert!(tests.contains(name), "SECURITY.md names the test {name}, which is not there");
        }
    }
}

#[test]
fn a_row_of_security_md_without_a_test_says_why() {
    let text = fs::read_to_string(top().join("SECURITY.md")).unwrap();
    let wall = text.split_once("### The wall").unwrap().1;
    for row in wall.lines().filter(|line| line.ends_with("| – |")) {
        let why = ["not ours, because", "not yet:", "Not yet:"];
        assert!(why.iter().any(|word| row.contains(word)), "neither a test nor a reason: {row}");
    }
}

#[test]
fn every_attack_test_is_in_security_md() {
    let text = fs::read_to_string(top().join("SECURITY.md")).unwrap();
    for (file, mark) in [
        ("tests/attacks.rs", "#[test]\nfn "),
        ("tests/clock.rs", "#[test]\nfn "),
        ("tests/delegations.rs", "#[test]\nfn "),
        ("tests/wall_cuts.rs", "#[test]\nfn "),
        ("namespaces/test_wall_attack.py", "@test\ndef "),
        ("namespaces/test_wall_guard.py", "@test\ndef "),
        ("namespaces/test_wall_selfcheck.py", "@test\ndef "),
        ("namespaces/test_wall_services.py", "@test\ndef "),
        ("namespaces/test_wall_standin.py", "@test\ndef "),
        ("namespaces/test_wall_ways.py", "@test\ndef "),
        ("emulators/test_wall.py", "@test\ndef "),
    ] {
        let source = fs::read_to_string(top().join("tests").join(file)).unwrap();
        let tests = source.split(mark).skip(1).map(|rest| rest.split('(').next().unwrap());
        for name in tests {
            assert!(text.contains(&format!("`{name}`")), "SECURITY.md does not name {name}");
        }
    }
}
