//! A report as lines, for commands while the agent is at work: `weak telnet what`, `infection programs what`,
//! `cannot-tell links why`, `cannot-enforce firewall why`, `note - what`, `more - 3`. After a finding comes
//! `about suspend program=/usr/sbin/x listens=tcp/80`: the kind of its remediation, `-` for none, and its subject.

use super::evidence::Evidence;
use super::measures::{Measure, TABLE};
use super::remediation::kind;
use super::report::{Finding, Judgement, Report};
use crate::fault::text;
use alloc::string::String;
use core::fmt::Write;

/// Largest file of lines, in bytes: every finding, doubt and note with its longest text.
pub const LINES_BYTES_MAX: u64 = 128 * 1024;

/// Writes a report. Of the remediations only the kinds are written.
pub fn write(report: &Report) -> String {
    let mut lines = String::new();
    // Writing into a string cannot fail.
    for Finding { measure, what, evidence, kind, subject, .. } in &report.findings {
        let _ = writeln!(lines, "{} {} {what}", evidence.name(), measure.row().id);
        let kind = kind.map_or("-", |kind| kind.name);
        if kind != "-" || !subject.is_empty() {
            let _ = writeln!(lines, "about {kind} {subject}");
        }
    }
    for (measure, outcome) in &report.doubts {
        let (word, why) = match outcome {
            Judgement::CannotTell(why) => ("cannot-tell", why),
            Judgement::CannotEnforce(why) => ("cannot-enforce", why),
            Judgement::Strong | Judgement::Weak => continue,
        };
        let _ = writeln!(lines, "{word} {} {why}", measure.row().id);
    }
    for note in &report.notes {
        let _ = writeln!(lines, "note - {note}");
    }
    if report.more > 0 {
        let _ = writeln!(lines, "more - {}", report.more);
    }
    lines
}

/// Reads lines. Lines of an unknown kind are left out: a later version of Komainu wrote them.
pub fn read(lines: &str) -> Report {
    let mut report = Report::default();
    for line in lines.lines() {
        let mut words = line.splitn(3, ' ');
        let (Some(word), Some(id), Some(rest)) = (words.next(), words.next(), words.next()) else { continue };
        if let (Some(evidence), Some(measure)) = (Evidence::parse(word), measure(id)) {
            report.weighed(measure, evidence, None, format_args!("{rest}"));
            continue;
        }
        match (word, measure(id)) {
            ("about", _) => {
                if let Some(last) = report.findings.last_mut() {
                    (last.kind, last.subject) = (kind(id), rest.into());
                }
            }
            ("cannot-tell", Some(measure)) => report.cannot_tell(measure, format_args!("{rest}")),
            ("cannot-enforce", Some(measure)) => report.cannot_enforce(measure, format_args!("{rest}")),
            ("note", _) => report.notes.push(text(format_args!("{rest}"))),
            ("more", _) => report.more = rest.parse().unwrap_or(0),
            _ => {}
        }
    }
    report
}

fn measure(id: &str) -> Option<Measure> {
    TABLE.iter().find(|row| row.id == id).map(|row| row.measure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wall::remediation::{ProcessId, Remediation};
    use alloc::vec::Vec;

    #[test]
    fn a_report_is_read_as_it_was_written() {
        let mut report = Report::default();
        report.weak(Measure::Telnet, None, format_args!("telnetd answers on tcp/2323"));
        let subject = format_args!("program=/usr/sbin/x%20y listens=tcp/80 reach=lan");
        report.about(subject).told(Measure::Services, None, format_args!("port 80 (tcp) is not on the list"));
        report.weighed(Measure::Programs, Evidence::Infection, None, format_args!("a deleted program runs"));
        report.cannot_tell(Measure::Support, format_args!("the manifest does not say"));
        report.cannot_enforce(Measure::Watchdog, format_args!("there is no /dev/watchdog"));
        report.note(format_args!("port 443 is open"));
        report.more = 3;
        assert_eq!(read(&write(&report)), report);
    }

    #[test]
    fn the_kind_of_a_remediation_is_kept() {
        let mut report = Report::default();
        let id = ProcessId { pid: 9, started: 7 };
        report.told(Measure::Services, Some(Remediation::Suspend { id, done: false }), format_args!("a"));
        report.weak(Measure::Watchdog, Some(Remediation::HoldWatchdog), format_args!("b"));
        report.weak(Measure::Links, None, format_args!("c"));
        let kinds: Vec<_> = read(&write(&report)).findings.iter().map(|one| one.kind).collect();
        assert_eq!(kinds, [kind("suspend"), kind("hold-watchdog"), None]);
        assert!(read("about end program=/x\n").findings.is_empty());
    }

    #[test]
    fn what_is_not_understood_is_left_out() {
        assert_eq!(read("weak\nweak telnet\nred telnet x\nweak tea is cold\n\u{0}\n"), Report::default());
    }
}
