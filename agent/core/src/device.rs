//! World: the one trait through which anything outside is touched. This page is the full list of the agent's
//! powers. One implementation does it on LinuxDevice, one simulates it and cuts the power.

use crate::fault::{FetchFault, Text};
use crate::gate::state::{GateFacts, GateState};
use crate::identifiers::Slot;
use crate::operator_request::OperatorRequest;
use crate::reason::Reason;
use crate::retry_state::RetryState;
use crate::update::facts::{BootChoice, Health, Parts, RecordSeen};
use crate::update::offer::StoredMetadata;
use crate::update::record::Record;
use crate::wall::incident_state::IncidentState;
use crate::wall::observation::{FirewallGrants, Observation};
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
    /// The server says that it is still the one that the validator stands for.
    Unchanged,
}

/// The two folders of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folder {
    /// TUF metadata.
    Metadata,
    /// Manifests, images and advisories.
    Targets,
}

/// A file that is kept exactly as it was received.
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
    /// The owner's, as it is kept.
    Kept,
    /// Nothing that a password could open.
    Locked,
}

/// What the maker's hooks are told, which bring the password to wherever else it belongs. All but the first must be
/// safe to repeat, and come without a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hooks {
    /// A password is coming, on standard input: refuse it now, or lay it ready.
    Prepare,
    /// What was laid ready holds from now on.
    Commit,
    /// What was laid ready is given up; there may be nothing.
    Abort,
    /// The owner is forgotten.
    Reset,
}

/// Everything outside. Methods that change something are safe to repeat; each either is done when it returns
/// or will be after [`World::sync_part`], as it says.
pub trait World {
    // Look.

    /// The system clock, right or wrong, and the time of the build.
    fn clock(&mut self) -> Clock;
    /// Seconds since the device started; never goes back.
    fn uptime_seconds(&mut self) -> u64;
    /// The newer good copy of the record.
    fn record(&mut self) -> RecordSeen;
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
    /// The parts of the slots and their sizes.
    ///
    /// # Errors
    /// Which part cannot be opened, and why.
    fn parts(&mut self) -> Result<Parts, Text>;
    /// Asks the health checks, each within its time.
    fn health(&mut self) -> Health;
    /// The kept metadata and manifest, and the shipped root.
    fn kept(&mut self) -> StoredMetadata;
    /// The advisories last fetched. Not among the rest, because they are long, and no update needs them.
    fn advisories(&mut self) -> Option<Vec<u8>>;
    /// What is remembered since the start.
    fn retry(&mut self) -> RetryState;
    /// What somebody asked for and was not answered yet.
    fn request(&mut self) -> Option<OperatorRequest>;
    /// The gate, but for the rules in the kernel; `None` where the maker's settings leave it to somebody else.
    fn gate(&mut self) -> Option<GateFacts>;
    /// Whether the kernel has the rules for this standing.
    fn rules(&mut self, gate_state: GateState) -> crate::gate::state::FirewallStatus;

    // Fetch.

    /// Fetches a small file whole, at most `bytes_max`; conditionally, if a validator is given. The name of a
    /// metadata file is one part of a path, whatever characters it holds.
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

    // Change.

