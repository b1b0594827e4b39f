//! The server: a poll that keeps nothing, down to the manifest of this board and channel.

use super::findings::Findings;
use crate::cli::call::Call;
use crate::daemon::linux_device::LinuxDevice;
use komainu_core::device::{Fetched, Folder, Host, Repository};
use komainu_core::update::manifest::manifest_path;
use komainu_core::update::offer::manifest_target;
use komainu_core::update::poll::is_absent;
use komainu_trust::delegations::Found;
use komainu_trust::refresh::drive;
use komainu_trust::{TrustFault, Trusted};

enum PollFault {
    Trust(TrustFault),
    Fetch(String),
}

impl From<TrustFault> for PollFault {
    fn from(fault: TrustFault) -> Self {
        PollFault::Trust(fault)
    }
}

pub(super) fn server(device: &mut LinuxDevice, call: &Call, found: &mut Findings) {
    found.take(offered(device, call));
}

fn offered(device: &mut LinuxDevice, call: &Call) -> Result<String, String> {
    let (stored, clock) = (device.stored().under_newest_root(), device.clock());
    let fetch = |ask: &komainu_trust::refresh::Ask| match device.fetch(
        Folder::Metadata,
        &ask.name,
        ask.bytes_max,
        None,
    ) {
        Ok(Fetched::Bytes(bytes, _)) => Ok(Some(bytes)),
        Ok(Fetched::NotThere | Fetched::Unchanged) => Ok(None),
        Err(fault) if is_absent(&fault, ask) => Ok(None),
        Err(fault) => Err(PollFault::Fetch(format!("{}: {fault}", ask.name))),
    };
    let mut trusted = drive(stored, clock, fetch, |_, _| Ok(())).map_err(|fault| match fault {
        PollFault::Trust(fault) => fault.to_string(),
        PollFault::Fetch(sentence) => sentence,
    })?;
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
