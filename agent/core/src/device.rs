//! The traits through which everything outside is touched: this page is the full list of the agent's powers. One
//! implementation does it on Linux, one simulates it and cuts the power. A function asks for the smallest it needs:
//! `fn confirm(device: &mut (impl Ledger + Boot + ?Sized), …)`.
//!
//! Methods that change something are safe to repeat, and durable when they return unless they say otherwise.

use crate::fault::{FetchFault, Text};
use crate::firewall::table::{Network, Table};
use crate::gate::state::{FirewallStatus, GateFacts};
use crate::identifiers::Slot;
use crate::operator_request::Password;
use crate::retry_state::RetryState;
use crate::update::facts::{BootChoice, Health, Parts, RecordSeen};
use crate::update::offer::StoredMetadata;
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
    /// Its bytes, and what the server gave for asking conditionally next time.
    Bytes(Vec<u8>, Option<String>),
    /// The server says that there is no such file.
    NotThere,
    /// The server says that the file is still the one that the validator stands for.
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
    /// A delegated targets role, by its name, which may hold any character.
    Delegated(&'a str),
    /// The manifest for this board and channel.
    Manifest,
    /// The advisories for this board.
    Advisories,
}

/// What the owner's account shall hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    /// The credential that is being set.
    Next,
    /// The owner's credential, as it is kept.
    Kept,
    /// Nothing that a password could open.
    Locked,
}

/// What the maker's hooks are told. Hooks bring the password to every other place that needs it. All but the first must
/// be safe to repeat, and come without a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hooks<'a> {
    /// This password is coming, on standard input: refuse it now, or lay it ready.
    Prepare(&'a Password),
    /// What was laid ready holds from now on.
    Commit,
    /// What was laid ready is given up; there may be nothing.
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
    /// Why it will not happen.
    fn reboot(&mut self) -> Result<(), Text>;
}

/// What is remembered of updates: over restarts the record, since the start the retry state.
pub trait Ledger {
    /// The newer good copy of the record.
    fn record(&mut self) -> RecordSeen;
    /// Replaces the older copy of the record.
    ///
    /// # Errors
    /// Why it could not be written; the newer copy stays.
    fn keep_record(&mut self, record: &Record) -> Result<(), Text>;
    /// The retry state.
    fn retry(&mut self) -> RetryState;
    /// Remembers the retry state until the next start.
    fn keep_retry(&mut self, retry: &RetryState);
}

/// The boot flow: which slot runs, and which one the boot loader starts next.
pub trait Boot {
    /// The slot that is running.
    ///
    /// # Errors
    /// Why that cannot be known.
    fn booted(&mut self) -> Result<Slot, Text>;
    /// What the boot loader will start next.
    ///
    /// # Errors
    /// Why that cannot be known, or could not be changed (a missing, corrupt or read-only environment).
    fn boot_choice(&mut self) -> Result<BootChoice, Text>;
    /// Changes the boot choice in one transaction, and reads it back.
    ///
    /// # Errors
    /// Why it could not be changed; the old choice stays.
    fn set_boot_choice(&mut self, choice: &BootChoice) -> Result<(), Text>;
}

