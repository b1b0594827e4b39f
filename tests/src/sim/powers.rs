//! The core's traits on the simulated device: every changing call is counted, may lose the power, and is checked
//! against the rules of a careful agent.

use super::disk::After;
use super::{Behaves, Device, KERNEL_BYTES, ROOTFS_BYTES, name, no_power};
use crate::repository::TODAY;
use komainu_agent::update::storage::slot_storage::SlotStorage;
use komainu_core::device::{
    Account, Fetched, Firewall, Folder, Hardening, Hooks, Host, Ledger, Owner, Rebuild, Repository, Slots,
    StoredFile,
};
use komainu_core::fault::{FetchFault, Text, text};
use komainu_core::firewall::table::{Network, Table};
use komainu_core::gate::state::{FirewallStatus, GateFacts};
use komainu_core::identifiers::Slot;
use komainu_core::operator_request::Password;
use komainu_core::retry_state::RetryState;
use komainu_core::update::facts::{Health, Part, Parts, RecordSeen};
use komainu_core::update::offer::StoredMetadata;
use komainu_core::update::record::{Record, Update};
use komainu_core::wall::incident_state::IncidentState;
use komainu_core::wall::judge::integrity::IntegrityFacts;
use komainu_core::wall::observation::Observation;
use komainu_core::wall::remediation::Remediation;
use komainu_core::wall::report::Report;
use komainu_trust::trusted::Clock;
use std::io;

impl Host for Device {
    fn clock(&mut self) -> Clock {
        Clock { system: self.system_clock, built: TODAY.plus_seconds(-1000 * 86_400) }
    }

    fn uptime_seconds(&mut self) -> u64 {
        self.uptime
    }

    fn health(&mut self) -> Health {
        let release = self.running_release();
        let how =
            self.behaves.iter().find(|(number, _)| *number == release).map_or(Behaves::Well, |(_, how)| *how);
        match how {
            Behaves::Well => Health::Good,
            Behaves::Unhealthy => Health::Failing(text(format_args!("no route to the internet"))),
            Behaves::NeverGood => Health::NotYet(text(format_args!("the camera is not found"))),
            Behaves::Crashes => unreachable!("a release that crashes never gets as far as this"),
        }
    }

    fn reboot(&mut self) -> Result<(), Text> {
        self.dead()?;
        if let Err(after) = self.change() {
            self.cut(after);
            return Err(no_power());
        }
        self.restarting = true;
        Ok(())
    }
}

impl Ledger for Device {
    fn record(&mut self) -> RecordSeen {
        if !self.powered {
            return RecordSeen::Lost(no_power());
        }
        self.disk.record_seen()
    }

    fn keep_record(&mut self, record: &Record) -> Result<(), Text> {
        self.dead()?;
        if let Update::Staged { slot, .. } = record.update {
            assert!(self.flash.is_synced(slot), "staged is recorded before the slot is synced");
        }
        if let Some(old) = self.disk.newest_record() {
            let forgotten = record.floor == 0 && old.update == record.update;
            assert!(record.floor >= old.floor || forgotten, "the floor goes down");
            assert!(record.generation == old.generation + 1, "a generation is skipped or repeated");
        }
        match self.change() {
            Ok(()) => self.disk.write_record(record, After::Kept),
            Err(after) => {
                self.disk.write_record(record, after);
                self.cut(after);
                return Err(no_power());
            }
        }
        Ok(())
    }

    fn retry(&mut self) -> RetryState {
        self.retry.clone()
    }

    fn keep_retry(&mut self, retry: &RetryState) {
        if self.powered {
            self.retry = retry.clone();
        }
    }
}

impl Slots for Device {
    fn parts(&mut self) -> Result<Parts, Text> {
        self.dead()?;
        let mut parts = Parts::new();
        for (index, (name_, bytes)) in
            [("kernel", KERNEL_BYTES), ("rootfs", ROOTFS_BYTES)].into_iter().enumerate()
        {
            let committed_last_bytes = self.flash.committed_last_bytes(index);
            let bytes = bytes as u64;
            parts
                .push(Part { name: name(name_), bytes_a: bytes, bytes_b: bytes, committed_last_bytes })
                .unwrap();
        }
        Ok(parts)
    }

