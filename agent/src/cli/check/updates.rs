//! The needs of updates before anything else: settings that can be read, an id, a root to trust, a record.

use super::findings::Findings;
use crate::cli::call::Call;
use crate::config::identity;
use crate::daemon::linux_device::LinuxDevice;
use komainu_core::device::{Host, Ledger, Repository};
use komainu_core::reason::STARTS_NOT_COUNTED;
use komainu_core::settings::StartCount;
use komainu_core::update::facts::RecordSeen;
use komainu_trust::Trusted;

pub(super) fn settings(_: &mut LinuxDevice, call: &Call, found: &mut Findings) {
    for fault in call.settings.faults.all() {
        found.fail(fault.to_string());
    }
    if found.is_clean() {
        found.ok(call.settings_file.display().to_string());
    }
}

pub(super) fn id(_: &mut LinuxDevice, call: &Call, found: &mut Findings) {
    let Some(file) = &call.settings.id_file else { return found.ok("given in the settings".into()) };
    let shown = file.display();
    found.take(match identity::in_file(file) {
        Ok(Some(_)) => Ok(format!("in {shown}")),
        Ok(None) => Err(format!("{shown} is empty: its first line must be the id")),
        Err(error) => Err(format!(
            "id_file {shown} cannot be read ({error}): a stand-in is used; name a file that is there from the start"
        )),
    });
}

pub(super) fn updates(device: &mut LinuxDevice, _: &Call, found: &mut Findings) {
    found.take(device.update_off().map_or_else(|| Ok("on".into()), |why| Err(format!("off: {why}"))));
}

pub(super) fn root(device: &mut LinuxDevice, _: &Call, found: &mut Findings) {
    let clock = device.clock();
    found.take(match Trusted::load(&device.stored().under_newest_root(), clock) {
        Ok(trusted) => {
            let [version, ..] = trusted.versions();
            Ok(format!("version {version}, expires {}", trusted.root().common.expires))
        }
        Err(fault) => Err(fault.to_string()),
    });
}

pub(super) fn record(device: &mut LinuxDevice, call: &Call, found: &mut Findings) {
    found.take(match device.record() {
        RecordSeen::Found(record)
            if record.uncounted.is_some() && call.settings.core.start_count == StartCount::Seen =>
        {
            Err(STARTS_NOT_COUNTED.into())
        }
        RecordSeen::Found(record) => Ok(format!("generation {}, floor {}", record.generation, record.floor)),
        RecordSeen::Absent => Ok("none yet: the first start makes it".into()),
        RecordSeen::Lost(why) => Err(why.to_string()),
    });
}
