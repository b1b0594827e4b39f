//! The small bounded words that records, manifests and plans are made of.

use core::fmt;
use komainu_trust::hex;
use sha2::{Digest, Sha256};

/// Most parts that a slot may have (kernel, device tree, root file system, …).
pub const PARTS_MAX: usize = 8;

/// A part of a slot, a board or a channel: 1 to 32 of `a-z 0-9 . _ -`, not starting with a dot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(heapless::String<32>);

impl Name {
    /// Reads a name; `None` if it is not one.
    pub fn parse(text: &str) -> Option<Name> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
        if text.is_empty() || text.starts_with('.') || !text.bytes().all(plain) {
            return None;
        }
        heapless::String::try_from(text).ok().map(Name)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A version for people: 1 to 48 printable ASCII characters without a space. Never compared; numbers are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(heapless::String<48>);

impl Version {
    /// Reads a version; `None` if it is not one.
    pub fn parse(text: &str) -> Option<Version> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        heapless::String::try_from(text).ok().map(Version)
    }

    /// The version as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One of the two firmware copies of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The first slot.
    A,
    /// The second slot.
    B,
}

impl Slot {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Slot {
        match self {
            Slot::A => Slot::B,
            Slot::B => Slot::A,
        }
    }

    /// `a` or `b`.
    pub fn name(self) -> &'static str {
        match self {
            Slot::A => "a",
            Slot::B => "b",
        }
    }

    /// Reads `a` or `b`.
    pub fn parse(text: &str) -> Option<Slot> {
        match text {
            "a" => Some(Slot::A),
            "b" => Some(Slot::B),
            _ => None,
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A release as the record remembers it: the number that counts, the version that people read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseId {
    /// The release number: counts up for each board and channel; the floor is compared with it.
    pub number: u64,
    pub version: Version,
}

impl fmt::Display for ReleaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.number, self.version)
    }
}

/// A digest that tells releases apart: the first eight bytes of a SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest64([u8; 8]);

impl Digest64 {
    /// The digest of some bytes.
    pub fn of(bytes: &[u8]) -> Digest64 {
        let hash = Sha256::digest(bytes);
        let mut digest = [0; 8];
        digest.copy_from_slice(&hash[..8]);
        Digest64(digest)
    }

    /// Reads sixteen hexadecimal digits.
    pub fn parse(text: &str) -> Option<Digest64> {
        hex::decode_array(text).map(Digest64)
    }
}

impl fmt::Display for Digest64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}
