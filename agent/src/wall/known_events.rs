//! Known events: what an earlier run of the agent had as well. A device that its maker's firmware starts with telnet shows
//! it at every start, and is mended at every start: that is in the security log once. The first time in a run that a known
//! event comes is no news; each further time is, and so is one that did not come in the first hour of a run.
//!
//! `log_events` asks only in the first minutes of a run, and never about an infection, an incident, a changed protected file,
//! or the request of a person.

use crate::os::{clock, files};
use komainu_core::identifiers::Digest64;
use std::path::{Path, PathBuf};

/// Most events that are known; the one that was not seen for longest makes room.
const KNOWN_MAX: usize = 128;
/// Largest file, in bytes: a line of 16 hexadecimal digits for each.
const FILE_BYTES_MAX: u64 = 17 * KNOWN_MAX as u64;
/// An event that did not come so long after the agent's start is forgotten, in milliseconds.
const FORGET_MILLISECONDS: u64 = 3_600_000;
/// So long after a change the file is written: most of a start comes together.
const WRITE_AFTER_MILLISECONDS: u64 = 30_000;
/// The least time between two writes, in milliseconds.
const WRITE_AGAIN_MILLISECONDS: u64 = 600_000;

struct Known {
    event: Digest64,
    /// It came in this run.
    came: bool,
}

pub(crate) struct KnownEvents {
    file: PathBuf,
    /// The oldest first; `None`: not read yet.
    known: Option<Vec<Known>>,
    began: u64,
    forgot: bool,
    /// When the first change came that is not written yet.
    changed: Option<u64>,
    /// When the file was last written.
    written: Option<u64>,
}

impl KnownEvents {
    /// Those of the state; nothing is read yet.
    pub(crate) fn new(state: &Path) -> KnownEvents {
        let file = state.join("log/known");
        KnownEvents { file, known: None, began: 0, forgot: false, changed: None, written: None }
    }

    /// An event came; true: an earlier run had it as well, and this is the first time in this run.
    pub(crate) fn is_as_before(&mut self, event: Digest64) -> bool {
        self.came_at(event, clock::uptime_milliseconds())
    }

    /// Writes what is due; with `all` at an orderly end.
    pub(crate) fn settle(&mut self, all: bool) {
        self.settle_at(clock::uptime_milliseconds(), all);
    }

    /// Seconds since this run began.
    pub(crate) fn run_seconds(&self) -> u64 {
        self.known.as_ref().map_or(0, |_| clock::uptime_milliseconds().saturating_sub(self.began) / 1000)
    }

    fn came_at(&mut self, event: Digest64, now: u64) -> bool {
        let known = self.read(now);
        if let Some(known) = known.iter_mut().find(|known| known.event == event) {
            return !std::mem::replace(&mut known.came, true);
        }
        if known.len() == KNOWN_MAX {
            let oldest = known.iter().position(|known| !known.came).unwrap_or(0);
            known.remove(oldest);
        }
        known.push(Known { event, came: true });
        self.changed.get_or_insert(now);
        false
    }

    fn settle_at(&mut self, now: u64, all: bool) {
        let Some(known) = &mut self.known else { return };
        if !self.forgot && now >= self.began + FORGET_MILLISECONDS {
            let before = known.len();
            known.retain(|known| known.came);
            self.forgot = true;
            if known.len() != before {
                self.changed.get_or_insert(now);
            }
        }
        let Some(changed) = self.changed else { return };
        let waits = self.written.is_some_and(|written| now < written + WRITE_AGAIN_MILLISECONDS);
        if !all && (waits || now < changed + WRITE_AFTER_MILLISECONDS) {
            return;
        }
        let text: String = known.iter().map(|known| format!("{}\n", known.event)).collect();
        // Where it cannot be written, the next start tells more than it must.
        if let Err(error) = files::replace(&self.file, text.as_bytes()) {
            log::debug!("known-events-unwritten why=\"{error}\"");
        }
        (self.changed, self.written) = (None, Some(now));
    }

    fn read(&mut self, now: u64) -> &mut Vec<Known> {
        let (file, began) = (&self.file, &mut self.began);
        self.known.get_or_insert_with(|| {
            *began = now;
            let bytes = files::read(file, FILE_BYTES_MAX).ok().flatten().unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            let events = text.lines().filter_map(Digest64::parse).take(KNOWN_MAX);
            events.map(|event| Known { event, came: false }).collect()
        })
    }
}

#[cfg(test)]
mod tests;
