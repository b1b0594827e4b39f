//! The warden takes the wall's turns: a quick look every two seconds whether anything changed, and a whole turn when it
//! did, when somebody asks, and every ten seconds. It leaves the last report where commands find it.

use crate::config::settings::DeviceSettings;
use crate::daemon::linux_device::LinuxDevice;
use crate::os::clock::uptime_milliseconds;
use crate::os::files;
use komainu_core::wall::plan::Watch;
use komainu_core::wall::policy::Policy;
use komainu_core::wall::report::Report;
use komainu_core::wall::report_text;
use komainu_core::wall::turn::{TurnContext, turn};
use std::path::PathBuf;

/// Seconds between quick looks.
pub const QUICK_SECONDS: u32 = 2;
/// Milliseconds between whole turns where nothing changes.
const WHOLE_MILLISECONDS: u64 = 10_000;
/// Milliseconds between summaries in the security log: a day.
const SUMMARY_MILLISECONDS: u64 = 86_400_000;
/// Milliseconds from a turn in which something changed to the next.
const AGAIN_MILLISECONDS: u64 = 2000;
/// Turns that may follow each other at once before the next quick look is waited for.
const TURNS_RUNNING_MAX: u32 = 4;

/// Who keeps the wall of one device.
pub struct WallLoop {
    policy: Policy,
    watch: Watch,
    report: Option<Report>,
    /// Where the last report is left.
    file: PathBuf,
    /// When the next whole turn comes, in milliseconds of uptime.
    due: u64,
    /// When the security log has the next summary.
    summary: u64,
}

impl WallLoop {
    /// The one of the settings; `None` where the wall is somebody else's.
    pub fn open(device: &DeviceSettings) -> Option<WallLoop> {
        let policy = device.wall.as_ref()?.policy.clone();
        let (watch, file) = (Watch::default(), report_file(device));
        Some(WallLoop { policy, watch, report: None, file, due: 0, summary: 0 })
    }

    /// Takes a turn, if one is due; true: the report changed.
    pub fn turn_if_due(&mut self, linux: &mut LinuxDevice, known: &TurnContext) -> bool {
        let due = uptime_milliseconds() >= self.due;
        // Both are asked: the one is also a sign of life.
        let changed = linux.has_changed();
        if !due && !changed && !linux.has_request() {
            return false;
        }
        let news = self.turn(linux, known);
        if changed && !due {
            // What was started just now may start another program in its own place.
            self.due = uptime_milliseconds() + AGAIN_MILLISECONDS;
        }
        news
    }

    /// Takes a turn, and those that follow at once; true: the report changed.
    pub fn turn(&mut self, linux: &mut LinuxDevice, known: &TurnContext) -> bool {
        let before = self.report.take();
        for _ in 0..TURNS_RUNNING_MAX {
            let round = turn(linux, &mut self.watch, known, &self.policy);
            self.report = Some(round.report);
            if !round.again {
                break;
            }
        }
        self.due = uptime_milliseconds() + WHOLE_MILLISECONDS;
        if uptime_milliseconds() >= self.summary
            && let Some(report) = &self.report
        {
            self.summary = uptime_milliseconds() + SUMMARY_MILLISECONDS;
            linux.note_summary(report);
        }
        let news = self.report != before;
        if news
            && let Some(report) = &self.report
            && let Err(error) = files::replace(&self.file, report_text::write(report).as_bytes())
        {
            log::warn!("report-unwritten why=\"{error}\"");
        }
        news
    }

    /// What the last turn found out.
    pub fn report(&self) -> Option<&Report> {
        self.report.as_ref()
    }
}

/// Where the agent leaves its report.
pub fn report_file(device: &DeviceSettings) -> PathBuf {
    device.run.join("wall")
}
