//! Reads a script as a shell does: which commands it has, which functions are called, which values its variables have, and
//! which other files it leads to. `meaning` tells the effect of one command. Nothing is ever run.

mod blocks;

use super::entry::{CALLS_MAX, Call, Hit, STARTERS_MAX};
use super::programs::{CALLED_BY_FRAMEWORK, is_shell};
use super::shell::{UNKNOWN, VARIABLE, VARIABLE_END, Word};
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;
use core::ops::Range;

/// Most functions, and values of variables, that are known.
const FUNCTIONS_MAX: usize = 128;
const VALUES_MAX: usize = 256;
/// Most texts within texts.
const DEPTH_MAX: u32 = 6;
/// Most values of one word, and names that stand for names.
const CHOICES_MAX: usize = 8;
const NAMES_MAX: u32 = 4;
/// Most variables that are looked up for one file; the others' values are unknown. And the longest value, in bytes.
const LOOKUPS_MAX: u32 = 20_000;
const VALUE_BYTES_MAX: usize = 512;
/// Most commands that are compared before and after an edit.
pub const COMMANDS_MAX: usize = 4096;
/// In a resolved value: what the script, or the function, was called with.
pub const GIVEN: u8 = 4;

/// A file is read three times.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// For the names of functions and the values of variables.
    Names,
    /// For the functions that are called.
    Links,
    /// For the effects of what is run.
    Effects,
}

struct Function {
    name: Vec<u8>,
    /// It runs the words that it is given.
    runs_words: bool,
    live: bool,
}

/// One simple command, with its words.
pub struct Command<'w> {
    pub words: &'w [Word],
    /// The file into which its output goes.
    pub output: Option<&'w [u8]>,
}

/// The effects of the command before in a pipe.
#[derive(Clone)]
pub struct Poured {
    pub word: Range<usize>,
    pub edit: Result<Range<usize>, &'static str>,
    pub program: String,
    /// It listens, and does not fetch.
    pub binds: bool,
}

/// A file that was fetched.
pub struct Fetched {
    pub file: Vec<u8>,
}

/// A script, and what is known of it.
pub struct Script<'a> {
    pub bytes: &'a [u8],
    /// The words by which other files may call functions of this one.
    callers: &'a [u32],
    pass: Pass,
    functions: Vec<Function>,
    /// The function whose commands are read.
    function: Option<usize>,
    links: Vec<(u8, u8)>,
    values: Vec<(Vec<u8>, Vec<u8>)>,
    lookups_left: Cell<u32>,
    depth: u32,
    pub poured: Option<Poured>,
    /// The output of the command before, if that was fetched.
    pub printed: Option<Poured>,
    pub fetched: Vec<Fetched>,
    /// The reader reads the value of a word, and not the file's own bytes.
    pub is_copy: bool,
    pub hits: Vec<Hit>,
    pub calls: Vec<Call>,
    pub words: Vec<u32>,
    pub doubt: Option<(usize, &'static str)>,
    /// All commands: their digests and places.
    pub commands: Vec<(u32, Range<usize>)>,
}

/// Reads bytes of a file as a script. `callers`: digests of words by which other files may call its functions.
pub fn read<'a>(bytes: &'a [u8], range: Range<usize>, callers: &'a [u32]) -> Script<'a> {
    let mut script = Script {
        bytes,
        callers,
        pass: Pass::Names,
        functions: Vec::new(),
        function: None,
        links: Vec::new(),
        values: Vec::new(),
        lookups_left: Cell::new(LOOKUPS_MAX),
        depth: 0,
        poured: None,
        printed: None,
        fetched: Vec::new(),
        is_copy: false,
        hits: Vec::new(),
        calls: Vec::new(),
        words: Vec::new(),
        doubt: None,
        commands: Vec::new(),
    };
    script.text(range.clone());
    script.pass = Pass::Links;
    script.text(range.clone());
    script.link();
    script.pass = Pass::Effects;
    script.text(range.clone());
    if !script.fetched.is_empty() {
        // A loop, or a function further up, may run what is fetched further down.
        script.commands.clear();
        script.text(range);
    }
    script.started_by_framework(&["DAEMON", "command"]);
    if let Some(framework) = script.framework().map(String::from) {
        script.call(&framework, true);
    }
    script.words.sort_unstable();
    script.words.dedup();
    script
}

