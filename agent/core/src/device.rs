//! The device traits: everything outside is touched through them, and this page is the full list of the agent's
//! powers. One implementation runs on Linux; another one simulates a device and cuts its power. A function asks for
//! the smallest trait that it needs: `fn confirm(device: &mut (impl Ledger + Boot + ?Sized), …)`.
//!
//! Methods that change something are safe to repeat, and durable when they return unless they say otherwise.

use crate::fault::{FetchFault, Text};
use crate::firewall::table::{Network, Table};
use crate::gate::state::{FirewallStatus, GateFacts};
use crate::identifiers::{Digest64, ReleaseId, Slot};
use crate::operator_request::Password;
use crate::retry_state::RetryState;
use crate::update::facts::{BootChoice, Health, Parts, RecordSeen};
use crate::update::fleet_order::FleetWord;
use crate::update::offer::StoredMetadata;
use crate::update::patch_choice::Rebuildable;
use crate::update::record::Record;
use crate::wall::incident_state::IncidentState;
use crate::wall::observation::Observation;
use crate::wall::remediation::Remediation;
use crate::wall::report::Report;
use alloc::string::String;
use alloc::vec::Vec;
use komainu_trust::trusted::Clock;

/// A small file fetched whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// Its bytes, and the validator (`ETag`) that the server gave for a conditional request next time.
    Bytes(Vec<u8>, Option<String>),
    /// The server says that the file does not exist.
    NotThere,
    /// The server says that the file still matches the validator.
    Unchanged,
}

/// The two folders of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folder {
    Metadata,
    /// Manifests, images and advisories.
    Targets,
}

/// A file that is stored exactly as it was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredFile<'a> {
    /// `root.json`
    Root,
    /// `timestamp.json`
    Timestamp,
    /// `snapshot.json`
    Snapshot,
    /// `targets.json`
    Targets,
    /// A delegated targets role by its name; the name may hold any character.
    Delegated(&'a str),
    /// The manifest for this board and channel.
    Manifest,
    /// The advisories for this board.
    Advisories,
}

/// The wanted content of the owner's account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    /// The credential that is being set.
    Next,
    /// The owner's credential, as it is kept.
    Kept,
    /// Nothing that a password could open.
    Locked,
}

/// The order to the maker's hooks. Hooks bring the password to every other place that needs it. All but the first
/// must be safe to repeat, and come without a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hooks<'a> {
    /// This password is coming, on standard input: refuse it now, or prepare it.
    Prepare(&'a Password),
    /// The prepared password is valid from now on.
    Commit,
    /// The prepared password is given up; there may be none.
    Abort,
    /// The owner is forgotten.
    Reset,
}

/// The machine itself: clocks, health, restart.
pub trait Host {
    /// The system clock, right or wrong, and the time of the build.
    fn clock(&mut self) -> Clock;
    /// Seconds since the device started; never goes back.
    fn uptime_seconds(&mut self) -> u64;
    /// Asks the health checks, each within its time.
    fn health(&mut self) -> Health;
    /// Restarts the device. Returns before the restart happens, if it returns.
    ///
    /// # Errors
    /// The reason why the device does not restart.
    fn reboot(&mut self) -> Result<(), Text>;
    /// The word of a fleet server, where the settings name one.
    fn fleet_word(&mut self) -> FleetWord {
        FleetWord::default()
    }
}

/// The memory of the update: the record survives restarts, the retry state does not.
pub trait Ledger {
    /// The newer good copy of the record.
    fn record(&mut self) -> RecordSeen;
    /// Replaces the older copy of the record.
    ///
    /// # Errors
    /// The cause of the failed write; the newer copy stays.
    fn keep_record(&mut self, record: &Record) -> Result<(), Text>;
    /// The retry state.
    fn retry(&mut self) -> RetryState;
    /// Remembers the retry state until the next start.
    fn keep_retry(&mut self, retry: &RetryState);
}

/// The boot flow: the slot that runs, and the slot that the boot loader starts next.
pub trait Boot {
    /// The slot that is running.
    ///
    /// # Errors
    /// The reason why the slot is unknown.
    fn booted(&mut self) -> Result<Slot, Text>;
    /// The boot loader's next start.
    ///
    /// # Errors
    /// The environment is missing, corrupt or read-only, so that the choice is unknown or could not be changed.
    fn boot_choice(&mut self) -> Result<BootChoice, Text>;
    /// Changes the boot choice in one transaction, and reads it back.
    ///
    /// # Errors
    /// The cause of the failed change; the old choice stays.
    fn set_boot_choice(&mut self, choice: &BootChoice) -> Result<(), Text>;
}

