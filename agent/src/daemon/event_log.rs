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
        let is_as_before = device.wall().is_some_and(|wall| wall.note(event));
        match level(event, is_as_before) {
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

/// The attention that an event deserves; `is_as_before`: an earlier start had it as well, see `wall::known_events`.
fn level(event: &Reason, is_as_before: bool) -> Level {
    match event {
        // A firmware that brings its own account file at every start: nobody has to look again each time.
        Reason::AccountChanged if is_as_before => Level::Debug,
        _ => event.level(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_that_the_firmware_brings_at_every_start_is_an_error_once() {
        let level = |event: Reason, is_as_before| super::level(&event, is_as_before);
        assert_eq!(level(Reason::AccountChanged, false), Level::Error);
        assert_eq!(level(Reason::AccountChanged, true), Level::Debug);
        // All else has the level that it has, whether or not the security log has it already.
        assert_eq!(level(Reason::IncidentOver, true), Reason::IncidentOver.level());
    }
}
