//! `status` for people: one sentence for the whole, then what runs, what comes, how the gate stands, and what needs a look.

use super::call::Call;
use crate::daemon::status_model::{StatusModel, firewall_word};
use crate::update::runtime_state::AtWork;
use komainu_core::gate::state::{FirewallStatus, GateFacts, GateState};
use komainu_core::reason::Reason;
use komainu_core::update::facts::Facts;
use komainu_core::update::offer::Offer;
use std::fmt::{Display, Write};

/// The parts of the text.
pub(super) struct Seen<'a> {
    pub call: &'a Call,
    pub facts: &'a Facts,
    pub model: &'a StatusModel,
    /// The komainu that is at work.
    pub at_work: Option<AtWork>,
    /// No poll was completed so far.
    pub never_polled: bool,
    /// Why the last poll failed.
    pub poll_fault: Option<String>,
    /// The findings for a person, in sentences.
    pub findings: Vec<String>,
    /// Ports, and packets of strangers that were turned away.
    pub turned_away: Vec<(String, u64)>,
    /// The reason of the next step.
    pub reason: Reason,
}

impl Seen<'_> {
    pub(super) fn text(&self) -> String {
        let core = &self.call.settings.core;
        let mut out = format!("{} ({}): {}\n\n", core.board, core.channel, self.whole());
        match self.at_work {
            Some(at_work) => row(&mut out, "komainu", &format_args!("at work{at_work}")),
            None => row(&mut out, "komainu", &"not running: start it with komainu run"),
        }
        row(&mut out, "running", &self.running());
        row(&mut out, "update", &self.update());
        if self.model.update != "idle" {
            row(&mut out, "because", &self.reason);
        }
        row(&mut out, "poll", &self.poll());
        row(&mut out, "offer", &self.offer());
        if let Err(why) = &self.facts.boot_choice {
            row(&mut out, "boot choice", why);
        }
        row(&mut out, "gate", &self.gate());
        if let (Some(gate), Some(settings)) = (&self.facts.gate, &self.call.settings.gate) {
            let is_put = self.at_work.is_some() || gate.rules != FirewallStatus::Differ;
            let word =
                if is_put { firewall_word(gate, settings) } else { "not there, as komainu does not run" };
            row(&mut out, "firewall", &word);
        }
        if !self.turned_away.is_empty() {
            let ports: Vec<String> =
                self.turned_away.iter().take(6).map(|(port, packets)| format!("{port} {packets}")).collect();
            row(&mut out, "turned away", &ports.join(", "));
        }
        row(&mut out, "clock", &self.facts.now);
        if !self.findings.is_empty() {
            out.push_str("\nPlease look at this:\n");
            self.findings.iter().for_each(|finding| out.push_str(&format!("  - {finding}\n")));
        }
        out
    }

    /// The whole device in a few words.
    fn whole(&self) -> &'static str {
        match &self.facts.gate {
            _ if !self.findings.is_empty() => "please look at the list below",
            Some(gate) if gate.resetting => "its owner is being forgotten",
            Some(gate) if gate.gate_state() == GateState::Closed => "waits for its owner",
            _ if self.model.update != "idle" => "an update is under way",
            _ => "all is well",
        }
    }

    fn running(&self) -> String {
        let slot = match &self.facts.booted {
            Ok(slot) => format!("slot {slot}"),
            Err(why) => return format!("unknown: {why}"),
        };
        let record = &self.model.record;
        let release = record.confirmed.as_ref().or(self.call.settings.core.own_release.as_ref());
        let release = release
            .map(|release| format!("{} (release {}), ", release.version, release.number))
            .unwrap_or_default();
        let remembered = match &*self.model.record_word {
            "good" => String::new(),
            "none yet" => "; nothing is recorded before the first start".to_owned(),
            lost => format!("; the record is {lost}"),
        };
        format!("{release}{slot}{remembered}")
    }

    fn update(&self) -> String {
        let Some((release, slot)) = &self.model.under_way else { return "at rest".into() };
        let state = match self.model.update {
            "staging" => "being written to",
            "staged" => "ready in",
            "trial" => "on trial in",
            _ => "being given up in",
        };
        format!("{} (release {}), {state} slot {slot}", release.version, release.number)
    }

    fn poll(&self) -> String {
        let last = self.model.seconds_since_poll;
        let mut said =
            last.map_or_else(|| "none since the start".to_owned(), |ago| format!("{} ago", span(ago)));
        let _ = match self.model.seconds_until_poll {
            0 => write!(said, ", one is due now"),
            seconds => write!(said, ", the next in {}", span(seconds)),
        };
        if let Some(why) = &self.poll_fault {
            let _ = write!(said, "; {why}");
        }
        said
    }

    fn offer(&self) -> String {
        if self.never_polled {
            return "not known yet: no poll was completed so far".into();
        }
        let release = match &self.facts.offer {
            Offer::Nothing => return "nothing for this board and channel".into(),
            Offer::Unusable(why) => return why.to_string(),
            Offer::Release(release) => &release.manifest,
        };
        let bytes: u64 = release.images.iter().map(|image| image.length).sum();
        let (id, severity) = (&release.release, release.severity.name());
        let runs =
            self.model.record.confirmed.as_ref().is_some_and(|confirmed| confirmed.number == id.number);
        match runs {
            true => format!("{} (release {}), which runs", id.version, id.number),
            false => {
                format!("{} (release {}), {severity}, {} KiB", id.version, id.number, bytes.div_ceil(1024))
            }
        }
    }

    fn gate(&self) -> &'static str {
        match &self.facts.gate {
            None => "left to other software",
            Some(GateFacts { resetting: true, .. }) => "being reset",
            Some(gate) if gate.gate_state() == GateState::Closed => {
                "closed, until the owner has set a password at the page"
            }
            Some(_) => "open",
        }
    }
}

fn row(out: &mut String, name: &str, value: &dyn Display) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "  {name:12} {value}");
}

/// Seconds in words: the two largest units that are not nought.
fn span(seconds: u64) -> String {
    let units = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let first = units.iter().position(|(unit, _)| seconds >= *unit).unwrap_or(3);
    let mut rest = seconds;
    let mut said = String::new();
    for (unit, name) in units.iter().skip(first).take(2) {
        if rest / unit > 0 || said.is_empty() {
            let _ = write!(said, "{}{} {name}", if said.is_empty() { "" } else { " " }, rest / unit);
        }
        rest %= unit;
    }
    said
}

#[cfg(test)]
mod tests {
    use super::span;

    #[test]
    fn a_span_of_time_is_said_in_two_units_at_most() {
        for (seconds, said) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (61, "1 min 1 s"),
            (20_880, "5 h 48 min"),
            (7_201, "2 h"),
            (90_061, "1 d 1 h"),
            (2_592_000, "30 d"),
        ] {
            assert_eq!(span(seconds), said, "{seconds}");
        }
    }
}
