//! One update of the metadata, as a state machine (TUF 1.0.34 §5): it names the next file and its largest length, takes
//! the bytes, or the news that there are none, and names the change of the store. The caller fetches and stores: the
//! agent, the maker's rehearsal and the tests drive this same code.
//!
//! A file is kept as soon as it is accepted, and not before. So a power cut leaves a state from which the next refresh
//! goes on.

use crate::expected_file::{
    SNAPSHOT_STEPS, Steps, TARGETS_STEPS, metadata_name, missing, open_root, unexpired,
};
use crate::fault::{FaultKind, TrustFault};
use crate::limits::{ROOT_BYTES_MAX, ROOTS_MAX, TIMESTAMP_BYTES_MAX};
use crate::roles::{Listed, Role, Snapshot, Targets, Timestamp};
use crate::trusted::{Clock, Stored, Trusted};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

/// The step that fetches the next root, which need not be there.
pub const ROOT_STEP: &str = "5.3.3";

/// A file to fetch, below the folder of metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Its name; no part of it comes from the server.
    pub name: String,
    /// The most bytes to read of it.
    pub bytes_max: u64,
    /// The step of TUF 1.0.34's client workflow that fetches it.
    pub step: &'static str,
}

impl Ask {
    /// The refusal of a file that is longer than that.
    pub fn too_large(&self) -> TrustFault {
        TrustFault::new(&self.name, self.step, FaultKind::TooLarge(self.bytes_max))
    }
}

/// The result of a fetch.
#[derive(Clone, Copy, Debug)]
pub enum Answer<'a> {
    /// The whole file.
    Bytes(&'a [u8]),
    /// The server says that there is no such file.
    NotThere,
}

/// The change of the store that the caller makes, atomically, before it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    Nothing,
    /// The bytes just given replace this role's file, exactly as they were received.
    Given(Role),
    /// The bytes just given replace the root. Its timestamp or snapshot keys were replaced, so both files go (§5.3.11).
    GivenRootForgetRest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    Root,
    Timestamp,
    Snapshot,
    Targets,
    Nothing,
}

/// A refresh under way.
#[derive(Debug)]
pub struct Refresh {
    trusted: Trusted,
    stored: Stored,
    waiting: Waiting,
    roots_left: u32,
    /// The snapshot accepted before this refresh: the new one is held against it (§5.5.5).
    snapshot_before: Option<Snapshot>,
}

impl Refresh {
    /// Starts with the stored files. The start time is fixed here and used for every expiry check (§5.1).
    ///
    /// # Errors
    /// The stored root cannot be read (§5.2); nothing else in the store can stop a refresh.
    pub fn begin(stored: Stored, clock: Clock) -> Result<Refresh, TrustFault> {
        let trusted = Trusted::load(&stored, clock)?;
        Ok(Refresh { trusted, stored, waiting: Waiting::Root, roots_left: ROOTS_MAX, snapshot_before: None })
    }

    /// True if these bytes are a newer timestamp over the snapshot that is stored, all of it in date: it brings no news but
    /// its own, which is the time and the halts. `false`: only a refresh from the root on can tell more.
    ///
    /// Nothing becomes installable by it, so that a root which the device has not seen yet cannot matter more than it
    /// does to a device that nobody has told of any news.
    pub fn is_only_timestamp(stored: Stored, clock: Clock, bytes: &[u8]) -> bool {
        let Ok(mut refresh) = Refresh::begin(stored, clock) else { return false };
        refresh.roots_done().is_ok()
            && refresh.timestamp(bytes) == Ok(Keep::Given(Role::Timestamp))
            && refresh.waiting == Waiting::Nothing
    }

    /// The file to fetch next; `None`: the refresh is done.
    pub fn ask(&self) -> Option<Ask> {
        match self.waiting {
            // 5.3.2, 5.3.3: version N+1, even if the server has later ones.
            Waiting::Root => {
                let version = self.trusted.root.common.version + 1;
                Some(Ask { name: format!("{version}.root.json"), bytes_max: ROOT_BYTES_MAX, step: ROOT_STEP })
            }
            // 5.4.1: never version-prefixed.
            Waiting::Timestamp => {
                let name = Role::Timestamp.file().into();
                Some(Ask { name, bytes_max: TIMESTAMP_BYTES_MAX, step: "5.4.1" })
            }
            Waiting::Snapshot => {
                Some(self.ask_listed(Role::Snapshot, self.listed_snapshot()?, SNAPSHOT_STEPS))
            }
            Waiting::Targets => Some(self.ask_listed(Role::Targets, self.listed_targets()?, TARGETS_STEPS)),
            Waiting::Nothing => None,
        }
    }

