//! `run` and `once`: the loop, and one round of it.

use super::{Call, Exit, open, owner};
use crate::daemon::linux_device::LinuxDevice;
use crate::daemon::page_host::PageHost;
use crate::daemon::wall_loop::{QUICK_SECONDS, WallLoop};
use crate::os::clock;
use crate::os::clock::uptime_milliseconds;
use crate::os::wakeup::{Waiter, Woken};
use komainu_core::gate::state::{FirewallStatus, GateFacts};
use komainu_core::operator_request::OperatorRequest;
use komainu_core::step::Next;
use komainu_core::turn::{act, turn};
use komainu_core::update::facts::Facts;
use komainu_core::wall::turn::TurnContext;
use komainu_trust::Moment;

/// A restart that was asked for and does not come is asked for again after so many seconds.
const RESTART_SECONDS: u32 = 120;
/// The firmware is compared with what its maker publishes after each poll, and so often besides, in seconds.
const COMPARE_SECONDS: u64 = 86_400;
/// A turn that wants to be followed at once, so many times running, goes in circles: then it waits.
const TURNS_RUNNING_MAX: u32 = 100_000;

pub(super) fn run(call: &Call) -> Result<Exit, String> {
    let mut linux = open(call)?;
    let locked = linux.lock();
    if locked.is_err()
        && let Err(why) = owner::put_rules(&mut linux)
    {
        // A device that can keep nothing has no owner; it must not stand open for that.
        log::error!("firewall-missing why=\"{why}\"");
    }
    let Ok(_lock) = locked? else { return Ok(busy()) };
    let mut waiter = Waiter::new().map_err(|error| format!("cannot wait for signals: {error}"))?;
    log::info!("started version={}", env!("CARGO_PKG_VERSION"));
    let mut page_host = None;
    let mut wall_loop = WallLoop::open(&call.settings);
    linux.give_up();
    linux.glance_while_waiting();
    let mut running = 0;
    let (mut compared, mut compare_at) = (None, 0);
    loop {
        let facts = Facts::look(&mut linux, &call.settings.core);
        linux.set_on_trial(facts.is_on_trial());
        let polled = Some(facts.retry.polled_uptime);
        if polled != compared || facts.uptime >= compare_at {
            linux.compare_firmware(&facts);
            (compared, compare_at) = (polled, facts.uptime + COMPARE_SECONDS);
        }
        if let Some(wall_loop) = wall_loop.as_mut().filter(|_| facts.gate.as_ref().is_none_or(rules_hold)) {
            wall_loop.turn_if_due(&mut linux, &known_of(&facts));
            if linux.is_restarting() && call.settings.boot.reboot_command.is_empty() {
                return Ok(Exit::Restart);
            }
        }
        if let (Some(gate), Some(seen), None) = (&call.settings.gate, &facts.gate, &page_host)
            && seen.rules != FirewallStatus::Differ
        {
            // An agent that starts again finds its rules: its page need not wait for a server that is silent.
            let page_host =
                page_host.insert(PageHost::open(&call.settings, gate, &call.settings_file, call.testing)?);
            page_host.after_turn(&mut linux, &facts, wall_loop.as_ref().and_then(WallLoop::report));
            linux.listen_to_wakeups(&page_host.wakeup());
        }
        let next = act(&mut linux, &facts, &call.settings.core);
        let mut news = false;
        if let Some(gate) = &call.settings.gate {
            // Where there were no rules yet, not before this turn: they come before the page.
            let opened = match page_host.take() {
                Some(page_host) => page_host,
                None => PageHost::open(&call.settings, gate, &call.settings_file, call.testing)?,
            };
            let page_host = page_host.insert(opened);
            page_host.after_turn(&mut linux, &facts, wall_loop.as_ref().and_then(WallLoop::report));
            news = page_host.hear(&mut linux);
            linux.listen_to_wakeups(&page_host.wakeup());
        }
        if matches!(next, Next::Seconds(_)) {
            linux.end_install();
        }
        running = if next == Next::Now { running + 1 } else { 0 };
        let seconds = match next {
            Next::Restart if call.settings.boot.reboot_command.is_empty() => return Ok(Exit::Restart),
            Next::Restart => RESTART_SECONDS,
            _ if news || linux.own_request.is_some() => 0,
            Next::Now if running < TURNS_RUNNING_MAX => 0,
            Next::Now => RESTART_SECONDS,
            Next::Seconds(seconds) => seconds,
        };
        let until = uptime_milliseconds() + u64::from(seconds) * 1000;
        loop {
            let left = until.saturating_sub(uptime_milliseconds()).div_ceil(1000);
            let left = u32::try_from(left).unwrap_or(u32::MAX);
            let seconds = page_host.as_ref().and_then(PageHost::wakes_in).map_or(left, |wait| wait.min(left));
            let seconds = if wall_loop.is_some() { seconds.min(QUICK_SECONDS) } else { seconds };
            let others = page_host.as_ref().map(PageHost::waits_for).unwrap_or_default();
            let woken = waiter.wait(seconds, &others).map_err(|error| format!("cannot wait: {error}"))?;
            drop(others);
            if woken == Woken::End {
                linux.end_log();
                return Ok(Exit::Done);
            }
            let known = known_of(&facts);
            let mut news =
                wall_loop.as_mut().is_some_and(|wall_loop| wall_loop.turn_if_due(&mut linux, &known));
            if linux.is_restarting() && call.settings.boot.reboot_command.is_empty() {
                // The wall wants it; the update has its own way.
                return Ok(Exit::Restart);
            }
            if let Some(page_host) = page_host.as_mut().filter(|_| woken != Woken::Request) {
                news |= page_host.hear(&mut linux);
            }
            if news
                || woken == Woken::Request
                || linux.own_request.is_some()
                || uptime_milliseconds() >= until
            {
                break;
            }
            page_host.iter_mut().for_each(PageHost::mend);
        }
    }
}

