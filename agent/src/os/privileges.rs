//! Privileges: drops the capabilities that the agent does not need, filters its system calls with seccomp, and sets what
//! its child processes keep. Called before any thread is started: capabilities belong to threads.
//!
//! It must go on being root: it ends processes, mounts, changes rules and accounts, and starts the maker's hooks, which
//! may do the same. So this is a hurdle for an intruder in it (no kernel module, no memory of the device, no device
//! node of their own), and not a wall as around the page. `no_new_privs` would break hooks that start set-user programs.

use super::{sandbox, sys};
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

/// Capabilities that neither agent nor hook needs, by their numbers in the kernel. Daemons that a hook restarts
/// keep theirs (`SYS_NICE`, `SYS_TIME`, `IPC_LOCK`, `SYSLOG`, `AUDIT_WRITE`), or they are half dead until a restart.
const NEEDLESS: &[u8] = &[
    15, // IPC_OWNER
    17, // SYS_RAWIO: /dev/mem, ports
    20, // SYS_PACCT
    27, // MKNOD
    28, // LEASE
    30, // AUDIT_CONTROL
    31, // SETFCAP
    32, // MAC_OVERRIDE
    33, // MAC_ADMIN
    35, // WAKE_ALARM
    36, // BLOCK_SUSPEND
    37, // AUDIT_READ
    38, // PERFMON
    39, // BPF
    40, // CHECKPOINT_RESTORE
];
/// Loading modules; the kernel loads what it needs by itself, but the program `iptables` does it for itself.
const SYS_MODULE: u8 = 16;
/// No sender's flood shall make the kernel end the guard first; 1000 is "never others before me".
const FIRST_TO_STAY: &str = "-900";

/// The capabilities that are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capabilities {
    /// Those that the agent and common hooks need.
    Needed,
    /// Those, and to load modules: for firmware whose firewall is the program `iptables`.
    NeededAndModules,
    /// All: the settings say that a hook needs more.
    All,
}

static STAYS: AtomicBool = AtomicBool::new(false);

/// Gives up all privileges that are not needed, and says which could not be given up.
pub fn give_up(keep: Capabilities) -> Vec<&'static str> {
    let mut left = Vec::new();
    if keep == Capabilities::All {
        left.push("the settings keep all of Komainu's capabilities");
    } else if drop_capabilities(keep == Capabilities::NeededAndModules).is_err() {
        left.push("Komainu keeps capabilities that it does not need: the kernel does not take them back");
    }
    // Before the next: /proc tells a process that may not be read nothing about itself either, but for root.
    match set_stays("self", FIRST_TO_STAY) {
        Ok(()) => STAYS.store(true, Ordering::Relaxed),
        Err(_) => left.push("Komainu can be ended by the kernel when memory runs out"),
    }
    if keep != Capabilities::All && sandbox::refuse_needless_calls().is_err() {
        left.push("Komainu can make every system call: the kernel has no filter for them");
    }
    if prctl::set_dumpable(false).is_err() {
        left.push("Komainu's memory can be read by other programs");
    }
    if setrlimit(Resource::RLIMIT_CORE, 0, 0).is_err() {
        left.push("Komainu's memory could be written to a file when it fails");
    }
    left
}

/// A program that was started is ended for want of memory like any other, even where we are exempt.
pub fn like_others(pid: i32) {
    if STAYS.load(Ordering::Relaxed) {
        // It may have ended already.
        let _ = set_stays(&pid.to_string(), "0");
    }
}

fn drop_capabilities(modules: bool) -> nix::Result<()> {
    let mut halves = sys::capabilities()?;
    let module = if modules { &[][..] } else { &[SYS_MODULE][..] };
    for &capability in NEEDLESS.iter().chain(module) {
        // The kernel does not know it: then no process has it.
        if !sys::drop_from_bounding_set(capability)? {
            continue;
        }
        let half = &mut halves[usize::from(capability / 32)];
        let others = !(1 << (capability % 32));
        half.effective &= others;
        half.permitted &= others;
        half.inheritable &= others;
    }
    sys::set_capabilities(&halves)
}

fn set_stays(process: &str, score: &str) -> io::Result<()> {
    OpenOptions::new().write(true).open(format!("/proc/{process}/oom_score_adj"))?.write_all(score.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::test_namespace::apart;
    use std::fs;

    /// A set of capabilities of this thread, from its status.
    fn set(name: &str) -> u64 {
        let status = fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap()
    }

    #[test]
    fn what_is_not_needed_is_gone_for_us_and_for_what_we_start() {
        apart("os::privileges::tests::what_is_not_needed_is_gone_for_us_and_for_what_we_start", || {
            let before = set("CapBnd:");
            let left = give_up(Capabilities::NeededAndModules);
            // In a namespace of users no process may stay longer than others.
            assert!(left.iter().all(|what| what.contains("memory runs out")), "{left:?}");
            let needless = NEEDLESS.iter().fold(0, |set, &capability| set | 1_u64 << capability);
            for name in ["CapBnd:", "CapPrm:", "CapEff:"] {
                assert_eq!(set(name), before & !needless, "{name}");
            }
            let kept = [0, 1, 3, 4, 5, 6, 7, 10, 12, 13, SYS_MODULE, 18, 19, 21, 22, 24, 25];
            assert!(kept.iter().all(|capability| set("CapEff:") >> capability & 1 == 1));
            give_up(Capabilities::Needed);
            assert_eq!(set("CapBnd:"), before & !needless & !(1 << SYS_MODULE));
            let grep = ["CapBnd", "/proc/self/status"];
            let child = std::process::Command::new("grep").args(grep).output().unwrap();
            let child = String::from_utf8(child.stdout).unwrap();
            assert!(child.contains(&format!("{:016x}", set("CapBnd:"))), "{child}");
            let limits = fs::read_to_string("/proc/self/limits").unwrap();
            let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
            assert_eq!(core.split_whitespace().nth(4), Some("0"));
            assert!(!prctl::get_dumpable().unwrap());
        });
    }

    #[test]
    fn what_we_start_is_ended_for_want_of_memory_like_others() {
        apart("os::privileges::tests::what_we_start_is_ended_for_want_of_memory_like_others", || {
            // Anybody may be ended sooner, and go back to what it was.
            set_stays("self", "300").unwrap();
            let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
            let score = format!("/proc/{}/oom_score_adj", child.id());
            let pid = i32::try_from(child.id()).unwrap();
            like_others(pid);
            assert_eq!(fs::read_to_string(&score).unwrap(), "300\n", "we are like others ourselves");
            STAYS.store(true, Ordering::Relaxed);
            like_others(pid);
            assert_eq!(fs::read_to_string(&score).unwrap(), "0\n");
            child.kill().unwrap();
            child.wait().unwrap();
        });
    }

    #[test]
    fn keeping_all_is_the_settings_choice_and_is_told() {
        apart("os::privileges::tests::keeping_all_is_the_settings_choice_and_is_told", || {
            let before = set("CapBnd:");
            assert!(give_up(Capabilities::All)[0].starts_with("the settings keep"));
            assert_eq!(set("CapBnd:"), before);
        });
    }
}
