//! The simulated world: stricter than a real one. Writing to the running slot, or vouching for a slot whose
//! writes are not synced, is a panic. It cuts the power at any changing call, and what was not synced is then
//! kept, lost or torn. Map: `sim/disk.rs` what survives, `sim/boot.rs` the boot loader, here the `World`.

pub mod boot;
pub mod disk;

use crate::repository::{BOARD, CHANNEL, Repository, TODAY};
use boot::Environment;
use disk::{After, Disk, Flash};
use komainu_core::facts::{Attempts, BootChoice, Health, Part, Parts, RecordSeen, Wish};
use komainu_core::fault::{FetchFault, Text, text};
use komainu_core::names::{Name, Slot};
use komainu_core::offer::Kept;
use komainu_core::reason::Reason;
use komainu_core::record::{Record, Update};
use komainu_core::settings::{ConfirmBy, Settings};
use komainu_core::world::{Fetched, Folder, KeptFile};
use komainu_core::{Next, World, turn};
use komainu_trust::Moment;
use komainu_trust::trusted::Clock;

/// Bytes of the two parts in either slot.
pub const KERNEL_BYTES: usize = 16 * 1024;
pub const ROOTFS_BYTES: usize = 64 * 1024;

/// How a release behaves when it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaves {
    /// Starts and is healthy.
    Well,
    /// Starts, and a health check fails.
    Unhealthy,
    /// Starts, and never becomes good.
    NeverGood,
    /// Never gets as far as the agent: the watchdog resets the device.
    Crashes,
}

/// A simulated device and the server it polls.
pub struct Device {
    pub server: Repository,
    pub disk: Disk,
    pub flash: Flash,
    pub environment: Environment,
    pub settings: Settings,
    pub behaves: Vec<(u64, Behaves)>,
    pub log: Vec<String>,
    pub wish: Option<Wish>,
    pub system_clock: Moment,
    /// Changing calls so far; the cut comes at this one.
    pub changes: u64,
    pub cut_at: Option<(u64, After)>,
    /// A further cut, so many changing calls after the start that follows the first.
    pub cut_next: Option<(u64, After)>,
    pub requests: u64,
    /// Makes requests for images fail while positive, counting down by pieces.
    pub broken_pieces: u32,
    /// After so many syncs from now, a bit of the last part of the slot that does not run flips.
    pub rot_after_syncs: Option<u32>,
    powered: bool,
    booted: Slot,
    uptime: u64,
    attempts: Attempts,
    restarting: bool,
    /// Starts since it was made.
    pub starts: u32,
}

pub fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

pub fn settings() -> Settings {
    Settings {
        board: name(BOARD),
        channel: name(CHANNEL),
        device_id: "device-1".into(),
        own_release: None,
        poll_seconds: 3600,
        first_poll_within_seconds: 0,
        full_refresh_seconds: 86_400,
        trial_seconds: 300,
        boot_tries: 2,
        confirm_by: ConfirmBy::Health,
        checkpoint_bytes: 8192,
    }
}

impl Device {
    /// A device fresh from the factory: release 1 in both slots, slot a running.
    pub fn new(server: Repository) -> Device {
        let flash = Flash::with_release_in_both(1);
        let own = komainu_core::names::ReleaseId {
            number: 1,
            version: komainu_core::names::Version::parse("1.1").unwrap(),
        };
        Device {
            disk: Disk::default(),
            flash,
            environment: Environment::factory(),
            settings: Settings { own_release: Some(own), ..settings() },
            behaves: Vec::new(),
            log: Vec::new(),
            wish: None,
            system_clock: TODAY,
            changes: 0,
            cut_at: None,
            cut_next: None,
            requests: 0,
            broken_pieces: 0,
            rot_after_syncs: None,
            powered: true,
            booted: Slot::A,
            uptime: 0,
            attempts: Attempts::default(),
            restarting: false,
            starts: 1,
            server,
        }
    }

    pub fn booted_slot(&self) -> Slot {
        self.booted
    }

    /// The release that runs now.
    pub fn running_release(&self) -> u64 {
        self.flash.release_in(self.booted).expect("a running slot holds a whole release")
    }