    /// Takes the answer to [`Refresh::ask`] and gives the change of the store.
    ///
    /// # Errors
    /// The refusal. The refresh is over; files that were accepted before are kept already.
    pub fn give(&mut self, answer: Answer<'_>) -> Result<Keep, TrustFault> {
        let waiting = self.waiting;
        // A refusal ends the refresh: the next step would only be to fetch the same file again.
        self.waiting = Waiting::Nothing;
        let given = match (waiting, answer) {
            (Waiting::Root, Answer::NotThere) => self.roots_done(),
            (Waiting::Root, Answer::Bytes(bytes)) => self.root(bytes),
            (Waiting::Timestamp, Answer::Bytes(bytes)) => self.timestamp(bytes),
            (Waiting::Snapshot, Answer::Bytes(bytes)) => self.snapshot(bytes),
            (Waiting::Targets, Answer::Bytes(bytes)) => self.targets(bytes),
            (Waiting::Timestamp, Answer::NotThere) => Err(missing("timestamp.json", "5.4.1")),
            (Waiting::Snapshot, Answer::NotThere) => Err(missing("snapshot.json", "5.5.1")),
            (Waiting::Targets, Answer::NotThere) => Err(missing("targets.json", "5.6.1")),
            (Waiting::Nothing, _) => Ok(Keep::Nothing),
        };
        given
            .map_err(|fault| match answer {
                Answer::Bytes(bytes) => fault.claiming(bytes),
                Answer::NotThere => fault,
            })
            .map_err(|fault| self.unless_more_roots(fault))
    }

    /// Where the roots ended at their limit, a root further on may have other keys or a later end.
    fn unless_more_roots(&self, fault: TrustFault) -> TrustFault {
        match fault.kind {
            FaultKind::TooFewSignatures { .. } | FaultKind::Expired { .. } if self.roots_left == 0 => {
                TrustFault { kind: FaultKind::MoreRoots, ..fault }
            }
            _ => fault,
        }
    }

    /// The metadata that is trusted at this point.
    pub fn trusted(&self) -> &Trusted {
        &self.trusted
    }

    /// Ends the refresh and gives the trusted metadata.
    pub fn into_trusted(self) -> Trusted {
        self.trusted
    }

    fn root(&mut self, bytes: &[u8]) -> Result<Keep, TrustFault> {
        let old = &self.trusted.root;
        let announced = old.common.version + 1;
        let file = format!("{announced}.root.json");
        let fault = |step, kind| TrustFault::new(&file, step, kind);
        // 5.3.4: the threshold of the old keys and the threshold of the new keys.
        let new = open_root(bytes, &file, "5.3.4", Some(old))?;
        // 5.3.5, 5.3.6: exactly the next version.
        if new.common.version != announced {
            return Err(fault("5.3.5", FaultKind::WrongVersion(announced)));
        }
        // 5.3.11, decided here because only here both roots are known: the thief of a key that is gone may have counted
        // versions up to lock out the rightful holder (fast-forward).
        let forget = new.lacks_a_key_of(old, Role::Timestamp) || new.lacks_a_key_of(old, Role::Snapshot);
        // 5.3.7, 5.3.8: trusted from now on, expired or not; 5.3.9: and on to the next.
        self.trusted.root = new;
        if forget {
            self.stored.timestamp = None;
            self.stored.snapshot = None;
        }
        self.roots_left -= 1;
        if self.roots_left == 0 {
            // 5.3.3: on to 5.3.10 with the root that was reached; the next refresh goes on from it.
            self.load_under_last_root();
            self.waiting = Waiting::Timestamp;
        } else {
            self.waiting = Waiting::Root;
        }
        Ok(if forget { Keep::GivenRootForgetRest } else { Keep::Given(Role::Root) })
    }

    fn roots_done(&mut self) -> Result<Keep, TrustFault> {
        self.load_under_last_root();
        self.root_in_date()?;
        self.waiting = Waiting::Timestamp;
        Ok(Keep::Nothing)
    }

    /// 5.3.10: the last root must be in date.
    fn root_in_date(&self) -> Result<(), TrustFault> {
        let root = self.trusted.root.common;
        unexpired(&format!("{}.root.json", root.version), "5.3.10", root, self.trusted.now())
    }

    fn load_under_last_root(&mut self) {
        // The root that is in force now must vouch for each stored file below it.
        self.trusted.timestamp = None;
        self.trusted.snapshot = None;
        self.trusted.targets = None;
        self.trusted.load_below_root(&self.stored);
        // The last accepted snapshot is held against the next one even where a cut came between storing its
        // timestamp and storing it: its signatures count, not whether the timestamp names it.
        let before = self.stored.snapshot.as_deref();
        self.snapshot_before =
            before.and_then(|bytes| self.trusted.expect_kept(Role::Snapshot, None).open(bytes).ok());
    }

