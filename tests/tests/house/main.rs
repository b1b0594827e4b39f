//! The house rules that a compiler does not check. Map: `arrows` who may know whom, `circles` no circle of files,
//! `evidence_table` the law of evidence, `foreign_files` the one way to touch others' files, `uses` the graph that the
//! first two read, `glossary` one word for each thing, `security_rows` what the security pages claim, `style` how files look.
#![allow(clippy::unwrap_used, reason = "a panic is the report")]

mod arrows;
mod circles;
mod evidence_table;
mod foreign_files;
mod glossary;
mod security_rows;
mod style;
mod uses;

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
