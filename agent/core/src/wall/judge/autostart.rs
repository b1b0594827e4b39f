//! Judges autostart entries, which start telnet again after it was ended: lines of `/etc/inittab`, of inetd's and xinetd's
//! files, of start scripts, of crontabs and of systemd's units. Here are the readers of these files, their content without
//! such a line, and the judgement. An attacker may have written all of them, and they may hold any bytes.
//!
//! A line is taken away so that the rest of its file means what it meant, and the device starts as it did: where a line
//! is an entry of a table it becomes a comment; in scripts only the program's name becomes `true`, which every shell
//! has, so that quotes, `if` and `&` around it stay whole.

pub mod entry;
pub mod shell;
mod tables;
#[cfg(test)]
mod tests;

use crate::fault::Text;
use crate::wall::evidence::Sign;
use crate::wall::judge::autostart::entry::{
    AutostartEntry, COMMENT, Does, Found, Kind, SAYS_BYTES_MAX, STARTERS_MAX, lines,
};
use crate::wall::judge::autostart::shell::{is_whole, serves};
use crate::wall::judge::autostart::tables::{disable, read_line, xinetd};
use crate::wall::measures::Measure;
use crate::wall::policy::Policy;
use crate::wall::process_snapshot::Process;
use crate::wall::remediation::{ProcessId, Remediation};
use crate::wall::report::Report;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

/// The number of times that one file is searched for the use of a variable.
const USES_MAX: u32 = 32;

/// One that was found on the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundAutostart {
    pub file: String,
    /// The way it was read.
    pub kind: Kind,
    pub starter: AutostartEntry,
    /// The file is on a medium that can be written.
    pub changeable: bool,
}

/// Judges the lines that were found. A server that the policy names may be started. `unread`: why not all
/// could be read.
pub fn judge(found: &[FoundAutostart], unread: Option<&Text>, policy: &Policy, report: &mut Report) {
    for FoundAutostart { file, starter, changeable, .. } in found {
        let AutostartEntry { line, says, program, does } = starter;
        let named =
            |name: &str| serves(name).is_some() && name.rsplit('/').next() == program.rsplit('/').next();
        let listed = || policy.services.iter().any(|service| named(&service.program));
        let allowed = match does {
            Does::Telnet => listed(),
            Does::Ssh => policy.ssh || listed(),
            Does::Shell | Does::Fetch => false,
        };
        if allowed {
            continue;
        }
        if !changeable {
            report.cannot_enforce(
                Measure::Respawn,
                format_args!(
                    "the firmware itself {does}: {file} line {line} cannot be changed; \
                     what it starts is ended each time it appears"
                ),
            );
            continue;
        }
        let fix = Some(Remediation::StopStarting { file: file.clone(), line: *line, says: says.clone() });
        let what = format_args!("{file} line {line} {does}: {says}");
        match does {
            Does::Telnet | Does::Ssh | Does::Shell => report.weak(Measure::Respawn, fix, what),
            Does::Fetch => report.weighed(Measure::Respawn, Sign::FetchAndRun.row().alone, fix, what),
        }
    }
    if let Some(why) = unread {
        report.cannot_tell(Measure::Respawn, format_args!("{}", &**why));
    }
}

/// The process to tell (SIGHUP) to read a changed file of this kind again; none unless it is exactly the program that
/// is known to do so. systemd reads its units again at the same signal as init its table.
pub fn hears(kind: Kind, processes: &[Process]) -> Option<ProcessId> {
    let names: &[&str] = match kind {
        Kind::Inittab | Kind::Unit => &["init", "systemd", "linuxrc"],
        Kind::Inetd => &["inetd"],
        Kind::Xinetd => &["xinetd"],
        Kind::Script | Kind::Cron | Kind::CronOfUsers => return None,
    };
    let first = matches!(kind, Kind::Inittab | Kind::Unit);
    let mut of_name = processes
        .iter()
        .filter(|one| one.user == 0 && (one.id.pid == 1) == first && names.contains(&one.called()));
    let one = of_name.next()?.id;
    of_name.next().is_none().then_some(one)
}