/// A short digest of a word.
pub fn digest(parts: &[&[u8]]) -> u32 {
    let mut sum: u32 = 0x811c_9dc5;
    for part in parts {
        for byte in part.iter().chain(&[0]) {
            sum = (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        }
    }
    sum
}

impl Script<'_> {
    /// The framework that a first line names (`#!/bin/sh /etc/rc.common`), if any.
    pub fn framework(&self) -> Option<&str> {
        let first = self.bytes.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
        let mut words = core::str::from_utf8(first).ok()?.split_ascii_whitespace();
        let interpreter = words.next()?;
        let second = words.next();
        if is_shell(interpreter) || interpreter.ends_with("/env") {
            return second.filter(|word| word.starts_with('/'));
        }
        Some(interpreter)
    }

    pub fn doubt(&mut self, at: usize, why: &'static str) {
        if self.pass == Pass::Effects && self.is_live() {
            self.doubt.get_or_insert((at, why));
        }
    }

    pub fn hit(&mut self, hit: Hit) {
        let is_new = !self.hits.iter().any(|other| other.word == hit.word && other.does == hit.does);
        if is_new && self.hits.len() < STARTERS_MAX {
            self.hits.push(hit);
        }
    }

    pub fn call(&mut self, path: &str, sourced: bool) {
        let folder = path.find(['*', '?', '[']).map(|at| &path[..path[..at].rfind('/').unwrap_or(0)]);
        let call = Call { path: folder.unwrap_or(path).into(), folder: folder.is_some(), sourced };
        if call.path.len() > 1 && self.calls.len() < CALLS_MAX && !self.calls.contains(&call) {
            self.calls.push(call);
        }
    }

    /// It is read for its effects, and the function around is called.
    pub fn is_in_effect(&self) -> bool {
        self.takes_effect() && self.is_live()
    }

    fn is_live(&self) -> bool {
        self.function.is_none_or(|at| self.functions[at].live)
    }

    /// The function of that name.
    pub fn function_named(&self, name: &[u8]) -> Option<usize> {
        self.functions.iter().position(|function| function.name == name)
    }

    pub fn runs_words(&self, function: usize) -> bool {
        self.functions[function].runs_words
    }

    /// The function being read runs the words that it is given.
    pub fn set_runs_words(&mut self) {
        if let Some(at) = self.function {
            self.functions[at].runs_words = true;
        }
    }

    pub fn takes_effect(&self) -> bool {
        self.pass == Pass::Effects
    }

    /// Finds the functions that are called: from outside of all functions, by a framework, or from those.
    fn link(&mut self) {
        let framework = self.framework().is_some();
        for function in &mut self.functions {
            let name = core::str::from_utf8(&function.name).unwrap_or_default();
            function.live |= framework && CALLED_BY_FRAMEWORK.contains(&name);
            function.live |= self.callers.binary_search(&digest(&[&function.name])).is_ok();
        }
        let mut changed = true;
        while changed {
            changed = false;
            for (from, to) in &self.links {
                if self.functions[usize::from(*from)].live && !self.functions[usize::from(*to)].live {
                    self.functions[usize::from(*to)].live = true;
                    changed = true;
                }
            }
        }
    }

    fn define(&mut self, name: &[u8]) -> Option<usize> {
        let known = self.function_named(name);
        if known.is_some() || self.pass != Pass::Names {
            return known;
        }
        if self.functions.len() == FUNCTIONS_MAX {
            return None;
        }
        self.functions.push(Function { name: name.into(), runs_words: false, live: false });
        Some(self.functions.len() - 1)
    }

    /// A variable may have this value.
    pub fn assign(&mut self, name: &[u8], value: &[u8]) {
        if self.pass != Pass::Names || self.values.len() == VALUES_MAX {
            return;
        }
        if !self.values.iter().any(|(other, known)| other == name && known == value) {
            self.values.push((name.into(), value.into()));
        }
    }

    /// The values that a word may have; of more than a few some.
    pub fn resolve(&self, value: &[u8], names: u32) -> Vec<Vec<u8>> {
        let mut all: Vec<Vec<u8>> = [Vec::new()].into();
        let mut rest = value;
        while let Some((&first, after)) = rest.split_first() {
            rest = after;
            if first != VARIABLE {
                all.iter_mut().for_each(|one| one.push(first));
                continue;
            }
            let length = rest.iter().position(|byte| *byte == VARIABLE_END).unwrap_or(rest.len());
            let name = &rest[..length];
            rest = rest.get(length + 1..).unwrap_or_default();
            let mut choices: Vec<Vec<u8>> = Vec::new();
            if name.iter().all(u8::is_ascii_digit) || matches!(name, b"@" | b"*") {
                choices.push([GIVEN].into());
            } else if names > 0 && self.lookups_left.get() > 0 {
                self.lookups_left.set(self.lookups_left.get() - 1);
                for (_, value) in self.values.iter().filter(|(other, _)| other == name) {
                    choices.extend(self.resolve(value, names - 1));
                    if choices.len() > CHOICES_MAX {
                        break;
                    }
                }
            }
            if choices.is_empty() {
                choices.push([UNKNOWN].into());
            }
            let before = core::mem::take(&mut all);
            for one in before {
                let room = CHOICES_MAX.saturating_sub(all.len()).max(1);
                for choice in choices.iter().take(room) {
                    all.push([&one[..], choice].concat());
                }
            }
            all.truncate(CHOICES_MAX);
            all.iter_mut().for_each(|one| one.truncate(VALUE_BYTES_MAX));
        }
        all
    }

    /// Every value that a word may have, beginning with names that are resolved.
    pub fn values_of(&self, word: &Word) -> Vec<Vec<u8>> {
        self.resolve(&word.value, NAMES_MAX)
    }

    /// Reads a text of its own: what `sh -c`, `eval` or `$(` are given.
    pub fn nested(&mut self, range: Range<usize>) {
        if self.depth == DEPTH_MAX {
            return self.doubt(range.start, "it has texts within texts");
        }
        self.depth += 1;
        let poured = self.poured.take();
        self.text(range);
        self.poured = poured;
        self.depth -= 1;
    }
}
