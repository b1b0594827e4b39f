//! The report for programs.

use super::Audited;
use super::rule_table::Severity;
use serde_json::{Value, json};

/// One object with all findings.
pub fn json(audited: &Audited) -> Value {
    let findings = &audited.findings;
    let all: Vec<Value> = findings
        .all
        .iter()
        .map(|one| {
            json!({
                "rule": one.rule.id,
                "severity": one.rule.severity.name(),
                "title": one.rule.title,
                "path": one.path,
                "line": one.line,
                "what": one.what,
                "reason": one.rule.reason,
                "mend": one.rule.mend,
                "serves": one.rule.norms.split("; ").collect::<Vec<_>>(),
                "allowed": one.allowed,
            })
        })
        .collect();
    json!({
        "image": audited.image,
        "kind": audited.kind,
        "entries": audited.entries,
        "refused": audited.is_refused(),
        "errors": findings.count(Severity::Error),
        "warnings": findings.count(Severity::Warning),
        "allowed": findings.allowed(),
        "unneeded_allowances": audited.unneeded,
        "findings": all,
    })
}
