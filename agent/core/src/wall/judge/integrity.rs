//! Judges integrity: files that only the owner changes are compared with a baseline, the state that the owner or the maker
//! accepted last. The baseline, its format and the judgement are here; the agent reads and writes the files
//! (`agent/src/wall/integrity.rs`).

#[cfg(test)]
mod tests;

use crate::fault;
use crate::fault::Text;
use crate::ledger;
use crate::wall::evidence::Sign;
use crate::wall::measures::Measure;
use crate::wall::policy::ProtectedPath;
use crate::wall::remediation::Remediation;
use crate::wall::report::Report;
use crate::wall::subject::Value;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;
use komainu_trust::hex;

/// Most files, links and folders that are remembered; the contents of folders count too.
pub const ITEMS_MAX: usize = 256;
/// Longest path of one, in bytes.
pub const PATH_BYTES_MAX: usize = 512;
/// The written baseline is never longer, in bytes.
pub const BASELINE_BYTES_MAX: usize = 192 * 1024;
const FORMAT: &str = "komainu-baseline 1";

/// The kind of thing at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Absent,
    File,
    /// A symbolic link.
    Link,
    /// A folder; its contents are items of their own.
    Folder,
    /// A device, a pipe, a socket.
    Other,
}

const KINDS: [(Kind, &str); 5] = [
    (Kind::Absent, "absent"),
    (Kind::File, "file"),
    (Kind::Link, "link"),
    (Kind::Folder, "folder"),
    (Kind::Other, "other"),
];

/// The data that is compared: two equal marks mean that nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The kind of the item.
    pub kind: Kind,
    /// Its permissions (the lower twelve bits).
    pub mode: u32,
    /// The item's owner.
    pub user: u32,
    /// The item's group.
    pub group: u32,
    /// SHA-256 of a file's content or of where a link leads; zeroes for everything else.
    pub hash: [u8; 32],
}

impl Mark {
    /// Of a path where nothing stands.
    pub const ABSENT: Mark = Mark { kind: Kind::Absent, mode: 0, user: 0, group: 0, hash: [0; 32] };
}

/// One thing that is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Where it is. No control characters.
    pub path: String,
    /// Its mark as remembered.
    pub mark: Mark,
    /// A copy of its content is kept.
    pub copy: bool,
}

/// All that is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    /// Each path once.
    pub kept: Vec<Kept>,
}

impl Baseline {
    /// Finds what is remembered of a path.
    pub fn find(&self, path: &str) -> Option<&Kept> {
        self.kept.iter().find(|kept| kept.path == path)
    }

    /// Remembers this in the place of what was there; false if there is no room.
    pub fn put(&mut self, new: Kept) -> bool {
        if new.path.len() > PATH_BYTES_MAX || new.path.chars().any(char::is_control) {
            return false;
        }
        match self.kept.iter().position(|kept| kept.path == new.path) {
            Some(at) => self.kept[at] = new,
            None if self.kept.len() < ITEMS_MAX => self.kept.push(new),
            None => return false,
        }
        true
    }

    /// As the text of a ledger.
    pub fn write(&self) -> String {
        let mut lines = String::new();
        for Kept { path, mark, copy } in &self.kept {
            let kind = KINDS.iter().find(|(kind, _)| *kind == mark.kind).map_or("", |(_, word)| word);
            let (copy, hash) = (if *copy { "copy" } else { "-" }, hex::encode(&mark.hash));
            let Mark { mode, user, group, .. } = mark;
            // Writing to a string does not fail.
            let _ = writeln!(lines, "{kind} {mode:o} {user} {group} {copy} {hash} {path}");
        }
        ledger::seal(FORMAT, &lines)
    }

    /// Reads what [`Baseline::write`] wrote.
    ///
    /// # Errors
    /// It is damaged, or was not written by this: where.
    pub fn read(text: &str) -> Result<Baseline, Text> {
        let wrong =
            |what: &str| fault::text(format_args!("the baseline of guarded files is damaged: {what}"));
        let lines = ledger::open(FORMAT, text).map_err(wrong)?;
        let mut baseline = Baseline::default();
        for line in lines {
            let kept = read_line(line).ok_or_else(|| wrong(line))?;
            if baseline.find(&kept.path).is_some() || !baseline.put(kept) {
                return Err(wrong(line));
            }
        }
        Ok(baseline)
    }
}

