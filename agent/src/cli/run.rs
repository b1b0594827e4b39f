//! `run` and `once`: the event loop, and one round of turns.

use super::call::{Call, Exit, busy, open, open_without_updates, print};
use super::owner::put_rules;
use crate::daemon::event_log::EventLog;
use crate::daemon::event_loop::{End, EventLoop, TURNS_RUNNING_MAX};
use crate::daemon::linux_device::LinuxDevice;
use crate::daemon::request_queue::RequestQueue;
use crate::os::clock::uptime_milliseconds;
use crate::os::wakeup::{Waiter, Woken};
use komainu_core::device::Ledger;
use komainu_core::operator_request::OperatorRequest;
use komainu_core::reason::{Level, Reason};
use komainu_core::retry_state::{Backoff, RetryState};
use komainu_core::step::Next;
use komainu_core::turn::{answers, decide, execute, look};
use komainu_core::update::facts::Facts;
use komainu_core::update::verify::Refusal;

pub(super) fn run(call: &Call) -> Result<Exit, String> {
    let mut device = open_without_updates(call);
    let locked = device.lock();
    if locked.is_err()
        && let Err(why) = put_rules(&mut device, call)
    {
        // A device that can store nothing has no owner; its gate must stay closed even so.
        log::error!("firewall-missing why=\"{why}\"");
    }
    let _lock = match locked? {
        Ok(lock) => lock,
        Err(at_work) => return Ok(busy(at_work)),
    };
    begin_anew(&mut device);
    for fault in call.settings.faults.all() {
        log::error!("settings-wrong file={} why=\"{fault}\"", call.settings_file.display());
    }
    log::info!("started version={}", env!("CARGO_PKG_VERSION"));
    let event_loop = EventLoop::open(&mut device, &call.settings, &call.settings_file, call.testing)?;
    Ok(match event_loop.run()? {
        End::Asked => Exit::Done,
        End::Restart => Exit::Restart,
    })
}

pub(super) fn once(call: &Call) -> Result<Exit, String> {
    let mut device = open(call)?;
    let _lock = match device.lock()? {
        Ok(lock) => lock,
        Err(at_work) => return Ok(busy(at_work)),
    };
    round(&mut device, call, OperatorRequest::Poll)?.told()
}

/// The outcome of a round of turns.
pub(super) struct Round {
    /// The exit code of the subcommand.
    pub exit: Exit,
    /// The first event that a person should look at, or else the last event.
    pub event: Option<Reason>,
}

impl Round {
    /// Says how it ended where the caller reads it: the log may be elsewhere.
    pub(super) fn told(&self) -> Result<Exit, String> {
        if let Some(event) = &self.event {
            print(&format!("{event}\n"))?;
        }
        Ok(self.exit)
    }
}

/// Takes turns until there is nothing to do at once; on trial, until it is decided.
pub(super) fn round(
    device: &mut LinuxDevice,
    call: &Call,
    request: OperatorRequest,
) -> Result<Round, String> {
    begin_anew(device);
    let began = uptime_milliseconds();
    let mut waiter = Waiter::new().map_err(|error| format!("cannot wait for signals: {error}"))?;
    let (settings, grants, mut log) = (&call.settings.core, device.grants_at_start(), EventLog::default());
    let (mut requests, mut running) = (RequestQueue::default(), 0);
    requests.put(request);
    let (mut first_error, mut last) = (None, None);
    let ends = |exit, first_error: Option<Reason>, last| Ok(Round { exit, event: first_error.or(last) });
    loop {
        // A command may leave a request while this round holds the lock: `confirm` during a trial.
        let request = requests.next_for_update(device);
        let facts = look(device, settings, &grants, request);
        let plan = decide(&facts, settings);
        log.log(device, &plan.reason);
        if answers(&facts, &plan) {
            requests.answered();
        }
        let outcome = execute(device, &facts, &plan, settings, &grants);
        log.log_all(device, &outcome.events);
        for event in [plan.reason].into_iter().chain(outcome.events) {
            if event.level() == Level::Error && first_error.is_none() {
                first_error = Some(event.clone());
            }
            last = Some(event);
        }
        running = if outcome.next == Next::Now { running + 1 } else { 0 };
        let seconds = match outcome.next {
            Next::Now if running < TURNS_RUNNING_MAX => 0,
            Next::Now => return Err("the turns go in a circle; the log shows their steps".into()),
            Next::Restart => {
                let exit = if device.is_restarting() { Exit::Restart } else { Exit::Failed };
                return ends(exit, first_error, last);
            }
            Next::Seconds(seconds) if facts.is_on_trial() => seconds,
            Next::Seconds(_) => {
                log::debug!("round milliseconds={}", uptime_milliseconds() - began);
                let exit = if failed(device, &facts, last.as_ref()) { Exit::Failed } else { Exit::Done };
                return ends(exit, first_error, last);
            }
        };
        if waiter.wait(seconds, &[]).map_err(|error| format!("cannot wait: {error}"))? == Woken::End {
            return ends(Exit::Done, first_error, last);
        }
    }
}

/// Whether a round left something undone that a person should look at.
fn failed(device: &mut LinuxDevice, facts: &Facts, last: Option<&Reason>) -> bool {
    if facts.booted.is_err() || facts.boot_choice.is_err() || facts.parts.is_err() {
        return true;
    }
    if last.is_some_and(|event| event.level() == Level::Error) {
        return true;
    }
    let retry = device.retry();
    [retry.poll, retry.stage, retry.proof, retry.device].iter().any(|backoff| backoff.failures > 0)
}

/// Whether an event says that nothing was installed, for a reason that is worth an exit code.
pub(super) fn is_worth_an_exit_code(event: &Reason) -> bool {
    let refused = matches!(event, Reason::Refused { refusal, .. } if *refusal != Refusal::UpToDate);
    refused || event.level() == Level::Error
}

/// A failure of an agent before this one does not make the rules wait, and good checks that it saw do not count: nobody
/// saw the time between.
fn begin_anew(device: &mut LinuxDevice) {
    let retry = device.retry();
    if retry.gate.failures > 0 || retry.good_since.is_some() {
        device.keep_retry(&RetryState { gate: Backoff::default(), good_since: None, ..retry });
    }
}
