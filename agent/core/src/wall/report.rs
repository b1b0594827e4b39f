//! The report of the wall: the judges' findings of one look. A measure is a row of a table; pure functions, a file for
//! each subject, judge every look at the device, and each judgement goes into a [`Report`]: measures that hold,
//! findings and their remediation, and, honestly, measures that cannot be told or enforced. `report_text` is the text
//! form, `measures` the table, `judge` the judges.

use crate::wall::evidence::Evidence;
use crate::wall::measures::Measure;
use crate::wall::measures::Survey;
use crate::wall::remediation::{Kind, Remediation};
use crate::wall::subject::SUBJECT_BYTES_MAX;

use crate::fault::{Text, text};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Most findings of one look; more are counted, and not listed one by one.
pub const FINDINGS_MAX: usize = 64;

/// One thing that is not as it is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The measure that it breaks.
    pub measure: Measure,
    /// The finding in words, for a person.
    pub what: Text,
    /// The subject for machines: words `key=value` (`subject`); may be empty.
    pub subject: String,
    /// The remediation, if there is one; what was read from the report's file has its kind only.
    pub remediation: Option<Remediation>,
    /// The kind of the remediation.
    pub kind: Option<&'static Kind>,
    /// The weight of it.
    pub evidence: Evidence,
    /// Neither a restart nor a new image would take the cause away: it is on storage that both leave alone.
    pub remains: bool,
}

impl Finding {
    /// It shows an infection.
    pub fn is_infection(&self) -> bool {
        self.evidence == Evidence::Infection
    }

    /// Its remediation is on trial: it could take away something that is needed, and is undone then.
    pub fn is_tried(&self) -> bool {
        self.kind.is_some_and(|kind| kind.on_trial)
    }

    /// The order of findings when there are too many: infections first, then those that can be mended.
    fn weight(&self) -> (Evidence, bool) {
        (self.evidence, self.remediation.is_some())
    }
}

/// The result of a look for one measure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// As it is wanted.
    Strong,
    /// Not so; the findings give the details.
    Weak,
    /// The look could not tell; the text gives the reason.
    CannotTell(Text),
    /// It is not so, and this device or its maker's policy cannot have it; the text gives the reason.
    CannotEnforce(Text),
}

/// The result of one look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The findings, the gravest first as the judges come.
    pub findings: Vec<Finding>,
    /// The number of further findings.
    pub more: u32,
    /// Where the answer is neither yes nor no; at most one of a measure.
    pub doubts: Vec<(Measure, Judgement)>,
    /// Permitted facts that the owner should know all the same: open ways in.
    pub notes: Vec<Text>,
}

impl Report {
    /// Adds a weakness.
    pub fn weak(&mut self, measure: Measure, remediation: Option<Remediation>, what: fmt::Arguments<'_>) {
        self.weighed(measure, Evidence::Weak, remediation, what);
    }

    /// Adds a fact that ordinary firmware shows, too.
    pub fn told(&mut self, measure: Measure, remediation: Option<Remediation>, what: fmt::Arguments<'_>) {
        self.weighed(measure, Evidence::Told, remediation, what);
    }

    /// Adds a finding of this weight.
    pub fn weighed(
        &mut self,
        measure: Measure,
        evidence: Evidence,
        remediation: Option<Remediation>,
        what: fmt::Arguments<'_>,
    ) {
        self.about(format_args!("")).weighed(measure, evidence, remediation, what);
    }

    /// Adds a finding that neither a restart nor a new image would take away.
    pub fn remaining(
        &mut self,
        measure: Measure,
        evidence: Evidence,
        remediation: Option<Remediation>,
        what: fmt::Arguments<'_>,
    ) {
        self.about(format_args!("")).remaining(measure, evidence, remediation, what);
    }

    /// The next finding is about this subject: words `key=value`, see `subject`.
    pub fn about<'a>(&'a mut self, subject: fmt::Arguments<'a>) -> About<'a> {
        About { report: self, subject }
    }

    /// Notes that the look could not tell.
    pub fn cannot_tell(&mut self, measure: Measure, why: fmt::Arguments<'_>) {
        self.doubt(measure, Judgement::CannotTell(text(why)));
    }

    /// Notes that this device, or its policy, cannot have it.
    pub fn cannot_enforce(&mut self, measure: Measure, why: fmt::Arguments<'_>) {
        self.doubt(measure, Judgement::CannotEnforce(text(why)));
    }

    /// Adds a fact that the owner should know, without any fault in it; as many as findings at most.
    pub fn note(&mut self, what: fmt::Arguments<'_>) {
        if self.notes.len() < FINDINGS_MAX {
            self.notes.push(text(what));
        }
    }

