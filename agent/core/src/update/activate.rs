//! **Activate**: keeps the owner's settings, records the trial, then lets the boot choice name the release. The restart is a step of its own.

use crate::device::{Boot, Ledger, Migration};
use crate::fault::text;
use crate::identifiers::{ReleaseId, Slot};
use crate::reason::Fault;
use crate::settings::Settings;
use crate::update::facts::{BootChoice, RecordSeen};
use crate::update::keep_record::keep_next;
use crate::update::record::{Record, Update};

/// Puts a staged release on trial; repeated after a cut, it changes only the parts that are still to be changed.
///
/// # Errors
/// The owner's settings could not be kept, or a hook of the maker's refused: the release stays staged. Or the record or the
/// boot choice could not be written.
pub fn activate(
    device: &mut (impl Ledger + Boot + Migration + ?Sized),
    release: &ReleaseId,
    slot: Slot,
    deadline_seconds: u32,
    settings: &Settings,
) -> Result<(), Fault> {
    let RecordSeen::Found(mut record) = device.record() else {
        return Err(Fault::Device(text(format_args!("the record went away"))));
    };
    let known = match &record.update {
        Update::Trial { release: tried, restarts, .. } if tried == release => Some(*restarts),
        _ => None,
    };
    let tries = Some(settings.boot_tries);
    let trial =
        |restarts| Update::Trial { release: release.clone(), slot, deadline_seconds, tries, restarts };
    if known.is_none() {
        device.before_activate(release).map_err(Fault::Device)?;
        // `Trial` is on record before the boot choice changes: the next start finds it there, in either slot.
        record.update = trial(0);
        keep_next(device, record.clone())?;
        record.generation += 1;
    }
    let chosen = device.boot_choice().map_err(Fault::Device)?;
    let waiting = chosen.slot == slot && chosen.tries_left.is_some_and(|tries| tries > 0);
    if !waiting || chosen.release != Some(release.number) {
        let choice =
            BootChoice { slot, tries_left: Some(settings.boot_tries), release: Some(release.number) };
        device.set_boot_choice(&choice).map_err(Fault::Device)?;
    }
    // The restart is counted only here, directly before it: an environment that cannot be written is not the
    // release's fault.
    if let Some(restarts) = known {
        let update = trial(restarts.saturating_add(1));
        keep_next(device, Record { update, ..record })?;
    }
    Ok(())
}
