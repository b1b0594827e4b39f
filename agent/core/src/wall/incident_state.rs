//! The incident state: an incident that is not over, remediations on trial, and remediations that were undone. It
//! survives restarts. One small file of lines with a checksum, readable by a person. Half-known is unknown: a damaged
//! file counts as an incident of unknown cause, so that a restart at the right moment does not let an attacker out.

use crate::fault::{Text, text};
use crate::identifiers::Digest64;
use crate::identifiers::Slot;
use crate::ledger;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;
use komainu_trust::Moment;

/// Most remediations on trial, or undone, that are remembered.
pub const REMEDIATIONS_MAX: usize = 16;
/// Largest file, in bytes.
pub const STATE_BYTES_MAX: u64 = 4096;
const FORMAT: &str = "komainu-incident 1";

/// The device is infected, or its owner said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// When it was found, by the best clock there was.
    pub since: Moment,
    /// The first finding.
    pub what: Text,
    /// The device is cut off from the WAN.
    pub contained: bool,
    /// The traces are kept in a bundle.
    pub evidence: bool,
    /// Restarts because of this incident.
    pub restarts: u8,
    /// The owner's credential at that time: the owner must set another one before this is over.
    pub password: Option<Digest64>,
    /// The device must look for an update before this is over.
    pub update: bool,
    /// The signed firmware is to be written anew into the slot beside this one, and started there.
    pub reimage: Option<Slot>,
    /// The device was reimaged once: an infection that returns then comes from elsewhere, and flash does not last for
    /// ever.
    pub reimaged: bool,
}

/// A remediation that could take away something needed, by the digest of its finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemediationTrial {
    /// The digest of the finding.
    pub finding: Digest64,
    /// Starts of the agent that found this trial unfinished.
    pub starts: u8,
}

/// The content of the incident state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IncidentState {
    /// The incident that is not over.
    pub incident: Option<Incident>,
    /// Remediations on trial.
    pub trials: Vec<RemediationTrial>,
    /// Remediations that were undone, and are left alone.
    pub undone: Vec<Digest64>,
}

impl IncidentState {
    /// The assumption about a damaged file: an incident, and contained, until it has been quiet for a while.
    pub fn damaged() -> IncidentState {
        let what = text(format_args!("the stored incident state is damaged"));
        let incident = Incident { contained: true, ..Incident::new(Moment(0), what) };
        IncidentState { incident: Some(incident), ..IncidentState::default() }
    }

    /// As the text of a ledger.
    pub fn write(&self) -> String {
        let mut lines = String::new();
        // Writing into a string cannot fail.
        if let Some(incident) = &self.incident {
            let word = |yes: bool| if yes { "yes" } else { "no" };
            let _ = writeln!(lines, "incident {}", incident.what);
            let _ = writeln!(lines, "since {}", incident.since.0);
            let _ = writeln!(lines, "contained {}", word(incident.contained));
            let _ = writeln!(lines, "evidence {}", word(incident.evidence));
            let _ = writeln!(lines, "restarts {}", incident.restarts);
            let _ = writeln!(lines, "update {}", word(incident.update));
            if let Some(slot) = incident.reimage {
                let _ = writeln!(lines, "reimage {slot}");
            }
            let _ = writeln!(lines, "reimaged {}", word(incident.reimaged));
            if let Some(digest) = incident.password {
                let _ = writeln!(lines, "password {digest}");
            }
        }
        for trial in &self.trials {
            let _ = writeln!(lines, "trial {} {}", trial.finding, trial.starts);
        }
        for undone in &self.undone {
            let _ = writeln!(lines, "undone {undone}");
        }
        ledger::seal(FORMAT, &lines)
    }

    /// Reads a ledger; unknown lines are left out, for a later version of Komainu wrote them.
    ///
    /// # Errors
    /// In words: the checksum is wrong, or a line is malformed.
    pub fn read(lines: &str) -> Result<IncidentState, Text> {
        let lines = ledger::open(FORMAT, lines).map_err(|why| text(format_args!("{why}")))?;
        let mut state = IncidentState::default();
        for line in lines {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            state
                .read_line(word, rest)
                .ok_or_else(|| text(format_args!("this line is not understood: {line}")))?;
        }
        Ok(state)
    }

