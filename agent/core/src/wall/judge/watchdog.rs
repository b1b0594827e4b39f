//! The watchdog: its holder decides whether the device restarts when it hangs. Bots open it to stop it; it lets
//! itself be opened only once. Other holders are judged with the processes.

use crate::fault::Text;
use crate::wall::measures::Measure;
use crate::wall::remediation::Remediation;
use crate::wall::report::Report;

/// The state of the watchdog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchdogSeen {
    /// The settings leave it to other software.
    NotWanted,
    /// It is open, and fed.
    Held,
    /// It has not been opened yet.
    Free,
    /// This device has none: the one that was looked for.
    None(Text),
    /// It could not be opened or fed: why.
    Refused(Text),
}

pub fn judge(seen: &WatchdogSeen, report: &mut Report) {
    let measure = Measure::Watchdog;
    let mut weak = |what| report.weak(measure, Some(Remediation::HoldWatchdog), what);
    match seen {
        WatchdogSeen::Held => {}
        WatchdogSeen::Free => weak(format_args!("the watchdog is not held: whoever opens it can stop it")),
        WatchdogSeen::Refused(why) => weak(format_args!("{why}")),
        WatchdogSeen::None(path) => report.cannot_enforce(measure, format_args!("there is no {path}")),
        WatchdogSeen::NotWanted => {
            report.cannot_enforce(measure, format_args!("the settings leave the watchdog to other software"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::text;
    use crate::wall::report::Judgement;

    #[test]
    fn a_watchdog_is_held_or_it_is_said_why_not() {
        let busy = text(format_args!("cannot open /dev/watchdog: Device or resource busy"));
        for (seen, outcome, remediation) in [
            (WatchdogSeen::Held, Judgement::Strong, false),
            (WatchdogSeen::Free, Judgement::Weak, true),
            (WatchdogSeen::Refused(busy), Judgement::Weak, true),
            (
                WatchdogSeen::None(text(format_args!("/dev/watchdog"))),
                Judgement::CannotEnforce(text(format_args!("there is no /dev/watchdog"))),
                false,
            ),
        ] {
            let mut report = Report::default();
            judge(&seen, &mut report);
            assert_eq!(report.judgement(Measure::Watchdog), outcome);
            assert_eq!(report.remediations() == [&Remediation::HoldWatchdog], remediation);
        }
    }
}