    pub fn record_on_disk(&self) -> Option<Record> {
        self.disk.newest_record()
    }

    /// Takes turns until the device has nothing to do but wait for its next poll; restarts it whenever it
    /// asks, starts it again after a cut. Checks the invariants at every start.
    ///
    /// # Panics
    /// If it does not settle, or an invariant does not hold.
    pub fn run_until_quiet(&mut self) {
        for _ in 0..2000 {
            let settings = self.settings.clone();
            let next = turn(self, &settings);
            if !self.powered {
                self.start_after_cut();
                continue;
            }
            if self.restarting {
                self.restart();
                continue;
            }
            match next {
                Next::Now => {}
                Next::Restart => panic!("a restart was planned and not asked for: {:?}", self.log.last()),
                // Setbacks are waited for a few times; a server that never mends leaves a quiet device too.
                Next::Seconds(seconds) if seconds <= 10 || (1..=4).contains(&self.setbacks()) => {
                    self.pass(seconds.into());
                }
                Next::Seconds(_) => return,
            }
        }
        panic!(
            "the device does not settle; its last words: {:#?}",
            &self.log[self.log.len().saturating_sub(12)..]
        );
    }

    /// Lets time pass.
    pub fn pass(&mut self, seconds: u64) {
        self.uptime += seconds;
        self.system_clock = self.system_clock.plus_seconds(seconds as i64);
    }

    /// Asks for a poll now, and runs.
    pub fn poll_and_run(&mut self) {
        self.wish = Some(Wish::Poll);
        self.run_until_quiet();
    }

    /// Pulls the plug here and now, and starts it again.
    pub fn pull_the_plug(&mut self, after: After) {
        self.cut(after);
        self.start_after_cut();
    }

    fn setbacks(&self) -> u32 {
        self.attempts.poll.failures + self.attempts.stage.failures + self.attempts.proof.failures
    }

    /// Restarts the device, if its last turn asked for that.
    pub fn restart_if_asked(&mut self) {
        if self.restarting {
            self.restart();
        }
    }

    /// Pulls the plug, and the boot loader finds one slot dead and starts the other by itself.
    pub fn pull_the_plug_with_slot_dead(&mut self, dead: Slot) {
        self.environment.slot = dead.other();
        self.pull_the_plug(After::Lost);
        self.environment.slot = dead;
    }

    fn start_after_cut(&mut self) {
        self.log.push("power-cut".into());
        self.powered = true;
        self.cut_at = self.cut_next.take().map(|(later, after)| (self.changes + later, after));
        self.start();
    }

    fn restart(&mut self) {
        // A restart in order syncs everything first.
        self.flash.sync_all();
        self.log.push("restart".into());
        self.start();
    }

    fn start(&mut self) {
        self.restarting = false;
        self.attempts = Attempts::default();
        self.wish = None;
        self.uptime = 10;
        self.starts += 1;
        let (flash, behaves) = (&self.flash, &self.behaves);
        let starts = |slot| {
            let release = flash.release_in(slot)?;
            Some(behaves.iter().all(|&(number, how)| number != release || how != Behaves::Crashes))
        };
        self.booted = self.environment.start(starts);
        self.log.push(format!("started slot={} release={}", self.booted, self.running_release()));
        crate::invariants::check_all(self);
    }

    fn cut(&mut self, after: After) {
        self.powered = false;
        self.flash.lose_power(after);
    }

    /// Counts a changing call. `Err`: the power went; `keep` says whether this very call still took effect.
    fn change(&mut self) -> Result<(), After> {
        self.changes += 1;
        match self.cut_at {
            Some((at, after)) if at == self.changes => {
                self.cut_at = None;
                Err(after)
            }
            _ => Ok(()),
        }
    }

    fn dead(&self) -> Result<(), Text> {
        if self.powered { Ok(()) } else { Err(no_power()) }
    }
}

fn no_power() -> Text {
    text(format_args!("no power"))
}

impl World for Device {
    fn clock(&mut self) -> Clock {
        Clock { system: self.system_clock, built: TODAY.plus_seconds(-1000 * 86_400) }
    }

