//! The record: the durable memory of the update. Small, readable by a person, with a generation number and a
//! checksum; the device keeps two copies and writes the older one, so that a torn write loses one step at most.
//!
//! ```text
//! komainu-record 1
//! generation 17
//! confirmed slot=a release=41 version=2.0.9
//! floor 41
//! update staging slot=b release=42 version=2.1.0 digest=00a1b2c3d4e5f607 part=0 offset=4194304
//! failed release=40 times=1 polls=2
//! check 6f1e…
//! ```

use crate::identifiers::Digest64;
use crate::identifiers::{ReleaseId, Slot, Version};
use crate::ledger;
use alloc::string::String;
use core::fmt::Write;
use komainu_trust::Moment;

/// Failed releases that are remembered at most; beyond it, the lowest number goes first.
pub const FAILURES_MAX: usize = 8;
/// After so many failed trials a release is refused for good.
pub const TRIALS_MAX: u8 = 3;
/// Largest record, in bytes.
pub const RECORD_BYTES_MAX: usize = 4096;
const FORMAT: &str = "komainu-record 1";

/// The content of the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Counts writes; of two copies the higher one counts.
    pub generation: u64,
    /// The slot that is known to be good.
    pub confirmed_slot: Slot,
    /// The release in it, where that is known.
    pub confirmed: Option<ReleaseId>,
    /// Releases with a lower number are refused. Raised only at confirm, and forgotten only when a root takes a
    /// key from the targets role.
    pub floor: u64,
    /// The update under way.
    pub update: Update,
    /// Releases whose trial failed.
    pub failures: heapless::Vec<Failure, FAILURES_MAX>,
    /// A release that starts later.
    pub postponed: Option<Postponed>,
    /// Bytes of images that were fetched lately; only counted where the settings bound them.
    pub fetched: Option<Fetched>,
    /// The release on whose trial it was seen that the boot loader does not count starts. Nothing is activated until
    /// a person, or the maker's settings, say that it does.
    pub uncounted: Option<u64>,
}

/// A release that starts later: in the window of the settings, or because the owner wants so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Postponed {
    pub release: u64,
    /// When that began; the maker's bound counts from here.
    pub since: Moment,
    /// When it starts.
    pub until: Moment,
    /// The owner wants so.
    pub asked: bool,
}

/// Bytes of images that came over the network since a moment; those that a patch gave are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetched {
    pub since: Moment,
    pub bytes: u64,
}

/// An update under way, as it was recorded last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    Idle,
    /// The slot that is not running is being filled.
    Staging {
        release: ReleaseId,
        /// The digest of the manifest: a resumed download must be of the same one.
        digest: Digest64,
        slot: Slot,
        /// Index of the image being written, in the manifest's order.
        part: u8,
        /// Bytes of it that are written and synced. 0 with part 0: the slot is not invalidated yet.
        offset: u64,
    },
    /// The slot was read back and holds the release.
    Staged {
        release: ReleaseId,
        /// The digest of the manifest.
        digest: Digest64,
        slot: Slot,
    },
    /// The boot choice is about to name the release, or already does.
    Trial {
        release: ReleaseId,
        slot: Slot,
        /// It must be good this many seconds after its start.
        deadline_seconds: u32,
        /// Starts that the boot loader was given; `None`: unknown, and whether it counts cannot be judged.
        tries: Option<u8>,
        /// Restarts that were asked for without the new slot coming up.
        restarts: u8,
    },
    /// The release failed; the boot choice is about to name the old slot, or already does.
    RollingBack {
        release: ReleaseId,
        /// The slot of the failed release.
        slot: Slot,
        /// Restarts that were asked for without the old slot coming up.
        restarts: u8,
    },
}

/// A release whose trial failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    pub release: u64,
    /// The number of failed trials.
    pub times: u8,
    /// Polls that must still work before it is tried again: its maker may withdraw it meanwhile.
    pub polls: u8,
}

impl Record {
    /// The first record of a device: the running release is good, and no update is under way.
    pub fn first(slot: Slot, release: Option<ReleaseId>) -> Record {
        let floor = release.as_ref().map_or(0, |release| release.number);
        Record {
            generation: 0,
            confirmed_slot: slot,
            confirmed: release,
            floor,
            update: Update::Idle,
            failures: heapless::Vec::new(),
            postponed: None,
            fetched: None,
            uncounted: None,
        }
    }

    /// The number of failed trials of a release.
    pub fn times_failed(&self, release: u64) -> u8 {
        self.failures.iter().find(|failure| failure.release == release).map_or(0, |failure| failure.times)
    }

    /// The polls that a failed release still waits for; 0: none.
    pub fn polls_to_wait(&self, release: u64) -> u8 {
        self.failures.iter().find(|failure| failure.release == release).map_or(0, |failure| failure.polls)
    }

    /// A poll has worked. True: a release was waiting for it.
    pub fn count_poll(&mut self) -> bool {
        let mut waited = false;
        for failure in self.failures.iter_mut().filter(|failure| failure.polls > 0) {
            failure.polls -= 1;
            waited = true;
        }
        waited
    }

