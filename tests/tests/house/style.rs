//! How files look: where `unsafe` lives, what decisions may not touch, and that every file is about one thing.

use super::{all, top};
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn unsafe_lives_in_one_file() {
    for path in all(".rs") {
        let relative = path.strip_prefix(top()).unwrap().to_owned();
        if relative == Path::new("agent/src/os/sys.rs") || relative.starts_with("tests/tests/house") {
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
        "agent/delta/src/lib.rs",
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

/// The files that write to a terminal or a log, each through `komainu_core::printable` or with words of its own.
const DOORS: &[&str] = &[
    "agent/src/cli.rs",
    "agent/src/cli/call.rs",
    "agent/src/cli/owner.rs",
    "agent/src/os/log_output.rs",
    "agent/src/os/test_namespace.rs",
    "maker/src/commands/output.rs",
    "maker/src/commands/publish.rs",
    "maker/src/commands/sign.rs",
    "maker/src/demo/timeline.rs",
    "maker/src/passphrase.rs",
    "maker/src/progress.rs",
    "maker/src/server/file_response.rs",
];

#[test]
fn text_reaches_a_terminal_by_few_doors() {
    for path in all(".rs") {
        let relative = path.strip_prefix(top()).unwrap().to_string_lossy().into_owned();
        let is_ours = relative.starts_with("agent/src/") || relative.starts_with("maker/src/");
        if !is_ours || DOORS.contains(&&*relative) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let code = code.replace("stdout().is_terminal()", "").replace("stderr().is_terminal()", "");
        for way in ["print!", "println!", "stdout()", "stderr()", "prompt_password("] {
            assert!(!code.contains(way), "{relative} prints by {way}: use the door of its program");
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

#[test]
fn no_doc_comment_says_next_to_nothing() {
    let is_doc = |line: &str| line.trim_start().starts_with("///");
    let mut found = Vec::new();
    for path in all(".rs") {
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| is_doc(line)) {
            let goes_on =
                at > 0 && is_doc(lines[at - 1]) || lines.get(at + 1).is_some_and(|next| is_doc(next));
            if !goes_on
                && line.trim_start_matches([' ', '/']).split_whitespace().count() <= 2
                && !line.contains(char::is_numeric)
                && !line.contains('`')
            {
                found.push(format!(
                    "{}:{}: {}",
                    path.strip_prefix(top()).unwrap().display(),
                    at + 1,
                    line.trim()
                ));
            }
        }
    }
    assert!(found.is_empty(), "{} doc comments of one or two words: {found:#?}", found.len());
}

/// Words that are the subject of no sentence: a sentence says what happens to what.
const NO_SUBJECT: [&str; 6] = ["Who", "Whoever", "Whatever", "Whom", "Somebody", "Nobody"];

/// Whether a sentence of this line begins with such a word, and is no question.
fn has_no_subject(line: &str) -> bool {
    let sentences = line.split(". ").flat_map(|part| part.split(": "));
    let begins = |sentence: &str| {
        let word = sentence.trim().split([' ', ',']).next().unwrap_or_default();
        NO_SUBJECT.contains(&word) && !sentence.trim_end().ends_with('?')
    };
    sentences.into_iter().any(begins)
}

#[test]
fn every_sentence_has_a_subject() {
    let mut found = Vec::new();
    for path in all(".rs").into_iter().chain(all(".md")) {
        let text = fs::read_to_string(&path).unwrap();
        let is_page = path.extension().is_some_and(|ending| ending == "md");
        for (at, line) in text.lines().enumerate() {
            let comment =
                line.trim_start().strip_prefix("//").map(|rest| rest.trim_start_matches(['/', '!']));
            if comment.or(is_page.then_some(line)).is_some_and(has_no_subject) {
                found.push(format!(
                    "{}:{}: {}",
                    path.strip_prefix(top()).unwrap().display(),
                    at + 1,
                    line.trim()
                ));
            }
        }
    }
    assert!(found.is_empty(), "{} sentences about who or somebody: {found:#?}", found.len());
}
