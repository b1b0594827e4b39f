//! The report as SARIF 2.1.0, which CI services show beside the source.

use super::Audited;
use super::finding::Finding;
use super::rule_table::{RULES, Rule, Severity};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// The schema of the format.
const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json";

/// A log with one run.
pub fn sarif(audited: &Audited) -> Value {
    let results: Vec<Value> = audited.findings.all.iter().map(result).collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [ {
            "tool": { "driver": {
                "name": "komainu-maker audit",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": RULES.iter().map(rule).collect::<Vec<_>>(),
            } },
            "artifacts": [ { "location": { "uri": uri(&audited.image), "description": { "text": audited.kind } } } ],
            "originalUriBaseIds": { "IMAGE": { "description": { "text": "The root of the image." } } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        } ],
    })
}

fn level(rule: &Rule) -> &'static str {
    match rule.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn rule(rule: &Rule) -> Value {
    json!({
        "id": rule.id,
        "shortDescription": { "text": rule.title },
        "fullDescription": { "text": rule.reason },
        "help": { "text": format!("{}\n\nServes: {}", rule.mend, rule.norms) },
        "defaultConfiguration": { "level": level(rule) },
        "properties": { "tags": rule.norms.split("; ").collect::<Vec<_>>() },
    })
}

fn result(finding: &Finding) -> Value {
    let mut place = json!({
        "artifactLocation": { "uri": uri(finding.path.trim_start_matches('/')), "uriBaseId": "IMAGE" },
    });
    if let Some(line) = finding.line {
        place["region"] = json!({ "startLine": line });
    }
    let index = RULES.iter().position(|rule| rule.id == finding.rule.id);
    let mut result = json!({
        "ruleId": finding.rule.id,
        "ruleIndex": index,
        "level": level(finding.rule),
        "message": { "text": format!("{}: {}. {}", finding.rule.title, finding.what, finding.rule.mend) },
        "locations": [ { "physicalLocation": place } ],
        // The same finding in the next image has the same words.
        "partialFingerprints": { "komainu/v1": format!("{} {} {}", finding.rule.id, finding.path, finding.what) },
    });
    if let Some(reason) = &finding.allowed {
        result["suppressions"] = json!([ { "kind": "external", "justification": reason } ]);
    }
    result
}

/// A path as a relative reference (RFC 3986).
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' | b'~' => {
                uri.push(char::from(byte))
            }
            // Writing to a String cannot fail.
            _ => drop(write!(uri, "%{byte:02X}")),
        }
    }
    if uri.is_empty() { ".".into() } else { uri }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_a_reference_that_every_reader_takes_apart_alike() {
        assert_eq!(uri("etc/a b:c%\\u000a"), "etc/a%20b%3Ac%25%5Cu000a");
        assert_eq!(uri(""), ".");
    }
}
