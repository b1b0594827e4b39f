//! Finds what a line for a shell starts: telnet, a shell for anybody, or a program just fetched. This is no shell:
//! it knows which word of a simple command is the program, and that a word in its place keeps the line a line.

use super::entry::{Does, Hit};
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

/// Most that is taken of one word, in bytes.
const WORD_BYTES_MAX: usize = 256;
/// Most that one line is found to start.
const HITS_MAX: usize = 8;

/// Programs that answer with telnet.
const TELNET: &[&str] = &["telnetd", "in.telnetd", "utelnetd", "telnetd-ssl", "in.telnetd-ssl"];
/// Servers of SSH, by the same.
const SSH: &[&str] = &["dropbear", "sshd"];
const SHELLS: &[&str] = &["sh", "ash", "bash", "dash", "hush", "ksh", "msh", "zsh"];
/// Programs that give a network connection to another program.
const BINDERS: &[&str] = &["nc", "ncat", "netcat", "socat", "tcpsvd"];
/// Programs that bring new files, or make them readable.
const FETCHERS: &[&str] = &["wget", "curl", "tftp", "ftpget", "fetch", "uclient-fetch", "base64", "uudecode"];
/// Words before a program that are not the program.
const KEYWORDS: &[&str] = &["if", "then", "elif", "else", "do", "while", "until", "!", "{", "time"];
/// Programs that start the one which is named behind them, with words of their own before it.
const LAUNCHERS: &[&str] = &[
    "busybox",
    "toybox",
    "exec",
    "nohup",
    "nice",
    "ionice",
    "setsid",
    "env",
    "eval",
    "su",
    "sudo",
    "timeout",
    "chroot",
    "xargs",
    "daemon",
    "daemonize",
    "start-stop-daemon",
    "start_daemon",
    "service_start",
    "procd_set_param",
    "procd_append_param",
    "respawn",
    ".",
    "source",
    "export",
    "local",
    "readonly",
];
/// Words behind such a program with which it starts nothing.
const HARMLESS: &[&str] = &[
    "-K", "--stop", "killall", "pkill", "kill", "pidof", "pgrep", "grep", "echo", "printf", "logger", "rm",
    "ls", "cp", "mv", "ln", "chmod", "chown", "cat", "which", "test", "[", "ps", "stop", "disable",
];
/// Where a stranger can lay a program.
const LAID: &[&str] = &["/tmp/", "/var/tmp/", "/dev/shm/", "/var/run/", "/run/", "./"];

/// Finds what the bytes of `range` start, as lines of a shell. `uses` tells if a variable of this name is in use.
pub fn commands(bytes: &[u8], range: Range<usize>, uses: &dyn Fn(&str) -> bool) -> Vec<Hit> {
    let mut reader = Reader {
        bytes,
        uses,
        hits: Vec::new(),
        commands: 0,
        depth: 0,
        fetched: None,
        command: Command::new(),
    };
    reader.read(range);
    let alone = reader.commands <= 1;
    reader.hits.iter_mut().for_each(|hit| hit.alone = alone);
    reader.hits
}

/// One simple command, as far as it was read.
#[derive(Default)]
struct Command {
    /// The next word may be the program.
    awaits: bool,
    /// A launcher was there: any word from here on may be the program.
    launched: bool,
    /// The launcher is a shell: a quoted word is a line of its own.
    opened: bool,
    /// It changes modes.
    changes_mode: bool,
    /// It gives a connection to others: that word.
    binds: Option<(Range<usize>, String)>,
    /// Its output comes from elsewhere, and goes into the next command.
    pours: bool,
    /// It reads the output that the command before it poured.
    poured: bool,
    /// The next word is a file, not a word of the command.
    redirects: bool,
    /// It has a word.
    begun: bool,
}

