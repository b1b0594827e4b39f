//! The report for people: by rule, with its reason, its mend and the norm that it serves.

use super::Audited;
use super::finding::Finding;
use super::rule_table::{RULES, Severity};
use std::fmt::Write as _;

/// Lines for a terminal.
pub fn text(audited: &Audited) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let all = &audited.findings.all;
    for chosen in [Severity::Error, Severity::Warning] {
        for rule in RULES.iter().filter(|rule| rule.severity == chosen) {
            let of_rule = all.iter().filter(|one| one.rule.id == rule.id && one.allowed.is_none());
            let mut first = true;
            for finding in of_rule {
                if first {
                    let _ = writeln!(out, "{}  {}: {}", chosen.name(), rule.id, rule.title);
                    first = false;
                }
                let _ = writeln!(out, "    {}: {}", place(finding), finding.what);
            }
            if !first {
                let _ = writeln!(
                    out,
                    "  why    {}\n  mend   {}\n  serves {}",
                    rule.reason, rule.mend, rule.norms
                );
            }
        }
    }
    for finding in all {
        if let Some(reason) = &finding.allowed {
            let _ =
                writeln!(out, "allowed  {}  {}: {}: {reason}", finding.rule.id, place(finding), finding.what);
        }
    }
    for allowance in &audited.unneeded {
        let _ = writeln!(out, "note  nothing needs the allowance {allowance} any more");
    }
    let _ = writeln!(out, "{}", summary(audited));
    out
}

fn place(finding: &Finding) -> String {
    match finding.line {
        Some(line) => format!("{} line {line}", finding.path),
        None => finding.path.clone(),
    }
}

/// The last line: what was looked at, and what was found.
fn summary(audited: &Audited) -> String {
    let Audited { image, kind, entries, findings, .. } = audited;
    format!(
        "{image}: {kind}, {entries} entries: {} errors, {} warnings, {} allowed",
        findings.count(Severity::Error),
        findings.count(Severity::Warning),
        findings.allowed()
    )
}

/// The table of rules, for `--rules`.
pub fn rules() -> String {
    let mut out = String::new();
    for rule in RULES {
        let _ = writeln!(
            out,
            "{}  {}: {}\n  why    {}\n  mend   {}\n  serves {}",
            rule.severity.name(),
            rule.id,
            rule.title,
            rule.reason,
            rule.mend,
            rule.norms
        );
    }
    out
}

/// The table of rules in Markdown, as `docs/audit.md` has it.
pub fn markdown() -> String {
    let mut out = String::from(
        "| rule | weight | refused or told | reason | mend | serves |\n|---|---|---|---|---|---|\n",
    );
    for rule in RULES {
        let (id, weight) = (rule.id, rule.severity.name());
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "| `{id}` | {weight} | {} | {} | {} | {} |",
            rule.title, rule.reason, rule.mend, rule.norms
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_in_the_documents_is_the_one_in_the_code() {
        let page = include_str!("../../../docs/audit.md");
        assert!(page.ends_with(&markdown()), "docs/audit.md must end with:\n{}", markdown());
    }
}