    fn invalidate(&mut self, slot: Slot, part: usize) -> Result<(), Text> {
        self.change_flash(slot, part, |storage| storage.invalidate())
    }

    fn begin(&mut self, slot: Slot, part: usize, image_bytes: u64, durable: u64) -> Result<u64, Text> {
        self.change_flash(slot, part, |storage| storage.begin(image_bytes, durable))
    }

    fn write(&mut self, slot: Slot, part: usize, offset: u64, bytes: &[u8]) -> Result<(), Text> {
        self.change_flash(slot, part, |storage| storage.write(offset, bytes))
    }

    fn sync(&mut self, slot: Slot, part: usize) -> Result<u64, Text> {
        let durable = self.change_flash(slot, part, |storage| storage.sync())?;
        self.rot_after_syncs = match self.rot_after_syncs {
            Some(0) => {
                self.flash.rot(slot, 0, 9000);
                None
            }
            other => other.map(|syncs| syncs - 1),
        };
        Ok(durable)
    }

    fn read_back(&mut self, slot: Slot, part: usize, offset: u64, buffer: &mut [u8]) -> Result<(), Text> {
        self.dead()?;
        self.flash.storage(slot, part).and_then(|storage| storage.read_back(offset, buffer)).map_err(said)
    }

    fn commit(&mut self, slot: Slot, part: usize, beginning: &[u8]) -> Result<(), Text> {
        self.change_flash(slot, part, |storage| storage.commit(beginning))
    }
}

fn said(error: io::Error) -> Text {
    text(format_args!("{error}"))
}

impl Rebuild for Device {}

impl Repository for Device {
    fn stored(&mut self) -> StoredMetadata {
        if !self.powered {
            return StoredMetadata::default();
        }
        self.disk.kept(self.server.shipped_root())
    }

    fn advisories(&mut self) -> Option<Vec<u8>> {
        self.disk.advisories()
    }