/// The lines of a file that start unwanted programs: at most [`STARTERS_MAX`], in their order.
pub fn autostart_entries(kind: Kind, bytes: &[u8]) -> Vec<AutostartEntry> {
    let mut starters: Vec<AutostartEntry> = Vec::new();
    for found in find(kind, bytes) {
        let starter = found.starter(bytes);
        // Of one line the gravest counts; the fix mends them all.
        match starters.last_mut().filter(|last| last.line == starter.line) {
            Some(last) if starter.does == Does::Fetch => *last = starter,
            Some(_) => {}
            None => starters.push(starter),
        }
    }
    starters
}

/// The file without what a line starts; `None` where the line no longer says so, or has quotes in the program's name.
pub fn without(kind: Kind, bytes: &[u8], line: u32, says: &str) -> Option<Vec<u8>> {
    let mut edits: Vec<(Range<usize>, &[u8])> = Vec::new();
    for found in find(kind, bytes) {
        if found.line != line || told(&bytes[found.lines.clone()]) != says {
            continue;
        }
        found.edit(kind, bytes, &mut edits)?;
    }
    edits.sort_by_key(|(range, _)| range.start);
    edits.dedup();
    let mut changed = Vec::with_capacity(bytes.len() + 64);
    let mut from = 0;
    for (range, new) in &edits {
        changed.extend_from_slice(bytes.get(from..range.start)?);
        changed.extend_from_slice(new);
        from = range.end;
    }
    changed.extend_from_slice(&bytes[from..]);
    (!edits.is_empty()).then_some(changed)
}

impl Found {
    fn starter(&self, bytes: &[u8]) -> AutostartEntry {
        AutostartEntry {
            line: self.line,
            says: told(&bytes[self.lines.clone()]),
            program: self.hit.program.clone(),
            does: self.hit.does,
        }
    }

    /// The way the line is taken away.
    fn edit(&self, kind: Kind, bytes: &[u8], edits: &mut Vec<(Range<usize>, &'static [u8])>) -> Option<()> {
        let comment = match kind {
            Kind::Inetd | Kind::Cron | Kind::CronOfUsers => true,
            // With other commands on its line, the others stay.
            Kind::Inittab => self.hit.alone,
            Kind::Xinetd => {
                disable(bytes, &self.hit.word, edits);
                return Some(());
            }
            Kind::Script | Kind::Unit => false,
        };
        if comment {
            edits.push((self.lines.start..self.lines.start, COMMENT));
            return Some(());
        }
        let word = &bytes[self.hit.word.clone()];
        if !is_whole(word) {
            return None;
        }
        let by_path = word.contains(&b'/') || kind == Kind::Unit;
        edits.push((self.hit.word.clone(), if by_path { b"/bin/true" } else { b"true" }));
        Some(())
    }
}

fn find(kind: Kind, bytes: &[u8]) -> Vec<Found> {
    if kind == Kind::Xinetd {
        return xinetd(bytes);
    }
    let uses_left = core::cell::Cell::new(USES_MAX);
    let uses = |name: &str| {
        uses_left.set(uses_left.get().saturating_sub(1));
        uses_left.get() == 0 || is_used(bytes, name.as_bytes())
    };
    let mut all = Vec::new();
    let joins = matches!(kind, Kind::Script | Kind::Unit);
    for (line, range) in lines(bytes, joins) {
        for hit in read_line(kind, bytes, range.clone(), &uses) {
            all.push(Found { line, lines: range.clone(), hit });
        }
        if all.len() >= STARTERS_MAX {
            all.truncate(STARTERS_MAX);
            break;
        }
    }
    all
}

/// A line as it is told.
fn told(line: &[u8]) -> String {
    let mut says = String::from_utf8_lossy(line).into_owned();
    says.retain(|letter| letter != '\0');
    let mut end = says.len().min(SAYS_BYTES_MAX);
    while !says.is_char_boundary(end) {
        end -= 1;
    }
    says.truncate(end);
    says
}

/// Whether `$NAME` or `${NAME` is anywhere.
fn is_used(bytes: &[u8], name: &[u8]) -> bool {
    let rests = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'$').map(|(at, _)| &bytes[at + 1..]);
    let mut rests = rests.map(|rest| rest.strip_prefix(b"{").unwrap_or(rest));
    rests.any(|rest| rest.starts_with(name))
}
