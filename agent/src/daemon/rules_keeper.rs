//! The rules keeper: a thread that does nothing but put removed rules back. It waits for nothing else: neither a look of the
//! wall, nor a server, nor a quiet time holds it up. The kernel reports what nf_tables loses. The old iptables reports nothing:
//! there the number and size of the rules are asked for, a few times a second.

use super::link_monitor::{RULES, heard, is_removal, open};
use crate::firewall::controller::FirewallController;
use crate::os::clock::uptime_milliseconds;
use crate::os::sys;
use komainu_core::gate::mending::MendBudget;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::SockProtocol;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

/// The firewall, as the event loop and this thread share it: one of them has it at a time.
pub(crate) type SharedFirewall = Arc<Mutex<FirewallController>>;

/// Milliseconds between looks where the kernel reports nothing.
const LOOK_MILLISECONDS: u16 = 250;

/// Starts the thread. Where there is no memory for one, the event loop's look each minute is all there is.
pub(crate) fn start(firewall: &SharedFirewall) {
    let firewall = Arc::clone(firewall);
    if let Err(error) = sys::start_thread(move || keep(&firewall)) {
        log::warn!("rules-keeper-not-started why=\"{error}\"");
    }
}

fn keep(firewall: &SharedFirewall) {
    let reports = open(SockProtocol::NetlinkNetFilter, RULES);
    let mut budget = MendBudget::new(uptime_milliseconds());
    // Rules may have gone before the first report was asked for.
    let mut look = true;
    loop {
        let (silent, pause) = {
            let mut firewall = firewall.lock().unwrap_or_else(PoisonError::into_inner);
            look |= firewall.has_silently_changed();
            let missing = look && firewall.are_missing();
            let pause = if missing { budget.take(uptime_milliseconds()).err() } else { None };
            if missing && pause.is_none() {
                firewall.mend();
            }
            // Mended rules are looked at once more: they may have gone again before the reports were heard.
            look = missing;
            (firewall.is_silent(), pause)
        };
        if let Some(milliseconds) = pause {
            sleep(milliseconds);
        } else if !look {
            look = wait(reports.as_ref(), silent);
        }
        if silent || reports.is_none() {
            // A look runs programs.
            sleep(LOOK_MILLISECONDS.into());
        }
    }
}

fn sleep(milliseconds: u64) {
    // A signal ends it early, which does no harm.
    let _ = poll(&mut [], PollTimeout::from(u16::try_from(milliseconds).unwrap_or(LOOK_MILLISECONDS)));
}

/// Waits until the kernel reports something, or for a while where it may not; true: rules were removed.
fn wait(reports: Option<&OwnedFd>, silent: bool) -> bool {
    let timeout = if silent || reports.is_none() { PollTimeout::ZERO } else { PollTimeout::NONE };
    let mut waits_for: Vec<PollFd<'_>> =
        reports.iter().map(|reports| PollFd::new(reports.as_fd(), PollFlags::POLLIN)).collect();
    let _ = poll(&mut waits_for, timeout);
    reports.is_some_and(|reports| heard(reports, is_removal))
}
