//! The powers of `World` on LinuxDevice: each call is handed to the file that knows how.

use super::LinuxDevice;
use crate::gate::credential_store::CredentialStore;
use crate::os::clock;
use crate::os::clock::built;
use crate::os::process::spawn::{Ended, Program};
use crate::update::boot::bootcount;
use crate::update::health;
use crate::update::source::bundle::Bundle;
use komainu_core::device::World;
use komainu_core::device::{Account, Fetched, Folder, Hooks, StoredFile};
use komainu_core::fault::{FetchFault, Text, text};
use komainu_core::gate::state::{FirewallStatus, GateFacts, GateState};
use komainu_core::identifiers::Slot;
use komainu_core::operator_request::OperatorRequest;
use komainu_core::reason::{Level, Reason};
use komainu_core::retry_state::RetryState;
use komainu_core::update::facts::{BootChoice, Health, Parts, RecordSeen};
use komainu_core::update::offer::StoredMetadata;
use komainu_core::update::record::Record;
use komainu_core::update::verify::Refusal;
use komainu_core::wall::incident_state::IncidentState;
use komainu_core::wall::observation::{FirewallGrants, Observation};
use komainu_core::wall::remediation::Remediation;
use komainu_core::wall::report::Report;
use komainu_trust::Moment;
use komainu_trust::trusted::Clock;

impl World for LinuxDevice {
    fn clock(&mut self) -> Clock {
        Clock { system: Moment(clock::system_seconds()), built: built() }
    }

    fn uptime_seconds(&mut self) -> u64 {
        clock::uptime_milliseconds() / 1000
    }

    fn record(&mut self) -> RecordSeen {
        self.state.record()
    }

    fn booted(&mut self) -> Result<Slot, Text> {
        bootcount::booted(&self.settings.boot)
    }

    fn boot_choice(&mut self) -> Result<BootChoice, Text> {
        bootcount::read(&self.settings.boot)
    }

    fn parts(&mut self) -> Result<Parts, Text> {
        self.slots.sizes()
    }

    fn health(&mut self) -> Health {
        health::ask(&self.settings.health, self.settings.health_check_seconds)
    }

    fn kept(&mut self) -> StoredMetadata {
        self.state.kept()
    }

    fn advisories(&mut self) -> Option<Vec<u8>> {
        self.state.advisories()
    }

    fn retry(&mut self) -> RetryState {
        self.unwritten_retry.clone().unwrap_or_else(|| self.volatile.retry())
    }

    fn request(&mut self) -> Option<OperatorRequest> {
        if self.own_request.is_some() || self.request_forgotten {
            return self.own_request;
        }
        if let Some(path) = self.volatile.bundle() {
            match Bundle::open(&path) {
                Ok(bundle) => self.bundle = Some(bundle),
                Err(why) => log::error!("bundle-refused why=\"{why}\""),
            }
        }
        self.volatile.request()
    }

    fn fetch(
        &mut self,
        folder: Folder,
        path: &str,
        bytes_max: u64,
        validator: Option<&str>,
    ) -> Result<Fetched, FetchFault> {
        let fetched = match &self.bundle {
            Some(bundle) => bundle.small(folder, path, bytes_max),
            None => self.remote.small(folder, path, bytes_max, validator),
        };
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
        match &self.bundle {
            Some(bundle) => bundle.piece(path, offset, total_bytes, buffer),
            None => self.remote.piece(path, offset, total_bytes, buffer),
        }
    }

    fn keep_record(&mut self, record: &Record) -> Result<(), Text> {
        self.state.keep_record(record)
    }

    fn keep_retry(&mut self, retry: &RetryState) {
        let written = self.volatile.keep_retry(retry);
        self.unwritten_retry = (!written).then(|| retry.clone());
    }

    fn keep_file(&mut self, file: StoredFile<'_>, bytes: Option<&[u8]>) -> Result<(), Text> {
        self.state.keep(file, bytes)?;
        if file == StoredFile::Timestamp {
            self.raise_tls_floor();
        }
        Ok(())
    }