impl Command {
    fn new() -> Command {
        Command { awaits: true, ..Command::default() }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    uses: &'a dyn Fn(&str) -> bool,
    hits: Vec<Hit>,
    commands: u32,
    /// The number of open parentheses.
    depth: u32,
    /// The first word that fetches something.
    fetched: Option<(Range<usize>, String)>,
    command: Command,
}

impl Reader<'_> {
    fn read(&mut self, range: Range<usize>) {
        let end = range.end.min(self.bytes.len());
        let mut at = range.start;
        let mut quote: Option<u8> = None;
        let mut word: Option<(usize, Vec<u8>)> = None;
        while at < end {
            let byte = self.bytes[at];
            let next = self.bytes[..end].get(at + 1).copied().unwrap_or_default();
            let operator = quote.is_none() || self.command.opened;
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => {
                    self.word(&mut word, at);
                    if byte == b'\n' && operator {
                        self.cut(false, quote.is_some());
                    }
                }
                b'#' if word.is_none() && quote.is_none() => {
                    // A comment ends with the line.
                    at += self.bytes[at..end].iter().take_while(|byte| **byte != b'\n').count();
                    continue;
                }
                b'\\' if quote != Some(b'\'') => {
                    let skipped = if self.bytes[at + 1..end].starts_with(b"\r\n") { 2 } else { 1 };
                    if next != b'\n' && skipped == 1 {
                        push(&mut word, at, next);
                    }
                    at += skipped;
                }
                b'\'' | b'"' if quote.is_none() => {
                    quote = Some(byte);
                    word.get_or_insert((at, Vec::new()));
                }
                _ if quote == Some(byte) => quote = None,
                b';' | b'&' | b'|' | b'(' | b')' | b'`' if operator => {
                    self.word(&mut word, at);
                    match byte {
                        b'(' => self.depth += 1,
                        b')' => self.depth = self.depth.saturating_sub(1),
                        _ => {}
                    }
                    let twice = next == byte && matches!(byte, b'&' | b'|');
                    self.cut(byte == b'|' && !twice, quote.is_some());
                    at += usize::from(twice);
                }
                b'<' | b'>' if operator => {
                    self.word(&mut word, at);
                    self.command.redirects = true;
                    at += usize::from(matches!(next, b'>' | b'<' | b'&'));
                }
                0 => {}
                _ => push(&mut word, at, byte),
            }
            at += 1;
        }
        self.word(&mut word, end);
        self.cut(false, false);
    }

    /// A command has ended.
    fn cut(&mut self, pipe: bool, quoted: bool) {
        self.commands += u32::from(self.command.begun);
        let opened = quoted && self.command.opened;
        let poured = pipe && (self.command.pours || self.command.poured);
        self.command = Command { opened, poured, ..Command::new() };
    }

    /// A word has ended.
    fn word(&mut self, word: &mut Option<(usize, Vec<u8>)>, end: usize) {
        let Some((start, value)) = word.take() else { return };
        if core::mem::take(&mut self.command.redirects) {
            return;
        }
        let range = self.unquoted(start..end);
        let value = String::from_utf8_lossy(&value).into_owned();
        self.command.begun = true;
        if self.command.awaits {
            self.program(&value, range);
        } else {
            self.argument(&value);
        }
    }

    /// Where a word is without the quotes around it, which may be those of a longer text; with them, where only so as many
    /// are opened as closed.
    fn unquoted(&self, with: Range<usize>) -> Range<usize> {
        let quote = |byte: &u8| matches!(byte, b'\'' | b'"');
        let word = &self.bytes[with.clone()];
        let leading = word.iter().take_while(|byte| quote(byte)).count();
        let trailing = word[leading..].iter().rev().take_while(|byte| quote(byte)).count();
        let without = with.start + leading..with.end - trailing;
        if !is_whole(&self.bytes[without.clone()]) && is_whole(word) { with } else { without }
    }

    /// A word where a program may stand.
    fn program(&mut self, value: &str, range: Range<usize>) {
        if let Some((name, program)) = value.split_once('=').filter(|(name, _)| is_name(name)) {
            let from = range.start + name.len() + 1;
            // Quotes within the name would be counted wrongly: no maker writes that, and it is left alone.
            let plain = self.bytes[range.start..].starts_with(name.as_bytes()) && from < range.end;
            if plain
                && let Some(does) = serves(program)
                && (self.uses)(name)
            {
                let word = self.unquoted(from..range.end);
                self.hit(word, program, does);
            }
            return;
        }
        let name = base(value);
        if KEYWORDS.contains(&value) && !self.command.launched {
            return;
        }
        if let Some(does) = serves(name) {
            self.command.awaits = false;
            let next =
                self.bytes[range.end..].iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'"' | b'\''));
            // A function of that name, or one of the words of a `case`.
            let is_label = next == Some(&b'(') || next == Some(&b')') && self.depth == 0;
            let ended = value.contains("/init.d/") && ends(&self.bytes[range.end..]);
            if !is_label && !ended {
                self.hit(range, value, does);
            }
            return;
        }
        if SHELLS.contains(&name) {
            if let Some((word, binder)) = self.command.binds.take() {
                self.hit(word, &binder, Does::Shell);
            }
            if self.command.poured
                && let Some((word, program)) = self.fetched.clone()
            {
                self.hit(word, &program, Does::Fetch);
            }
            self.command.launched = true;
            self.command.opened = true;
            return;
        }
        if LAUNCHERS.contains(&name) {
            self.command.launched = true;
            self.command.opened |= matches!(name, "eval" | "su");
            return;
        }
        if BINDERS.contains(&name) {
            self.command.binds = Some((range, value.into()));
            // It starts a word behind it.
            self.command.launched = true;
            self.command.awaits = name == "tcpsvd";
            return;
        }
        if FETCHERS.contains(&name) {
            self.command.pours = true;
            self.command.awaits = false;
            if self.fetched.is_none() {
                self.fetched = Some((range, value.into()));
            }
            return;
        }
        if self.fetched.is_some() && LAID.iter().any(|place| value.starts_with(place)) {
            self.command.awaits = false;
            if let Some((word, program)) = self.fetched.clone() {
                self.hit(word, &program, Does::Fetch);
            }
            return;
        }
        if !self.command.launched || HARMLESS.contains(&value) {
            self.command.awaits = false;
            self.command.changes_mode = name == "chmod";
        }
    }

    /// A word behind the program.
    fn argument(&mut self, value: &str) {
        let program = value.rsplit(['/', ':', ',']).next().unwrap_or_default();
        if SHELLS.contains(&program)
            && let Some((word, binder)) = self.command.binds.take()
        {
            self.hit(word, &binder, Does::Shell);
        }
        if self.command.changes_mode
            && makes_program(value)
            && let Some((word, program)) = self.fetched.clone()
        {
            self.hit(word, &program, Does::Fetch);
        }
    }

    fn hit(&mut self, word: Range<usize>, program: &str, does: Does) {
        let is_new = !self.hits.iter().any(|hit| hit.word == word);
        if is_new && self.hits.len() < HITS_MAX {
            self.hits.push(Hit { word, program: program.into(), does, alone: false });
        }
    }
}

