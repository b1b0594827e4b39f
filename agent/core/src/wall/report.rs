//! The wall: what attackers use is gone, and stays gone. A measure is a row of a table; each look at the device is
//! judged by pure functions, one file a subject, and every judgement goes into a [`Report`]: what holds, what does
//! not and how it is mended, and, honestly, what cannot be told or enforced.
//!
//! Map: `measure` the table, `policy` what the maker allows, `seen` what processes and sockets look like, `remediation` what can
//! be done, `respond` the answers to an infection, `plan` what is done after a look, `memory` what outlasts a restart,
//! `lines` a report for commands; `observation` everything that is seen and judged, `turn` a turn.
//!
//! The judges: `services` who listens, `infection` who has taken the device (both with `tree` for who is whose among
//! processes), `respawn` what starts telnet again, `accounts` and `keys` who may log in, `guard` files that only the owner
//! changes, `mounts` where programs could be laid, `watchdog`, `tune` numbers of the kernel's, `confinement` what Komainu itself
//! gave up, `firmware` vulnerabilities and support, `wan_access` and `upnp_leases` ways in, `links` whether LAN and WAN are what they are called.

use crate::wall::measures::Measure;
use crate::wall::measures::Survey;
use crate::wall::remediation::Remediation;

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
    pub remediation: Option<Remediation>,
    /// It is a sign that somebody has taken the device, not of a door left open.
    pub infection: bool,
}

impl Finding {
    /// Its fix is on trial: it could take something away that is needed. What an infection does never is.
    pub fn is_tried(&self) -> bool {
        self.measure.row().on_trial && !self.infection
    }

    /// What must be told first where not all can be: an infection, and what can be mended.
    fn weight(&self) -> (bool, bool) {
        (self.infection, self.remediation.is_some())
    }
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
    /// What is as it may be, and the owner should know all the same: ways in that stand open.
    pub notes: Vec<Text>,
}

impl Report {
    /// A door that is left open.
    pub fn weak(&mut self, measure: Measure, remediation: Option<Remediation>, what: fmt::Arguments<'_>) {
        self.add(Finding { measure, what: text(what), remediation, infection: false });
    }

    /// A sign that somebody has taken the device.
    pub fn infected(&mut self, measure: Measure, remediation: Option<Remediation>, what: fmt::Arguments<'_>) {
        self.add(Finding { measure, what: text(what), remediation, infection: true });
    }

    /// It could not be found out.
    pub fn cannot_tell(&mut self, measure: Measure, why: fmt::Arguments<'_>) {
        self.doubt(measure, Outcome::CannotTell(text(why)));
    }

    /// This device, or its policy, cannot have it.
    pub fn cannot_enforce(&mut self, measure: Measure, why: fmt::Arguments<'_>) {
        self.doubt(measure, Outcome::CannotEnforce(text(why)));
    }

    /// What the owner should know, and nothing is wrong with; as many as findings at most.
    pub fn note(&mut self, what: fmt::Arguments<'_>) {
        if self.notes.len() < FINDINGS_MAX {
            self.notes.push(text(what));
        }
    }

    /// What is known of a measure.
    pub fn outcome(&self, measure: Measure) -> Outcome {
        if self.findings.iter().any(|finding| finding.measure == measure) {
            return Outcome::Weak;
        }
        let doubt = self.doubts.iter().find(|(doubted, _)| *doubted == measure);
        doubt.map_or(Outcome::Strong, |(_, outcome)| outcome.clone())
    }

    /// How a survey stands, in a word: `good`, `bad`, or `unknown` where something could not be found out.
    pub fn survey(&self, survey: Survey) -> &'static str {
        let asks = |measure: Measure| measure.row().survey == Some(survey);
        if self.findings.iter().any(|finding| asks(finding.measure)) {
            "bad"
        } else if self.doubts.iter().any(|(measure, _)| asks(*measure)) {
            "unknown"
        } else {
            "good"
        }
    }

    /// The fixes, in the order of the findings, each once.
    pub fn remediations(&self) -> Vec<&Remediation> {
        let mut remediations: Vec<&Remediation> = Vec::new();
        for remediation in self.findings.iter().filter_map(|finding| finding.remediation.as_ref()) {
            if !remediations.contains(&remediation) {
                remediations.push(remediation);
            }
        }
        remediations
    }

    fn add(&mut self, finding: Finding) {
        // One that listens for IPv4 and for IPv6 is one finding.
        if self.findings.contains(&finding) {
            return;
        }
        if self.findings.len() < FINDINGS_MAX {
            return self.findings.push(finding);
        }
        self.more = self.more.saturating_add(1);
        // Many small faults hide no great one.
        let lightest = (0..FINDINGS_MAX).rev().min_by_key(|at| self.findings[*at].weight());
        if let Some(at) = lightest.filter(|at| self.findings[*at].weight() < finding.weight()) {
            self.findings.remove(at);
            self.findings.push(finding);
        }
    }

    fn doubt(&mut self, measure: Measure, outcome: Outcome) {
        if !self.doubts.iter().any(|(doubted, _)| *doubted == measure) {
            self.doubts.push((measure, outcome));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wall::remediation::ProcessId;

    #[test]
    fn many_small_findings_hide_no_great_one() {
        let mut report = Report::default();
        for number in 0..=FINDINGS_MAX {
            report.weak(Measure::Programs, None, format_args!("number {number}"));
        }
        let end = |pid| Some(Remediation::End(ProcessId { pid, started: 1 }));
        report.weak(Measure::Telnet, end(7), format_args!("telnet"));
        report.infected(Measure::Programs, end(9), format_args!("a bot"));
        report.weak(Measure::Programs, None, format_args!("one more"));
        assert_eq!((report.findings.len(), report.more), (FINDINGS_MAX, 4));
        assert_eq!(report.remediations().len(), 2);
        let last = &report.findings[FINDINGS_MAX - 2..];
        assert_eq!((&*last[0].what, &*last[1].what), ("telnet", "a bot"));
        assert_eq!(&*report.findings[0].what, "number 0");
    }
}
