//! **Rollback**: gives up a release on trial. First the failure is recorded and counted, then the boot choice names
//! the old slot; when the old slot runs, the rollback is over.

use crate::device::{Boot, Ledger, Migration};
use crate::fault::text;
use crate::identifiers::{ReleaseId, Slot};
use crate::reason::{Fault, Reason};
use crate::settings::Settings;
use crate::update::facts::{BootChoice, RecordSeen};
use crate::update::keep_record::keep_next;
use crate::update::record::{Record, Update};
use alloc::vec::Vec;

/// Goes back to the slot that is not `failed`; repeated after a cut, it counts nothing twice.
///
/// # Errors
/// The record or the boot choice could not be written.
pub fn roll_back(
    device: &mut (impl Ledger + Boot + Migration + ?Sized),
    release: &ReleaseId,
    failed: Slot,
    times: u8,
    settings: &Settings,
    events: &mut Vec<Reason>,
) -> Result<(), Fault> {
    let RecordSeen::Found(mut record) = device.record() else {
        return Err(Fault::Device(text(format_args!("the record went away"))));
    };
    let old_runs = device.booted().map_err(Fault::Device)? != failed;
    let known = match &record.update {
        Update::RollingBack { release: given_up, restarts, .. } if given_up == release => Some(*restarts),
        _ => None,
    };
    if known.is_none() {
        match times {
            0 => record.uncounted = Some(release.number),
            times => record.count_failure(release.number, times),
        }
    }
    // Recorded before the choice changes, so that a cut in between cannot lose the failure. While the failed slot
    // runs, a restart follows, and it is counted.
    if known.is_none() || !old_runs {
        let restarts = known.map_or(0, |restarts| restarts.saturating_add(1));
        record.update = Update::RollingBack { release: release.clone(), slot: failed, restarts };
        keep_next(device, record.clone())?;
        record.generation += 1;
    }
    let confirmed = record.confirmed.as_ref().map(|confirmed| confirmed.number);
    if !old_runs {
        // The old slot is on trial, too, until it runs: if it does not start any more, the boot loader comes back to this
        // one, which at least got as far as here.
        let chosen = device.boot_choice().map_err(Fault::Device)?;
        let waiting = chosen.slot != failed && chosen.tries_left.is_some_and(|tries| tries > 0);
        if !waiting {
            let tries_left = Some(settings.boot_tries);
            let choice = BootChoice { slot: failed.other(), tries_left, release: confirmed };
            device.set_boot_choice(&choice).map_err(Fault::Device)?;
        }
    } else {
        settle(device, failed.other(), confirmed)?;
        // Here and not before the restart: the release that failed may not have come as far as this. A cut repeats it; a
        // failure must not keep the device from its next update.
        if let Err(why) = device.on_rollback(release) {
            events.push(Reason::MigrationFailed { hooks: "on-rollback", why });
        }
        keep_next(device, Record { update: Update::Idle, ..record })?;
    }
    Ok(())
}

/// Lets the boot choice name a slot as good, if it does not already.
///
/// # Errors
/// The boot choice could not be read or written.
pub fn settle(device: &mut (impl Boot + ?Sized), slot: Slot, release: Option<u64>) -> Result<(), Fault> {
    let chosen = device.boot_choice().map_err(Fault::Device)?;
    if chosen.slot == slot && chosen.tries_left.is_none() && chosen.release == release {
        return Ok(());
    }
    device.set_boot_choice(&BootChoice { slot, tries_left: None, release }).map_err(Fault::Device)
}
