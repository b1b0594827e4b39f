//! The core's traits on Linux: each call goes to the file that carries it out.

use super::LinuxDevice;
use crate::os::clock;
use crate::os::process::spawn::{Ended, Program};
#[cfg(feature = "delta")]
use crate::update::source::carrier::Source;
use komainu_core::device::{
    Account, Boot, Fetched, Firewall, Folder, Hardening, Hooks, Host, Ledger, Owner, Rebuild, Repository,
    Slots, StoredFile,
};
use komainu_core::fault::{FetchFault, Text, text};
use komainu_core::firewall::table::{Network, Table};
use komainu_core::gate::state::{FirewallStatus, GateFacts};
#[cfg(feature = "delta")]
use komainu_core::identifiers::Digest64;
use komainu_core::identifiers::Slot;
use komainu_core::operator_request::Password;
use komainu_core::retry_state::RetryState;
use komainu_core::update::facts::{BootChoice, Health, Parts, RecordSeen};
use komainu_core::update::fleet_order::FleetWord;
use komainu_core::update::offer::StoredMetadata;
#[cfg(feature = "delta")]
use komainu_core::update::patch_choice::Rebuildable;
use komainu_core::update::record::{Record, Update};
use komainu_core::wall::incident_state::IncidentState;
use komainu_core::wall::observation::Observation;
use komainu_core::wall::remediation::Remediation;
use komainu_core::wall::report::Report;
use komainu_trust::Moment;
use komainu_trust::trusted::Clock;

impl Host for LinuxDevice {
    fn clock(&mut self) -> Clock {
        Clock { system: Moment(clock::system_seconds()), built: clock::built() }
    }

    fn uptime_seconds(&mut self) -> u64 {
        clock::uptime_milliseconds() / 1000
    }

    fn health(&mut self) -> Health {
        self.ask_health()
    }

    fn reboot(&mut self) -> Result<(), Text> {
        self.slots.close();
        self.restarting = true;
        let Some((program, arguments)) = self.settings.boot.reboot_command.split_first() else {
            return Ok(());
        };
        let ended = Program::start(program.as_ref(), arguments).and_then(|program| program.wait());
        let why = match ended {
            Ok(Ended::Code(0)) => return Ok(()),
            Ok(ended) => text(format_args!("{program}: {ended}")),
            Err(error) => text(format_args!("{program}: {error}")),
        };
        self.restarting = false;
        Err(why)
    }

    fn fleet_word(&mut self) -> FleetWord {
        self.word_of_fleet()
    }
}

impl Ledger for LinuxDevice {
    fn record(&mut self) -> RecordSeen {
        self.store.record()
    }

    fn keep_record(&mut self, record: &Record) -> Result<(), Text> {
        self.store.keep_record(record)
    }

    fn retry(&mut self) -> RetryState {
        self.unwritten_retry.clone().unwrap_or_else(|| self.runtime.retry())
    }

    fn keep_retry(&mut self, retry: &RetryState) {
        let written = self.runtime.keep_retry(retry);
        self.unwritten_retry = (!written).then(|| retry.clone());
    }
}

impl Boot for LinuxDevice {
    fn booted(&mut self) -> Result<Slot, Text> {
        let signs = self.boot.signs()?;
        let (boot, store) = (&mut self.boot, &self.store);
        self.running.find(&signs, &mut || {
            let leaving = match store.record() {
                RecordSeen::Found(Record { update: Update::RollingBack { slot, .. }, .. }) => Some(slot),
                _ => None,
            };
            (boot.choice(), leaving)
        })
    }

    fn boot_choice(&mut self) -> Result<BootChoice, Text> {
        self.boot.choice()
    }

    fn set_boot_choice(&mut self, choice: &BootChoice) -> Result<(), Text> {
        self.boot.set_choice(choice)
    }
}

impl Slots for LinuxDevice {
    fn parts(&mut self) -> Result<Parts, Text> {
        self.slots.parts()
    }

    fn invalidate(&mut self, slot: Slot, part: usize) -> Result<(), Text> {
        self.slots.invalidate(slot, part)
    }

    fn begin(&mut self, slot: Slot, part: usize, image_bytes: u64, durable: u64) -> Result<u64, Text> {
        self.slots.begin(slot, part, image_bytes, durable)
    }

    fn write(&mut self, slot: Slot, part: usize, offset: u64, bytes: &[u8]) -> Result<(), Text> {
        self.slots.write(slot, part, offset, bytes)
    }

    fn sync(&mut self, slot: Slot, part: usize) -> Result<u64, Text> {
        self.slots.sync(slot, part)
    }

    fn read_back(&mut self, slot: Slot, part: usize, offset: u64, buffer: &mut [u8]) -> Result<(), Text> {
        self.slots.read_back(slot, part, offset, buffer)
    }

    fn commit(&mut self, slot: Slot, part: usize, beginning: &[u8]) -> Result<(), Text> {
        self.slots.commit(slot, part, beginning)
    }
}

impl Repository for LinuxDevice {
    fn stored(&mut self) -> StoredMetadata {
        self.store.kept()
    }

    fn advisories(&mut self) -> Option<Vec<u8>> {
        self.store.advisories()
    }