fn read_line(line: &str) -> Option<Kept> {
    let mut words = line.splitn(7, ' ');
    let kind = words.next()?;
    let &(kind, _) = KINDS.iter().find(|(_, word)| *word == kind)?;
    let mode = u32::from_str_radix(words.next()?, 8).ok()?;
    let (user, group) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let copy = match words.next()? {
        "copy" => true,
        "-" => false,
        _ => return None,
    };
    let hash = hex::decode_array(words.next()?)?;
    let path = String::from(words.next()?);
    Some(Kept { path, mark: Mark { kind, mode, user, group, hash }, copy })
}

/// One thing as it is found now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it is.
    pub path: String,
    /// The guarded folder that it is in; `None`: policy names it itself, or a link that leads to it.
    pub below: Option<String>,
    /// Its mark, as it was found.
    pub mark: Mark,
}

/// The kind of difference from what is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Its content, its permissions or its owner.
    Changed,
    /// It is no longer there.
    Gone,
    /// It was not there.
    New,
}

/// Whether the owner may have changed something just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// No session is open, nor was one until a moment ago.
    Away,
    /// A session is open: the owner wants the changes that are made meanwhile.
    Here,
}

/// The verdict on one thing that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it was.
    Same,
    /// It is remembered as it is now.
    Learn,
    /// It differs, and has no permission to.
    Differs(Change),
}

/// The verdict on something found, by what was remembered before this look. `known`: it differed in the same way
/// before the owner came: a session does not make another's change good, only [`Verdict::Learn`] on request does.
pub fn verdict(found: &Found, baseline: &Baseline, owner: Owner, known: bool) -> Verdict {
    let change = match baseline.find(&found.path) {
        Some(kept) if kept.mark == found.mark => return Verdict::Same,
        Some(kept) if kept.mark.kind == Kind::Absent => Change::New,
        Some(_) if found.mark.kind == Kind::Absent => Change::Gone,
        Some(_) => Change::Changed,
        // In a folder that was looked at before it is new; with a folder that policy names for the first time it is not.
        None if found.below.as_deref().is_some_and(|below| baseline.find(below).is_some()) => Change::New,
        None => return Verdict::Learn,
    };
    if owner == Owner::Here && !known { Verdict::Learn } else { Verdict::Differs(change) }
}

/// A thing that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Different {
    /// Where it is.
    pub path: String,
    /// The path in policy that it belongs to.
    pub listed: String,
    /// The kind of its difference.
    pub change: Change,
    /// There is something to put back: a copy, or permissions that are all of it.
    pub can_restore: bool,
}

/// The results of a look at the guarded files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IntegrityFacts {
    pub different: Vec<Different>,
    /// The reason for the loss of the remembered marks. They are learned anew.
    pub damaged: Option<Text>,
    /// The first item that could not be read, or not be remembered.
    pub doubt: Option<Text>,
}

/// Judges a look at the files that policy guards.
pub fn judge(seen: &IntegrityFacts, integrity: &[ProtectedPath], report: &mut Report) {
    let measure = Measure::Configuration;
    if let Some(why) = &seen.damaged {
        report.weak(measure, None, format_args!("{why}; they are learned anew, whatever was changed before"));
    }
    for Different { path, listed, change, can_restore } in &seen.different {
        let Some(integrity) = integrity.iter().find(|integrity| integrity.path == *listed) else { continue };
        let file = path.clone();
        let remediation = match change {
            _ if !integrity.restore => None,
            Change::New => Some(Remediation::Quarantine { file }),
            Change::Changed | Change::Gone => can_restore.then_some(Remediation::Restore { file }),
        };
        let how = match change {
            Change::Changed => "was changed",
            Change::Gone => "was taken away",
            Change::New => "is new",
        };
        let lost = if integrity.restore && remediation.is_none() { "; no copy of it is kept" } else { "" };
        let what = &integrity.what;
        let evidence = Sign::ChangedFile.row().alone;
        let what = format_args!("{path} ({what}) {how}, and not by the owner{lost}");
        let subject = format_args!("file={} listed={}", Value(path), Value(listed));
        report.about(subject).weighed(measure, evidence, remediation, what);
    }
    if let Some(why) = &seen.doubt {
        report.cannot_tell(measure, format_args!("{why}"));
    }
}
