//! A metadata file as it is expected: the entry that announced it, the keys that must have signed it, and the checks in
//! the order of their numbers in TUF 1.0.34.

use crate::fault::{FaultKind, TrustFault};
use crate::json::Json;
use crate::keys::Key;
use crate::limits::{
    PROVEN_TIMES, ROOT_BYTES_MAX, SNAPSHOT_BYTES_MAX, TARGETS_BYTES_MAX, TIMESTAMP_BYTES_MAX,
};
use crate::moment::Moment;
use crate::roles;
use crate::roles::{Common, Listed, Metadata, Role, Root};
use crate::signatures::{Envelope, RoleKeys};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

/// The numbers of a role's steps in TUF 1.0.34, for messages, and the largest file of the role that
/// nothing lists.
#[derive(Clone, Copy)]
pub(crate) struct Steps {
    pub fetch: &'static str,
    pub hash: &'static str,
    pub signatures: &'static str,
    pub version: &'static str,
    pub expiry: &'static str,
    pub bytes_max: u64,
}

impl Steps {
    /// The limit for a file that is listed so: more where its bytes are proven before anything is made of them.
    pub fn bytes_max_as(&self, listed: &Listed) -> u64 {
        let proven = listed.length.is_some() && listed.hashes.is_some();
        if proven { PROVEN_TIMES * self.bytes_max } else { self.bytes_max }
    }

    /// The most bytes to read of a file that is listed so.
    pub fn read_at_most(&self, listed: &Listed) -> u64 {
        let bytes_max = self.bytes_max_as(listed);
        listed.length.map_or(bytes_max, |length| length.min(bytes_max))
    }
}

pub(crate) const TIMESTAMP_STEPS: Steps = Steps {
    fetch: "5.4.1",
    hash: "5.4.2",
    signatures: "5.4.2",
    version: "5.4.3",
    expiry: "5.4.4",
    bytes_max: TIMESTAMP_BYTES_MAX,
};

pub(crate) const SNAPSHOT_STEPS: Steps = Steps {
    fetch: "5.5.1",
    hash: "5.5.2",
    signatures: "5.5.3",
    version: "5.5.4",
    expiry: "5.5.6",
    bytes_max: SNAPSHOT_BYTES_MAX,
};

pub(crate) const TARGETS_STEPS: Steps = Steps {
    fetch: "5.6.1",
    hash: "5.6.2",
    signatures: "5.6.3",
    version: "5.6.4",
    expiry: "5.6.5",
    bytes_max: TARGETS_BYTES_MAX,
};

/// Opens a root. It must be signed by its own threshold and, if it succeeds another, by that one's too.
pub(crate) fn open_root(
    bytes: &[u8],
    file: &str,
    step: &'static str,
    predecessor: Option<&Root>,
) -> Result<Root, TrustFault> {
    let fault = |kind| TrustFault::new(file, step, kind);
    let envelope = Envelope::open(file, step, bytes, ROOT_BYTES_MAX)?;
    if let Some(old) = predecessor {
        envelope.meets(old.role(Role::Root), &old.keys).map_err(fault)?;
    }
    let root: Root = roles::read(&envelope.signed).map_err(|wrong| fault(wrong.into()))?;
    envelope.meets(root.role(Role::Root), &root.keys).map_err(fault)?;
    Ok(root)
}

/// A file as it is expected: its name in messages, the entry that announced it, and the keys that must have signed it.
pub(crate) struct Expected<'a> {
    pub file: &'a str,
    pub steps: Steps,
    pub listed: Option<&'a Listed>,
    pub role: &'a RoleKeys,
    pub keys: &'a BTreeMap<String, Key>,
    pub origin: Origin,
}

/// Where a file comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Server,
    /// The store: it was accepted before.
    Store,
}

impl Expected<'_> {
    /// Checks length and hash first, then signatures, then the content, then the version.
    pub fn open<M: Metadata>(&self, bytes: &[u8]) -> Result<M, TrustFault> {
        let signed = self.open_signed(bytes)?;
        let metadata: M =
            roles::read(&signed).map_err(|wrong| self.fault(self.steps.signatures, wrong.into()))?;
        match self.listed {
            Some(listed) if listed.version != metadata.common().version => {
                Err(self.fault(self.steps.version, FaultKind::WrongVersion(listed.version)))
            }
            _ => Ok(metadata),
        }
    }

    // Not generic, so that the device's binary has it once.
    fn open_signed(&self, bytes: &[u8]) -> Result<Json, TrustFault> {
        if let Some(listed) = self.listed {
            let got = bytes.len() as u64;
            if let Some(allowed) = listed.length.filter(|&length| got > length) {
                return Err(self.fault(self.steps.fetch, FaultKind::Length { got, allowed }));
            }
            if listed.hashes.as_ref().is_some_and(|hashes| !hashes.match_bytes(bytes)) {
                return Err(self.fault(self.steps.hash, FaultKind::Hash));
            }
        }
        let bytes_max = self.listed.map_or(self.steps.bytes_max, |listed| self.steps.bytes_max_as(listed));
        let mut envelope = Envelope::open(self.file, self.steps.signatures, bytes, bytes_max)?;
        let mut meets = envelope.meets(self.role, self.keys);
        if meets.is_err() && self.origin == Origin::Store {
            envelope.follow_renamed_keys(self.role, self.keys);
            meets = envelope.meets(self.role, self.keys);
        }
        meets.map_err(|kind| self.fault(self.steps.signatures, kind))?;
        Ok(envelope.signed)
    }

    pub fn fault(&self, step: &'static str, kind: FaultKind) -> TrustFault {
        TrustFault::new(self.file, step, kind)
    }
}

/// The name of a metadata file on the server (§3.1).
pub(crate) fn metadata_name(root: &Root, version: u64, file: &str) -> String {
    if root.consistent_snapshot { format!("{version}.{file}") } else { file.into() }
}

pub(crate) fn unexpired(
    file: &str,
    step: &'static str,
    common: Common,
    now: Moment,
) -> Result<(), TrustFault> {
    if common.expires <= now {
        let kind = FaultKind::Expired { at: common.expires, now };
        return Err(TrustFault { version: common.version, ..TrustFault::new(file, step, kind) });
    }
    Ok(())
}

pub(crate) fn missing(file: &str, step: &'static str) -> TrustFault {
    TrustFault::new(file, step, FaultKind::Missing)
}
