//! Remediation: one thing that mends the device, safe to repeat. The agent carries it out
//! (`agent/src/wall/remediate.rs`); here is the list.

use alloc::string::String;

/// A process, by number and start time, so that a later process with the same number is not meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProcessId {
    pub pid: u32,
    /// The time of its start, in the kernel's ticks since the device's start.
    pub started: u64,
}

impl Remediation {
    /// Its name in log lines.
    pub fn name(&self) -> &'static str {
        match self {
            Remediation::End(_) => "end",
            Remediation::StopStarting { .. } => "stop-starting",
            Remediation::LockAccount { .. } => "lock-account",
            Remediation::Quarantine { .. } => "quarantine",
            Remediation::RemoveKey { .. } => "remove-key",
            Remediation::Restore { .. } => "restore",
            Remediation::NoPrograms { .. } => "no-programs",
            Remediation::HoldWatchdog => "hold-watchdog",
            Remediation::Tune { .. } => "tune",
        }
    }
}

/// One thing that mends the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remediation {
    /// End a process and all that descend from it.
    End(ProcessId),
    /// Remove an entry that starts a program again and again: the line of this file (counted from 1), as it was read.
    /// [`super::judge::autostart::edit::without`] gives the new content of the file.
    StopStarting {
        file: String,
        line: u32,
        /// The line as it was read, so that no other line is hit if the file has changed since.
        says: String,
    },
    /// Lock an account: a password no longer opens it.
    LockAccount {
        /// The file of accounts.
        file: String,
        /// Its name there.
        account: String,
    },
    /// Quarantine a file: move it to a folder that no program reads, and keep it as evidence.
    Quarantine { file: String },
    /// Remove a key from a file of keys that may log in; the others stay.
    RemoveKey {
        file: String,
        /// Its fingerprint, as `ssh-keygen -l` shows it.
        fingerprint: String,
    },
    /// Restore a protected file to the content that the owner, or the maker, gave it.
    Restore { file: String },
    /// Let no program be started from this mount.
    NoPrograms {
        /// The mount point.
        mount: String,
    },
    /// Open the watchdog and feed it.
    HoldWatchdog,
    /// Set a number of the kernel's (`/proc/sys/...`).
    Tune {
        /// Path below `/proc/sys/`.
        name: String,
        /// The wanted value.
        value: u32,
    },
}
