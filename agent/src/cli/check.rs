//! `check`: tests whether everything is in place for updates. One line for each thing that a maker can have got
//! wrong; changes nothing on the device, and polls the server without keeping anything.

use super::call::{Call, Exit, open_without_updates, print};
use crate::config::gate_settings::FirewallChoice;
use crate::config::identity;
use crate::daemon::device_names::code_file_fault;
use crate::daemon::linux_device::LinuxDevice;
use crate::daemon::state_room::try_to_write;
use crate::firewall::backend::Firewall;
use crate::os::foreign_file::Tree;
use crate::os::process::program_folder;
use komainu_core::device::{Boot, Host, Ledger, Owner, Repository, Slots};
use komainu_core::device::{Fetched, Folder};
use komainu_core::fault::FetchFault;
use komainu_core::reason::STARTS_NOT_COUNTED;
use komainu_core::settings::StartCount;
use komainu_core::update::facts::RecordSeen;
use komainu_core::update::manifest::manifest_path;
use komainu_core::update::offer::manifest_target;
use komainu_trust::delegations::Found;
use komainu_trust::refresh::{ROOT_STEP, drive};
use komainu_trust::{TrustFault, Trusted};
use std::fmt::Write;

/// The result of a look: a sentence, good or bad.
type Sentence = Result<String, String>;

