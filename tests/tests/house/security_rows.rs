//! The rows of SECURITY.md and docs/security: every test that they name is there, and every attack test is in them.

use super::{all, top};
use std::collections::BTreeSet;
use std::fs;

/// SECURITY.md and everything in docs/security.
fn text() -> String {
    let mut pages: Vec<_> =
        fs::read_dir(top().join("docs/security")).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.push(top().join("SECURITY.md"));
    pages.sort();
    pages.iter().map(|page| fs::read_to_string(page).unwrap()).collect::<Vec<_>>().join("\n")
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
fn every_test_that_the_security_pages_name_is_there() {
    let (text, tests) = (text(), tests());
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with('|') && line.contains('`')).collect();
    assert!(rows.len() > 150, "docs/security has lost its tables: {} rows", rows.len());
    let mut named = 0;
    for row in rows {
        let last = row.trim_end_matches(['|', ' ']).rsplit('|').next().unwrap();
        for name in last.split('`').skip(1).step_by(2) {
            assert!(tests.contains(name), "docs/security names the test {name}, which is not there");
            named += 1;
        }
    }
    assert!(named > 400, "docs/security names only {named} tests");
}

#[test]
fn a_row_without_a_test_says_why() {
    for row in text().lines().filter(|line| line.starts_with('|') && line.ends_with("| – |")) {
        let why = ["not ours, because", "not yet:", "Not yet:"];
        assert!(why.iter().any(|word| row.contains(word)), "neither a test nor a reason: {row}");
    }
}

#[test]
fn every_attack_test_is_in_the_security_pages() {
    let text = text();
    for (file, mark) in [
        ("tests/attacks.rs", "#[test]\nfn "),
        ("tests/clock.rs", "#[test]\nfn "),
        ("tests/delegations.rs", "#[test]\nfn "),
        ("tests/races.rs", "#[test]\nfn "),
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
            assert!(text.contains(&format!("`{name}`")), "no page of docs/security names {name}");
        }
    }
}
