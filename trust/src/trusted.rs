//! Trusted metadata: the files that were accepted so far, their age, and the targets that they list.

use crate::expected_file::{
    Expected, Origin, SNAPSHOT_STEPS, TARGETS_STEPS, TIMESTAMP_STEPS, open_root, unexpired,
};
use crate::fault::{FaultKind, TrustFault};
use crate::moment::Moment;
use crate::roles::{Listed, Role, Root, Snapshot, TargetFile, Targets, Timestamp};
use crate::verified::Verified;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// The metadata files as the device keeps them: exactly as they were received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// The root that is trusted: the shipped one, or one that succeeded it.
    pub root: Vec<u8>,
    /// The last accepted timestamp, if any.
    pub timestamp: Option<Vec<u8>>,
    /// The last accepted snapshot, if any.
    pub snapshot: Option<Vec<u8>>,
    /// The last accepted targets metadata, if any.
    pub targets: Option<Vec<u8>>,
    /// Accepted delegated roles, each name once.
    pub delegated: Vec<(String, Vec<u8>)>,
}

/// The device's knowledge of the time; see SECURITY.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// The system clock, right or wrong.
    pub system: Moment,
    /// The moment at which the software was built; it cannot be earlier than that.
    pub built: Moment,
}

/// Where a targets role stands: 0 is the top-level one, and n the n-th delegated one that was accepted. They are
/// only ever added, so that a place stands for one path of delegations.
pub(crate) type Place = usize;
pub(crate) const TOP: Place = 0;

/// A delegated role that was accepted, and the role whose keys signed it.
#[derive(Clone, Debug)]
pub(crate) struct Delegated {
    pub(crate) delegator: Place,
    pub(crate) name: String,
    pub(crate) role: Targets,
}

/// Accepted metadata: a root, and as much of the rest as has been accepted under it.
#[derive(Clone, Debug)]
pub struct Trusted {
    pub(crate) clock: Clock,
    pub(crate) root: Root,
    pub(crate) timestamp: Option<Timestamp>,
    pub(crate) snapshot: Option<Snapshot>,
    pub(crate) targets: Option<Targets>,
    /// By delegator and name: only the delegator of a role names its keys.
    pub(crate) delegated: Vec<Delegated>,
    pub(crate) delegated_bytes: Vec<(String, Vec<u8>)>,
}

impl Trusted {
    /// Reads the stored files. Signatures are counted again, versions and hashes compared again: flash rots, and files can
    /// be swapped. [`Trusted::usable`] checks the expiry.
    ///
    /// A stored file that does not fit is left out, as if it had never come: the next refresh fetches it.
    ///
    /// # Errors
    /// Only where the root itself cannot be read, or is not signed by its own keys.
    pub fn load(stored: &Stored, clock: Clock) -> Result<Trusted, TrustFault> {
        let root = open_root(&stored.root, Role::Root.file(), "5.2", None)?;
        let mut trusted = Trusted {
            clock,
            root,
            timestamp: None,
            snapshot: None,
            targets: None,
            delegated: Vec::new(),
            delegated_bytes: Vec::new(),
        };
        trusted.load_below_root(stored);
        Ok(trusted)
    }

    /// Timestamp, snapshot and targets from the store, as far as the root in force still vouches for them.
    pub(crate) fn load_below_root(&mut self, stored: &Stored) {
        self.delegated.clear();
        self.delegated_bytes.clone_from(&stored.delegated);
        let Some(bytes) = stored.timestamp.as_deref() else { return };
        self.timestamp = self.expect_kept(Role::Timestamp, None).open(bytes).ok();
        let (Some(timestamp), Some(bytes)) = (&self.timestamp, stored.snapshot.as_deref()) else { return };
        self.snapshot = self.expect_kept(Role::Snapshot, Some(&timestamp.snapshot)).open(bytes).ok();
        let (Some(snapshot), Some(bytes)) = (&self.snapshot, stored.targets.as_deref()) else { return };
        let Some(listed) = snapshot.files.get(Role::Targets.file()) else { return };
        self.targets = self.expect(Role::Targets, Some(listed)).open(bytes).ok();
    }

    /// A top-level role's file: signed by the keys of the root in force, and as it was announced.
    pub(crate) fn expect<'a>(&'a self, role: Role, listed: Option<&'a Listed>) -> Expected<'a> {
        let steps = match role {
            Role::Root | Role::Timestamp => TIMESTAMP_STEPS,
            Role::Snapshot => SNAPSHOT_STEPS,
            Role::Targets => TARGETS_STEPS,
        };
        let origin = Origin::Server;
        Expected {
            file: role.file(),
            steps,
            listed,
            role: self.root.role(role),
            keys: &self.root.keys,
            origin,
        }
    }

    /// The same for a file that was accepted before.
    pub(crate) fn expect_kept<'a>(&'a self, role: Role, listed: Option<&'a Listed>) -> Expected<'a> {
        Expected { origin: Origin::Store, ..self.expect(role, listed) }
    }