    fn write_part(&mut self, slot: Slot, part: usize, offset: u64, bytes: &[u8]) -> Result<(), Text> {
        self.slots.write(slot, part, offset, bytes)
    }

    fn sync_part(&mut self, slot: Slot, part: usize) -> Result<(), Text> {
        self.slots.sync(slot, part)
    }

    fn read_part(&mut self, slot: Slot, part: usize, offset: u64, buffer: &mut [u8]) -> Result<(), Text> {
        self.slots.read(slot, part, offset, buffer)
    }

    fn set_boot_choice(&mut self, choice: &BootChoice) -> Result<(), Text> {
        bootcount::write(&self.settings.boot, choice)
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

    fn request_answered(&mut self) {
        if self.own_request.take().is_none() {
            // One that cannot be removed must not come true again and again.
            self.request_forgotten = !self.volatile.request_answered();
        }
    }

    fn gate(&mut self) -> Option<GateFacts> {
        self.gate.as_ref().map(CredentialStore::seen)
    }

    fn rules(&mut self, gate_state: GateState) -> FirewallStatus {
        let Some(wall) = &mut self.wall else { return FirewallStatus::Hold };
        wall.seen(gate_state)
    }

    fn guard(&mut self, gate_state: GateState) -> Result<(), Text> {
        let wall = self.wall.as_mut();
        wall.ok_or_else(|| text(format_args!("the gate is not ours to keep")))?.put(gate_state)
    }

    fn keep_next_credential(&mut self) -> Result<(), Text> {
        self.our_gate()?.keep_next()
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

    fn run_hooks(&mut self, hooks: Hooks) -> Result<(), Text> {
        self.our_gate()?.run_hooks(hooks)
    }

    fn mark_reset(&mut self, begun: bool) -> Result<(), Text> {
        self.our_gate()?.mark_reset(begun)
    }

    fn wipe_owner(&mut self) -> Result<(), Text> {
        self.our_gate()?.wipe()
    }

    fn incident_state(&mut self) -> IncidentState {
        self.driver.as_mut().map(|driver| driver.memory().clone()).unwrap_or_default()
    }

    fn keep_incident_state(&mut self, memory: &IncidentState) -> Result<(), Text> {
        self.wall_driver()?.keep_memory(memory)
    }

    fn observe(&mut self) -> Observation {
        let counts = self.fresh_counts();
        let driver = self.driver.as_mut().expect("who looks around has a wall");
        Observation { counts, ..driver.observe() }
    }

    fn remediation(&mut self, remediation: &Remediation) -> Result<(), Text> {
        self.wall_driver()?.remediation(remediation)
    }

    fn undo(&mut self, remediation: &Remediation) -> Result<(), Text> {
        self.wall_driver()?.undo(remediation)
    }

    fn keep_evidence(&mut self, report: &Report) -> Result<(), Text> {
        self.wall_driver()?.keep_evidence(report)
    }

    fn accept_changes(&mut self) {
        if let Some(driver) = &mut self.driver {
            driver.accept_changes();
        }
    }

    fn grant(&mut self, grants: &FirewallGrants) {
        self.set_grants(grants);
    }

    fn note(&mut self, reason: &Reason) {
        let line = reason.to_string();
        if let Reason::StepFailed {
            step: "claim" | "finish" | "withdraw" | "begin-reset" | "forget",
            fault,
        } = reason
        {
            self.gate_fault = Some(fault.to_string());
        }
        if line == self.last_note {
            return;
        }
        if let Some(driver) = &mut self.driver {
            driver.note(reason);
        }
        match reason.level() {
            Level::Error => log::error!("{line}"),
            Level::Info => log::info!("{line}"),
            Level::Debug => log::debug!("{line}"),
        }
        self.last_level = reason.level();
        self.refused = matches!(reason, Reason::Refused { refusal, .. } if *refusal != Refusal::UpToDate);
        if self.last_level == Level::Error {
            self.first_error.get_or_insert_with(|| line.clone());
        }
        self.last_note = line;
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
