//! The server: a poll that keeps nothing, down to the manifest of this board and channel.

use super::findings::Findings;
use crate::cli::call::Call;
use crate::daemon::linux_device::LinuxDevice;
use komainu_core::device::{Fetched, Folder, Repository};
use komainu_core::update::manifest::manifest_path;
use komainu_core::update::offer::manifest_target;
use komainu_trust::Trusted;
use komainu_trust::delegations::Found;

pub(super) fn server(device: &mut LinuxDevice, call: &Call, found: &mut Findings) {
    found.take(offered(device, call));
}

fn offered(device: &mut LinuxDevice, call: &Call) -> Result<String, String> {
    let mut trusted = device.rehearse_poll().map_err(|why| why.to_string())?;
    find_delegated(device, &mut trusted, call)?;
    match manifest_target(&mut trusted, &call.settings.core).map_err(|why| why.to_string())? {
        Some(target) => Ok(format!("reached, offers {}", target.path)),
        None => Err("reached, but offers nothing for this board and channel".into()),
    }
}

/// Fetches the delegated roles on the way to the manifest; keeps none.
fn find_delegated(device: &mut LinuxDevice, trusted: &mut Trusted, call: &Call) -> Result<(), String> {
    let path = manifest_path(&call.settings.core.board, &call.settings.core.channel);
    while let Found::Wanted(wanted) = trusted.find(&path).map_err(|fault| fault.to_string())? {
        let fetched = device.fetch(Folder::Metadata, &wanted.ask.name, wanted.ask.bytes_max, None);
        let bytes = match fetched.map_err(|fault| format!("{}: {fault}", wanted.ask.name))? {
            Fetched::Bytes(bytes, _) => Some(bytes),
            Fetched::NotThere | Fetched::Unchanged => None,
        };
        trusted.give_delegated(&wanted, bytes.as_deref()).map_err(|fault| fault.to_string())?;
    }
    Ok(())
}
