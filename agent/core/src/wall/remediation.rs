//! Remediation: one thing that mends the device, safe to repeat. What it does is the agent's; here is what can be asked of it.

use alloc::string::String;

/// A process, so that nobody else is meant who has its number later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProcessId {
    pub pid: u32,
    /// When it was started, in the kernel's ticks since the device's start.
    pub started: u64,
}

impl Remediation {
    /// Its name in log lines.
    pub fn name(&self) -> &'static str {
        match self {
            Remediation::End(_) => "end",
            Remediation::StopStarting { .. } => "stop-starting",
            Remediation::LockAccount { .. } => "lock-account",
            Remediation::SetAside { .. } => "set-aside",
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
    /// Take away what starts a program again and again: the line of this file (counted from 1), as it was read. What the
    /// file says then is [`super::judge::autostart::without`]'s.
    StopStarting {
        file: String,
        line: u32,
        /// What the line says, so that no other is hit when the file has changed since.
        says: String,
    },
    /// Lock an account: nobody logs in with a password.
    LockAccount {
        /// The file of accounts.
        file: String,
        /// Its name there.
        account: String,
    },
    /// Move a file away to where nothing reads it, and keep it as evidence.
    SetAside { file: String },
    /// Remove a key from a file of keys that may log in; the others stay.
    RemoveKey {
        file: String,
        /// Its fingerprint, as `ssh-keygen -l` shows it.
        fingerprint: String,
    },
    /// Put a guarded file back to what the owner, or the maker, had it say.
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
        /// What it shall be.
        value: u32,
    },
}