/// What a turn of the wall needs to know of the last turn of the update.
fn known_of(facts: &Facts) -> TurnContext {
    let now = Moment(facts.now.0.max(clock::system_seconds()));
    TurnContext { now, rules: facts.gate.as_ref().map(|gate| gate.rules.clone()) }
}

/// The wall has its first turn when the rules are in the kernel: they come before everything else.
fn rules_hold(gate: &GateFacts) -> bool {
    gate.rules != FirewallStatus::Differ
}

pub(super) fn once(call: &Call) -> Result<Exit, String> {
    let mut linux = open(call)?;
    let Ok(_lock) = linux.lock()? else { return Ok(busy()) };
    linux.own_request = Some(OperatorRequest::Poll);
    round(&mut linux, call)
}

/// Takes turns until there is nothing to do at once; on trial, until it is decided.
pub(super) fn round(linux: &mut LinuxDevice, call: &Call) -> Result<Exit, String> {
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
        if waiter.wait(seconds, &[]).map_err(|error| format!("cannot wait: {error}"))? == Woken::End {
            return Ok(Exit::Done);
        }
    }
}

fn on_trial(linux: &mut LinuxDevice) -> bool {
    use komainu_core::device::World;
    use komainu_core::update::facts::RecordSeen;
    use komainu_core::update::record::{Record, Update};
    let RecordSeen::Found(Record { update: Update::Trial { slot, .. }, .. }) = linux.record() else {
        return false;
    };
    linux.booted() == Ok(slot)
}

fn failed(linux: &mut LinuxDevice) -> bool {
    use komainu_core::device::World;
    if linux.booted().is_err() || linux.boot_choice().is_err() || linux.parts().is_err() {
        return true;
    }
    if linux.last_note_is_bad() {
        return true;
    }
    let retry = linux.retry();
    [retry.poll, retry.stage, retry.proof, retry.device].iter().any(|backoff| backoff.failures > 0)
}

fn busy() -> Exit {
    log::error!("another komainu is at work");
    Exit::Busy
}
