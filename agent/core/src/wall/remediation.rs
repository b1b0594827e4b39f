//! Remediation: one thing that mends the device, safe to repeat. The agent carries it out
//! (`agent/src/wall/remediate.rs`); here is the list, and the law of answers: whether each can be undone, and how often it
//! may be done.

use alloc::string::String;

/// A process, by number and start time, so that a later process with the same number is not meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProcessId {
    pub pid: u32,
    /// The time of its start, in the kernel's ticks since the device's start.
    pub started: u64,
}

/// One thing that mends the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remediation {
    /// End a process and all that descend from it. What it was writing is lost.
    End(ProcessId),
    /// Suspend a process and all that descend from it (SIGSTOP): they go on when it is undone.
    Suspend {
        id: ProcessId,
        /// It is suspended already.
        done: bool,
    },
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

/// The law of answers for one kind of remediation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its name in log lines, and in `enforce` of the settings.
    pub name: &'static str,
    /// The agent undoes it by itself where the device's health checks fail after it: it is on trial.
    pub on_trial: bool,
    /// It writes to flash: at most [`FLASH_WRITES_AN_HOUR`] of all of these, and [`SAME_AN_HOUR`] for one finding.
    pub writes_flash: bool,
    /// How often it may be done within an hour.
    pub an_hour: u16,
    /// What it does, after "would".
    pub does: &'static str,
    /// How a person takes it back, as a sentence.
    pub take_back: &'static str,
}

/// How often remediations together may write to flash within an hour.
pub const FLASH_WRITES_AN_HOUR: u16 = 40;
/// How often one that writes to flash may answer the same finding within an hour.
pub const SAME_AN_HOUR: u16 = 3;

/// The kinds of remediations, in the order of [`Remediation`].
pub const KINDS: [Kind; 10] = [
    Kind {
        name: "end",
        on_trial: false,
        writes_flash: false,
        an_hour: 1800,
        does: "end the process and all that descend from it",
        take_back: "name the program in the policy ([[service]], programs, ssh) and start it again",
    },
    Kind {
        name: "suspend",
        on_trial: true,
        writes_flash: false,
        an_hour: 600,
        does: "suspend the process and all that descend from it",
        take_back: "name the program in the policy ([[service]], programs, privileged) and run kill -CONT PID",
    },
    Kind {
        name: "stop-starting",
        on_trial: false,
        writes_flash: true,
        an_hour: 20,
        does: "take out the line that starts it",
        take_back: "allow the program in the policy (ssh, [[service]]): the line is put back at the next start",
    },
    Kind {
        name: "lock-account",
        on_trial: false,
        writes_flash: true,
        an_hour: 20,
        does: "lock the account",
        take_back: "name the account in the policy (accounts), then take the ! before its password away (passwd -u)",
    },
    Kind {
        name: "quarantine",
        on_trial: false,
        writes_flash: true,
        an_hour: 20,
        does: "take the file away and keep it",
        take_back: "copy the file back from wall/quarantine in the state folder, then komainu accept-changes",
    },
    Kind {
        name: "remove-key",
        on_trial: false,
        writes_flash: true,
        an_hour: 20,
        does: "take the key out of its file",
        take_back: "name the key's fingerprint in the policy (keys) and add the key again",
    },
    Kind {
        name: "restore",
        on_trial: false,
        writes_flash: true,
        an_hour: 20,
        does: "put back the file as it was",
        take_back: "make the change again while the owner is logged in, or run komainu accept-changes after it",
    },
    Kind {
        name: "no-programs",
        on_trial: true,
        writes_flash: false,
        an_hour: 60,
        does: "mount it anew without programs",
        take_back: "take the mount out of noexec_mounts and run mount -o remount,exec",
    },
    Kind {
        name: "hold-watchdog",
        on_trial: false,
        writes_flash: false,
        an_hour: 60,
        does: "open the watchdog and feed it",
        take_back: "set watchdog = \"\" in the settings and start komainu again",
    },
    Kind {
        name: "tune",
        on_trial: true,
        writes_flash: false,
        an_hour: 60,
        does: "set the number",
        take_back: "take tune out of enforce; the number is the kernel's again after a restart",
    },
];

impl Remediation {
    /// The law for its kind.
    pub fn kind(&self) -> &'static Kind {
        let at = match self {
            Remediation::End(_) => 0,
            Remediation::Suspend { .. } => 1,
            Remediation::StopStarting { .. } => 2,
            Remediation::LockAccount { .. } => 3,
            Remediation::Quarantine { .. } => 4,
            Remediation::RemoveKey { .. } => 5,
            Remediation::Restore { .. } => 6,
            Remediation::NoPrograms { .. } => 7,
            Remediation::HoldWatchdog => 8,
            Remediation::Tune { .. } => 9,
        };
        &KINDS[at]
    }

    /// Its name in log lines.
    pub fn name(&self) -> &'static str {
        self.kind().name
    }
}

/// The law for the kind with this name.
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_undone_is_never_on_trial() {
        let on_trial: alloc::vec::Vec<_> =
            KINDS.iter().filter(|kind| kind.on_trial).map(|kind| kind.name).collect();
        // A process goes on, a mount and a number get back what they had; nothing gives back a process that was ended.
        assert_eq!(on_trial, ["suspend", "no-programs", "tune"]);
        for one in &KINDS {
            assert_eq!(kind(one.name), Some(one), "a name of its own");
            assert!(
                !(one.on_trial && one.writes_flash),
                "{}: a trial that is undone would write twice",
                one.name
            );
            assert!(!one.take_back.is_empty() && one.an_hour > 0, "{}", one.name);
        }
    }
}
