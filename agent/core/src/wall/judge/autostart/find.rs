//! Finds what the lines of a file start, for all kinds of files; `script` and `tables` read one line.

use super::entry;
use super::entry::{Call, Doubt, Found, Kind, SAYS_BYTES_MAX, STARTERS_MAX, lines};
use super::programs::{base, is_shell};
use super::script;
use super::tables::{command_of, inetd, xinetd};
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

/// Everything that is found in a file.
#[derive(Default)]
pub(super) struct All {
    pub(super) found: Vec<Found>,
    pub(super) calls: Vec<Call>,
    pub(super) words: Vec<u32>,
    pub(super) doubt: Option<Doubt>,
}

/// Finds everything in a file.
pub(super) fn find(kind: Kind, bytes: &[u8], callers: &[u32]) -> All {
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
pub(super) fn told(line: &[u8]) -> String {
    let mut says = String::from_utf8_lossy(line).into_owned();
    says.retain(|letter| letter != '\0');
    let mut end = says.len().min(SAYS_BYTES_MAX);
    while !says.is_char_boundary(end) {
        end -= 1;
    }
    says.truncate(end);
    says
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
