//! Judges autostart entries, which start telnet again after it was ended: lines of `/etc/inittab`, of inetd's and xinetd's
//! files, of start scripts, of crontabs, of systemd's units and others. Here are the readers of these files and the
//! judgement. An attacker may have written all of them, and they may hold any bytes.
//!
//! A line is taken away so that the rest of its file means what it meant, and the device starts as it did: where a line
//! is an entry of a table it becomes a comment; in scripts only the command's first word becomes `true`, which every
//! shell has, so that quotes, `if` and `&` around it stay whole. What cannot be told is said, and never changed.

pub mod edit;
pub mod edit_ledger;
pub mod entry;
mod fetching;
mod launchers;
mod meaning;
pub mod programs;
mod script;
mod shell;
mod tables;
#[cfg(test)]
mod tests;

use crate::fault::Text;
use crate::wall::evidence::Sign;
use crate::wall::judge::autostart::entry::{
    AutostartEntry, Call, Does, Doubt, Found, Kind, Origin, Reading, SAYS_BYTES_MAX, STARTERS_MAX, lines,
};
use crate::wall::judge::autostart::programs::{base, is_shell, serves};
use crate::wall::judge::autostart::tables::{command_of, inetd, xinetd};
use crate::wall::measures::Measure;
use crate::wall::policy::Policy;
use crate::wall::process_snapshot::Process;
use crate::wall::remediation::{ProcessId, Remediation};
use crate::wall::report::Report;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

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

/// Reads a file: the lines that start unwanted programs, and the files that it leads to. `callers`: digests of the words
/// by which other files may call its functions, in order.
pub fn read(kind: Kind, bytes: &[u8], callers: &[u32]) -> Reading {
    let all = find(kind, bytes, callers);
    let mut entries: Vec<AutostartEntry> = Vec::new();
    for found in &all.found {
        let starter = found.starter(kind, bytes);
        // Of one line the gravest counts; the fix mends them all.
        match entries.last_mut().filter(|last| last.line == starter.line) {
            Some(last) => {
                let fixed = last.fixed.or(starter.fixed);
                if starter.does == Does::Fetch {
                    *last = starter;
                }
                last.fixed = fixed;
            }
            None => entries.push(starter),
        }
    }
    Reading { entries, calls: all.calls, words: all.words, doubt: all.doubt }
}

/// The lines of a file that start unwanted programs: at most [`STARTERS_MAX`], in their order.
pub fn autostart_entries(kind: Kind, bytes: &[u8]) -> Vec<AutostartEntry> {
    read(kind, bytes, &[]).entries
}

/// Whether a file is text for a shell, by its first line.
pub fn is_shell_script(bytes: &[u8]) -> bool {
    let Some(first) = bytes.strip_prefix(b"#!") else { return !bytes.starts_with(b"\x7fELF") };
    let line = first.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let text = String::from_utf8_lossy(line);
    let mut words = text.split_ascii_whitespace();
    // Frameworks are scripts of the shell themselves.
    let is_one = |word: &str| {
        is_shell(word) || matches!(base(word), "init-d-script" | "openrc-run" | "runscript" | "invoke-run")
    };
    let first = words.next().unwrap_or("sh");
    match base(first) {
        "env" | "busybox" | "toybox" => words.next().is_some_and(is_one),
        _ => is_one(first),
    }
}

impl Found {
    fn starter(&self, kind: Kind, bytes: &[u8]) -> AutostartEntry {
        AutostartEntry {
            line: self.line,
            says: told(&bytes[self.lines.clone()]),
            program: self.hit.program.clone(),
            does: self.hit.does,
            fixed: edit::fixed(self, kind, bytes),
        }
    }
}

/// Everything that is found in a file.
#[derive(Default)]
struct All {
    found: Vec<Found>,
    calls: Vec<Call>,
    words: Vec<u32>,
    doubt: Option<Doubt>,
}

fn find(kind: Kind, bytes: &[u8], callers: &[u32]) -> All {
    let mut all = All::default();
    if kind == Kind::Xinetd {
        all.found = xinetd(bytes);
        return all;
    }
    if kind.is_script() {
        if is_shell_script(bytes) {
            let script = script::read(bytes, 0..bytes.len(), callers);
            let places =
                |at: usize| lines(bytes, true).take_while(move |(_, range)| range.start <= at).last();
            all.add(script, &places);
        }
        return all;
    }
    let joins = matches!(kind, Kind::Unit | Kind::Interfaces);
    for (line, range) in lines(bytes, joins) {
        if kind == Kind::Inetd {
            let text = &bytes[range.clone()];
            let is_entry = text.trim_ascii().first().is_some_and(|byte| *byte != b'#');
            let hits = if is_entry { inetd(text, &range) } else { Vec::new() };
            all.found.extend(hits.into_iter().map(|hit| Found { line, lines: range.clone(), hit }));
        } else if let Some(command) = command_of(kind, bytes, &range) {
            let mut script = script::read(bytes, command, callers);
            let alone = script.commands.len() <= 1;
            script.hits.iter_mut().for_each(|hit| hit.alone = alone);
            all.add(script, &|_| Some((line, range.clone())));
        }
        if all.found.len() >= STARTERS_MAX {
            all.found.truncate(STARTERS_MAX);
            break;
        }
    }
    all
}

impl All {
    /// Takes what was found in a script, or in one command of a table. `place` tells the line of a place.
    fn add(&mut self, script: script::Script<'_>, place: &dyn Fn(usize) -> Option<(u32, Range<usize>)>) {
        let mut hits = script.hits;
        hits.sort_by_key(|hit| hit.word.start);
        for hit in hits {
            if let Some((line, lines)) = place(hit.word.start) {
                self.found.push(Found { line, lines, hit });
            }
        }
        if let Some((at, why)) = script.doubt {
            let line = place(at).map_or(0, |(line, _)| line);
            self.doubt.get_or_insert(Doubt { line, why });
        }
        self.words.extend(script.words);
        for call in script.calls {
            if self.calls.len() < entry::CALLS_MAX && !self.calls.contains(&call) {
                self.calls.push(call);
            }
        }
    }
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
