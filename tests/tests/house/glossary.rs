//! One word for each thing: every module's name stands in docs/glossary.md, and every name there is a module's.

use super::top;
use super::uses::Graph;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

const SOURCES: [&str; 6] =
    ["trust/src", "agent/core/src", "agent/delta/src", "bootstrap/src", "agent/src", "maker/src"];

/// Names that many modules may have: maps of rooms, tests, and the one plan of each job.
const SHARED: [&str; 4] = ["lib", "tests", "cases", "plan"];

fn stems() -> BTreeMap<String, Vec<String>> {
    let mut stems: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for source in SOURCES {
        for module in Graph::with_tests(source).modules() {
            let stem = module.path.last().cloned().unwrap_or_else(|| "lib".to_owned());
            stems.entry(stem).or_default().push(format!("{source}/{}", module.path.join("/")));
        }
    }
    stems
}

/// The names in backticks in the last column of the glossary's tables.
fn listed() -> BTreeSet<String> {
    let text = fs::read_to_string(top().join("docs/glossary.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| word |"));
    let mut listed = BTreeSet::new();
    for row in rows {
        let last = row.trim_end_matches(['|', ' ']).rsplit('|').next().unwrap();
        for token in last.split('`').skip(1).step_by(2) {
            listed.insert(token.rsplit(['/', ':']).next().unwrap().to_owned());
        }
    }
    listed
}

#[test]
fn every_module_has_a_row_in_the_glossary() {
    let (stems, listed) = (stems(), listed());
    let missing: Vec<_> = stems.iter().filter(|(stem, _)| !listed.contains(*stem)).collect();
    println!("glossary: {} names of modules, {} without a row", stems.len(), missing.len());
    assert!(missing.is_empty(), "docs/glossary.md has no row for {missing:#?}");
}

#[test]
fn the_glossary_names_no_module_that_is_gone() {
    let (stems, listed) = (stems(), listed());
    let gone: Vec<_> = listed.iter().filter(|name| !stems.contains_key(*name) && *name != "main").collect();
    assert!(gone.is_empty(), "docs/glossary.md names modules that are not there: {gone:?}");
}

#[test]
fn no_name_of_a_file_stands_three_times() {
    let thrice = stems();
    let rooms = ["gate", "wall", "update", "firewall", "page", "advisory", "bundle"];
    let thrice: Vec<_> = thrice
        .iter()
        .filter(|(stem, _)| !SHARED.contains(&stem.as_str()) && !rooms.contains(&stem.as_str()))
        .filter(|(_, modules)| modules.len() > 2)
        .collect();
    assert!(thrice.is_empty(), "a name that stands three times asks for a better one: {thrice:#?}");
}
