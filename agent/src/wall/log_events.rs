//! The events of wall and gate that the security log holds, and the words that it has for them.

use super::driver::WallDriver;
use super::security_log::Now;
use crate::os::clock::built;
use komainu_core::fault::text;
use komainu_core::reason::Reason;
use komainu_core::wall::evidence::Evidence;
use komainu_core::wall::measures::{Measure, Survey};
use komainu_core::wall::plan::finding_digest::digest_of_text;
use komainu_core::wall::remediation::kind;
use komainu_core::wall::report::Report;

/// So long after its start the agent finds, and puts right, what the firmware brings at every start.
const START_SECONDS: u64 = 120;

impl WallDriver {
    /// Writes an event of the wall's, or of the gate's, into the security log; true: it is not written, because it comes
    /// at every start.
    pub fn note(&mut self, reason: &Reason) -> bool {
        let now = Now::read(built());
        let line = reason.to_string();
        let (name, details) = line.split_once(' ').unwrap_or((&line, ""));
        // An event of a normal start is in the log once. An attacker's possible deed is always news: a
        // changed file is told in the same words whatever its content is now.
        let at_start = self.known_events.run_seconds() < START_SECONDS;
        let may_be_known = at_start
            && match reason {
                Reason::Found(finding) | Reason::Mended { finding, .. } => {
                    !finding.is_infection() && finding.measure != Measure::Configuration
                }
                // A failed step of an incident is no remediation of a finding.
                Reason::NotMended { remediation, .. } => kind(remediation).is_some(),
                // The account of a firmware that brings its own file at every start; later it is somebody's deed.
                Reason::AccountChanged => true,
                _ => false,
            };
        if may_be_known && self.known_events.is_as_before(digest_of_text(name, details)) {
            return true;
        }
        let event = match reason {
            Reason::Found(finding) => match finding.evidence {
                Evidence::Told => "told",
                Evidence::Weak => "found",
                Evidence::Infection => "infected",
            },
            Reason::Mended { .. } => "mended",
            Reason::NotMended { .. } => "not-mended",
            Reason::Undone { .. } => "undone",
            Reason::Incident { .. } => "incident",
            Reason::IncidentOver => "incident-over",
            Reason::AccountChanged => "account-changed",
            Reason::ResetAsked => "reset-asked",
            Reason::Claiming => "claiming",
            Reason::Confirming(_) => "confirming",
            Reason::RollingBack { .. } => "rolling-back",
            _ => return false,
        };
        self.security_log.note(event, format_args!("{details}"), now);
        false
    }

    /// Writes the state of the four surveys into the security log; at the start of the agent only where it is another one
    /// than at its last start.
    pub fn note_summary(&mut self, report: &Report, strangers: u64) {
        let word = |survey| report.survey(survey);
        let (a, b, c, d) = (word(Survey::A), word(Survey::B), word(Survey::C), word(Survey::D));
        let states = text(format_args!("a={a} b={b} c={c} d={d}"));
        if self.known_events.is_as_before(digest_of_text("selfcheck", &states)) {
            return;
        }
        let details = format_args!("{states} turned_away={strangers}");
        self.security_log.note("selfcheck", details, Now::read(built()));
    }

    /// The last answers that the wall gave, as lines of the security log, the oldest first.
    pub fn answers(&mut self) -> &[String] {
        self.security_log.answers()
    }

    /// Writes the counts that are not written yet; at an orderly end.
    pub fn end_log(&mut self) {
        self.security_log.settle_all(Now::read(built()));
        self.known_events.settle(true);
    }
}