/// The slots. An image is written in this order: invalidate, write, sync, read back, commit. Each medium does it its own
/// way; what the core knows is that a part between [`Slots::invalidate`] and [`Slots::commit`] is never started.
pub trait Slots {
    /// The parts of the slots, their sizes, and how many bytes at the beginning of each the medium takes only with
    /// [`Slots::commit`].
    ///
    /// # Errors
    /// Which part cannot be opened, and why.
    fn parts(&mut self) -> Result<Parts, Text>;
    /// Makes what a part holds impossible to start.
    ///
    /// # Errors
    /// Which device, at which offset, and why.
    fn invalidate(&mut self, slot: Slot, part: usize) -> Result<(), Text>;
    /// Writes into a part of the slot that is not running, in rising order, behind the bytes that are committed last.
    /// Not durable before [`Slots::sync`].
    ///
    /// # Errors
    /// Which device, at which offset, and why.
    fn write(&mut self, slot: Slot, part: usize, offset: u64, bytes: &[u8]) -> Result<(), Text>;
    /// Makes what was written to a part durable, and forgets what memory holds of it, so that the next read comes from
    /// the medium.
    ///
    /// # Errors
    /// Which device, and why.
    fn sync(&mut self, slot: Slot, part: usize) -> Result<(), Text>;
    /// Reads from the medium, filling `buffer`.
    ///
    /// # Errors
    /// Which device, at which offset, and why.
    fn read_back(&mut self, slot: Slot, part: usize, offset: u64, buffer: &mut [u8]) -> Result<(), Text>;
    /// Writes the bytes at the beginning, which make the part one that can be started.
    ///
    /// # Errors
    /// Which device, at which offset, and why.
    fn commit(&mut self, slot: Slot, part: usize, beginning: &[u8]) -> Result<(), Text>;
}

/// The repository: what is fetched from it, and what is stored of it.
pub trait Repository {
    /// The stored metadata and manifest, and the shipped root.
    fn stored(&mut self) -> StoredMetadata;
    /// The advisories last fetched. Not among the rest, because they are long, and no update needs them.
    fn advisories(&mut self) -> Option<Vec<u8>>;
    /// Replaces a stored file, or removes it, in one step.
    ///
    /// # Errors
    /// Why it could not be written; the old file stays.
    fn store(&mut self, file: StoredFile<'_>, bytes: Option<&[u8]>) -> Result<(), Text>;
    /// Fetches a small file whole, at most `bytes_max`; conditionally, if a validator is given. The name of a metadata
    /// file is one part of a path, whatever characters it holds.
    ///
    /// # Errors
    /// Why it could not be had.
    fn fetch(
        &mut self,
        folder: Folder,
        path: &str,
        bytes_max: u64,
        validator: Option<&str>,
    ) -> Result<Fetched, FetchFault>;
    /// Fills `buffer` with bytes of a large target of `total_bytes`, from `offset` on; returns how many came.
    ///
    /// # Errors
    /// Why none could be had.
    fn fetch_piece(
        &mut self,
        path: &str,
        offset: u64,
        total_bytes: u64,
        buffer: &mut [u8],
    ) -> Result<usize, FetchFault>;
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
    /// Which one failed, and how.
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
    /// Why the kernel did not take it; the old table stays.
    fn apply_firewall(&mut self, table: &Table) -> Result<(), Text>;
}

/// Hardening: what the wall observes, mends and remembers.
pub trait Hardening {
    /// What the wall remembers over a restart.
    fn incident_state(&mut self) -> IncidentState;
    /// Remembers it.
    ///
    /// # Errors
    /// Path and cause; the old state stays.
    fn keep_incident_state(&mut self, state: &IncidentState) -> Result<(), Text>;
    /// Looks at processes, sockets, accounts, files, and whatever else attackers use.
    fn observe(&mut self) -> Observation;
    /// Mends something.
    ///
    /// # Errors
    /// What it was, and why it cannot be done.
    fn remediate(&mut self, remediation: &Remediation) -> Result<(), Text>;
    /// Undoes a remediation that was on trial.
    ///
    /// # Errors
    /// What it was, and why it cannot be done.
    fn undo(&mut self, remediation: &Remediation) -> Result<(), Text>;
    /// Keeps what is seen of an infection, for a later look.
    ///
    /// # Errors
    /// Path and cause.
    fn keep_evidence(&mut self, report: &Report) -> Result<(), Text>;
    /// Protected files are as they should be, from now on.
    fn accept_changes(&mut self);
}

/// A whole device.
pub trait Device: Host + Ledger + Boot + Slots + Repository + Owner + Firewall + Hardening {}

impl<T: Host + Ledger + Boot + Slots + Repository + Owner + Firewall + Hardening> Device for T {}
