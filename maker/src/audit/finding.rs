//! A finding of the audit: a rule, a place in the image, and the fault there.

use super::rule_table::{Rule, Severity, rule};
use std::collections::BTreeMap;

/// Most findings of one rule that are told one by one.
pub const TOLD_MAX: usize = 100;

/// Something that a rule found.
#[derive(Clone, Debug)]
pub struct Finding {
    pub rule: &'static Rule,
    /// The path in the image, as it is shown; `/` where no file is meant.
    pub path: String,
    pub line: Option<u32>,
    /// The fault, in a sentence without an end.
    pub what: String,
    /// The reason for which it is allowed.
    pub allowed: Option<String>,
}

/// All that was found.
#[derive(Debug, Default)]
pub struct Findings {
    pub all: Vec<Finding>,
    counts: BTreeMap<&'static str, usize>,
}

impl Findings {
    /// Adds a finding of the rule with this name.
    pub fn add(&mut self, id: &'static str, path: &str, line: Option<u32>, what: String) {
        let rule = rule(id).expect("every judge names a rule of the table");
        let count = self.counts.entry(rule.id).or_default();
        *count += 1;
        if *count <= TOLD_MAX {
            self.all.push(Finding { rule, path: path.into(), line, what, allowed: None });
        }
    }

    /// Puts them into the order of the table, and tells of those that were too many.
    pub fn finish(&mut self) {
        for (id, count) in std::mem::take(&mut self.counts) {
            if let Some(rule) = rule(id).filter(|_| count > TOLD_MAX) {
                let what = format!("{} more of {id}, beyond the {TOLD_MAX} that are told", count - TOLD_MAX);
                self.all.push(Finding { rule, path: "/".into(), line: None, what, allowed: None });
            }
        }
        let place =
            |finding: &Finding| super::rule_table::RULES.iter().position(|one| one.id == finding.rule.id);
        self.all.sort_by_cached_key(|finding| (place(finding), finding.path.clone(), finding.line));
    }

    /// The number of findings of that weight that nothing allows.
    pub fn count(&self, severity: Severity) -> usize {
        let counts = |one: &&Finding| one.allowed.is_none() && one.rule.severity == severity;
        self.all.iter().filter(counts).count()
    }

    pub fn allowed(&self) -> usize {
        self.all.iter().filter(|one| one.allowed.is_some()).count()
    }
}