/// The owner's settings, when another release comes or goes: the maker's hooks, and a snapshot. Each call may be repeated
/// after a power cut.
pub trait Migration {
    /// A release is about to be put on trial: keeps the owner's settings, then runs the hooks.
    ///
    /// # Errors
    /// The path that could not be kept, or the hook that failed: nothing is activated.
    fn before_activate(&mut self, release: &ReleaseId) -> Result<(), Text>;
    /// A release was marked good: runs the hooks, and drops the snapshot.
    ///
    /// # Errors
    /// The hook that failed, and its exit.
    fn after_confirm(&mut self, release: &ReleaseId) -> Result<(), Text>;
    /// The old slot runs again: puts the owner's settings back where the maker wants it, then runs the hooks.
    ///
    /// # Errors
    /// The path that could not be put back, or the hook that failed.
    fn on_rollback(&mut self, release: &ReleaseId) -> Result<(), Text>;
}

/// The slots. An image is written in this order: invalidate, begin, write, sync, read back, commit. Each medium does this
/// in its own way; the core relies on one thing: a part between [`Slots::invalidate`] and [`Slots::commit`] is never
/// started by mistake.
pub trait Slots {
    /// The parts of the slots, their sizes, and for each part the number of bytes at its beginning that the medium
    /// takes only with [`Slots::commit`].
    ///
    /// # Errors
    /// The part that cannot be opened, and the cause.
    fn parts(&mut self) -> Result<Parts, Text>;
    /// Makes the content of a part impossible to start.
    ///
    /// # Errors
    /// The storage device, the offset and the cause.
    fn invalidate(&mut self, slot: Slot, part: usize) -> Result<(), Text>;
    /// Prepares a part for an image of so many bytes, of which the first `durable` are on the medium already. Gives the
    /// offset at which to go on: `durable`; less where the medium cannot go on there; more where it has further bytes that
    /// the record does not know of.
    ///
    /// # Errors
    /// The storage device and the cause.
    fn begin(&mut self, slot: Slot, part: usize, image_bytes: u64, durable: u64) -> Result<u64, Text>;
    /// Writes into a part of the slot that is not running, without a gap, behind the bytes that are committed last.
    /// Not durable before [`Slots::sync`].
    ///
    /// # Errors
    /// The storage device, the offset and the cause.
    fn write(&mut self, slot: Slot, part: usize, offset: u64, bytes: &[u8]) -> Result<(), Text>;
    /// Makes the written bytes of a part durable, and drops them from the page cache, so that the next read comes from
    /// the medium. Gives the number of bytes from the beginning of the image that are durable: all, once all have been
    /// written; else perhaps less, where the medium takes whole blocks only.
    ///
    /// # Errors
    /// The storage device and the cause.
    fn sync(&mut self, slot: Slot, part: usize) -> Result<u64, Text>;
    /// Reads from the medium, filling `buffer`.
    ///
    /// # Errors
    /// The storage device, the offset and the cause.
    fn read_back(&mut self, slot: Slot, part: usize, offset: u64, buffer: &mut [u8]) -> Result<(), Text>;
    /// Writes the bytes at the beginning; from then on the part can be started.
    ///
    /// # Errors
    /// The storage device, the offset and the cause.
    fn commit(&mut self, slot: Slot, part: usize, beginning: &[u8]) -> Result<(), Text>;
}

