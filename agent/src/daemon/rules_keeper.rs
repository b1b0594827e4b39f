//! The rules keeper: a thread that does nothing but put removed rules back. It waits for nothing else: neither a look of the
//! wall, nor a server, nor a quiet time holds it up. The kernel reports what nf_tables loses. The old iptables reports nothing:
//! there the number and size of the rules are asked for, ten times a second.

use super::link_monitor::{RULES, heard, is_removal, open};
use crate::firewall::controller::FirewallController;
use crate::os::clock::uptime_milliseconds;
use crate::os::sys;
use komainu_core::gate::mending::MendBudget;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::SockProtocol;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The firewall, as the event loop and this thread share it: one of them has it at a time.
pub(crate) type SharedFirewall = Arc<Mutex<FirewallController>>;

/// Milliseconds between looks where the kernel reports nothing.
const LOOK_MILLISECONDS: u64 = 100;
/// Rules that were put back without a question are looked at when nothing was removed for so long. A question takes the kernel's
/// time, just when it is busy with the removal.
const QUIET_MILLISECONDS: u64 = 50;

/// The thread's reason to do something.
#[derive(Clone, Copy)]
enum Cause {
    Nothing,
    /// The kernel reported that some of our rules were removed.
    Removed,
    /// They were put back without a question, and nothing was removed for a while.
    Quiet,
    /// They may be missing.
    Doubt,
}

/// Starts the thread. Where there is no memory for one, the event loop's look each minute is all there is.
pub(crate) fn start(firewall: &SharedFirewall) {
    lock(firewall).keep();
    let firewall = Arc::clone(firewall);
    if let Err(error) = sys::start_thread(move || keep(&firewall)) {
        log::warn!("rules-keeper-not-started why=\"{error}\"");
    }
}

fn lock(firewall: &SharedFirewall) -> MutexGuard<'_, FirewallController> {
    firewall.lock().unwrap_or_else(PoisonError::into_inner)
}

fn keep(firewall: &SharedFirewall) {
    let reports = open(SockProtocol::NetlinkNetFilter, RULES);
    let mut budget = MendBudget::new(uptime_milliseconds());
    // Rules may have gone before the first report was asked for.
    let mut cause = Cause::Doubt;
    loop {
        let (next, silent, pause) = {
            let mut firewall = lock(firewall);
            let (next, pause) = step(&mut firewall, &mut budget, cause);
            (next, firewall.is_silent() || reports.is_none(), pause)
        };
        let forever = matches!(next, Cause::Nothing) && !silent;
        cause = match &reports {
            Some(reports) if heard(reports, is_removal) => Cause::Removed,
            _ => {
                sleep(reports.as_ref(), if silent { LOOK_MILLISECONDS } else { pause }, forever);
                let removed = reports.as_ref().is_some_and(|reports| heard(reports, is_removal));
                if removed { Cause::Removed } else { next }
            }
        };
    }
}

/// Does what there is to do; hands back the next cause if nothing is reported, and after how many milliseconds.
fn step(firewall: &mut FirewallController, budget: &mut MendBudget, cause: Cause) -> (Cause, u64) {
    let cause = match cause {
        Cause::Nothing => match firewall.silent_change() {
            Some(true) => Cause::Removed,
            Some(false) => Cause::Doubt,
            None => Cause::Nothing,
        },
        cause => cause,
    };
    let missing = match cause {
        Cause::Nothing => false,
        Cause::Removed => true,
        Cause::Quiet => {
            firewall.end_forwarded();
            firewall.are_missing()
        }
        Cause::Doubt => firewall.are_missing(),
    };
    if !missing {
        return (Cause::Nothing, 0);
    }
    if let Err(pause) = budget.take(uptime_milliseconds()) {
        return (cause, pause);
    }
    match cause {
        Cause::Removed if firewall.put_back() => (Cause::Quiet, QUIET_MILLISECONDS),
        Cause::Removed if !firewall.is_silent() => (Cause::Doubt, 0),
        // Mended rules are looked at once more: they may have gone again before the reports were heard.
        _ => {
            firewall.mend();
            (Cause::Doubt, 0)
        }
    }
}

/// Sleeps until the kernel reports something, or for so long.
fn sleep(reports: Option<&OwnedFd>, milliseconds: u64, forever: bool) {
    let timeout = u16::try_from(milliseconds).unwrap_or(u16::MAX);
    let timeout = if forever { PollTimeout::NONE } else { PollTimeout::from(timeout) };
    let mut waits_for: Vec<PollFd<'_>> =
        reports.iter().map(|reports| PollFd::new(reports.as_fd(), PollFlags::POLLIN)).collect();
    // A signal ends it early, which does no harm.
    let _ = poll(&mut waits_for, timeout);
}
