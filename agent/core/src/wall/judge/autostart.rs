//! Judges autostart entries, which start telnet again after it was ended: lines of `/etc/inittab`, of inetd's and xinetd's
//! files, of start scripts, of crontabs, of systemd's units and others. Here is the judgement; `reading`
//! reads the files. An attacker may have written all of them, and they may hold any bytes.
//!
//! A line is taken away so that the rest of its file means what it meant, and the device starts as it did: where a line
//! is an entry of a table it becomes a comment; in scripts only the command's first word becomes `true`, which every
//! shell has, so that quotes, `if` and `&` around it stay whole. What cannot be told is said, and never changed.

pub mod edit;
pub mod edit_ledger;
pub mod entry;
mod fetching;
pub mod find;
mod launchers;
mod meaning;
pub mod programs;
pub mod reading;
mod script;
mod shell;
pub mod start_places;
mod tables;
#[cfg(test)]
mod tests;

use crate::fault::Text;
use crate::wall::evidence::Sign;
use crate::wall::judge::autostart::entry::{AutostartEntry, Does, Kind, Origin};
use crate::wall::judge::autostart::programs::{base, serves};
use crate::wall::measures::Measure;
use crate::wall::policy::Policy;
use crate::wall::process_snapshot::Process;
use crate::wall::remediation::{ProcessId, Remediation};
use crate::wall::report::Report;
use crate::wall::subject::Value;
use alloc::string::String;

/// One that was found on the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundAutostart {
    pub file: String,
    /// The way it was read.
    pub kind: Kind,
    pub starter: AutostartEntry,
    /// The layer of its file.
    pub origin: Origin,
    /// The reason why it cannot be changed.
    pub fixed: Option<Text>,
}

/// Judges the lines that were found. A server that the policy names may be started. `unread`: why not all
/// could be read.
pub fn judge(found: &[FoundAutostart], unread: Option<&Text>, policy: &Policy, report: &mut Report) {
    for FoundAutostart { file, starter, origin, fixed, .. } in found {
        let AutostartEntry { line, says, program, does, .. } = starter;
        if is_allowed(*does, program, policy) {
            continue;
        }
        let what = format_args!("{file} line {line} {does}: {says}");
        // Firmware fetches and runs its own helpers: its maker has signed them, or the owner's package has.
        match (does, origin) {
            (Does::Fetch, Origin::Firmware) => {
                report.note(what);
                continue;
            }
            (Does::Fetch, Origin::OverFirmware) => {
                report.told(Measure::Respawn, None, what);
                continue;
            }
            _ => {}
        }
        if let Some(why) = fixed {
            report.cannot_enforce(
                Measure::Respawn,
                format_args!(
                    "{file} line {line} {does} and is left as it is: {why}; \
                     what it starts is ended each time it appears"
                ),
            );
            continue;
        }
        let fix = Some(Remediation::StopStarting { file: file.clone(), line: *line, says: says.clone() });
        let word = match does {
            Does::Telnet => "telnet",
            Does::Ssh => "ssh",
            Does::Shell => "shell",
            Does::Fetch => "fetch",
        };
        let subject = format_args!("file={} line={line} does={word}", Value(file));
        let report = report.about(subject);
        match does {
            Does::Telnet | Does::Ssh | Does::Shell => report.weak(Measure::Respawn, fix, what),
            Does::Fetch => report.weighed(Measure::Respawn, Sign::FetchAndRun.row().alone, fix, what),
        }
    }
    if let Some(why) = unread {
        report.cannot_tell(Measure::Respawn, format_args!("{}", &**why));
    }
}

/// Whether the policy lets a program be started that does this.
pub fn is_allowed(does: Does, program: &str, policy: &Policy) -> bool {
    let named = |name: &str| serves(name).is_some() && base(name) == base(program);
    let listed = || policy.services.iter().any(|service| named(&service.program));
    match does {
        Does::Telnet => listed(),
        Does::Ssh => policy.ssh || listed(),
        Does::Shell | Does::Fetch => false,
    }
}

/// The process to tell (SIGHUP) to read a changed file of this kind again; none unless it is exactly the program that
/// is known to do so. systemd reads its units again at the same signal as init its table.
pub fn hears(kind: Kind, processes: &[Process]) -> Option<ProcessId> {
    let names: &[&str] = match kind {
        Kind::Inittab | Kind::Unit => &["init", "systemd", "linuxrc"],
        Kind::Inetd => &["inetd"],
        Kind::Xinetd => &["xinetd"],
        _ => return None,
    };
    let first = matches!(kind, Kind::Inittab | Kind::Unit);
    let mut of_name = processes
        .iter()
        .filter(|one| one.user == 0 && (one.id.pid == 1) == first && names.contains(&one.called()));
    let one = of_name.next()?.id;
    of_name.next().is_none().then_some(one)
}
