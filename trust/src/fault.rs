//! Why metadata or a target was refused: which file, which step of the specification, what exactly.

use crate::fields::FieldFault;
use crate::moment::Moment;
use alloc::string::String;
use core::fmt;

/// A refusal. The state before it stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustFault {
    /// The file, as the server names it: `timestamp.json`, `3.root.json`, a target path.
    pub file: String,
    /// The step of TUF 1.0.34's client workflow that failed.
    pub step: &'static str,
    /// What was wrong.
    pub what: What,
}

/// What was wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Not strict JSON: a sentence with line and column.
    NotJson(String),
    /// A field is missing or not what it must be.
    Field(FieldFault),
    /// Too few of the role's keys signed it.
    TooFewSignatures {
        /// Valid signatures by different keys of the role.
        have: u32,
        /// The role's threshold.
        need: u32,
    },
    /// Its version is below one that was accepted before.
    Rollback {
        /// The version that it brings.
        offered: u64,
        /// The version that was accepted before.
        trusted: u64,
    },
    /// Its version is not the one that was announced.
    WrongVersion {
        /// The version that it brings.
        offered: u64,
        /// The version that was announced.
        announced: u64,
    },
    /// A file that the last accepted snapshot listed is no longer listed.
    Vanished(String),
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
    /// Its hash is not the one in signed metadata.
    Hash,
    /// It was not accepted yet: a refresh has to fetch it.
    NotYet,
    /// The server does not have it, though signed metadata says that it exists.
    Missing,
    /// More new roots than one refresh may bring.
    TooManyRoots,
}

/// What a refusal looks like to a person who has to react.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looks {
    /// A stale or half-copied mirror, or a wrong clock: waiting may mend it.
    Stale,
    /// Something that an honest, current mirror does not send.
    Hostile,
}

impl TrustFault {
    /// Whether it looks like a stale mirror or like an attack.
    pub fn looks(&self) -> Looks {
        match self.what {
            What::Expired { .. } | What::NotYet | What::Missing | What::WrongVersion { .. } => Looks::Stale,
            _ => Looks::Hostile,
        }
    }
}

impl fmt::Display for TrustFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} refused (TUF {}): {}", self.file, self.step, self.what)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::NotJson(why) => write!(f, "not acceptable JSON: {why}"),
            What::Field(FieldFault { path, must_be }) => write!(f, "{path} must be {must_be}"),
            What::TooFewSignatures { have, need } => write!(f, "{have} valid signatures of {need} needed"),
            What::Rollback { offered, trusted } => {
                write!(f, "version {offered} is below {trusted}, seen before")
            }
            What::WrongVersion { offered, announced } => {
                write!(f, "version {offered}, announced was {announced}")
            }
            What::Vanished(name) => write!(f, "{name} is no longer listed"),
            What::Expired { at, now } => write!(f, "expired {at}, now is {now}"),
            What::Length { got, allowed } => write!(f, "{got} bytes, allowed are {allowed}"),
            What::Hash => write!(f, "its hash is not the signed one"),
            What::NotYet => write!(f, "not fetched yet"),
            What::Missing => write!(f, "the server does not have it"),
            What::TooManyRoots => write!(f, "too many new roots at once"),
        }
    }
}

impl From<FieldFault> for What {
    fn from(fault: FieldFault) -> What {
        What::Field(fault)
    }
}