    /// Remembers failed trials of a release. The pause before the next one grows with each: it is counted in polls, because
    /// not every device has a clock, and none knows how long it was off.
    pub fn count_failure(&mut self, release: u64, times: u8) {
        if let Some(failure) = self.failures.iter_mut().find(|failure| failure.release == release) {
            failure.times = failure.times.saturating_add(times);
            failure.polls = failure.times.saturating_add(1);
            return;
        }
        if self.failures.is_full() {
            // The lowest number goes first: the floor makes it needless first.
            let lowest = self.failures.iter().enumerate().min_by_key(|(_, failure)| failure.release);
            let index = lowest.map_or(0, |(index, _)| index);
            self.failures.swap_remove(index);
        }
        let pushed = self.failures.push(Failure { release, times, polls: times.saturating_add(1) });
        debug_assert!(pushed.is_ok(), "a place was made above");
    }

    /// The record as text, checksum last.
    pub fn write(&self) -> String {
        let mut lines = String::new();
        // Writing to a String cannot fail.
        let _ = self.write_lines(&mut lines);
        ledger::seal(FORMAT, &lines)
    }

    fn write_lines(&self, out: &mut String) -> core::fmt::Result {
        writeln!(out, "generation {}", self.generation)?;
        write!(out, "confirmed slot={}", self.confirmed_slot)?;
        match &self.confirmed {
            Some(release) => writeln!(out, " release={} version={}", release.number, release.version)?,
            None => writeln!(out)?,
        }
        writeln!(out, "floor {}", self.floor)?;
        match &self.update {
            Update::Idle => writeln!(out, "update idle")?,
            Update::Staging { release: r, digest, slot, part, offset } => writeln!(
                out,
                "update staging slot={slot} release={} version={} digest={digest} part={part} offset={offset}",
                r.number, r.version
            )?,
            Update::Staged { release: r, digest, slot } => writeln!(
                out,
                "update staged slot={slot} release={} version={} digest={digest}",
                r.number, r.version
            )?,
            Update::Trial { release: r, slot, deadline_seconds, tries, restarts } => {
                write!(out, "update trial slot={slot} release={} version={} ", r.number, r.version)?;
                write!(out, "deadline={deadline_seconds} restarts={restarts}")?;
                match tries {
                    Some(tries) => writeln!(out, " tries={tries}")?,
                    None => writeln!(out)?,
                }
            }
            Update::RollingBack { release: r, slot, restarts } => writeln!(
                out,
                "update rolling-back slot={slot} release={} version={} restarts={restarts}",
                r.number, r.version
            )?,
        }
        for failure in &self.failures {
            let Failure { release, times, polls } = failure;
            writeln!(out, "failed release={release} times={times} polls={polls}")?;
        }
        if let Some(Postponed { release, since, until, asked }) = &self.postponed {
            let by = if *asked { "owner" } else { "window" };
            writeln!(out, "postponed release={release} since={} until={} by={by}", since.0, until.0)?;
        }
        if let Some(Fetched { since, bytes }) = &self.fetched {
            writeln!(out, "fetched since={} bytes={bytes}", since.0)?;
        }
        if let Some(release) = self.uncounted {
            writeln!(out, "uncounted release={release}")?;
        }
        Ok(())
    }

    /// Reads a record.
    ///
    /// # Errors
    /// A sentence: the wrong line, or that the checksum does not match.
    pub fn read(text: &str) -> Result<Record, String> {
        let mut record = Record::first(Slot::A, None);
        for line in ledger::open(FORMAT, text)? {
            record.read_line(line).ok_or_else(|| alloc::format!("cannot read the line `{line}`"))?;
        }
        Ok(record)
    }

    fn read_line(&mut self, line: &str) -> Option<()> {
        let (word, rest) = line.split_once(' ')?;
        match word {
            "generation" => self.generation = rest.parse().ok()?,
            "floor" => self.floor = rest.parse().ok()?,
            "confirmed" => {
                self.confirmed_slot = Slot::parse(value(rest, "slot")?)?;
                self.confirmed = if value(rest, "release").is_some() { Some(release(rest)?) } else { None };
            }
            "failed" => {
                let (release, times) = (number(rest, "release")?, number(rest, "times")?);
                // An earlier Komainu knew no pause.
                let polls = number(rest, "polls").unwrap_or(0);
                self.failures.push(Failure { release, times, polls }).ok()?;
            }
            "update" => self.update = read_update(rest)?,
            "postponed" => {
                let (since, until) = (Moment(number(rest, "since")?), Moment(number(rest, "until")?));
                let asked = value(rest, "by") != Some("window");
                self.postponed = Some(Postponed { release: number(rest, "release")?, since, until, asked });
            }
            "fetched" => {
                let (since, bytes) = (Moment(number(rest, "since")?), number(rest, "bytes")?);
                self.fetched = Some(Fetched { since, bytes });
            }
            "uncounted" => self.uncounted = Some(number(rest, "release")?),
            // A later version of Komainu may remember more; after a rollback to this one, the rest must still count.
            _ => {}
        }
        Some(())
    }
}

