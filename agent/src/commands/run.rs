//! `run` and `once`: the loop, and one round of it.

use super::{Call, Exit, open};
use crate::linux::clock::uptime_milliseconds;
use crate::linux::wait::{Waiter, Woken};
use crate::linux::world::Linux;
use komainu_core::facts::Wish;
use komainu_core::{Next, turn};

/// A restart that was asked for and does not come is asked for again after so many seconds.
const RESTART_SECONDS: u32 = 120;
/// A turn that wants to be followed at once, so many times running, goes in circles: then it waits.
const TURNS_RUNNING_MAX: u32 = 100_000;

pub(super) fn run(call: &Call) -> Result<Exit, String> {
    let mut linux = open(call)?;
    let Ok(_lock) = linux.lock()? else { return Ok(busy()) };
    let mut waiter = Waiter::new().map_err(|error| format!("cannot wait for signals: {error}"))?;
    log::info!("guarding version={}", env!("CARGO_PKG_VERSION"));
    let mut running = 0;
    loop {
        let next = turn(&mut linux, &call.settings.core);
        if matches!(next, Next::Seconds(_)) {
            linux.end_install();
        }
        running = if next == Next::Now { running + 1 } else { 0 };
        let seconds = match next {
            Next::Now if running < TURNS_RUNNING_MAX => 0,
            Next::Now => RESTART_SECONDS,
            Next::Seconds(seconds) => seconds,
            Next::Restart if call.settings.boot.reboot_command.is_empty() => return Ok(Exit::Restart),
            Next::Restart => RESTART_SECONDS,
        };
        match waiter.wait(seconds).map_err(|error| format!("cannot wait: {error}"))? {
            Woken::Time | Woken::Wish => {}
            Woken::End => return Ok(Exit::Done),
        }
    }
}

pub(super) fn once(call: &Call) -> Result<Exit, String> {
    let mut linux = open(call)?;
    let Ok(_lock) = linux.lock()? else { return Ok(busy()) };
    linux.own_wish = Some(Wish::Poll);
    round(&mut linux, call)
}

/// Takes turns until there is nothing to do at once; on trial, until it is decided.
pub(super) fn round(linux: &mut Linux, call: &Call) -> Result<Exit, String> {
    let began = uptime_milliseconds();
    let mut waiter = Waiter::new().map_err(|error| format!("cannot wait for signals: {error}"))?;
    let mut running = 0;
    loop {
        let next = turn(linux, &call.settings.core);
        running = if next == Next::Now { running + 1 } else { 0 };
        let seconds = match next {
            Next::Now if running < TURNS_RUNNING_MAX => 0,
            Next::Now => return Err("it goes in circles; the log says what it does".into()),
            Next::Restart => return Ok(if linux.is_restarting() { Exit::Restart } else { Exit::Failed }),
            Next::Seconds(seconds) if on_trial(linux) => seconds,
            Next::Seconds(_) => {
                log::debug!("round milliseconds={}", uptime_milliseconds() - began);
                return Ok(if failed(linux) { Exit::Failed } else { Exit::Done });
            }
        };
        if waiter.wait(seconds).map_err(|error| format!("cannot wait: {error}"))? == Woken::End {
            return Ok(Exit::Done);
        }
    }
}

fn on_trial(linux: &mut Linux) -> bool {
    use komainu_core::World;
    use komainu_core::facts::RecordSeen;
    use komainu_core::record::{Record, Update};
    let RecordSeen::Found(Record { update: Update::Trial { slot, .. }, .. }) = linux.record() else {
        return false;
    };
    linux.booted() == Ok(slot)
}

fn failed(linux: &mut Linux) -> bool {
    use komainu_core::World;
    if linux.booted().is_err() || linux.boot_choice().is_err() || linux.parts().is_err() {
        return true;
    }
    if linux.last_note_is_bad() {
        return true;
    }
    let attempts = linux.attempts();
    [attempts.poll, attempts.stage, attempts.proof, attempts.device]
        .iter()
        .any(|setbacks| setbacks.failures > 0)
}

fn busy() -> Exit {
    log::error!("another komainu is at work");
    Exit::Busy
}