    fn read_line(&mut self, word: &str, rest: &str) -> Option<()> {
        match word {
            "incident" => self.incident = Some(Incident::new(Moment(0), text(format_args!("{rest}")))),
            "trial" if self.trials.len() < REMEDIATIONS_MAX => {
                let (digest, starts) = rest.split_once(' ')?;
                self.trials.push(RemediationTrial {
                    finding: Digest64::parse(digest)?,
                    starts: starts.parse().ok()?,
                });
            }
            "undone" if self.undone.len() < REMEDIATIONS_MAX => self.undone.push(Digest64::parse(rest)?),
            _ => {
                let Some(incident) = &mut self.incident else { return Some(()) };
                match word {
                    "since" => incident.since = Moment(rest.parse().ok()?),
                    "contained" => incident.contained = yes(rest)?,
                    "evidence" => incident.evidence = yes(rest)?,
                    "restarts" => incident.restarts = rest.parse().ok()?,
                    "update" => incident.update = yes(rest)?,
                    "reimage" => incident.reimage = Some(Slot::parse(rest)?),
                    "reimaged" => incident.reimaged = yes(rest)?,
                    "password" => incident.password = Some(Digest64::parse(rest)?),
                    _ => {}
                }
            }
        }
        Some(())
    }

    /// One more trial can begin.
    pub fn has_room_for_trial(&self) -> bool {
        self.trials.len() < REMEDIATIONS_MAX
    }

    /// Starts a trial; false: there are too many already.
    pub fn begin_trial(&mut self, finding: Digest64) -> bool {
        let room = self.has_room_for_trial();
        if room {
            self.trials.push(RemediationTrial { finding, starts: 0 });
        }
        room
    }

    /// Ends a trial; with `undone` its remediation is left alone from now on. The oldest undone one makes room.
    pub fn end_trial(&mut self, finding: Digest64, undone: bool) {
        self.trials.retain(|trial| trial.finding != finding);
        if undone && !self.undone.contains(&finding) {
            if self.undone.len() == REMEDIATIONS_MAX {
                self.undone.remove(0);
            }
            self.undone.push(finding);
        }
    }
}

impl Incident {
    /// A new incident, without any answer yet.
    pub fn new(since: Moment, what: Text) -> Incident {
        Incident {
            since,
            what,
            contained: false,
            evidence: false,
            restarts: 0,
            password: None,
            update: false,
            reimage: None,
            reimaged: false,
        }
    }
}

fn yes(word: &str) -> Option<bool> {
    match word {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> IncidentState {
        let what = text(format_args!("a program that was deleted runs: dvrHelper"));
        let incident = Incident {
            contained: true,
            evidence: true,
            restarts: 2,
            password: Some(Digest64::of(b"old")),
            update: true,
            reimage: Some(Slot::A),
            reimaged: true,
            ..Incident::new(Moment(-7), what)
        };
        let mut state = IncidentState { incident: Some(incident), ..IncidentState::default() };
        assert!(state.begin_trial(Digest64::of(b"/tmp")));
        state.end_trial(Digest64::of(b"/var"), true);
        state
    }

    #[test]
    fn a_memory_is_read_as_it_was_written() {
        for state in [IncidentState::default(), full(), IncidentState::damaged()] {
            assert_eq!(IncidentState::read(&state.write()), Ok(state));
        }
    }

    #[test]
    fn a_torn_or_flipped_memory_is_refused() {
        let lines = full().write();
        for length in 0..lines.len() - 1 {
            assert!(IncidentState::read(&lines[..length]).is_err(), "cut at {length}");
        }
        for at in 0..lines.len() - 1 {
            let mut bytes = lines.clone().into_bytes();
            bytes[at] ^= 1;
            assert!(IncidentState::read(&String::from_utf8(bytes).unwrap()).is_err(), "flipped at {at}");
        }
    }

    #[test]
    fn what_was_undone_first_makes_room() {
        let mut state = IncidentState::default();
        for number in 0..=REMEDIATIONS_MAX as u8 {
            state.end_trial(Digest64::of(&[number]), true);
        }
        assert_eq!(state.undone.len(), REMEDIATIONS_MAX);
        assert!(!state.undone.contains(&Digest64::of(&[0])));
        assert!(state.write().len() as u64 <= STATE_BYTES_MAX);
    }
}