/// The repository on the server, and the stored copies of its files.
pub trait Repository {
    /// The stored metadata and manifest, and the shipped root.
    fn stored(&mut self) -> StoredMetadata;
    /// The advisories last fetched. Not among the rest, because they are long, and no update needs them.
    fn advisories(&mut self) -> Option<Vec<u8>>;
    /// Replaces a stored file, or removes it, in one step.
    ///
    /// # Errors
    /// The cause of the failed write; the old file stays.
    fn store(&mut self, file: StoredFile<'_>, bytes: Option<&[u8]>) -> Result<(), Text>;
    /// Fetches a small file whole, at most `bytes_max`; conditionally, if a validator is given. The name of a metadata
    /// file is one part of a path, even if it holds a slash.
    ///
    /// # Errors
    /// The cause of the failed fetch.
    fn fetch(
        &mut self,
        folder: Folder,
        path: &str,
        bytes_max: u64,
        validator: Option<&str>,
    ) -> Result<Fetched, FetchFault>;
    /// Fills `buffer` with bytes of a large target of `total_bytes`, from `offset` on; returns the number of bytes
    /// that came.
    ///
    /// # Errors
    /// The reason why no byte came.
    fn fetch_piece(
        &mut self,
        path: &str,
        offset: u64,
        total_bytes: u64,
        buffer: &mut [u8],
    ) -> Result<usize, FetchFault>;
}

/// Images rebuilt from the slot that runs and a patch. As it stands here, this is a device without patches: it takes every
/// image whole.
pub trait Rebuild {
    /// Fills `buffer` with bytes of an image from `offset` on, and returns the number of bytes that were rebuilt; `None`: no
    /// patch serves, and the image must be fetched. The bytes are not proven.
    ///
    /// # Errors
    /// A patch serves, and cannot be fetched now.
    fn rebuild_piece(
        &mut self,
        _wanted: &Rebuildable<'_>,
        _offset: u64,
        _buffer: &mut [u8],
    ) -> Result<Option<usize>, FetchFault> {
        Ok(None)
    }
    /// The image of this release was not what was signed: no patch of it is used any more until the next start.
    fn refuse_patches(&mut self, _release: Digest64) {}
    /// Gives up the process and the memory of a rebuilding.
    fn end_rebuilding(&mut self) {}
}

/// The owner: credentials, account, hooks, data.
pub trait Owner {
    /// The credentials and the account; `None` where the maker's settings leave the gate to other software.
    fn gate(&mut self) -> Option<GateFacts>;
    /// Keeps the credential of a password as the next one.
    ///
    /// # Errors
    /// The file cannot be written.
    fn keep_next_credential(&mut self, password: &Password) -> Result<(), Text>;
    /// The next credential becomes the kept one, in one step.
    ///
    /// # Errors
    /// Path and cause.
    fn next_becomes_kept(&mut self) -> Result<(), Text>;
    /// Removes the next credential, if there is one.
    ///
    /// # Errors
    /// Path and cause.
    fn forget_next_credential(&mut self) -> Result<(), Text>;
    /// Removes the kept credential, if there is one.
    ///
    /// # Errors
    /// Path and cause.
    fn forget_kept_credential(&mut self) -> Result<(), Text>;
    /// Changes the owner's account, in one step.
    ///
    /// # Errors
    /// Path and cause; the account stays as it was.
    fn write_account(&mut self, holds: Account) -> Result<(), Text>;
    /// Runs the maker's hooks in order, each within its time, up to the first that fails.
    ///
    /// # Errors
    /// The hook that failed, and its exit.
    fn run_hooks(&mut self, hooks: Hooks<'_>) -> Result<(), Text>;
    /// Marks that a reset was begun, or has ended.
    ///
    /// # Errors
    /// Path and cause.
    fn mark_reset(&mut self, begun: bool) -> Result<(), Text>;
    /// Removes the owner's data, sessions and everything else that the maker's settings name.
    ///
    /// # Errors
    /// Path and cause.
    fn wipe_owner(&mut self) -> Result<(), Text>;
}

/// The kernel's firewall. The core computes the table, the device only compares and applies it.
pub trait Firewall {
    /// The networks that the LAN's links are in.
    fn lan_subnets(&mut self) -> Vec<Network>;
    /// Whether the kernel has this table.
    fn firewall_status(&mut self, table: &Table) -> FirewallStatus;
    /// Puts this table into the kernel, in one transaction.
    ///
    /// # Errors
    /// The kernel's reason for the refusal; the old table stays.
    fn apply_firewall(&mut self, table: &Table) -> Result<(), Text>;
}

/// Hardening: everything that the wall observes, mends and remembers.
pub trait Hardening {
    /// The incident state, which survives a restart.
    fn incident_state(&mut self) -> IncidentState;
    /// Stores the incident state.
    ///
    /// # Errors
    /// Path and cause; the old state stays.
    fn keep_incident_state(&mut self, state: &IncidentState) -> Result<(), Text>;
    /// Observes processes, sockets, accounts, files, and everything else that attackers use.
    fn observe(&mut self) -> Observation;
    /// Carries out a remediation.
    ///
    /// # Errors
    /// The object of the remediation, and the cause of the failure.
    fn remediate(&mut self, remediation: &Remediation) -> Result<(), Text>;
    /// Undoes a remediation that was on trial.
    ///
    /// # Errors
    /// The object of the remediation, and the cause of the failure.
    fn undo(&mut self, remediation: &Remediation) -> Result<(), Text>;
    /// Stores the traces of an infection for a later look.
    ///
    /// # Errors
    /// Path and cause.
    fn keep_evidence(&mut self, report: &Report) -> Result<(), Text>;
    /// Accepts the protected files as they are now.
    fn accept_changes(&mut self);
}

/// A whole device.
pub trait Device:
    Host + Ledger + Boot + Migration + Slots + Repository + Rebuild + Owner + Firewall + Hardening
{
}

impl<T: Host + Ledger + Boot + Migration + Slots + Repository + Rebuild + Owner + Firewall + Hardening> Device
    for T
{
}
