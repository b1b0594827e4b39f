//! The refusal of metadata or a target: the file, the step of the specification, and the reason.

use crate::fields::{Field, FieldFault};
use crate::json;
use crate::limits::ROOTS_MAX;
use crate::moment::Moment;
use alloc::string::String;
use core::fmt;

/// A refusal. It changes nothing that was accepted before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustFault {
    /// The file, as the server names it: `timestamp.json`, `3.root.json`, a target path.
    pub file: String,
    /// The version that the file gives itself, signed or not; 0 where that is not known or it has none.
    pub version: u64,
    /// The step of TUF 1.0.34's client workflow that failed.
    pub step: &'static str,
    pub kind: FaultKind,
}

/// The reason of a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Not strict JSON: a sentence with line and column.
    NotJson(String),
    /// A field is missing or has a wrong value.
    Field(FieldFault),
    /// Too few of the role's keys signed it.
    TooFewSignatures {
        /// Valid signatures by different keys of the role.
        have: u32,
        /// Signatures by other keys of the role, of a type or scheme that this client does not know.
        unknown: u32,
        /// The role's threshold.
        need: u32,
    },
    /// Its version is below this one, which was accepted before.
    Rollback(u64),
    /// It lists a version of another file that is below the one that was accepted before.
    ListsOlder {
        /// The file that it lists.
        name: String,
        /// The version that it lists.
        offered: u64,
        /// The version that was accepted before.
        trusted: u64,
    },
    /// Its version is not this one, which was announced.
    WrongVersion(u64),
    /// A file that the last accepted snapshot listed is no longer listed.
    Vanished(String),
    /// Other metadata delegates to it, and the snapshot does not list it.
    Unlisted,
    /// It has expired.
    Expired {
        /// When it expired.
        at: Moment,
        /// The time it was compared with.
        now: Moment,
    },
    /// It is longer than its limit, or not as long as signed metadata says.
    Length {
        /// Its length in bytes.
        got: u64,
        /// The length, or the most, that it may have.
        allowed: u64,
    },
    /// Together with the other delegated roles it is more than a device keeps.
    TooMuchDelegated(u64),
    /// It goes on beyond this limit, where reading it stopped.
    TooLarge(u64),
    /// Its hash is not the one in signed metadata.
    Hash,
    /// It was not accepted yet: a refresh has to fetch it.
    NotYet,
    /// The server does not have it, though signed metadata says that it exists.
    Missing,
    /// This refresh took as many new roots as one may, and the newest of them is not enough for this file.
    MoreRoots,
}

/// The likely cause of a refusal, for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LikelyCause {
    /// An honest mirror that is old or half copied sends such files; a later refresh may succeed.
    Stale,
    /// Cut, changed on the way, or not this file at all: a captive portal's page, another repository.
    Damaged,
    /// No honest mirror sends such files, except one that copied files in the wrong order.
    Hostile,
}

impl TrustFault {
    pub(crate) fn new(file: &str, step: &'static str, kind: FaultKind) -> TrustFault {
        TrustFault { file: file.into(), version: 0, step, kind }
    }

    /// Adds the version that these bytes give themselves, for a person to compare.
    pub(crate) fn claiming(mut self, bytes: &[u8]) -> TrustFault {
        if self.version == 0
            && let Ok(whole) = json::parse(bytes)
        {
            self.version = claimed_version(&Field::top(&whole)).unwrap_or(0);
        }
        self
    }

