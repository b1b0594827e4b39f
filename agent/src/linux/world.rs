//! `World` on Linux: hands every call to the file that knows how.

use super::gate::Gate;
use super::program::{Ended, Program};
use super::remote::Remote;
use super::slots::Slots;
use super::state::State;
use super::volatile::{Lock, Volatile};
use super::wall::Wall;
use super::{boot_choice, clock, health};
use crate::bundle::Bundle;
use crate::settings::Device;
use komainu_core::World;
use komainu_core::facts::{Attempts, BootChoice, Health, Parts, RecordSeen, Wish};
use komainu_core::fault::{FetchFault, Text, text};
use komainu_core::gate::{GateSeen, RulesSeen, Standing};
use komainu_core::names::Slot;
use komainu_core::offer::Kept;
use komainu_core::reason::{Level, Reason};
use komainu_core::record::Record;
use komainu_core::verify::Refusal;
use komainu_core::world::{Account, Fetched, Folder, Hooks, KeptFile};
use komainu_trust::trusted::Clock;
use komainu_trust::{Moment, Trusted};
use std::os::fd::BorrowedFd;
use std::path::Path;

/// The device that this runs on.
pub struct Linux {
    settings: Device,
    state: State,
    volatile: Volatile,
    slots: Slots,
    remote: Remote,
    gate: Option<Gate>,
    wall: Option<Wall>,
    /// Takes the server's place until there is nothing more to do with it.
    bundle: Option<Bundle>,
    /// A wish that came with the command line.
    pub own_wish: Option<Wish>,
    /// A wish was answered and could not be removed.
    wish_answered: bool,
    /// What could not be written; without it a full file system would mean polling without a pause.
    unwritten_attempts: Option<Attempts>,
    first_error: Option<String>,
    /// Why the gate's last step failed, until somebody asks.
    gate_fault: Option<String>,
    /// The last thing noted was a refusal, and not of what runs already.
    refused: bool,
    last_note: String,
    last_level: Level,
    restarting: bool,
}

impl Linux {
    /// The device of the settings; nothing is touched yet.
    ///
    /// # Errors
    /// There can be no TLS: a CA file cannot be used; in words.
    pub fn open(settings: &Device) -> Result<Linux, String> {
        let mut linux = Linux {
            state: State::new(&settings.state, &settings.root),
            volatile: Volatile::new(&settings.run),
            slots: Slots::new(settings.parts.clone()),
            remote: Remote::new(&settings.server, built().0)?,
            gate: settings.gate.as_ref().map(|gate| Gate::new(gate, &settings.state)),
            wall: settings.gate.as_ref().map(Wall::new),
            gate_fault: None,
            bundle: None,
            settings: settings.clone(),
            own_wish: None,
            wish_answered: false,
            unwritten_attempts: None,
            first_error: None,
            refused: false,
            last_note: String::new(),
            last_level: Level::Debug,
            restarting: false,
        };
        linux.raise_tls_floor();
        Ok(linux)
    }

    /// True once a restart was asked for.
    pub fn is_restarting(&self) -> bool {
        self.restarting
    }

    /// Takes the lock, without which nothing may be changed; `Err` holds the number of the process that has it.
    ///
    /// # Errors
    /// The folders of the state cannot be made or written, in words.
    pub fn lock(&self) -> Result<Result<Lock, Option<i32>>, String> {
        let failed = |path: &Path, error| format!("cannot write to {}: {error}", path.display());
        self.state.make().map_err(|error| failed(&self.settings.state, error))?;
        if let Some(gate) = &self.gate {
            gate.make().map_err(|error| failed(&self.settings.state, error))?;
        }
        self.volatile.lock().map_err(|error| failed(&self.settings.run, error))
    }

    /// Polls this bundle next, instead of the server.
    pub fn install(&mut self, bundle: Bundle) {
        self.bundle = Some(bundle);
        self.own_wish = Some(Wish::Poll);
    }

    /// From now on the server is asked again. Called when a round is over.
    pub fn end_install(&mut self) {
        self.bundle = None;
    }

    /// The first thing noted that needs attention, or else the last thing noted; and whether nothing could be
    /// installed for a reason that is worth an exit code.
    pub fn what_mattered(&self) -> (bool, &str) {
        match &self.first_error {
            Some(note) => (true, note),
            None => (self.refused, &self.last_note),
        }
    }