    fn store(&mut self, file: StoredFile<'_>, bytes: Option<&[u8]>) -> Result<(), Text> {
        self.offers.forget();
        self.store.keep(file, bytes)?;
        if file == StoredFile::Timestamp {
            self.raise_tls_floor();
        }
        Ok(())
    }

    fn fetch(
        &mut self,
        folder: Folder,
        path: &str,
        bytes_max: u64,
        validator: Option<&str>,
    ) -> Result<Fetched, FetchFault> {
        let fetched = self.source()?.small(folder, path, bytes_max, validator);
        log::debug!("fetched path={path} {}", fetched_word(&fetched));
        fetched
    }

    fn fetch_piece(
        &mut self,
        path: &str,
        offset: u64,
        total_bytes: u64,
        buffer: &mut [u8],
    ) -> Result<usize, FetchFault> {
        self.source()?.piece(path, offset, total_bytes, buffer)
    }
}

#[cfg(not(feature = "delta"))]
impl Rebuild for LinuxDevice {}

#[cfg(feature = "delta")]
impl Rebuild for LinuxDevice {
    fn rebuild_piece(
        &mut self,
        wanted: &Rebuildable<'_>,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, FetchFault> {
        if wanted.patches.is_empty() {
            return Ok(None);
        }
        let running = self.booted();
        let source: &mut dyn Source = match (&mut self.bundle, &mut self.repository) {
            // A bundle is at hand whole; it carries no patches.
            (Some(_), _) | (None, Err(_)) => return Ok(None),
            (None, Ok(repository)) => repository,
        };
        let slots = &self.slots;
        let base_path = || {
            let slot = running.map_err(|why| format!("the running slot is unknown: {why}"))?;
            slots.device_path(slot, wanted.part).map_err(|error| error.to_string())
        };
        self.patched.piece(wanted, offset, buffer, source, base_path)
    }

    fn refuse_patches(&mut self, release: Digest64) {
        self.patched.refuse_release(release);
    }

    fn end_rebuilding(&mut self) {
        self.patched.end();
    }
}

impl Owner for LinuxDevice {
    fn gate(&mut self) -> Option<GateFacts> {
        Some(self.credentials.as_ref()?.facts())
    }

    fn keep_next_credential(&mut self, password: &Password) -> Result<(), Text> {
        self.our_gate()?.keep_next(password)
    }

    fn next_becomes_kept(&mut self) -> Result<(), Text> {
        self.our_gate()?.next_becomes_kept()
    }

    fn forget_next_credential(&mut self) -> Result<(), Text> {
        self.our_gate()?.forget_next()
    }

    fn forget_kept_credential(&mut self) -> Result<(), Text> {
        self.our_gate()?.forget_kept()
    }

    fn write_account(&mut self, holds: Account) -> Result<(), Text> {
        self.our_gate()?.write_account(holds)
    }

    fn run_hooks(&mut self, hooks: Hooks<'_>) -> Result<(), Text> {
        self.our_gate()?.run_hooks(hooks)
    }

    fn mark_reset(&mut self, begun: bool) -> Result<(), Text> {
        self.our_gate()?.mark_reset(begun)
    }

    fn wipe_owner(&mut self) -> Result<(), Text> {
        self.our_gate()?.wipe()
    }
}

impl Firewall for LinuxDevice {
    fn lan_subnets(&mut self) -> Vec<Network> {
        self.controller().map(|firewall| firewall.lan_subnets()).unwrap_or_default()
    }

    fn firewall_status(&mut self, table: &Table) -> FirewallStatus {
        self.controller().map_or(FirewallStatus::Hold, |mut firewall| firewall.status(table))
    }

    fn apply_firewall(&mut self, table: &Table) -> Result<(), Text> {
        let firewall = self.controller();
        let left = || text(format_args!("the settings leave the gate to other software"));
        firewall.ok_or_else(left)?.apply(table)
    }
}

impl Hardening for LinuxDevice {
    fn incident_state(&mut self) -> IncidentState {
        self.wall.as_mut().map(|wall| wall.incident_state().clone()).unwrap_or_default()
    }

    fn keep_incident_state(&mut self, state: &IncidentState) -> Result<(), Text> {
        self.our_wall()?.keep_incident_state(state)
    }

    fn observe(&mut self) -> Observation {
        self.observe_all()
    }

    fn remediate(&mut self, remediation: &Remediation) -> Result<(), Text> {
        self.our_wall()?.remediate(remediation)
    }

    fn undo(&mut self, remediation: &Remediation) -> Result<(), Text> {
        self.our_wall()?.undo(remediation)
    }

    fn keep_evidence(&mut self, report: &Report) -> Result<(), Text> {
        self.our_wall()?.keep_evidence(report)
    }

    fn accept_changes(&mut self) {
        if let Some(wall) = &mut self.wall {
            wall.accept_changes();
        }
    }
}

fn fetched_word(fetched: &Result<Fetched, FetchFault>) -> String {
    match fetched {
        Ok(Fetched::Bytes(bytes, _)) => format!("bytes={}", bytes.len()),
        Ok(Fetched::NotThere) => "not-there".into(),
        Ok(Fetched::Unchanged) => "unchanged".into(),
        Err(fault) => format!("why=\"{fault}\""),
    }
}
