//! Halts a release and lets it go on: a halt stands in the timestamp, the smallest file there is, so that the online key
//! alone publishes it at once, and every device sees it with its next poll.

use crate::compose::{Change, compose};
use crate::publish::Published;
use crate::rehearsal::Images;
use crate::staging::listed_prints;
use crate::transaction::Transaction;
use crate::workshop::{Current, Workshop};
use anyhow::{Result, anyhow, bail};
use komainu_core::identifiers::Name;
use komainu_core::update::manifest::manifest_path;
use komainu_trust::Moment;
use komainu_trust::json::Object;
use komainu_trust::limits::HALTS_MAX;

/// The releases that a halt is for.
#[derive(Clone, Debug)]
pub enum Halted {
    /// Every release of every board.
    Everything,
    /// The release that is published for a board and channel.
    Release { board: String, channel: String },
}

/// A halt begins, or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HaltChange {
    Halt,
    GoOn,
}

/// The halt of everything, as the timestamp writes it.
const EVERYTHING: &str = "*";

impl Workshop {
    /// Halts releases, or lets them go on, and publishes that: a new timestamp and nothing else.
    ///
    /// # Errors
    /// There is no such release, it is halted already or not at all, the timestamp key is missing, or files cannot be
    /// written. Devices go on seeing what was published before.
    pub fn change_halt(&mut self, halted: &Halted, change: HaltChange, now: Moment) -> Result<Published> {
        let _lock = self.lock()?;
        self.refuse_if_cut_off()?;
        let current = self.current()?;
        let entry = self.halt_entry(&current, halted)?;
        let mut halts = self.halts_after(&current, &current.targets);
        match (change, halts.iter().position(|halt| *halt == entry)) {
            (HaltChange::Halt, None) => halts.push(entry),
            (HaltChange::GoOn, Some(at)) => {
                halts.remove(at);
            }
            (HaltChange::Halt, Some(_)) => bail!("{} is halted already", in_words(&entry)),
            (HaltChange::GoOn, None) => bail!("{} is not halted", in_words(&entry)),
        }
        if halts.len() > HALTS_MAX {
            bail!("devices read at most {HALTS_MAX} halts: halt everything with --all");
        }
        let change = Change { halts: Some(halts), ..Change::default() };
        let mut ring = self.key_ring()?;
        let composed = compose(self, Some(&current), &[&current.root], change, now, &mut ring)?;
        let transaction = Transaction::prepare(&self.dir, &[], &composed)?;
        transaction.rehearse(Some(&current.stored), Images::LengthOnly, self.progress, now)?;
        let files = transaction.commit()?.finish()?;
        let current = self.current()?;
        let warnings = self.warnings(&current, now);
        Ok(Published { versions: current.trusted.versions(), files, warnings, ..Published::default() })
    }

    /// The halts that are left with this list of targets: that of a release goes when a later one takes its place.
    pub(crate) fn halts_after(&self, current: &Current, targets: &Object) -> Vec<String> {
        let holds = |halt: &&String| {
            let Some((path, number)) = path_and_number(halt) else { return true };
            let print = listed_prints(targets).remove(&path);
            let manifest = print.and_then(|print| self.read_manifest(&path, &print).ok());
            manifest.is_none_or(|manifest| manifest.release.number <= number)
        };
        current.trusted.halted().iter().filter(holds).cloned().collect()
    }

    fn halt_entry(&self, current: &Current, halted: &Halted) -> Result<String> {
        let Halted::Release { board, channel } = halted else { return Ok(EVERYTHING.to_owned()) };
        let name = |text: &str| {
            Name::parse(text).ok_or_else(|| anyhow!("`{text}` must be 1 to 32 of a-z 0-9 . _ -"))
        };
        let path = manifest_path(&name(board)?, &name(channel)?);
        let Some(print) = listed_prints(&current.targets).remove(&path) else {
            bail!("nothing is published for {board}/{channel}; `release list` shows what is");
        };
        Ok(format!("{board}/{channel}/{}", self.read_manifest(&path, &print)?.release.number))
    }
}

/// The path of the manifest, and the number of the release that a halt names.
fn path_and_number(halt: &str) -> Option<(String, u64)> {
    let (path, number) = halt.rsplit_once('/')?;
    Some((format!("boards/{path}.json"), number.parse().ok()?))
}

/// A halt for people.
fn in_words(halt: &str) -> String {
    match halt.rsplit_once('/') {
        Some((path, number)) => format!("release {number} of {path}"),
        None => "every release".to_owned(),
    }
}
