//! The wall's job in the event loop: a quick look every two seconds for changes, and a whole turn after a change, on
//! an operator's request, and at a pace by what the last one took. It leaves the last report in a file for the commands.

use super::event_log::EventLog;
use super::linux_device::LinuxDevice;
use super::page_status::turned_away;
use super::request_queue::RequestQueue;
use crate::config::settings::DeviceSettings;
use crate::os::clock::{thread_microseconds, uptime_milliseconds};
use crate::os::files;
use komainu_core::device::{Device, Hardening as _};
use komainu_core::firewall::table::FirewallGrants;
use komainu_core::gate::state::FirewallStatus;
use komainu_core::operator_request::OperatorRequest;
use komainu_core::settings::FirewallSettings;
use komainu_core::wall::pace::{CHANGES, WHOLE_TURNS};
use komainu_core::wall::plan::watch::Watch;
use komainu_core::wall::policy::Policy;
use komainu_core::wall::report::Report;
use komainu_core::wall::report_text;
use komainu_core::wall::turn::{TurnContext, decide, execute};
use komainu_trust::Moment;
use std::path::PathBuf;

/// Seconds between quick looks.
pub const QUICK_SECONDS: u32 = 2;
/// Milliseconds between summaries in the security log: a day.
const SUMMARY_MILLISECONDS: u64 = 86_400_000;
/// Milliseconds from a turn with changes to the next turn.
const AGAIN_MILLISECONDS: u64 = 2000;
/// Turns that may follow each other at once before the job waits for the next quick look.
const TURNS_RUNNING_MAX: u32 = 4;

/// The wall of one device.
pub struct WallJob {
    policy: Policy,
    firewall: FirewallSettings,
    watch: Watch,
    report: Option<Report>,
    /// The firewall's grants besides the settings.
    grants: FirewallGrants,
    /// The status of the firewall at the last turn: another one makes the next turn due.
    rules: Option<FirewallStatus>,
    /// The file of the last report.
    file: PathBuf,
    /// The time of the next whole turn, in milliseconds of uptime.
    due: u64,
    /// The time of the next summary in the security log.
    summary: u64,
}

/// The facts from the last look at gate and update, for a turn of the wall.
#[derive(Clone, Debug)]
pub struct WallInputs {
    /// The time by the best clock there is.
    pub now: Moment,
    /// The status of the firewall in the kernel.
    pub rules: Option<FirewallStatus>,
}

/// The outcome of the wall's turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WallNews {
    /// The report changed.
    pub changed: bool,
    /// A restart was asked for.
    pub restarting: bool,
}

impl WallJob {
    /// The wall of the settings; `None` where they leave it to other software.
    pub fn open(settings: &DeviceSettings, grants: FirewallGrants) -> Option<WallJob> {
        Some(WallJob {
            policy: settings.wall.as_ref()?.policy.clone(),
            firewall: settings.core.firewall.clone(),
            watch: Watch::default(),
            report: None,
            grants,
            rules: None,
            file: report_file(settings),
            due: 0,
            summary: 0,
        })
    }

    /// The firewall's grants besides the settings.
    pub fn grants(&self) -> &FirewallGrants {
        &self.grants
    }

    /// The last turn's report.
    pub fn report(&self) -> Option<&Report> {
        self.report.as_ref()
    }

    /// Takes a turn, if one is due.
    pub fn turn_if_due(
        &mut self,
        device: &mut LinuxDevice,
        requests: &mut RequestQueue,
        inputs: &WallInputs,
        log: &mut EventLog,
    ) -> WallNews {
        let due = uptime_milliseconds() >= self.due || inputs.rules != self.rules;
        // Both are asked: one of them is also a sign of life.
        let changed = device.wall().is_some_and(|wall| wall.has_changed());
        let request = requests.next(device);
        if !due && !changed && request.is_none() {
            return WallNews::default();
        }
        let news = self.turn(device, requests, request, inputs, log);
        if changed {
            // A program that has just started may still start another one in its own place (exec).
            self.due = self.due.min(uptime_milliseconds() + AGAIN_MILLISECONDS);
        }
        news
    }

    /// Takes a turn, and those that follow at once.
    fn turn(
        &mut self,
        device: &mut LinuxDevice,
        requests: &mut RequestQueue,
        mut request: Option<OperatorRequest>,
        inputs: &WallInputs,
        log: &mut EventLog,
    ) -> WallNews {
        let before = self.report.take();
        let (mut restarting, mut spent) = (false, 0);
        for _ in 0..TURNS_RUNNING_MAX {
            let began = thread_microseconds();
            let context = TurnContext {
                now: inputs.now,
                rules: inputs.rules.clone(),
                firewall: &self.firewall,
                grants: &self.grants,
                request: request.as_ref(),
            };
            let decision = decide(device as &mut dyn Device, &mut self.watch, &context, &self.policy);
            log.log_all(device, &decision.events);
            if decision.answered {
                requests.answered();
            }
            let outcome = execute(device as &mut dyn Device, &mut self.watch, &context, &decision);
            log.log_all(device, &outcome.events);
            (self.report, self.grants) = (Some(decision.report), decision.grants);
            (request, restarting) = (None, restarting || outcome.restarting);
            // As long as there is something to do, the pace is the fastest.
            let is_at_rest = !outcome.again && device.incident_state().incident.is_none();
            spent = if is_at_rest { thread_microseconds().saturating_sub(began) } else { 0 };
            if !outcome.again {
                break;
            }
        }
        self.rules.clone_from(&inputs.rules);
        self.due = uptime_milliseconds() + WHOLE_TURNS.pause_after(spent);
        if let Some(wall) = device.wall() {
            wall.scanner_rests(uptime_milliseconds() + CHANGES.pause_after(spent));
        }
        self.leave_summary(device);
        let changed = self.report != before;
        if changed
            && let Some(report) = &self.report
            && let Err(error) = files::replace(&self.file, report_text::write(report).as_bytes())
        {
            log::warn!("report-unwritten why=\"{error}\"");
        }
        WallNews { changed, restarting }
    }

    /// Writes the results of the four surveys, and the number of strangers turned away, into the security log, once a
    /// day.
    fn leave_summary(&mut self, device: &mut LinuxDevice) {
        let Some(report) = self.report.as_ref().filter(|_| uptime_milliseconds() >= self.summary) else {
            return;
        };
        self.summary = uptime_milliseconds() + SUMMARY_MILLISECONDS;
        let strangers = turned_away(&device.counts()).iter().map(|count| count.packets).sum::<u64>();
        if let Some(wall) = device.wall() {
            wall.note_summary(report, strangers);
        }
    }
}

/// The file of the agent's report.
pub fn report_file(settings: &DeviceSettings) -> PathBuf {
    settings.run.join("wall")
}