    /// True if that needs somebody's attention.
    pub fn last_note_is_bad(&self) -> bool {
        self.last_level == Level::Error
    }

    /// The gate, where it is ours to keep.
    pub fn gate_mut(&mut self) -> Option<&mut Gate> {
        self.gate.as_mut()
    }

    /// What the kernel's firewall cannot do, in words.
    pub fn wall_lacks(&self) -> Vec<&'static str> {
        self.wall.as_ref().map(Wall::lacks).unwrap_or_default()
    }

    /// Why a step of the gate failed since this was last asked.
    pub fn take_gate_fault(&mut self) -> Option<String> {
        self.gate_fault.take()
    }

    fn our_gate(&self) -> Result<&Gate, Text> {
        self.gate.as_ref().ok_or_else(|| text(format_args!("the gate is not ours to keep")))
    }

    /// While a server is waited for, these end the wait: they can be read when somebody asks for something.
    pub fn hear_bells(&mut self, bells: &[BorrowedFd<'_>]) {
        self.remote.hang_bells(bells.iter().filter_map(|bell| bell.try_clone_to_owned().ok()).collect());
    }

    /// Wishes and attempts.
    pub fn volatile(&self) -> &Volatile {
        &self.volatile
    }

    /// TLS certificates are judged by the same clock as metadata.
    fn raise_tls_floor(&mut self) {
        let clock = self.clock();
        let floor =
            Trusted::load(&self.state.kept().stored(), clock).map_or(clock.built, |t| t.clock_floor());
        self.remote.set_floor(floor.0);
    }
}

/// When this was built, as the build says (`SOURCE_DATE_EPOCH`), or when this line was last looked at.
pub fn built() -> Moment {
    let said = option_env!("SOURCE_DATE_EPOCH").and_then(|seconds| seconds.parse().ok());
    Moment(said.unwrap_or(1_795_305_600))
}

impl World for Linux {
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
        boot_choice::booted(&self.settings.boot)
    }

    fn boot_choice(&mut self) -> Result<BootChoice, Text> {
        boot_choice::read(&self.settings.boot)
    }

    fn parts(&mut self) -> Result<Parts, Text> {
        self.slots.sizes()
    }

    fn health(&mut self) -> Health {
        health::ask(&self.settings.health, self.settings.health_check_seconds)
    }

    fn kept(&mut self) -> Kept {
        self.state.kept()
    }

    fn advisories(&mut self) -> Option<Vec<u8>> {
        self.state.advisories()
    }

    fn attempts(&mut self) -> Attempts {
        self.unwritten_attempts.clone().unwrap_or_else(|| self.volatile.attempts())
    }

    fn wish(&mut self) -> Option<Wish> {
        if self.own_wish.is_some() || self.wish_answered {
            return self.own_wish;
        }
        if let Some(path) = self.volatile.bundle() {
            match Bundle::open(&path) {
                Ok(bundle) => self.bundle = Some(bundle),
                Err(why) => log::error!("bundle-refused why=\"{why}\""),
            }
        }
        self.volatile.wish()
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

    fn keep_attempts(&mut self, attempts: &Attempts) {
        let written = self.volatile.keep_attempts(attempts);
        self.unwritten_attempts = (!written).then(|| attempts.clone());
    }

    fn keep_file(&mut self, file: KeptFile<'_>, bytes: Option<&[u8]>) -> Result<(), Text> {
        self.state.keep(file, bytes)?;
        if file == KeptFile::Timestamp {
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
        boot_choice::write(&self.settings.boot, choice)
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

    fn forget_wish(&mut self) {
        if self.own_wish.take().is_none() {
            // One that cannot be removed must not come true again and again.
            self.wish_answered = !self.volatile.forget_wish();
        }
    }

    fn gate(&mut self) -> Option<GateSeen> {
        self.gate.as_ref().map(Gate::seen)
    }

    fn rules(&mut self, standing: Standing) -> RulesSeen {
        let Some(wall) = &mut self.wall else { return RulesSeen::Hold };
        wall.seen(standing)
    }

    fn guard(&mut self, standing: Standing) -> Result<(), Text> {
        let wall = self.wall.as_mut();
        wall.ok_or_else(|| text(format_args!("the gate is not ours to keep")))?.put(standing)
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
