//! **Confirm**: marks the running release good, then records so. Only here the floor rises.

use crate::device::{Boot, Ledger, Migration};
use crate::fault::text;
use crate::identifiers::{ReleaseId, Slot};
use crate::reason::{Fault, Reason};
use crate::update::facts::{BootChoice, RecordSeen};
use crate::update::keep_record::keep_next;
use crate::update::record::{Record, Update};
use alloc::vec::Vec;

/// Keeps a release that was on trial.
///
/// # Errors
/// The boot choice or the record could not be written.
pub fn confirm(
    device: &mut (impl Ledger + Boot + Migration + ?Sized),
    release: &ReleaseId,
    slot: Slot,
    events: &mut Vec<Reason>,
) -> Result<(), Fault> {
    let RecordSeen::Found(mut record) = device.record() else {
        return Err(Fault::Device(text(format_args!("the record went away"))));
    };
    // Marked first: a cut before the record leaves a trial that is marked good, and the next turn confirms it again.
    let choice = BootChoice { slot, tries_left: None, release: Some(release.number) };
    if device.boot_choice().map_err(Fault::Device)? != choice {
        device.set_boot_choice(&choice).map_err(Fault::Device)?;
    }
    // Before the record, so that a cut repeats them. A release that is good does not go back for them.
    if let Err(why) = device.after_confirm(release) {
        events.push(Reason::MigrationFailed { hooks: "after-confirm", why });
    }
    record.floor = record.floor.max(release.number);
    let floor = record.floor;
    // A release below the floor is refused for that reason; its failures need no memory.
    record.failures.retain(|failure| failure.release > floor);
    let confirmed = Some(release.clone());
    keep_next(
        device,
        Record { confirmed_slot: slot, confirmed, update: Update::Idle, uncounted: None, ..record },
    )
}
