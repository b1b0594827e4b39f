//! What the wall remembers over a restart: an incident that is not over, fixes on trial, and fixes that were undone. One
//! small file of lines with a checksum, readable by a person. Half-known is unknown: a damaged memory counts as an
//! incident that nobody knows anything of, so that a restart at the right moment lets nobody out.

use crate::fault::{Text, text};
use crate::identifiers::Digest64;
use crate::identifiers::Slot;
use crate::ledger;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;
use komainu_trust::Moment;

/// Most fixes on trial, or undone, that are remembered.
pub const FIXES_MAX: usize = 16;
/// Largest file, in bytes.
pub const MEMORY_BYTES_MAX: u64 = 4096;
const FORMAT: &str = "komainu-incident 1";

/// Somebody has taken the device, or its owner said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// When it was found, by the best clock there was.
    pub since: Moment,
    /// What was found first.
    pub what: Text,
    /// The device is cut off from the WAN.
    pub contained: bool,
    /// What was seen is kept in a bundle.
    pub evidence: bool,
    /// How often the device was restarted for it.
    pub restarts: u8,
    /// The owner's credential at that time: another one must be set before this is over.
    pub password: Option<Digest64>,
    /// An update must be looked for before this is over.
    pub update: bool,
    /// The signed firmware is to be written anew into the other slot than this one, and started there.
    pub reimage: Option<Slot>,
    /// That was done once: what comes back then comes from elsewhere, and flash does not last for ever.
    pub reimaged: bool,
}

/// A fix that could take something away that is needed, by the print of what it mends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    /// The print of the finding.
    pub finding: Digest64,
    /// At how many starts of the agent it was found unfinished.
    pub starts: u8,
}

/// What is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IncidentState {
    /// The incident that is not over.
    pub incident: Option<Incident>,
    /// Fixes on trial.
    pub trials: Vec<Trial>,
    /// Fixes that were undone, and are left alone.
    pub undone: Vec<Digest64>,
}

impl IncidentState {
    /// What is assumed where the memory is damaged: an incident, and contained, until it has been quiet for a while.
    pub fn damaged() -> IncidentState {
        let what = text(format_args!("what was remembered is damaged"));
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

    /// Reads a ledger; unknown lines are left out, for they are a later komainu's.
    ///
    /// # Errors
    /// In words: the checksum is wrong, or a line is not what it should be.
    pub fn read(lines: &str) -> Result<IncidentState, Text> {
        let lines = ledger::open(FORMAT, lines).map_err(|why| text(format_args!("{why}")))?;
        let mut memory = IncidentState::default();
        for line in lines {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            memory
                .read_line(word, rest)
                .ok_or_else(|| text(format_args!("this line is not understood: {line}")))?;
        }
        Ok(memory)
    }

    fn read_line(&mut self, word: &str, rest: &str) -> Option<()> {
        match word {
            "incident" => self.incident = Some(Incident::new(Moment(0), text(format_args!("{rest}")))),
            "trial" if self.trials.len() < FIXES_MAX => {
                let (digest, starts) = rest.split_once(' ')?;
                self.trials.push(Trial { finding: Digest64::parse(digest)?, starts: starts.parse().ok()? });
            }
            "undone" if self.undone.len() < FIXES_MAX => self.undone.push(Digest64::parse(rest)?),
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

    /// Starts a trial; false: there are too many already.
    pub fn begin_trial(&mut self, finding: Digest64) -> bool {
        let room = self.trials.len() < FIXES_MAX;
        if room {
            self.trials.push(Trial { finding, starts: 0 });
        }
        room
    }

    /// Ends a trial; with `undone` its fix is left alone from now on. The oldest that was undone makes room.
    pub fn end_trial(&mut self, finding: Digest64, undone: bool) {
        self.trials.retain(|trial| trial.finding != finding);
        if undone && !self.undone.contains(&finding) {
            if self.undone.len() == FIXES_MAX {
                self.undone.remove(0);
            }
            self.undone.push(finding);
        }
    }
}

impl Incident {
    /// One that nothing was done about yet.
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
        let mut memory = IncidentState { incident: Some(incident), ..IncidentState::default() };
        assert!(memory.begin_trial(Digest64::of(b"/tmp")));
        memory.end_trial(Digest64::of(b"/var"), true);
        memory
    }

    #[test]
    fn a_memory_is_read_as_it_was_written() {
        for memory in [IncidentState::default(), full(), IncidentState::damaged()] {
            assert_eq!(IncidentState::read(&memory.write()), Ok(memory));
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
        let mut memory = IncidentState::default();
        for number in 0..=FIXES_MAX as u8 {
            memory.end_trial(Digest64::of(&[number]), true);
        }
        assert_eq!(memory.undone.len(), FIXES_MAX);
        assert!(!memory.undone.contains(&Digest64::of(&[0])));
        assert!(memory.write().len() as u64 <= MEMORY_BYTES_MAX);
    }
}
