//! The wall: what attackers use is gone, and stays gone. A measure is a row of a table; each look at the device is
//! judged by pure functions, one file a subject, and every judgement goes into a [`Report`]: what holds, what does
//! not and how it is mended, and, honestly, what cannot be told or enforced.
//!
//! Map: `measure` the table, `policy` what the maker allows, `fix` what can be done, `seen` what processes and sockets
//! look like; the judges: `firmware` vulnerabilities and support.

pub mod firmware;
pub mod fix;
pub mod measure;
pub mod policy;
pub mod seen;

pub use fix::Fix;
pub use measure::Measure;
pub use policy::Policy;

use crate::fault::{Text, text};
use alloc::vec::Vec;
use core::fmt;

/// Most findings of one look; more are counted, and not told one by one.
pub const FINDINGS_MAX: usize = 64;

/// One thing that is not as it is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which measure it breaks.
    pub measure: Measure,
    /// What was found, for a person.
    pub what: Text,
    /// How it is mended, where it can be.
    pub fix: Option<Fix>,
    /// It is a sign that somebody has taken the device, not of a door left open.
    pub infection: bool,
}

/// What a look found out about one measure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it is wanted.
    Strong,
    /// Not so; the findings say what.
    Weak,
    /// It could not be found out: why.
    CannotTell(Text),
    /// It is not so, and this device or its maker's policy cannot have it: why.
    CannotEnforce(Text),
}

/// What one look found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What is not as it is wanted, the gravest first as the judges come.
    pub findings: Vec<Finding>,
    /// How many more there were.
    pub more: u32,
    /// Where the answer is neither yes nor no; at most one of a measure.
    pub doubts: Vec<(Measure, Outcome)>,
}

impl Report {
    /// A door that is left open.
    pub fn weak(&mut self, measure: Measure, fix: Option<Fix>, what: fmt::Arguments<'_>) {
        self.add(Finding { measure, what: text(what), fix, infection: false });
    }

    /// A sign that somebody has taken the device.
    pub fn infected(&mut self, measure: Measure, fix: Option<Fix>, what: fmt::Arguments<'_>) {
        self.add(Finding { measure, what: text(what), fix, infection: true });
    }

    /// It could not be found out.
    pub fn cannot_tell(&mut self, measure: Measure, why: fmt::Arguments<'_>) {
        self.doubt(measure, Outcome::CannotTell(text(why)));
    }

    /// This device, or its policy, cannot have it.
    pub fn cannot_enforce(&mut self, measure: Measure, why: fmt::Arguments<'_>) {
        self.doubt(measure, Outcome::CannotEnforce(text(why)));
    }

    /// What is known of a measure.
    pub fn outcome(&self, measure: Measure) -> Outcome {
        if self.findings.iter().any(|finding| finding.measure == measure) {
            return Outcome::Weak;
        }
        let doubt = self.doubts.iter().find(|(doubted, _)| *doubted == measure);
        doubt.map_or(Outcome::Strong, |(_, outcome)| outcome.clone())
    }

    /// The fixes, in the order of the findings, each once.
    pub fn fixes(&self) -> Vec<&Fix> {
        let mut fixes: Vec<&Fix> = Vec::new();
        for fix in self.findings.iter().filter_map(|finding| finding.fix.as_ref()) {
            if !fixes.contains(&fix) {
                fixes.push(fix);
            }
        }
        fixes
    }

    fn add(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        } else {
            self.more += 1;
        }
    }

    fn doubt(&mut self, measure: Measure, outcome: Outcome) {
        if !self.doubts.iter().any(|(doubted, _)| *doubted == measure) {
            self.doubts.push((measure, outcome));
        }
    }
}
