//! `confirm`, `rollback` and `poll`: decisions of a person, or of the firmware. Asks the komainu that is at work, or does
//! it itself.

use super::call::{Call, Exit, open, print};
use super::run;
use crate::daemon::linux_device::LinuxDevice;
use komainu_core::device::{Boot, Ledger};
use komainu_core::operator_request::OperatorRequest;
use komainu_core::update::facts::{BootChoice, RecordSeen};
use komainu_core::update::record::{Record, Update};

pub(super) fn confirm(call: &Call) -> Result<Exit, String> {
    ask(call, OperatorRequest::Confirm)
}

pub(super) fn rollback(call: &Call) -> Result<Exit, String> {
    ask(call, OperatorRequest::Rollback)
}

pub(super) fn poll(call: &Call) -> Result<Exit, String> {
    ask(call, OperatorRequest::Poll)
}

fn ask(call: &Call, request: OperatorRequest) -> Result<Exit, String> {
    let mut device = open(call)?;
    refuse_needless(&mut device, &request)?;
    if request == OperatorRequest::Confirm {
        refuse_before_restart(&mut device)?;
    }
    match device.lock()? {
        Ok(_lock) => run::round(&mut device, call, request)?.told(),
        Err(at_work) => {
            device
                .runtime()
                .leave_request(&request, at_work)
                .map_err(|error| format!("cannot ask: {error}"))?;
            print("asked the komainu that is at work; see komainu status\n")
        }
    }
}

/// Where a restart starts the release on trial, another look would only count as one more restart without effect. A power
/// cut before the boot choice named it leaves a trial that no restart starts: the look goes on with it.
pub(super) fn refuse_before_restart(device: &mut LinuxDevice) -> Result<(), String> {
    let RecordSeen::Found(Record { update: Update::Trial { release, slot, .. }, .. }) = device.record()
    else {
        return Ok(());
    };
    let starts = |choice: BootChoice| choice.slot == slot && choice.tries_left.is_some_and(|tries| tries > 0);
    if device.booted().is_ok_and(|booted| booted != slot) && device.boot_choice().is_ok_and(starts) {
        return Err(format!("release {} waits for its trial: restart the device first", release.number));
    }
    Ok(())
}

/// Refuses to confirm or roll back without a trial: the caller should get a message, not silence.
fn refuse_needless(device: &mut LinuxDevice, request: &OperatorRequest) -> Result<(), String> {
    let (update, uncounted) = match device.record() {
        RecordSeen::Found(record) => (record.update, record.uncounted.is_some()),
        RecordSeen::Absent | RecordSeen::Lost(_) => (Update::Idle, false),
    };
    match (request, update) {
        (OperatorRequest::Confirm, Update::Trial { .. }) | (OperatorRequest::Poll, _) => Ok(()),
        (OperatorRequest::Confirm, _) if uncounted => Ok(()),
        (OperatorRequest::Confirm, _) => Err("nothing is on trial".into()),
        (OperatorRequest::Rollback, Update::Idle) => Err("nothing is staged or on trial".into()),
        (
            OperatorRequest::Rollback
            | OperatorRequest::Postpone
            | OperatorRequest::Claim(_)
            | OperatorRequest::Reset
            | OperatorRequest::Incident(_)
            | OperatorRequest::AcceptChanges,
            _,
        ) => Ok(()),
    }
}