fn read_update(rest: &str) -> Option<Update> {
    let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    if word == "idle" {
        return Some(Update::Idle);
    }
    let (release, slot) = (release(rest)?, Slot::parse(value(rest, "slot")?)?);
    Some(match word {
        "staging" => Update::Staging {
            release,
            slot,
            digest: Digest64::parse(value(rest, "digest")?)?,
            part: number(rest, "part")?,
            offset: number(rest, "offset")?,
        },
        "staged" => Update::Staged { release, slot, digest: Digest64::parse(value(rest, "digest")?)? },
        "trial" => Update::Trial {
            release,
            slot,
            deadline_seconds: number(rest, "deadline")?,
            // An earlier Komainu did not say.
            tries: number(rest, "tries"),
            restarts: number(rest, "restarts")?,
        },
        "rolling-back" => Update::RollingBack { release, slot, restarts: number(rest, "restarts")? },
        _ => return None,
    })
}

fn value<'a>(rest: &'a str, name: &str) -> Option<&'a str> {
    rest.split(' ').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

fn number<N: core::str::FromStr>(rest: &str, name: &str) -> Option<N> {
    value(rest, name)?.parse().ok()
}

fn release(rest: &str) -> Option<ReleaseId> {
    Some(ReleaseId { number: number(rest, "release")?, version: Version::parse(value(rest, "version")?)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn release(number: u64) -> ReleaseId {
        ReleaseId { number, version: Version::parse("2.1.0").unwrap() }
    }

    fn records() -> Vec<Record> {
        let digest = Digest64::of(b"manifest");
        let slot = Slot::B;
        let updates = [
            Update::Idle,
            Update::Staging { release: release(42), digest, slot, part: 1, offset: u64::MAX },
            Update::Staged { release: release(42), digest, slot },
            Update::Trial { release: release(42), slot, deadline_seconds: 300, tries: Some(3), restarts: 2 },
            Update::Trial { release: release(42), slot, deadline_seconds: 300, tries: None, restarts: 0 },
            Update::RollingBack { release: release(42), slot, restarts: 0 },
        ];
        let with = |update| {
            let mut record = Record { generation: 7, update, ..Record::first(Slot::A, Some(release(41))) };
            record.count_failure(40, 3);
            let (since, until) = (Moment(-1), Moment(i64::MAX));
            record.postponed = Some(Postponed { release: 42, since, until, asked: record.generation == 7 });
            record.fetched = Some(Fetched { since, bytes: u64::MAX });
            record.uncounted = Some(39);
            record
        };
        updates.into_iter().map(with).collect()
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        for record in records() {
            assert_eq!(Record::read(&record.write()), Ok(record));
        }
        let unknown = Record::first(Slot::B, None);
        assert_eq!(Record::read(&unknown.write()), Ok(unknown));
    }

    #[test]
    fn a_torn_or_flipped_record_is_refused() {
        for record in records() {
            let text = record.write();
            for length in 0..text.len() - 1 {
                assert!(Record::read(&text[..length]).is_err(), "cut at {length}");
            }
            for at in 0..text.len() - 1 {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= 1;
                let flipped = String::from_utf8(bytes).unwrap();
                assert!(Record::read(&flipped).is_err(), "flipped at {at}");
            }
        }
    }

    #[test]
    fn what_a_later_komainu_remembers_does_no_harm() {
        let record = records().remove(0);
        let text = record.write();
        let lines: String =
            ledger::open(FORMAT, &text).unwrap().map(|line| alloc::format!("{line}\n")).collect();
        let more = ledger::seal(FORMAT, &alloc::format!("{lines}colour red\n"));
        assert_eq!(Record::read(&more), Ok(record));
    }

    #[test]
    fn the_lowest_failure_makes_room() {
        let mut record = Record::first(Slot::A, None);
        for number in 1..=9 {
            record.count_failure(number, 1);
        }
        assert_eq!(record.times_failed(1), 0);
        assert_eq!(record.times_failed(9), 1);
        record.count_failure(9, 2);
        assert_eq!(record.times_failed(9), 3);
    }

    #[test]
    fn a_pause_grows_with_each_failed_trial_and_is_over_after_so_many_polls() {
        let mut record = Record::first(Slot::A, None);
        for polls in [2, 3, 4] {
            record.count_failure(9, 1);
            assert_eq!(record.polls_to_wait(9), polls);
            (0..polls).for_each(|_| assert!(record.count_poll()));
            assert!(!record.count_poll() && record.polls_to_wait(9) == 0);
        }
    }

    #[test]
    fn the_record_of_an_earlier_komainu_is_read() {
        let lines = "generation 7\nconfirmed slot=a\nfloor 1\n\
            update trial slot=b release=2 version=1.2 deadline=600 restarts=1\nfailed release=3 times=2\n";
        let record = Record::read(&ledger::seal(FORMAT, lines)).unwrap();
        assert!(matches!(record.update, Update::Trial { tries: None, restarts: 1, .. }));
        assert_eq!((record.times_failed(3), record.polls_to_wait(3), record.uncounted), (2, 0, None));
    }
}
