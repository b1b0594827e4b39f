//! The table of evidence in docs/security is the table of the core: each sign with its weight, its doubt and its test.

use super::top;
use komainu_core::wall::evidence::SIGNS;
use std::fs;

#[test]
fn the_table_of_evidence_is_the_cores() {
    let page = fs::read_to_string(top().join("docs/security/evidence.md")).unwrap();
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    let wanted: Vec<String> = SIGNS
        .iter()
        .map(|row| {
            let counts = if row.counts { "yes" } else { "no" };
            format!(
                "| `{}` | {} | {} | {:?} | {counts} | {} | `{}` |",
                row.id,
                row.words,
                row.alone.name(),
                row.class,
                row.doubt,
                row.test
            )
        })
        .collect();
    println!("evidence: {} signs", wanted.len());
    for (row, wanted) in rows.iter().zip(&wanted) {
        assert_eq!(row, wanted, "docs/security/evidence.md differs from agent/core/src/wall/evidence.rs");
    }
    assert_eq!(rows.len(), wanted.len(), "rows to be in docs/security/evidence.md:\n{}", wanted.join("\n"));
}
