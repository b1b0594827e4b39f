//! **Rollback**: gives up a release on trial. First the failure is recorded and counted, then the boot choice names
//! the old slot; when the old slot runs, the rollback is over.

use crate::device::{Boot, Ledger};
use crate::fault::text;
use crate::identifiers::{ReleaseId, Slot};
use crate::reason::Fault;
use crate::update::facts::{BootChoice, RecordSeen};
use crate::update::keep_record::keep_next;
use crate::update::record::{Record, Update};

/// Goes back to the slot that is not `failed`; repeated after a cut, it counts nothing twice.
///
/// # Errors
/// The record or the boot choice could not be written.
pub fn roll_back(
    device: &mut (impl Ledger + Boot + ?Sized),
    release: &ReleaseId,
    failed: Slot,
    times: u8,
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
        record.count_failure(release.number, times);
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
    settle(device, failed.other(), confirmed)?;
    if old_runs {
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