    fn timestamp(&mut self, bytes: &[u8]) -> Result<Keep, TrustFault> {
        let file = Role::Timestamp.file();
        // Where the roots ended at their limit, nothing has asked yet.
        self.root_in_date()?;
        // 5.4.2
        let new: Timestamp = self.trusted.expect(Role::Timestamp, None).open(bytes)?;
        let mut keep = Keep::Given(Role::Timestamp);
        if let Some(old) = &self.trusted.timestamp {
            let fault = |kind| TrustFault::new(file, "5.4.3", kind);
            // 5.4.3.1: an older timestamp is refused; one of the same version changes nothing.
            match new.common.version.cmp(&old.common.version) {
                Ordering::Less => return Err(fault(FaultKind::Rollback(old.common.version))),
                Ordering::Equal => keep = Keep::Nothing,
                // 5.4.3.2
                Ordering::Greater => older("snapshot.json", &new.snapshot, &old.snapshot).map_err(fault)?,
            }
        }
        if keep != Keep::Nothing {
            // 5.4.4; the floor may not rise before the file that raises it is accepted.
            unexpired(file, "5.4.4", new.common, self.trusted.now())?;
            self.trusted.timestamp = Some(new);
            self.trusted.snapshot = None;
            self.trusted.targets = None;
            self.stored.timestamp = Some(bytes.to_vec());
            self.trusted.load_below_root(&self.stored);
        }
        if let Some(timestamp) = &self.trusted.timestamp {
            unexpired(file, "5.4.4", timestamp.common, self.trusted.now())?;
        }
        self.next_missing();
        Ok(keep)
    }

    fn snapshot(&mut self, bytes: &[u8]) -> Result<Keep, TrustFault> {
        let file = Role::Snapshot.file();
        let listed = self.listed_snapshot().ok_or_else(|| missing(file, "5.5.1"))?;
        // 5.5.2 to 5.5.4
        let new: Snapshot = self.trusted.expect(Role::Snapshot, Some(listed)).open(bytes)?;
        // 5.5.5: no entry may go back or disappear.
        if let Some(before) = &self.snapshot_before {
            let fault = |kind| TrustFault::new(file, "5.5.5", kind);
            for (name, old) in &before.files {
                let Some(now) = new.files.get(name) else {
                    return Err(fault(FaultKind::Vanished(name.clone())));
                };
                older(name, now, old).map_err(fault)?;
            }
        }
        // 5.5.6, 5.5.7
        unexpired(file, SNAPSHOT_STEPS.expiry, new.common, self.trusted.now())?;
        self.trusted.snapshot = Some(new);
        self.stored.snapshot = Some(bytes.to_vec());
        self.trusted.load_below_root(&self.stored);
        self.next_missing();
        Ok(Keep::Given(Role::Snapshot))
    }

    fn targets(&mut self, bytes: &[u8]) -> Result<Keep, TrustFault> {
        let file = Role::Targets.file();
        let listed = self.listed_targets().ok_or_else(|| missing(file, "5.6.1"))?;
        // 5.6.2 to 5.6.4
        let new: Targets = self.trusted.expect(Role::Targets, Some(listed)).open(bytes)?;
        // 5.6.5, 5.6.6
        unexpired(file, TARGETS_STEPS.expiry, new.common, self.trusted.now())?;
        self.trusted.targets = Some(new);
        Ok(Keep::Given(Role::Targets))
    }

    /// Waits for the first file that the store did not already have in the right version and in date.
    fn next_missing(&mut self) {
        let now = self.trusted.now();
        let in_date = |common: &crate::roles::Common| common.expires > now;
        self.waiting = if self.trusted.snapshot.as_ref().is_none_or(|role| !in_date(&role.common)) {
            Waiting::Snapshot
        } else if self.trusted.targets.as_ref().is_none_or(|role| !in_date(&role.common)) {
            Waiting::Targets
        } else {
            Waiting::Nothing
        };
    }

    fn ask_listed(&self, role: Role, listed: &Listed, steps: Steps) -> Ask {
        let name = metadata_name(&self.trusted.root, listed.version, role.file());
        Ask { name, bytes_max: steps.read_at_most(listed), step: steps.fetch }
    }

    fn listed_snapshot(&self) -> Option<&Listed> {
        self.trusted.timestamp.as_ref().map(|timestamp| &timestamp.snapshot)
    }

    fn listed_targets(&self) -> Option<&Listed> {
        self.trusted.snapshot.as_ref().and_then(|snapshot| snapshot.files.get(Role::Targets.file()))
    }
}

/// Refuses an entry whose version is older than before.
fn older(name: &str, now: &Listed, before: &Listed) -> Result<(), FaultKind> {
    if now.version < before.version {
        return Err(FaultKind::ListsOlder {
            name: name.into(),
            offered: now.version,
            trusted: before.version,
        });
    }
    Ok(())
}

/// Drives a refresh to its end with functions that fetch and keep, for the maker's rehearsal and for tests.
///
/// # Errors
/// The refusal, or the error of `fetch` or `keep`.
pub fn drive<E: From<TrustFault>>(
    stored: Stored,
    clock: Clock,
    mut fetch: impl FnMut(&Ask) -> Result<Option<Vec<u8>>, E>,
    mut keep: impl FnMut(Keep, &[u8]) -> Result<(), E>,
) -> Result<Trusted, E> {
    let mut refresh = Refresh::begin(stored, clock)?;
    while let Some(ask) = refresh.ask() {
        let bytes = fetch(&ask)?;
        let answer = bytes.as_deref().map_or(Answer::NotThere, Answer::Bytes);
        let change = refresh.give(answer)?;
        keep(change, bytes.as_deref().unwrap_or_default())?;
    }
    Ok(refresh.into_trusted())
}
