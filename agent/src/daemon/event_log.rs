//! The event log: each event becomes one line, in the log and, where it is about security, in the security log.
//! Logging only logs: no decision depends on a log line.

use super::linux_device::LinuxDevice;
use komainu_core::reason::{Level, Reason};

/// Logs events; one that only repeats the last is left out.
#[derive(Default)]
pub struct EventLog {
    last: String,
}

impl EventLog {
    /// Logs one event.
    pub fn log(&mut self, device: &mut LinuxDevice, event: &Reason) {
        let line = event.to_string();
        if line == self.last {
            return;
        }
        if let Some(wall) = device.wall() {
            wall.note(event);
        }
        match event.level() {
            Level::Error => log::error!("{line}"),
            Level::Info => log::info!("{line}"),
            Level::Debug => log::debug!("{line}"),
        }
        self.last = line;
    }

    /// Logs events in order.
    pub fn log_all(&mut self, device: &mut LinuxDevice, events: &[Reason]) {
        events.iter().for_each(|event| self.log(device, event));
    }
}