fn push(word: &mut Option<(usize, Vec<u8>)>, at: usize, byte: u8) {
    let (_, value) = word.get_or_insert((at, Vec::new()));
    if value.len() < WORD_BYTES_MAX {
        value.push(byte);
    }
}

/// As many quotes are opened as closed.
pub fn is_whole(word: &[u8]) -> bool {
    [b'"', b'\''].iter().all(|quote| word.iter().filter(|byte| *byte == quote).count() & 1 == 0)
}

/// The last part of a path.
fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// The service of a program of that name: telnet or SSH.
pub fn serves(path: &str) -> Option<Does> {
    let name = base(path);
    let of = |names: &[&str], does| names.contains(&name).then_some(does);
    of(TELNET, Does::Telnet).or_else(|| of(SSH, Does::Ssh))
}

/// Whether a shell is named so.
pub fn is_shell(path: &str) -> bool {
    SHELLS.contains(&base(path))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The text after a start script's name tells the script to end what it started.
fn ends(rest: &[u8]) -> bool {
    let word = rest.trim_ascii_start();
    [&b"stop"[..], b"disable", b"status"].iter().any(|end| word.starts_with(end))
}

/// A mode that lets any user start the file.
fn makes_program(mode: &str) -> bool {
    let digits = !mode.is_empty() && mode.len() <= 5 && mode.bytes().all(|byte| byte.is_ascii_digit());
    if digits {
        return mode.bytes().rev().take(3).any(|digit| digit & 1 == 1);
    }
    mode.split_once(['+', '='])
        .is_some_and(|(who, what)| who.len() <= 4 && what.contains('x') && what.len() <= 4)
}
