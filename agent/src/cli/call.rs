//! The call of a subcommand, and the parts that all of them share: exit codes, output, opening the device.

use crate::config::settings::DeviceSettings;
use crate::daemon::linux_device::LinuxDevice;
use crate::os::log_output;
use crate::update::example_keys;
use crate::update::runtime_state::AtWork;
use komainu_core::device::{Host, Repository};
use komainu_core::printable;
use komainu_trust::Trusted;
use std::io::{Write, stderr, stdout};
use std::path::PathBuf;

/// The end of a subcommand. The numbers are part of the interface; the man page explains them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    /// A step failed; an error line gave the details.
    Failed = 1,
    /// Wrong usage, or settings that cannot be read.
    Usage = 2,
    /// The program that started komainu must restart the device now (`reboot_command = []`).
    Restart = 3,
    /// Another komainu is at work.
    Busy = 4,
}

/// The call of a subcommand.
pub struct Call {
    pub settings: DeviceSettings,
    /// The file that they were read from.
    pub settings_file: PathBuf,
    /// `--json` was given.
    pub json: bool,
    /// `--testing` was given: well-known example keys are trusted.
    pub testing: bool,
    /// The operand after the subcommand.
    pub operand: Option<PathBuf>,
}

impl Call {
    /// The end of a subcommand that did its work with settings that may be wrong in parts.
    pub(super) fn exit_by_settings(&self) -> Exit {
        if self.settings.faults.all().is_empty() { Exit::Done } else { Exit::Usage }
    }
}

/// Writes to standard output: the one door to it.
pub(super) fn print(text: &str) -> Result<Exit, String> {
    stdout()
        .write_all(printable::lines(text).as_bytes())
        .map_err(|error| format!("cannot print: {error}"))?;
    Ok(Exit::Done)
}

/// Said where the caller reads it: the log may be elsewhere.
pub(super) fn busy(at_work: Option<i32>) -> Exit {
    let process = at_work.map(|process| format!(" (process {process})")).unwrap_or_default();
    let _ = writeln!(
        stderr(),
        "komainu: another komainu is at work{process}, and nothing was done; komainu poll asks it to poll now"
    );
    Exit::Busy
}

/// The komainu that is at work; `None`: none is.
///
/// # Errors
/// It cannot be told, in words: this is not root.
pub(super) fn at_work(device: &LinuxDevice) -> Result<Option<AtWork>, String> {
    let at_work = device.runtime().at_work();
    at_work.map_err(|error| format!("cannot tell whether a komainu is at work: {error}"))
}

/// Opens the device, and refuses one that cannot have updates.
pub(super) fn open(call: &Call) -> Result<LinuxDevice, String> {
    let device = open_without_updates(call);
    match device.update_off() {
        Some(why) => Err(why.to_owned()),
        None => Ok(device),
    }
}

/// Opens the device. Where it trusts the public example keys, or has nothing to trust, or its settings are wrong, there
/// are no updates: gate, firewall and wall need none of these.
pub(super) fn open_without_updates(call: &Call) -> LinuxDevice {
    log_output::open(call.settings.log.places(), call.settings.log.prefers_terminal());
    let mut device = LinuxDevice::open(&call.settings);
    let clock = device.clock();
    let stored = device.stored().under_newest_root();
    let shipped = call.settings.root.display();
    match Trusted::load(&stored, clock) {
        Ok(trusted) => {
            if let Some(key) = example_keys::found(&trusted).filter(|_| !call.testing) {
                device.refuse_updates(format!(
                    "the trusted root has the example key {key}, which everybody has: nothing is trusted. \
                     Make your own with komainu-maker init, or start with --testing"
                ));
            }
        }
        Err(_) if stored.root.is_empty() => device.refuse_updates(format!(
            "no root to trust: {shipped} is not there, or empty: put the root.json of komainu-maker there"
        )),
        Err(fault) => device.refuse_updates(format!("no root to trust: {shipped}: {fault}")),
    }
    if call.testing {
        log::warn!("testing: keys that everybody has are trusted");
    }
    if call.settings.core.device_id.is_empty() {
        log::warn!("id-unknown why=\"neither id_file nor /etc/machine-id can be read\"");
    }
    device
}