    /// The likely cause; `None` if no file came from a server yet, or the repository contradicts itself.
    pub fn likely_cause(&self) -> Option<LikelyCause> {
        match self.kind {
            FaultKind::NotYet
            | FaultKind::Unlisted
            | FaultKind::TooMuchDelegated(_)
            | FaultKind::MoreRoots => None,
            // A newer client would perhaps accept it.
            FaultKind::TooFewSignatures { have, unknown, need } if have + unknown >= need => None,
            // No old mirror has another root under this name.
            FaultKind::WrongVersion(_) if self.step == "5.3.5" => Some(LikelyCause::Damaged),
            FaultKind::Expired { .. }
            | FaultKind::Missing
            | FaultKind::Rollback(_)
            | FaultKind::WrongVersion(_) => Some(LikelyCause::Stale),
            FaultKind::NotJson(_)
            | FaultKind::Field(_)
            | FaultKind::Length { .. }
            | FaultKind::TooLarge(_)
            | FaultKind::Hash => Some(LikelyCause::Damaged),
            FaultKind::TooFewSignatures { .. } | FaultKind::ListsOlder { .. } | FaultKind::Vanished(_) => {
                Some(LikelyCause::Hostile)
            }
        }
    }
}

fn claimed_version(whole: &Field<'_>) -> Result<u64, FieldFault> {
    whole.field("signed")?.field("version")?.number(1, u64::MAX, "")
}

impl fmt::Display for TrustFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.version > 0 {
            write!(f, " version {}", self.version)?;
        }
        if self.kind == FaultKind::NotYet {
            return f.write_str(" is not fetched yet");
        }
        write!(f, " refused (TUF {}): {}", self.step, self.kind)?;
        f.write_str(match (self.likely_cause(), &self.kind) {
            (None, _) => "",
            (Some(LikelyCause::Stale), FaultKind::Expired { .. }) => {
                "; looks like a stale mirror, or a wrong clock"
            }
            (Some(LikelyCause::Stale), _) => "; looks like a stale mirror",
            // The next root is asked for before there is one: some servers have a page for that.
            (Some(LikelyCause::Damaged), FaultKind::NotJson(_)) if self.step == "5.3.4" => {
                "; looks damaged, or like another file: the server must answer 404 or 403 for what it does not have"
            }
            (Some(LikelyCause::Damaged), _) => "; looks damaged, or like another file",
            // Where the timestamp is copied before the root that names its new key.
            (Some(LikelyCause::Hostile), FaultKind::TooFewSignatures { .. }) if self.step == "5.4.2" => {
                "; looks like an attack, or a mirror that lacks a new root"
            }
            (Some(LikelyCause::Hostile), _) => "; looks like an attack",
        })
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FaultKind::NotJson(why) => write!(f, "not acceptable JSON: {why}"),
            FaultKind::Field(FieldFault { path, must_be }) => write!(f, "{path} must be {must_be}"),
            FaultKind::TooFewSignatures { have, unknown, need } => {
                write!(f, "{have} valid signatures of {need} needed")?;
                match unknown {
                    0 => Ok(()),
                    _ => write!(f, "; {unknown} by keys of a kind that this software does not know"),
                }
            }
            FaultKind::Rollback(trusted) => write!(f, "{trusted} was seen before"),
            FaultKind::ListsOlder { name, offered, trusted } => {
                write!(f, "it lists {name} version {offered}, {trusted} was seen before")
            }
            FaultKind::WrongVersion(announced) => write!(f, "announced was {announced}"),
            FaultKind::Vanished(name) => write!(f, "{name} is no longer listed"),
            FaultKind::Unlisted => write!(f, "the snapshot does not list it"),
            FaultKind::Expired { at, now } => write!(f, "expired {at}, now is {now}"),
            FaultKind::Length { got, allowed } => write!(f, "{got} bytes, allowed are {allowed}"),
            FaultKind::TooMuchDelegated(limit) => {
                write!(f, "all delegated roles on the way together have more than {limit} bytes")
            }
            FaultKind::TooLarge(limit) => write!(f, "larger than its limit of {limit} bytes"),
            FaultKind::Hash => write!(f, "its hash is not the signed one"),
            FaultKind::NotYet => write!(f, "not fetched yet"),
            FaultKind::Missing => write!(f, "the server does not have it"),
            FaultKind::MoreRoots => {
                write!(
                    f,
                    "this poll took {ROOTS_MAX} new roots and no more: the next poll goes on from there"
                )
            }
        }
    }
}

impl From<FieldFault> for FaultKind {
    fn from(fault: FieldFault) -> FaultKind {
        FaultKind::Field(fault)
    }
}
