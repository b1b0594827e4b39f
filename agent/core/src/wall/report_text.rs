//! A report as lines, for commands while the agent is at work: `weak telnet what`, `infection programs what`,
//! `cannot-tell links why`, `cannot-enforce firewall why`, `note - what`, `more - 3`.

use super::evidence::Evidence;
use super::measures::{Measure, TABLE};
use super::report::{Finding, Judgement, Report};
use crate::fault::text;
use alloc::string::String;
use core::fmt::Write;

/// Largest file of lines, in bytes: every finding, doubt and note with its longest text.
pub const LINES_BYTES_MAX: u64 = 64 * 1024;

/// Writes a report. The remediations are left out.
pub fn write(report: &Report) -> String {
    let mut lines = String::new();
    // Writing into a string cannot fail.
    for Finding { measure, what, evidence, .. } in &report.findings {
        let _ = writeln!(lines, "{} {} {what}", evidence.name(), measure.row().id);
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

    #[test]
    fn a_report_is_read_as_it_was_written() {
        let mut report = Report::default();
        report.weak(Measure::Telnet, None, format_args!("telnetd answers on tcp/2323"));
        report.weighed(Measure::Programs, Evidence::Infection, None, format_args!("a deleted program runs"));
        report.cannot_tell(Measure::Support, format_args!("the manifest does not say"));
        report.cannot_enforce(Measure::Watchdog, format_args!("there is no /dev/watchdog"));
        report.note(format_args!("port 443 is open"));
        report.more = 3;
        assert_eq!(read(&write(&report)), report);
    }

    #[test]
    fn what_is_not_understood_is_left_out() {
        assert_eq!(read("weak\nweak telnet\nred telnet x\nweak tea is cold\n\u{0}\n"), Report::default());
    }
}