    fn uptime_seconds(&mut self) -> u64 {
        self.uptime
    }

    fn record(&mut self) -> RecordSeen {
        if !self.powered {
            return RecordSeen::Lost(no_power());
        }
        self.disk.record_seen()
    }

    fn booted(&mut self) -> Result<Slot, Text> {
        self.dead().map(|()| self.booted)
    }

    fn boot_choice(&mut self) -> Result<BootChoice, Text> {
        self.dead().map(|()| self.environment.choice())
    }

    fn parts(&mut self) -> Result<Parts, Text> {
        self.dead()?;
        let part = |name_, bytes| Part { name: name(name_), bytes_a: bytes as u64, bytes_b: bytes as u64 };
        let mut parts = Parts::new();
        parts.push(part("kernel", KERNEL_BYTES)).unwrap();
        parts.push(part("rootfs", ROOTFS_BYTES)).unwrap();
        Ok(parts)
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

    fn kept(&mut self) -> Kept {
        if !self.powered {
            return Kept::default();
        }
        self.disk.kept(self.server.shipped_root())
    }

    fn attempts(&mut self) -> Attempts {
        self.attempts.clone()
    }

    fn wish(&mut self) -> Option<Wish> {
        self.wish
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

    fn keep_record(&mut self, record: &Record) -> Result<(), Text> {
        self.dead()?;
        if let Update::Staged { slot, .. } = record.update {
            assert!(self.flash.is_synced(slot), "staged is recorded before the slot is synced");
        }
        if let Some(old) = self.disk.newest_record() {
            assert!(record.floor >= old.floor, "the floor goes down");
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

    fn keep_attempts(&mut self, attempts: &Attempts) {
        if self.powered {
            self.attempts = attempts.clone();
        }
    }

    fn keep_file(&mut self, file: KeptFile, bytes: Option<&[u8]>) -> Result<(), Text> {
        self.dead()?;
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

    fn write_part(&mut self, slot: Slot, part: usize, offset: u64, bytes: &[u8]) -> Result<(), Text> {
        self.dead()?;
        assert!(slot != self.booted, "the running slot is written");
        assert!(self.environment.choice().slot != slot, "the chosen slot is written");
        self.flash.write(slot, part, offset, bytes);
        if let Err(after) = self.change() {
            self.cut(after);
            return Err(no_power());
        }
        Ok(())
    }

    fn sync_part(&mut self, slot: Slot, part: usize) -> Result<(), Text> {
        self.dead()?;
        if let Err(after) = self.change() {
            self.cut(after);
            return Err(no_power());
        }
        self.flash.sync(slot, part);
        self.rot_after_syncs = match self.rot_after_syncs {
            Some(0) => {
                self.flash.rot(slot, 0, 9000);
                None
            }
            other => other.map(|syncs| syncs - 1),
        };
        Ok(())
    }

    fn read_part(&mut self, slot: Slot, part: usize, offset: u64, buffer: &mut [u8]) -> Result<(), Text> {
        self.dead()?;
        assert!(self.flash.is_synced(slot), "read back before it is synced: that proves nothing");
        self.flash.read(slot, part, offset, buffer);
        Ok(())
    }

    fn set_boot_choice(&mut self, choice: &BootChoice) -> Result<(), Text> {
        self.dead()?;
        assert!(self.flash.is_synced(choice.slot), "a slot is chosen before it is synced");
        assert!(self.flash.release_in(choice.slot).is_some(), "a slot is chosen that holds no whole release");
        match self.change() {
            Ok(()) => self.environment.set(choice),
            Err(after) => {
                // One transaction: the environment's other copy is valid until this one is whole.
                if after == After::Kept {
                    self.environment.set(choice);
                }
                self.cut(after);
                return Err(no_power());
            }
        }
        Ok(())
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

    fn forget_wish(&mut self) {
        self.wish = None;
    }

    fn note(&mut self, reason: &Reason) {
        let line = reason.to_string();
        if self.powered && self.log.last() != Some(&line) {
            self.log.push(line);
        }
    }
}