/// One check: its name, and its function.
type Check = (&'static str, fn(&mut LinuxDevice, &Call) -> Sentence);

const CHECKS: &[Check] = &[
    ("settings", settings),
    ("device id", id),
    ("state folder", state),
    ("updates", updates),
    ("trusted root", root),
    ("record", record),
    ("running slot", running),
    ("boot environment", boot),
    ("slots", slots),
    ("health checks", checks),
    ("gate", gate),
    ("server", server),
];

pub(super) fn check(call: &Call) -> Result<Exit, String> {
    let mut device = open_without_updates(call);
    let (mut text, mut exit) = (String::new(), Exit::Done);
    for (name, look) in CHECKS {
        let (word, sentence) = match look(&mut device, call) {
            Ok(sentence) => ("ok  ", sentence),
            Err(sentence) => {
                exit = Exit::Failed;
                ("FAIL", sentence)
            }
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{word} {name}: {sentence}");
    }
    print(&text)?;
    Ok(exit)
}

fn settings(_: &mut LinuxDevice, call: &Call) -> Sentence {
    let faults: Vec<String> = call.settings.faults.all().iter().map(ToString::to_string).collect();
    if faults.is_empty() { Ok(call.settings_file.display().to_string()) } else { Err(faults.join("; ")) }
}

fn id(_: &mut LinuxDevice, call: &Call) -> Sentence {
    let Some(file) = &call.settings.id_file else { return Ok("given in the settings".into()) };
    match identity::in_file(file) {
        Ok(Some(_)) => Ok(format!("in {}", file.display())),
        Ok(None) => Err(format!("{} is empty: its first line must be the id", file.display())),
        Err(error) => Err(format!(
            "id_file {} cannot be read ({error}): a stand-in is used; name a file that is there from the start",
            file.display()
        )),
    }
}

fn updates(device: &mut LinuxDevice, _: &Call) -> Sentence {
    device.update_off().map_or_else(|| Ok("on".into()), |why| Err(format!("off: {why}")))
}

fn root(device: &mut LinuxDevice, _: &Call) -> Sentence {
    let clock = device.clock();
    let trusted =
        Trusted::load(&device.stored().under_newest_root(), clock).map_err(|fault| fault.to_string())?;
    let [version, ..] = trusted.versions();
    Ok(format!("version {version}, expires {}", trusted.root().common.expires))
}

fn state(_: &mut LinuxDevice, call: &Call) -> Sentence {
    let folder = &call.settings.state;
    let tree = Tree::device().map_err(|why| why.to_string())?;
    match tree.find(folder).map_err(|why| why.to_string())? {
        Some(place) if place.metadata().is_some() => {
            tree.is_roots(folder).map_err(|why| why.to_string())?;
            try_to_write(folder).map(|()| format!("{} is root's alone, and can be written", folder.display()))
        }
        _ => Ok(format!("{} is not there yet: the first start makes it", folder.display())),
    }
}

fn record(device: &mut LinuxDevice, call: &Call) -> Sentence {
    match device.record() {
        RecordSeen::Found(record)
            if record.uncounted.is_some() && call.settings.core.start_count == StartCount::Seen =>
        {
            Err(STARTS_NOT_COUNTED.into())
        }
        RecordSeen::Found(record) => Ok(format!("generation {}, floor {}", record.generation, record.floor)),
        RecordSeen::Absent => Ok("none yet: the first start makes it".into()),
        RecordSeen::Lost(why) => Err(why.to_string()),
    }
}

fn running(device: &mut LinuxDevice, _: &Call) -> Sentence {
    device.booted().map(|slot| slot.to_string()).map_err(|why| why.to_string())
}

fn boot(device: &mut LinuxDevice, _: &Call) -> Sentence {
    let choice = device.boot_choice().map_err(|why| why.to_string())?;
    let trial = choice.tries_left.map_or("good".to_owned(), |tries| format!("on trial, {tries} starts left"));
    let mut said = format!("starts slot {}, {trial}", choice.slot);
    for caution in device.boot_cautions() {
        let _ = write!(said, "; caution: {caution}");
    }
    Ok(said)
}

fn slots(device: &mut LinuxDevice, _: &Call) -> Sentence {
    let parts = device.parts().map_err(|why| why.to_string())?;
    let mut sizes = String::new();
    for part in &parts {
        let _ = write!(sizes, "{} {}+{} bytes, ", part.name, part.bytes_a, part.bytes_b);
    }
    Ok(sizes.trim_end_matches(", ").into())
}

fn checks(_: &mut LinuxDevice, call: &Call) -> Sentence {
    let folder = &call.settings.health;
    match program_folder::in_folder(folder) {
        Ok(checks) if checks.is_empty() => {
            if std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
                return Err(format!("nothing in {} may be executed (chmod +x)", folder.display()));
            }
            Ok(format!("none in {}: a release counts as good once komainu runs", folder.display()))
        }
        Ok(checks) => Ok(format!("{} in {}", checks.len(), folder.display())),
        Err(error) => Err(format!("cannot read {}: {error}", folder.display())),
    }
}

fn gate(device: &mut LinuxDevice, call: &Call) -> Sentence {
    let Some(settings) = &call.settings.gate else { return Ok("left to other software".into()) };
    let gate = device.gate().ok_or("left to other software")?;
    gate.account.map_err(|why| why.to_string())?;
    if settings.firewall != FirewallChoice::None {
        Firewall::is_possible(settings.firewall)?;
    }
    let written = device.credentials().ok_or("left to other software")?.account_is_writable();
    let written = written.map_err(|why| why.to_string())?;
    let missing: Vec<&str> = settings
        .lan
        .iter()
        .map(String::as_str)
        .filter(|link| !std::path::Path::new("/sys/class/net").join(link).exists())
        .collect();
    if !missing.is_empty() {
        return Err(format!(
            "there is no link {}: a link that is not named as LAN is the WAN",
            missing.join(", ")
        ));
    }
    let hooks = program_folder::in_folder(&settings.hooks)
        .map_err(|error| format!("cannot read {}: {error}", settings.hooks.display()))?;
    if let Some(why) = settings.code_file.as_deref().and_then(code_file_fault) {
        return Err(why);
    }
    let mut said = format!(
        "account {} in a file that {written}, {} places to wipe, hooks:",
        settings.account,
        settings.wipe.len()
    );
    for hook in &hooks {
        let _ = write!(said, " {}", hook.file_name().unwrap_or_default().to_string_lossy());
    }
    if hooks.is_empty() {
        let _ = write!(said, " none that may be executed in {}", settings.hooks.display());
    }
    Ok(said)
}

enum PollFault {
    Trust(TrustFault),
    Fetch(String),
}

impl From<TrustFault> for PollFault {
    fn from(fault: TrustFault) -> Self {
        PollFault::Trust(fault)
    }
}

fn server(device: &mut LinuxDevice, call: &Call) -> Sentence {
    let (stored, clock) = (device.stored().under_newest_root(), device.clock());
    let fetch = |ask: &komainu_trust::refresh::Ask| match device.fetch(
        Folder::Metadata,
        &ask.name,
        ask.bytes_max,
        None,
    ) {
        Ok(Fetched::Bytes(bytes, _)) => Ok(Some(bytes)),
        Ok(Fetched::NotThere | Fetched::Unchanged) => Ok(None),
        Err(FetchFault::Status { code: 403, .. }) if ask.step == ROOT_STEP => Ok(None),
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