    /// The earliest time that it can be: the later of the build time and the moment at which the signed timestamp was made.
    ///
    /// The second is forgotten with the timestamp: a maker that lost the timestamp key, and with it control over this
    /// bound, gets it back by replacing the key. And it ends before the root does: an online
    /// key, or a maker's wrong clock, can make other metadata old, but never the root that mends it.
    pub fn clock_floor(&self) -> Moment {
        let issued = self.timestamp.as_ref().and_then(|timestamp| timestamp.issued);
        let root_end = self.root.common.expires.plus_seconds(-1);
        issued.map_or(self.clock.built, |issued| issued.min(root_end).max(self.clock.built))
    }

    /// The time of every decision on expiry: the system clock, unless that is below the floor.
    pub fn now(&self) -> Moment {
        self.clock.system.max(self.clock_floor())
    }

    /// Checks that all four files are there and none has expired.
    ///
    /// # Errors
    /// The first that is missing or expired.
    pub fn usable(&self) -> Result<(), TrustFault> {
        let now = self.now();
        unexpired("root.json", "5.3.10", self.root.common, now)?;
        let timestamp = self.timestamp.as_ref().ok_or_else(|| not_yet("timestamp.json", "5.4.1"))?;
        unexpired("timestamp.json", "5.4.4", timestamp.common, now)?;
        let snapshot = self.snapshot.as_ref().ok_or_else(|| not_yet("snapshot.json", "5.5.1"))?;
        unexpired("snapshot.json", "5.5.6", snapshot.common, now)?;
        let targets = self.targets.as_ref().ok_or_else(|| not_yet("targets.json", "5.6.1"))?;
        unexpired("targets.json", "5.6.5", targets.common, now)
    }

    /// The root in force.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// True if the accepted timestamp halts this release: its key says that no device may begin to take it. That key can
    /// hold all news back anyway, so that a halt gives its holder nothing.
    pub fn is_halted(&self, board: &str, channel: &str, release: u64) -> bool {
        self.halted().iter().any(|halt| halt == "*" || *halt == format!("{board}/{channel}/{release}"))
    }

    /// The halts in the accepted timestamp, as they are written there.
    pub fn halted(&self) -> &[String] {
        self.timestamp.as_ref().map_or(&[], |timestamp| &timestamp.halted)
    }

    /// Versions of root, timestamp, snapshot and targets; 0 where there is none.
    pub fn versions(&self) -> [u64; 4] {
        [
            self.root.common.version,
            self.timestamp.as_ref().map_or(0, |role| role.common.version),
            self.snapshot.as_ref().map_or(0, |role| role.common.version),
            self.targets.as_ref().map_or(0, |role| role.common.version),
        ]
    }

    /// When each of root, timestamp, snapshot and targets expires, where there is one.
    pub fn expiries(&self) -> [Option<Moment>; 4] {
        [
            Some(self.root.common.expires),
            self.timestamp.as_ref().map(|role| role.common.expires),
            self.snapshot.as_ref().map(|role| role.common.expires),
            self.targets.as_ref().map(|role| role.common.expires),
        ]
    }

    /// The first moment after now at which something expires that was accepted so far, delegated roles included. Until
    /// then, and from now on, every [`Trusted::target`] that was asked for gives the same answer. `None`: for ever.
    pub fn next_expiry(&self) -> Option<Moment> {
        let delegated = self.delegated.iter().map(|delegated| delegated.role.common.expires);
        self.expiries().into_iter().flatten().chain(delegated).filter(|expiry| *expiry > self.now()).min()
    }

    /// Every target path that accepted targets metadata lists, role by role.
    pub fn target_paths(&self) -> impl Iterator<Item = &str> {
        let roles = self.targets.iter().chain(self.delegated.iter().map(|delegated| &delegated.role));
        roles.flat_map(|targets| targets.targets.keys().map(String::as_str))
    }

    pub(crate) fn verified_target(&self, path: &str, file: TargetFile) -> Verified<Target> {
        Verified::new(Target { path: path.into(), file, consistent_snapshot: self.root.consistent_snapshot })
    }
}

/// A target: a file that may be installed, and where to find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its path as metadata names it.
    pub path: String,
    /// Length and hashes.
    pub file: TargetFile,
    consistent_snapshot: bool,
}

impl Verified<Target> {
    /// The path to fetch it from, below the folder of targets: `dir/HASH.name` with consistent snapshots.
    pub fn fetch_path(&self) -> String {
        if !self.consistent_snapshot {
            return self.path.clone();
        }
        let (folder, name) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
        let prefix = self.file.hashes.prefix();
        if folder.is_empty() { format!("{prefix}.{name}") } else { format!("{folder}/{prefix}.{name}") }
    }

    /// Proves that `bytes` are this target (§5.7.2, §5.7.3).
    ///
    /// # Errors
    /// Length or hash differ.
    pub fn prove(&self, bytes: Vec<u8>) -> Result<Verified<Vec<u8>>, TrustFault> {
        let fault = |kind| TrustFault::new(&self.path, "5.7", kind);
        if bytes.len() as u64 != self.file.length {
            return Err(fault(FaultKind::Length { got: bytes.len() as u64, allowed: self.file.length }));
        }
        if !self.file.hashes.match_bytes(&bytes) {
            return Err(fault(FaultKind::Hash));
        }
        Ok(Verified::new(bytes))
    }
}

fn not_yet(file: &str, step: &'static str) -> TrustFault {
    TrustFault::new(file, step, FaultKind::NotYet)
}
