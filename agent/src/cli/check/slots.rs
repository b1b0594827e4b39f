//! The slots and the boot choice: which slot runs, what the parts are and whether two are one place, what lies in their way,
//! and what a power cut could do to the boot environment.

use super::findings::Findings;
use crate::cli::call::Call;
use crate::daemon::linux_device::LinuxDevice;
use crate::os::procfs::mountinfo::{Mount, TABLE, mounts};
use crate::update::kept_places::KeptPlaces;
use crate::update::storage::identity::{identities_of, identity_of_mounted};
use komainu_core::device::{Boot, Slots};
use komainu_core::identifiers::Slot;
use komainu_core::update::part_identity::NamedPart;
use std::fmt::Write;
use std::path::Path;

pub(super) fn running(device: &mut LinuxDevice, _: &Call, found: &mut Findings) {
    found.take(device.booted().map(|slot| slot.to_string()).map_err(|why| why.to_string()));
}

pub(super) fn boot(device: &mut LinuxDevice, _: &Call, found: &mut Findings) {
    match device.boot_choice() {
        Ok(choice) => {
            let trial =
                choice.tries_left.map_or("good".to_owned(), |tries| format!("on trial, {tries} starts left"));
            found.ok(format!("starts slot {}, {trial}", choice.slot));
        }
        Err(why) => found.fail(why.to_string()),
    }
    for caution in device.boot_cautions() {
        found.warn(caution);
    }
}

pub(super) fn slots(device: &mut LinuxDevice, call: &Call, found: &mut Findings) {
    match device.parts() {
        Ok(parts) => {
            let mut sizes = String::new();
            for part in &parts {
                // Writing to a String cannot fail.
                let _ = write!(sizes, "{} {}+{} bytes, ", part.name, part.bytes_a, part.bytes_b);
                if part.bytes_a != part.bytes_b {
                    let less = part.bytes_a.min(part.bytes_b);
                    found.warn(format!(
                        "part {} is not as large in both slots: images over {less} bytes are refused in one of them",
                        part.name
                    ));
                }
            }
            found.ok(sizes.trim_end_matches(", ").into());
        }
        Err(why) => found.fail(why.to_string()),
    }
    let parts = match identities_of(&call.settings.parts) {
        Ok(parts) => parts,
        // Said already, where the part is not there at all.
        Err(why) if found.is_clean() => return found.fail(why.to_string()),
        Err(_) => return,
    };
    if let Err(why) = KeptPlaces::new(&call.settings.state, &call.settings.boot).refuse(&parts) {
        found.fail(why.to_string());
    }
    let Ok(mounts) = mounts(Path::new(TABLE)) else { return };
    let Ok(running) = device.booted() else { return };
    let idle: Vec<NamedPart> = parts.into_iter().filter(|(_, slot, _)| *slot != running).collect();
    in_use(&idle, running.other(), &mounts, found);
}

/// A mounted part cannot be opened exclusively.
fn in_use(idle: &[NamedPart], slot: Slot, mounts: &[Mount], found: &mut Findings) {
    for mount in mounts {
        let Ok(Some(identity)) = identity_of_mounted(mount.device, &mount.source) else { continue };
        if let Some((name, ..)) = idle.iter().find(|(_, _, part)| part.overlap(&identity).is_some()) {
            found.warn(format!(
                "part {name} of slot {slot}, which does not run, is mounted at {}: it cannot be written until it is not",
                String::from_utf8_lossy(&mount.point)
            ));
        }
    }
}
