//! Carries out the wall's remediations, and undoes them: each goes to the file that can do it.

use super::driver::WallDriver;
use crate::os::clock;
use crate::os::clock::built;
use crate::os::process::kill_tree;
use crate::os::watchdog::Watchdog;
use crate::wall::accounts::lock;
use crate::wall::security_log::Now;
use crate::wall::{autostart, forensics, quarantine, remount};
use komainu_core::fault::{Text, text};
use komainu_core::wall::judge::autostart::hears;
use komainu_core::wall::judge::watchdog::WatchdogSeen;
use komainu_core::wall::remediation::Remediation;
use komainu_core::wall::report::Report;
use std::path::Path;

impl WallDriver {
    /// Mends something.
    ///
    /// # Errors
    /// The thing that cannot be done, and the cause.
    pub fn remediate(&mut self, remediation: &Remediation) -> Result<(), Text> {
        match remediation {
            Remediation::End(id) => kill_tree::end(*id),
            Remediation::Suspend { id, .. } => kill_tree::suspend(*id),
            Remediation::StopStarting { file, line, says } => self.stop_starting(file, *line, says),
            Remediation::LockAccount { file, account } => match &self.accounts {
                Some((survey, _)) => lock::lock_account(survey.places(), &self.state, file, account),
                None => Err(text(format_args!("whose account is the owner's is not known"))),
            },
            Remediation::Quarantine { file } => quarantine::move_away(&self.state, Path::new(file)),
            Remediation::RemoveKey { file, fingerprint } => lock::remove_key(&self.state, file, fingerprint),
            Remediation::Restore { file } => self.guard.restore(file),
            Remediation::NoPrograms { mount } => {
                let before = remount::forbid_programs(mount)?;
                self.forbidden.push((mount.clone(), before));
                Ok(())
            }
            Remediation::HoldWatchdog => self.hold_watchdog(),
            Remediation::Tune { name, value } => {
                let before = self.numbers.tune(name, *value)?;
                self.tuned.retain(|(other, _)| other != name);
                self.tuned.extend(before.map(|before| (name.clone(), before)));
                Ok(())
            }
        }
    }

    /// Undoes a remediation on trial.
    ///
    /// # Errors
    /// The thing that cannot be done, and the cause.
    pub fn undo(&mut self, remediation: &Remediation) -> Result<(), Text> {
        match remediation {
            Remediation::Suspend { id, .. } => kill_tree::resume(*id),
            Remediation::NoPrograms { mount } => {
                let at = self.forbidden.iter().position(|(point, _)| point == mount);
                let before = at.map(|at| self.forbidden.remove(at).1);
                remount::allow_programs(mount, before)
            }
            Remediation::Tune { name, .. } => {
                let before =
                    self.tuned.iter().position(|(other, _)| other == name).map(|at| self.tuned.remove(at));
                match before {
                    Some((name, before)) => self.numbers.tune(&name, before).map(drop),
                    None => Err(text(format_args!("the value of {name} before is not known"))),
                }
            }
            _ => Err(text(format_args!("{} cannot be undone", remediation.name()))),
        }
    }

    /// Keeps the evidence of an infection.
    ///
    /// # Errors
    /// Path and cause.
    pub fn keep_evidence(&mut self, report: &Report) -> Result<(), Text> {
        let infected = || report.findings.iter().filter(|finding| finding.is_infection());
        let processes = infected().filter_map(|finding| match finding.remediation {
            Some(Remediation::End(id)) => Some(id),
            _ => None,
        });
        let processes: Vec<_> = processes.collect();
        let mut files = self.security_log.paths().to_vec();
        files.extend(self.differ.iter().map(Into::into));
        let why = infected().next().map_or("asked for", |finding| &finding.what);
        let now = Now::read(built());
        let wanted = forensics::Wanted { why, time: &now, processes: &processes, files: &files };
        let path = forensics::keep(&self.state, &wanted)?;
        log::info!("evidence path={}", path.display());
        Ok(())
    }

    /// Everything that is guarded is as it should be, from now on.
    pub fn accept_changes(&mut self) {
        self.chains.accept();
        if let Err(why) = self.guard.accept_changes(&self.settings.policy.integrity) {
            log::warn!("changes-not-accepted why=\"{why}\"");
        }
    }

    fn stop_starting(&mut self, file: &str, line: u32, says: &str) -> Result<(), Text> {
        let time = clock::system_seconds().max(0).unsigned_abs();
        let Some(kind) = self.autostart.stop_starting(&self.state, file, line, says, time)? else {
            return Ok(());
        };
        // Our own change is no stranger's change.
        self.guard.look(&self.settings.policy.integrity, komainu_core::wall::judge::integrity::Owner::Here);
        match hears(kind, &self.processes) {
            Some(id) => autostart::tell(id),
            None => Ok(()),
        }
    }

    /// Takes back the edits of start files that the policy, or the firmware, does not want any more. Called at the
    /// start and after a change of policy; `enforced`: lines are taken away at all.
    pub fn take_back_edits(&mut self, enforced: bool) {
        let told = self.autostart.take_back(&self.state, &self.settings.policy, enforced);
        for what in &told {
            self.security_log.note("edit-taken-back", format_args!("{what}"), Now::read(built()));
        }
        if !told.is_empty() {
            // Our own change is no stranger's change.
            self.guard
                .look(&self.settings.policy.integrity, komainu_core::wall::judge::integrity::Owner::Here);
        }
    }

    pub(super) fn hold_watchdog(&mut self) -> Result<(), Text> {
        let Some(path) = &self.settings.watchdog else { return Ok(()) };
        let seconds = u16::try_from(self.settings.watchdog_seconds).unwrap_or(u16::MAX);
        match Watchdog::open(path, seconds) {
            Ok(watchdog) => {
                self.watchdog = Ok(watchdog);
                Ok(())
            }
            Err(seen) => {
                let why = match &seen {
                    WatchdogSeen::Refused(why) => why.clone(),
                    WatchdogSeen::None(path) => text(format_args!("there is no {path}")),
                    _ => text(format_args!("it cannot be held")),
                };
                self.watchdog = Err(seen);
                Err(why)
            }
        }
    }
}