    fn store(&mut self, file: StoredFile<'_>, bytes: Option<&[u8]>) -> Result<(), Text> {
        self.dead()?;
        self.forget_offer();
        match self.change() {
            Ok(()) => self.disk.write_file(file, bytes, After::Kept),
            Err(after) => {
                self.disk.write_file(file, bytes, after);
                self.cut(after);
                return Err(no_power());
            }
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
        self.dead().map_err(FetchFault::Unreachable)?;
        self.requests += 1;
        self.call();
        let files = match folder {
            Folder::Metadata => &self.server.metadata,
            Folder::Targets => &self.server.targets,
        };
        let Some(bytes) = files.get(path) else { return Ok(Fetched::NotThere) };
        if bytes.len() as u64 > bytes_max {
            return Err(FetchFault::TooLarge { limit_bytes: bytes_max });
        }
        let tag = crate::repository::sha256(bytes);
        if validator == Some(tag.as_str()) {
            return Ok(Fetched::Unchanged);
        }
        Ok(Fetched::Bytes(bytes.clone(), Some(tag)))
    }

    fn fetch_piece(
        &mut self,
        path: &str,
        offset: u64,
        total_bytes: u64,
        buffer: &mut [u8],
    ) -> Result<usize, FetchFault> {
        self.dead().map_err(FetchFault::Unreachable)?;
        self.call();
        if self.broken_pieces > 0 {
            self.broken_pieces -= 1;
            return Err(FetchFault::Short { got_bytes: offset, want_bytes: total_bytes });
        }
        let bytes = self.server.targets.get(path).ok_or(FetchFault::NotFound)?;
        let rest = &bytes[(offset as usize).min(bytes.len())..];
        let count = rest.len().min(buffer.len()).min(3000);
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

impl Owner for Device {
    fn gate(&mut self) -> Option<GateFacts> {
        let dead = self.dead().err();
        let mut seen = self.gate.as_ref()?.seen();
        if let Some(why) = dead {
            seen = GateFacts { account: Err(why), ..seen };
        }
        Some(seen)
    }

    fn keep_next_credential(&mut self, password: &Password) -> Result<(), Text> {
        self.gate_next_credential(password)
    }

    fn next_becomes_kept(&mut self) -> Result<(), Text> {
        self.change_gate(|gate| {
            gate.kept = Some(gate.next.take().expect("there is no next credential"));
            Ok(())
        })
    }

    fn forget_next_credential(&mut self) -> Result<(), Text> {
        self.change_gate(|gate| {
            gate.next = None;
            Ok(())
        })
    }

    fn forget_kept_credential(&mut self) -> Result<(), Text> {
        self.change_gate(|gate| {
            gate.kept = None;
            Ok(())
        })
    }

    fn write_account(&mut self, holds: Account) -> Result<(), Text> {
        self.gate_write_account(holds)
    }

    fn run_hooks(&mut self, hooks: Hooks<'_>) -> Result<(), Text> {
        self.gate_hooks(hooks)
    }

    fn mark_reset(&mut self, begun: bool) -> Result<(), Text> {
        self.change_gate(|gate| {
            gate.resetting = begun;
            Ok(())
        })
    }

    fn wipe_owner(&mut self) -> Result<(), Text> {
        self.change_gate(|gate| {
            gate.owners_data = false;
            Ok(())
        })
    }
}

impl Firewall for Device {
    fn lan_subnets(&mut self) -> Vec<Network> {
        Vec::new()
    }

    fn firewall_status(&mut self, table: &Table) -> FirewallStatus {
        self.gate.as_ref().map_or(FirewallStatus::Hold, |gate| gate.rules_seen(table))
    }

    fn apply_firewall(&mut self, table: &Table) -> Result<(), Text> {
        self.gate_apply(table)
    }
}

impl Hardening for Device {
    fn incident_state(&mut self) -> IncidentState {
        self.wall.incident_state.clone()
    }

    fn keep_incident_state(&mut self, incident_state: &IncidentState) -> Result<(), Text> {
        self.remember(incident_state)
    }

    fn observe(&mut self) -> Observation {
        self.wall.observation.clone()
    }

    fn remediate(&mut self, remediation: &Remediation) -> Result<(), Text> {
        self.mend(remediation)
    }

    fn undo(&mut self, remediation: &Remediation) -> Result<(), Text> {
        self.dead()?;
        self.wall.mended.retain(|mended| mended != remediation);
        Ok(())
    }

    fn keep_evidence(&mut self, _report: &Report) -> Result<(), Text> {
        self.dead()?;
        self.wall.evidence += 1;
        Ok(())
    }

    fn accept_changes(&mut self) {
        self.wall.observation.integrity = IntegrityFacts::default();
    }
}

impl Device {
    /// Does something with a part of the slot that may be written; every operation on the medium counts as a change, and
    /// the power may go in the middle of one.
    fn change_flash<T>(
        &mut self,
        slot: Slot,
        part: usize,
        act: impl FnOnce(&mut Box<dyn SlotStorage>) -> io::Result<T>,
    ) -> Result<T, Text> {
        self.dead()?;
        assert!(slot != self.booted, "the running slot is written");
        assert!(self.choice().is_ok_and(|choice| choice.slot != slot), "the chosen slot is written");
        let done = self.operations(|device| device.flash.storage(slot, part).and_then(act))?;
        done.map_err(said)
    }

    /// Does something whose operations are counted by the fuse, and in one of which the power may go: then nothing else is said.
    pub(in crate::sim) fn operations<T>(&mut self, act: impl FnOnce(&mut Device) -> T) -> Result<T, Text> {
        self.call();
        let cut = self.cut_at.map(|(at, after)| (at.saturating_sub(self.changes).max(1), after));
        self.flash.fuse.cut_in(cut);
        let done = act(self);
        self.flash.fuse.cut_in(None);
        self.changes += self.flash.fuse.take_operations();
        if self.flash.fuse.is_blown() {
            let (_, after) = self.cut_at.take().expect("the power went as planned");
            self.cut(after);
            return Err(no_power());
        }
        Ok(done)
    }
}