    /// The result for one measure.
    pub fn judgement(&self, measure: Measure) -> Judgement {
        let weakens = |finding: &Finding| finding.measure == measure && finding.evidence > Evidence::Told;
        if self.findings.iter().any(weakens) {
            return Judgement::Weak;
        }
        let doubt = self.doubts.iter().find(|(doubted, _)| *doubted == measure);
        doubt.map_or(Judgement::Strong, |(_, judgement)| judgement.clone())
    }

    /// The result of a survey in a word: `good`, `bad`, or `unknown` where a measure could not be told.
    pub fn survey(&self, survey: Survey) -> &'static str {
        let asks = |measure: Measure| measure.row().survey == Some(survey);
        let weakens = |finding: &Finding| asks(finding.measure) && finding.evidence > Evidence::Told;
        if self.findings.iter().any(weakens) {
            "bad"
        } else if self.doubts.iter().any(|(measure, _)| asks(*measure)) {
            "unknown"
        } else {
            "good"
        }
    }

    fn add(&mut self, finding: Finding) {
        // A program that listens for IPv4 and for IPv6 is one finding, about the wider of both: `lan` is the shorter word.
        let same = |other: &&mut Finding| {
            (other.measure, &other.what, &other.remediation, other.evidence, other.remains)
                == (finding.measure, &finding.what, &finding.remediation, finding.evidence, finding.remains)
        };
        if let Some(known) = self.findings.iter_mut().find(same) {
            if finding.subject.len() < known.subject.len() {
                known.subject = finding.subject;
            }
            return;
        }
        if self.findings.len() < FINDINGS_MAX {
            return self.findings.push(finding);
        }
        self.more = self.more.saturating_add(1);
        // Many small faults must not hide a great one.
        let lightest = (0..FINDINGS_MAX).rev().min_by_key(|at| self.findings[*at].weight());
        if let Some(at) = lightest.filter(|at| self.findings[*at].weight() < finding.weight()) {
            self.findings.remove(at);
            self.findings.push(finding);
        }
    }

    fn doubt(&mut self, measure: Measure, judgement: Judgement) {
        if !self.doubts.iter().any(|(doubted, _)| *doubted == measure) {
            self.doubts.push((measure, judgement));
        }
    }
}

/// The report, for one finding about a subject.
pub struct About<'a> {
    report: &'a mut Report,
    subject: fmt::Arguments<'a>,
}

impl About<'_> {
    /// Adds a weakness.
    pub fn weak(self, measure: Measure, remediation: Option<Remediation>, what: fmt::Arguments<'_>) {
        self.weighed(measure, Evidence::Weak, remediation, what);
    }

    /// Adds a fact that ordinary firmware shows, too.
    pub fn told(self, measure: Measure, remediation: Option<Remediation>, what: fmt::Arguments<'_>) {
        self.weighed(measure, Evidence::Told, remediation, what);
    }

    /// Adds a finding of this weight.
    pub fn weighed(
        self,
        measure: Measure,
        evidence: Evidence,
        remediation: Option<Remediation>,
        what: fmt::Arguments<'_>,
    ) {
        self.add(measure, evidence, remediation, false, what);
    }

    /// Adds a finding that neither a restart nor a new image would take away.
    pub fn remaining(
        self,
        measure: Measure,
        evidence: Evidence,
        remediation: Option<Remediation>,
        what: fmt::Arguments<'_>,
    ) {
        self.add(measure, evidence, remediation, true, what);
    }

    fn add(
        self,
        measure: Measure,
        evidence: Evidence,
        remediation: Option<Remediation>,
        remains: bool,
        what: fmt::Arguments<'_>,
    ) {
        let mut subject = alloc::fmt::format(self.subject);
        if subject.len() > SUBJECT_BYTES_MAX {
            subject.clear();
        }
        let kind = remediation.as_ref().map(Remediation::kind);
        self.report.add(Finding { measure, what: text(what), subject, remediation, kind, evidence, remains });
    }
}

#[cfg(test)]
impl Report {
    /// The remediations, in the order of the findings, each once.
    pub(crate) fn remediations(&self) -> Vec<&Remediation> {
        let mut remediations: Vec<&Remediation> = Vec::new();
        for remediation in self.findings.iter().filter_map(|finding| finding.remediation.as_ref()) {
            if !remediations.contains(&remediation) {
                remediations.push(remediation);
            }
        }
        remediations
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
        report.weighed(Measure::Programs, Evidence::Infection, end(9), format_args!("a bot"));
        report.weak(Measure::Programs, None, format_args!("one more"));
        assert_eq!((report.findings.len(), report.more), (FINDINGS_MAX, 4));
        assert_eq!(report.remediations().len(), 2);
        let last = &report.findings[FINDINGS_MAX - 2..];
        assert_eq!((&*last[0].what, &*last[1].what), ("telnet", "a bot"));
        assert_eq!(&*report.findings[0].what, "number 0");
    }
}
