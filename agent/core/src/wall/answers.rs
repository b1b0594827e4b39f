//! The answers that the wall gave, looked up afterwards: what was seen, why it matters, what was done, and how a person takes
//! it back. They are the security log's lines `mended` and `undone`.

use super::evidence::Evidence;
use super::measures::{Row, TABLE};
use super::remediation::{Kind, kind};
use core::fmt;

/// One answer, as a line of the security log tells it.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// When: a time of day, or `boot+SECONDS` where the clock was wrong.
    pub time: &'a str,
    /// It was taken back by the agent, because the health checks failed.
    pub undone: bool,
    pub kind: &'static Kind,
    /// The row, and the weight of the finding; none for what was taken back.
    pub row: Option<&'static Row>,
    pub evidence: Option<Evidence>,
    /// The finding, in words.
    pub seen: &'a str,
}

/// Reads a line; `None` where it tells of something else.
pub fn read(line: &str) -> Option<Answer<'_>> {
    let mut words = line.splitn(3, ' ');
    let (time, event, details) = (words.next()?, words.next()?, words.next()?);
    let undone = match event {
        "mended" => false,
        "undone" => true,
        _ => return None,
    };
    let (fields, seen) = details.split_once("what=\"")?;
    let field = |name: &str| fields.split(' ').find_map(|word| word.strip_prefix(name));
    Some(Answer {
        time,
        undone,
        kind: kind(field("by=")?)?,
        row: field("measure=").and_then(|id| TABLE.iter().find(|row| row.id == id)),
        evidence: field("evidence=").and_then(Evidence::parse),
        // A long line has lost its end.
        seen: seen.split('"').next().unwrap_or_default(),
    })
}

impl fmt::Display for Answer<'_> {
    /// As one line: `TIME suspend (services, told): what was seen`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.time, self.kind.name)?;
        if self.undone {
            f.write_str(", taken back because the health checks failed")?;
        }
        if let (Some(row), Some(evidence)) = (self.row, self.evidence) {
            write!(f, " ({}, {})", row.id, evidence.name())?;
        }
        write!(f, ": {}", self.seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::Reason;
    use crate::wall::measures::Measure;
    use crate::wall::remediation::{ProcessId, Remediation};
    use crate::wall::report::Report;
    use alloc::format;
    use alloc::string::ToString;

    #[test]
    fn an_answer_says_what_was_seen_why_what_was_done_and_how_it_is_taken_back() {
        let mut report = Report::default();
        let remediation = Remediation::Suspend { id: ProcessId { pid: 9, started: 7 }, done: false };
        let what = format_args!("port 21 (tcp) is not on the list: process 9 (/usr/sbin/ftpd)");
        report.told(Measure::Services, Some(remediation.clone()), what);
        let finding = report.findings.remove(0);
        let what = finding.what.clone();
        let event = Reason::Mended { remediation: remediation.name(), finding };
        let line = format!("2026-03-01T12:00:00Z {event}");
        let answer = read(&line).unwrap();
        assert_eq!(
            answer.to_string(),
            "2026-03-01T12:00:00Z suspend (services, told): port 21 (tcp) is not on the list: process 9 (/usr/sbin/ftpd)"
        );
        assert!(answer.row.unwrap().why.contains("forgotten service"));
        assert!(answer.kind.take_back.contains("kill -CONT"));
        let line = format!("boot+30 {}", Reason::Undone { remediation: remediation.name(), what });
        let answer = read(&line).unwrap();
        assert!(answer.undone && answer.seen.starts_with("port 21"));
    }

    #[test]
    fn lines_of_other_events_and_torn_lines_are_no_answers() {
        for line in [
            "",
            "now mended",
            "now mended by=suspend",
            "now found measure=telnet what=\"x\"",
            "now mended by=x what=\"y\"",
        ] {
            assert!(read(line).is_none(), "{line}");
        }
        assert_eq!(read("now mended by=end what=\"cut of").map(|answer| answer.seen), Some("cut of"));
    }
}
