//! The words of a command, and those between a launcher and the program that it starts.

use super::programs::serves;
use super::shell::assigns;
use alloc::string::String;
use alloc::vec::Vec;

/// A word of a command, by the values that it may have.
#[derive(Clone)]
pub struct Argument {
    pub values: Vec<String>,
    /// The number of the word.
    pub word: usize,
}

impl Argument {
    /// Its first value.
    pub fn text(&self) -> &str {
        self.values.first().map_or("", |value| value)
    }
}

/// The number of the word behind a launcher's own.
pub fn behind_options(arguments: &[Argument], at: usize, options: &str, words: u8, name: &str) -> usize {
    let mut words = words;
    let mut at = at + 1;
    while let Some(argument) = arguments.get(at) {
        let text = argument.text();
        if text.len() > 1 && text.starts_with('-') {
            let takes = text.len() == 2 && options.contains(&text[1..]);
            let is_old_timeout = name == "timeout" && text == "-t";
            words = if is_old_timeout { 0 } else { words };
            at += usize::from(takes || is_old_timeout);
        } else if words > 0 && serves(text).is_none() {
            words -= 1;
        } else if assigns(text.as_bytes()).is_none() {
            return at;
        }
        at += 1;
    }
    at
}

/// The program that `start-stop-daemon` starts, and its words; none where it stops or asks.
pub fn daemon_of(rest: &[Argument]) -> Vec<Argument> {
    let mut program: Vec<Argument> = Vec::new();
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        let text = word.text();
        if text == "--" {
            break;
        }
        let takes = match text.strip_prefix("--") {
            Some("stop" | "status" | "test") => return Vec::new(),
            Some("exec" | "startas") => 'x',
            Some(long) => match long.split_once('=') {
                Some(("exec" | "startas", value)) => {
                    program.insert(0, Argument { values: [value.into()].into(), word: word.word });
                    ' '
                }
                Some(_) => ' ',
                None => 'p',
            },
            None if text.starts_with('-') => {
                if text[1..].starts_with('x') && text.len() > 2 && text[2..].starts_with('/') {
                    program.insert(0, Argument { values: [text[2..].into()].into(), word: word.word });
                    continue;
                }
                if text.contains(['K', 'T', 't']) {
                    return Vec::new();
                }
                text.chars().last().unwrap_or(' ')
            }
            None => ' ',
        };
        match takes {
            'x' | 'a' => program.extend(words.next().cloned()),
            'p' if matches!(
                &text[1..],
                "-background"
                    | "-start"
                    | "-quiet"
                    | "-oknodo"
                    | "-make-pidfile"
                    | "-verbose"
                    | "-no-close"
                    | "-notify-await"
                    | "-remove-pidfile"
            ) => {}
            'p' | 'n' | 'u' | 'c' | 'g' | 'd' | 'r' | 'N' | 'P' | 'I' | 'k' | 's' | 'R' => drop(words.next()),
            _ => {}
        }
    }
    program.truncate(1);
    program.extend(words.cloned());
    program
}
