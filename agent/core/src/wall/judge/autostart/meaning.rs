//! The effect of one command: it starts a server, gives a shell away, or runs the very file that it fetched; or it only
//! launches another command, reads another script, or asks.

use super::entry::{Does, Hit};
use super::launchers::{Argument, behind_options, daemon_of};
use super::programs::{BINDERS, FETCHERS, base, is_shell, is_start, launcher_of, serves, serves_as_service};
use super::script::{Command, GIVEN, Poured, Script};
use super::shell::is_same_file;
use super::shell::{UNKNOWN, VARIABLE, VARIABLE_END, Word, assigns};
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

/// Most words of a command that are looked at, and launchers before its program.
const ARGUMENTS_MAX: usize = 32;
const LAUNCHERS_MAX: u32 = 12;

/// The reasons why a line is not taken away.
const SEVERAL: &str = "one word names several programs";
const IN_A_VARIABLE: &str = "the command stands in a variable";
const READ: &str = "a script reads the file as its own text";
const FRAMEWORK: &str = "a framework starts what a variable names";

impl Script<'_> {
    /// Finds out what a command does.
    pub fn effects(&mut self, command: &Command<'_>) {
        let arguments = self.arguments(command.words);
        self.run(&arguments, command, LAUNCHERS_MAX);
    }

    /// `DAEMON=/usr/sbin/sshd` in a script of a framework that starts what this variable names.
    pub fn started_by_framework(&mut self, names: &[&str]) {
        let is_one =
            |framework: &str| matches!(base(framework), "init-d-script" | "openrc-run" | "runscript");
        if !self.framework().is_some_and(is_one) {
            return;
        }
        for name in names {
            let word = [&[VARIABLE], name.as_bytes(), &[VARIABLE_END]].concat();
            for value in self.resolve(&word, 4) {
                let program = String::from_utf8_lossy(&value).into_owned();
                if let Some(does) = serves(&program) {
                    let at = self.bytes.windows(program.len()).position(|text| text == program.as_bytes());
                    let word = at.map_or(0..0, |at| at..at + program.len());
                    self.hit(Hit { word, edit: Err(FRAMEWORK), program, does, alone: false });
                }
            }
        }
    }

    fn arguments(&self, words: &[Word]) -> Vec<Argument> {
        let mut arguments = Vec::new();
        for (number, word) in words.iter().take(ARGUMENTS_MAX).enumerate() {
            let values = self.values_of(word);
            let mut values: Vec<String> =
                values.iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect();
            let splits = !word.quoted && word.value.contains(&VARIABLE);
            if splits && values.len() == 1 {
                let parts = values[0].split_ascii_whitespace();
                arguments.extend(parts.map(|part| Argument { values: [part.into()].into(), word: number }));
                continue;
            }
            if splits {
                for value in &mut values {
                    let length = value.split_ascii_whitespace().next().map_or(0, str::len);
                    value.truncate(length);
                }
            }
            arguments.push(Argument { values, word: number });
        }
        arguments
    }

    fn run(&mut self, arguments: &[Argument], command: &Command<'_>, mut steps: u32) {
        let mut at = 0;
        while let (Some(argument), true) = (arguments.get(at), steps > 0) {
            steps -= 1;
            let word = &command.words[argument.word];
            if let Some(function) = self.function_named(argument.text().as_bytes()) {
                if self.runs_words(function) {
                    at += 1;
                    continue;
                }
                return;
            }
            let rest = &arguments[at + 1..];
            if self.server(argument, rest, command) {
                return;
            }
            let unknown =
                |mark: u8| argument.values.iter().any(|value| base(value).as_bytes().contains(&mark));
            if unknown(GIVEN) {
                return self.set_runs_words();
            }
            if unknown(UNKNOWN) {
                return self.doubt(word.range.start, "it runs a program that only a running shell can name");
            }
            let launches = |value: &String| launcher_of(base(value)).is_some() || is_shell(value);
            let value = argument.values.iter().find(|value| launches(value)).unwrap_or(&argument.values[0]);
            let name = base(value);
            if let Some(launcher) = launcher_of(name) {
                at = behind_options(arguments, at, launcher.options, launcher.words, name);
                continue;
            }
            match name {
                "procd_set_param" | "procd_append_param" => {
                    let names_program = rest.first().is_some_and(|word| word.text() == "command");
                    let Some(program) = rest.get(1).filter(|_| names_program) else { return };
                    // What is appended is most often a word of the program's.
                    if name == "procd_append_param" {
                        self.server(program, &rest[2..], command);
                        return;
                    }
                    at += 2;
                    continue;
                }
                "ip" if rest.len() > 3 && rest[0].text() == "netns" && rest[1].text() == "exec" => {
                    at += 4;
                    continue;
                }
                "eval" if rest.len() > 1 && !rest[0].text().contains([' ', ';']) => {
                    at += 1;
                    continue;
                }
                "eval" | "trap" => rest
                    .iter()
                    .take(if name == "trap" { 1 } else { 8 })
                    .for_each(|text| self.text_of(text, command)),
                "su" | "script" => {
                    let given = rest.windows(2).find(|pair| {
                        let option = pair[0].text();
                        option == "--command" || option.starts_with('-') && option.ends_with('c')
                    });
                    if let Some([_, text]) = given {
                        self.text_of(text, command);
                    }
                }
                "." | "source" => {
                    if let Some(file) = rest.first() {
                        self.file(file, true, Err(READ), command);
                    }
                }
                "start-stop-daemon" => {
                    let program = daemon_of(rest);
                    self.run(&program, command, steps);
                }
                "service" | "rc-service" | "invoke-rc.d" | "systemctl" => self.service(name, rest, command),
                "run-parts" => {
                    for folder in rest.iter().filter(|word| word.text().starts_with('/')) {
                        self.call_if_live(&[folder.text(), "/*"].concat(), false);
                    }
                }
                "cp" | "mv" | "ln" => self.copied(rest),
                _ if is_shell(name) => self.shell(rest, command),
                _ if BINDERS.contains(&name) => self.binder(value, rest, command),
                _ if FETCHERS.contains(&name) => self.fetcher(name, rest, command),
                _ => {
                    let argument = argument.clone();
                    let edit = self.edit_of(command);
                    self.file(&argument, false, edit, command);
                }
            }
            return;
        }
    }

    /// Whether the word names a server, which is then started, or only asked.
    fn server(&mut self, argument: &Argument, rest: &[Argument], command: &Command<'_>) -> bool {
        let is_script =
            argument.values.iter().any(|value| value.contains("/init.d/") || value.contains("/rc.d/"));
        let served = argument.values.iter().filter_map(|value| Some((value, serves(value)?)));
        let Some((program, does)) = served.clone().next() else { return false };
        if is_script {
            // The script itself is read as well.
            argument.values.iter().for_each(|value| self.call_if_live(value, false));
            if !rest.first().is_some_and(|word| is_start(word.text())) {
                return true;
            }
        }
        let asks = |word: &Argument| match base(program) {
            "sshd" => matches!(word.text(), "-t" | "-T" | "-G" | "-V" | "-?" | "--help"),
            "dropbear" => word.text() == "-V",
            _ => false,
        };
        if rest.iter().any(asks) {
            return true;
        }
        let edit = if served.count() == argument.values.len() { self.edit_of(command) } else { Err(SEVERAL) };
        let program = program.clone();
        self.found(argument, edit, &program, does, command);
        true
    }

    /// `service dropbear start`, `systemctl start ssh`.
    fn service(&mut self, launcher: &str, rest: &[Argument], command: &Command<'_>) {
        let words: Vec<&Argument> =
            rest.iter().filter(|word| !word.text().starts_with('-')).take(3).collect();
        let [first, second, ..] = &words[..] else { return };
        let (named, action) = if launcher == "systemctl" { (second, first) } else { (first, second) };
        if !is_start(action.text()) {
            return;
        }
        if let Some(does) = serves_as_service(named.text()) {
            let (program, edit) = (String::from(named.text()), self.edit_of(command));
            self.found(named, edit, &program, does, command);
        }
        if launcher != "systemctl" {
            self.call_if_live(&["/etc/init.d/", named.text()].concat(), false);
        }
    }

    fn shell(&mut self, rest: &[Argument], command: &Command<'_>) {
        let mut rest = rest.iter();
        while let Some(word) = rest.next() {
            let text = word.text();
            let is_option = text.starts_with(['-', '+']);
            if is_option && !text.starts_with("--") && text.contains('c') {
                if let Some(text) = rest.next() {
                    self.text_of(text, command);
                }
                return;
            }
            if text == "-o" {
                rest.next();
            } else if !is_option {
                let edit = self.edit_of(command);
                return self.file(word, false, edit, command);
            }
        }
        // It reads its commands from the one before.
        if let Some(poured) = self.poured.clone() {
            let does = if poured.binds { Does::Shell } else { Does::Fetch };
            self.found_at(poured.word, poured.edit, &poured.program, does);
        }
    }

    /// A text that is run as commands.
    fn text_of(&mut self, argument: &Argument, command: &Command<'_>) {
        let word = &command.words[argument.word];
        if !word.nested.is_empty()
            && let Some(printed) = self.printed.clone().filter(|printed| !printed.binds)
        {
            return self.found_at(printed.word, printed.edit, &printed.program, Does::Fetch);
        }
        if word.value == [UNKNOWN] {
            return self.doubt(word.range.start, "it runs what another command prints");
        }
        let names = word.value.iter().filter(|byte| **byte == VARIABLE).count();
        let ends = (word.value.first(), word.value.last());
        let is_variable = names == 1 && ends == (Some(&VARIABLE), Some(&VARIABLE_END));
        if let Some(inner) = word.inner.clone().filter(|_| !is_variable && !self.is_copy) {
            return self.nested(inner);
        }
        if !self.takes_effect() || self.is_copy {
            return;
        }
        self.is_copy = true;
        for value in &argument.values {
            for part in value.split([';', '&', '|', '\n']) {
                let words: Vec<Argument> = part
                    .split_ascii_whitespace()
                    .take(ARGUMENTS_MAX)
                    .map(|text| Argument {
                        values: [text.trim_matches(['"', '\'']).into()].into(),
                        word: argument.word,
                    })
                    .skip_while(|text| assigns(text.text().as_bytes()).is_some())
                    .collect();
                self.run(&words, command, LAUNCHERS_MAX);
            }
        }
        self.is_copy = false;
    }

    /// A file that is run, or read as the script's own text.
    fn file(
        &mut self,
        argument: &Argument,
        sourced: bool,
        edit: Result<Range<usize>, &'static str>,
        command: &Command<'_>,
    ) {
        let word = &command.words[argument.word];
        for value in argument.values.iter().map(|value| value.as_bytes()).chain([&word.value[..]]) {
            let by_name = sourced || value.contains(&b'/') || argument.word > 0;
            if by_name && self.fetched.iter().any(|fetched| is_same_file(&fetched.file, value)) {
                let program = String::from_utf8_lossy(value).into_owned();
                return self.found(argument, edit, &program, Does::Fetch, command);
            }
        }
        for value in &argument.values {
            // A root that is named before a path is most often none.
            let rooted = value.strip_prefix(char::from(UNKNOWN)).filter(|rest| rest.starts_with('/'));
            let value = rooted.unwrap_or(value);
            let is_text = !value.bytes().any(|byte| byte <= GIVEN);
            let by_path = value.starts_with('/') || value.ends_with(".sh") && !value.contains('/');
            if is_text && by_path {
                self.call_if_live(value, sourced);
            } else if sourced && !is_text && value.bytes().any(|byte| byte == UNKNOWN) {
                self.doubt(word.range.start, "it reads a file that only a running shell can name");
            }
        }
    }

    fn call_if_live(&mut self, path: &str, sourced: bool) {
        if self.is_in_effect() {
            self.call(path, sourced);
        }
    }

    fn binder(&mut self, name: &str, rest: &[Argument], command: &Command<'_>) {
        let edit = self.edit_of(command);
        let program = |word: &Argument| -> Option<(Option<Does>, bool)> {
            let first = word.text().split_ascii_whitespace().next()?;
            let last = first.rsplit(['/', ':', ',']).next()?;
            Some((serves(last), is_shell(last)))
        };
        let word = command.words.first().map_or(0..0, |word| word.range.clone());
        for (server, shell) in rest.iter().filter_map(program) {
            if let Some(does) = server.or(shell.then_some(Does::Shell)) {
                return self.found_at(word, edit, name, does);
            }
        }
        if self.takes_effect() {
            self.poured = Some(Poured { word, edit, program: name.into(), binds: true });
        }
    }

    /// The word of a command that `true` may replace: the first, but for `exec`, which ends the script.
    pub fn edit_of(&self, command: &Command<'_>) -> Result<Range<usize>, &'static str> {
        if self.is_copy {
            return Err(IN_A_VARIABLE);
        }
        let first = &command.words[0];
        if first.value != b"exec" {
            return Ok(first.range.clone());
        }
        let second = command.words.get(1).filter(|word| word.value.first() != Some(&b'-'));
        second.map(|word| word.range.clone()).ok_or("it takes the place of the shell")
    }

    fn found(
        &mut self,
        argument: &Argument,
        edit: Result<Range<usize>, &'static str>,
        program: &str,
        does: Does,
        command: &Command<'_>,
    ) {
        let word = command.words[argument.word].range.clone();
        self.found_at(word, edit, program, does);
    }

    fn found_at(
        &mut self,
        word: Range<usize>,
        edit: Result<Range<usize>, &'static str>,
        program: &str,
        does: Does,
    ) {
        if self.is_in_effect() {
            let mut program = String::from(program);
            program.retain(|letter| u32::from(letter) > u32::from(GIVEN));
            self.hit(Hit { word, edit, program, does, alone: false });
        }
    }
}