    /// Replaces the older copy of the record; durable when it returns.
    ///
    /// # Errors
    /// Why it could not be written; the newer copy stays.
    fn keep_record(&mut self, record: &Record) -> Result<(), Text>;
    /// Remembers until the next start.
    fn keep_retry(&mut self, retry: &RetryState);
    /// Replaces a kept file, or removes it; atomic, and durable when it returns.
    ///
    /// # Errors
    /// Why it could not be written; the old file stays.
    fn keep_file(&mut self, file: StoredFile<'_>, bytes: Option<&[u8]>) -> Result<(), Text>;
    /// Writes into a part of the slot that is not running. Not durable before [`World::sync_part`].
    ///
    /// # Errors
    /// Which device, at which offset, and why.
    fn write_part(&mut self, slot: Slot, part: usize, offset: u64, bytes: &[u8]) -> Result<(), Text>;
    /// Makes what was written to a part durable, and forgets what memory holds of it, so that the next read
    /// comes from the medium.
    ///
    /// # Errors
    /// Which device, and why.
    fn sync_part(&mut self, slot: Slot, part: usize) -> Result<(), Text>;
    /// Reads from a part, filling `buffer`.
    ///
    /// # Errors
    /// Which device, at which offset, and why.
    fn read_part(&mut self, slot: Slot, part: usize, offset: u64, buffer: &mut [u8]) -> Result<(), Text>;
    /// Changes the boot choice in one transaction, and reads it back; durable when it returns.
    ///
    /// # Errors
    /// Why it could not be changed; the old choice stays.
    fn set_boot_choice(&mut self, choice: &BootChoice) -> Result<(), Text>;
    /// Restarts the device. Returns before the restart happens, if it returns.
    ///
    /// # Errors
    /// Why it will not happen.
    fn reboot(&mut self) -> Result<(), Text>;
    /// The wish has been answered.
    fn request_answered(&mut self);

    // The gate.

    /// Puts the rules for this standing into the kernel, in one transaction.
    ///
    /// # Errors
    /// Why the kernel did not take them; the old ones stay.
    fn guard(&mut self, gate_state: GateState) -> Result<(), Text>;
    /// Keeps the credential of the password that waits as the next one; durable when it returns.
    ///
    /// # Errors
    /// No password waits, or the file cannot be written.
    fn keep_next_credential(&mut self) -> Result<(), Text>;
    /// The next credential becomes the kept one; atomic, and durable when it returns.
    ///
    /// # Errors
    /// Path and cause.
    fn next_becomes_kept(&mut self) -> Result<(), Text>;
    /// Removes the next credential, if there is one; durable when it returns.
    ///
    /// # Errors
    /// Path and cause.
    fn forget_next_credential(&mut self) -> Result<(), Text>;
    /// Removes the kept credential, if there is one; durable when it returns.
    ///
    /// # Errors
    /// Path and cause.
    fn forget_kept_credential(&mut self) -> Result<(), Text>;
    /// Changes the owner's account; atomic, and durable when it returns.
    ///
    /// # Errors
    /// Path and cause; the account stays as it was.
    fn write_account(&mut self, holds: Account) -> Result<(), Text>;
    /// Runs the maker's hooks in order, each within its time, up to the first that fails.
    ///
    /// # Errors
    /// Which one failed, and how.
    fn run_hooks(&mut self, hooks: Hooks) -> Result<(), Text>;
    /// Marks that a reset was begun, or has ended; durable when it returns.
    ///
    /// # Errors
    /// Path and cause.
    fn mark_reset(&mut self, begun: bool) -> Result<(), Text>;
    /// Removes the owner's data, sessions and everything else that the maker's settings name.
    ///
    /// # Errors
    /// Path and cause.
    fn wipe_owner(&mut self) -> Result<(), Text>;

    // The wall.

    /// What the wall remembers over a restart.
    fn incident_state(&mut self) -> IncidentState;
    /// Remembers it; durable when it returns.
    ///
    /// # Errors
    /// Path and cause; the old memory stays.
    fn keep_incident_state(&mut self, memory: &IncidentState) -> Result<(), Text>;
    /// Looks at processes, sockets, accounts, files, and whatever else attackers use.
    fn observe(&mut self) -> Observation;
    /// Mends something.
    ///
    /// # Errors
    /// What it was, and why it cannot be done.
    fn remediation(&mut self, remediation: &Remediation) -> Result<(), Text>;
    /// Undoes a fix that was on trial.
    ///
    /// # Errors
    /// What it was, and why it cannot be done.
    fn undo(&mut self, remediation: &Remediation) -> Result<(), Text>;
    /// Keeps what is seen of an infection, for whoever wants to know later.
    ///
    /// # Errors
    /// Path and cause.
    fn keep_evidence(&mut self, report: &Report) -> Result<(), Text>;
    /// ProtectedPath files are as they should be, from now on.
    fn accept_changes(&mut self);
    /// Lets these pass the firewall from now on, besides what the settings say.
    fn grant(&mut self, grants: &FirewallGrants);

    // Say.

    /// Logs one event. Repeating the last one says nothing new and may be dropped.
    fn note(&mut self, reason: &Reason);
}
