//! A trial on Linux: its health checks, the watchdog that is held from its start on, and the owner's settings.

use super::LinuxDevice;
use crate::os::foreign_file::Tree;
use crate::os::watchdog::SILENCE_SECONDS;
use crate::update::{health, hooks, owner_snapshot};
use komainu_core::device::{Fetched, Folder, Host, Migration, Repository};
use komainu_core::fault::{Text, text};
use komainu_core::identifiers::ReleaseId;
use komainu_core::update::facts::Health;
use komainu_core::update::health_check::HealthCheck;
use komainu_core::update::poll::is_absent;
use komainu_trust::refresh::{Ask, drive};
use komainu_trust::{TrustFault, Trusted};

/// On trial the loop may be silent for so many seconds, and as long as one health check may take besides.
const TRIAL_SILENCE_SECONDS: u32 = 120;

/// Why the server, or its metadata, is not as it should be.
struct Unreached(Text);

impl From<TrustFault> for Unreached {
    fn from(fault: TrustFault) -> Unreached {
        Unreached(text(format_args!("{fault}")))
    }
}

impl LinuxDevice {
    /// Asks the built-in checks of the settings, then those in the folder; the first that is not good decides.
    pub(super) fn ask_health(&mut self) -> Health {
        for check in self.settings.trial.checks.clone() {
            self.show_life();
            let looked = match check {
                HealthCheck::Server => self.reach_server(),
                HealthCheck::Clock => self.look_at_clock(),
                _ => health::look(&check, &self.settings.core.firewall.lan),
            };
            if let Err(why) = looked {
                return Health::NotYet(why);
            }
        }
        let alive = || self.show_life();
        health::ask(&self.settings.health, self.settings.health_check_seconds, &alive)
    }

    /// A sign of life to the watchdog.
    pub(crate) fn show_life(&self) {
        if let Some(wall) = &self.wall {
            wall.show_life();
        }
    }

    /// Holds the watchdog from the start of a trial on, and lets the loop be silent for a short time only: a release that
    /// hangs is reset, and the boot loader counts it. A watchdog that another program feeds is left to it.
    pub fn watch_trial(&mut self, on_trial: bool) {
        let seconds = match on_trial {
            true => TRIAL_SILENCE_SECONDS + self.settings.health_check_seconds,
            false => SILENCE_SECONDS,
        };
        let held = match &mut self.wall {
            Some(wall) => wall.watch_loop(on_trial, seconds),
            None => Err(text(format_args!("the settings leave it to other software ([wall] keep = false)"))),
        };
        let unwatched = held.err().filter(|_| on_trial);
        if let Some(why) = unwatched.as_ref().filter(|_| unwatched != self.unwatched) {
            log::warn!("trial-unwatched why=\"no watchdog is held on trial: {why}\"");
        }
        self.unwatched = unwatched;
    }

    fn look_at_clock(&mut self) -> Result<(), Text> {
        let clock = self.clock();
        let trusted = Trusted::load(&self.store.kept().under_newest_root(), clock);
        let floor = trusted.map_or(clock.built, |trusted| trusted.clock_floor());
        if clock.system >= floor {
            return Ok(());
        }
        Err(text(format_args!("the clock shows {}, and it is at least {floor}", clock.system)))
    }

    /// Once since the start the server must have answered a poll.
    fn reach_server(&mut self) -> Result<(), Text> {
        if !self.server_reached {
            self.rehearse_poll().map_err(|why| text(format_args!("the update server: {why}")))?;
            self.server_reached = true;
        }
        Ok(())
    }

    /// Asks the server for metadata, as a poll does, and keeps nothing.
    ///
    /// # Errors
    /// The file that cannot be had, or the metadata that is not to be trusted, and why.
    pub fn rehearse_poll(&mut self) -> Result<Trusted, Text> {
        let (stored, clock) = (self.stored().under_newest_root(), self.clock());
        let fetch = |ask: &Ask| {
            self.show_life();
            match self.fetch(Folder::Metadata, &ask.name, ask.bytes_max, None) {
                Ok(Fetched::Bytes(bytes, _)) => Ok(Some(bytes)),
                Ok(Fetched::NotThere | Fetched::Unchanged) => Ok(None),
                Err(fault) if is_absent(&fault, ask) => Ok(None),
                Err(fault) => Err(Unreached(text(format_args!("{}: {fault}", ask.name)))),
            }
        };
        drive(stored, clock, fetch, |_, _| Ok(())).map_err(|Unreached(why)| why)
    }

    fn run_hooks_of_update(&mut self, folder: &str, release: &ReleaseId) -> Result<(), Text> {
        let trial = &self.settings.trial;
        hooks::run(&trial.hooks.join(folder), release, trial.hook_seconds)
            .map_err(|why| text(format_args!("{folder}: {why}")))
    }
}

impl Migration for LinuxDevice {
    fn before_activate(&mut self, release: &ReleaseId) -> Result<(), Text> {
        // Hooks may mount the new slot, or read it.
        self.slots.close();
        let trial = &self.settings.trial;
        let state = self.settings.state.clone();
        owner_snapshot::take(
            &Tree::device()?,
            &trial.owner_settings,
            trial.owner_settings_bytes,
            release.number,
            &state,
        )?;
        let ran = self.run_hooks_of_update("before-activate", release);
        if ran.is_err() {
            // It stays staged, maybe for days: then the owner's settings are others.
            owner_snapshot::forget(true, &state)?;
        }
        ran
    }

    fn after_confirm(&mut self, release: &ReleaseId) -> Result<(), Text> {
        let ran = self.run_hooks_of_update("after-confirm", release);
        owner_snapshot::forget(true, &self.settings.state).and(ran)
    }

    fn on_rollback(&mut self, release: &ReleaseId) -> Result<(), Text> {
        let restored = match self.settings.trial.restores {
            true => Tree::device()
                .and_then(|tree| owner_snapshot::restore(&tree, release.number, &self.settings.state)),
            false => Ok(()),
        };
        let ran = self.run_hooks_of_update("on-rollback", release);
        let forgotten = owner_snapshot::forget(restored.is_ok(), &self.settings.state);
        restored.and(ran).and(forgotten)
    }
}
