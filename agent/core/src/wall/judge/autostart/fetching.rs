//! The files that programs for fetching leave, by their words.

use super::launchers::Argument;
use super::script::{Command, Fetched, GIVEN, Poured, Script};
use super::shell::is_same_file;
use alloc::vec::Vec;

impl Script<'_> {
    /// A program that fetches: the file that it leaves, or else its output, is remembered.
    pub fn fetcher(&mut self, name: &str, rest: &[Argument], command: &Command<'_>) {
        if !self.is_in_effect() {
            return;
        }
        let raw = |argument: &Argument| command.words[argument.word].value.clone();
        let output = command.output.map(Into::into);
        match fetched_file(name, rest, &raw).or(output) {
            Some(file) => self.keep_fetched(file),
            None => {
                let word = command.words.first().map_or(0..0, |word| word.range.clone());
                let edit = self.edit_of(command);
                self.poured = Some(Poured { word, edit, program: name.into(), binds: false });
            }
        }
    }

    /// A file that was fetched has another name as well.
    pub fn copied(&mut self, rest: &[Argument]) {
        let words: Vec<&Argument> =
            rest.iter().filter(|word| !word.text().starts_with('-')).take(3).collect();
        if let [from, to] = &words[..]
            && self.is_in_effect()
            && self.fetched.iter().any(|fetched| is_same_file(&fetched.file, from.text().as_bytes()))
        {
            self.keep_fetched(to.text().as_bytes().into());
        }
    }

    fn keep_fetched(&mut self, file: Vec<u8>) {
        if self.fetched.len() < 16 {
            // A variable's value and its name both tell the file.
            let resolved = self.resolve(&file, 4);
            self.fetched.push(Fetched { file });
            self.fetched.extend(
                resolved
                    .into_iter()
                    .filter(|file| !file.iter().any(|byte| *byte <= GIVEN))
                    .take(2)
                    .map(|file| Fetched { file }),
            );
        }
    }
}

/// The file that a fetching program writes, as its words say; `None`: it writes to its output. `raw` gives a word with
/// the names of its variables.
pub fn fetched_file(name: &str, rest: &[Argument], raw: &dyn Fn(&Argument) -> Vec<u8>) -> Option<Vec<u8>> {
    // Letters of the option for the file, and of the one that takes the address's last part.
    let (file, same) = match name {
        "wget" | "uclient-fetch" => ('O', ' '),
        "curl" => ('o', 'O'),
        "tftp" => ('l', ' '),
        "fetch" | "uudecode" => ('o', ' '),
        "ftpget" => return plain(rest, "uPpv").nth(1).map(raw),
        _ => return None,
    };
    let mut by_address = matches!(name, "wget" | "uclient-fetch" | "fetch");
    let mut remote = None;
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        let text = word.text();
        let long = text.strip_prefix("--");
        if let Some(long) = long {
            let value = match long.split_once('=') {
                Some(("output-document" | "output", _)) => {
                    let raw = raw(word);
                    let at = raw.iter().position(|byte| *byte == b'=').unwrap_or(0);
                    Some(raw[at + 1..].to_vec())
                }
                None if matches!(long, "output-document" | "output") => words.next().map(raw),
                _ => None,
            };
            by_address |= long == "remote-name";
            if let Some(value) = value {
                return (value != b"-").then_some(value);
            }
        } else if text.starts_with('-') && text.len() > 1 {
            if let Some(at) = text.find(file) {
                let glued = &text[at + file.len_utf8()..];
                let value = if glued.is_empty() { words.next().map(raw)? } else { glued.as_bytes().to_vec() };
                return (value != b"-").then_some(value);
            }
            by_address |= text.contains(same);
            if name == "tftp" && text.ends_with('r') {
                remote = words.next().map(raw);
            }
        } else if name != "tftp" {
            remote = Some(raw(word));
        }
    }
    let remote = remote.filter(|_| by_address || name == "tftp")?;
    let path = remote.split(|byte| *byte == b'?').next().unwrap_or_default();
    path.rsplit(|byte| *byte == b'/').next().map(<[u8]>::to_vec)
}

/// The words that are no options.
fn plain<'a>(rest: &'a [Argument], takes: &'a str) -> impl Iterator<Item = &'a Argument> {
    let mut skip = false;
    rest.iter().filter(move |word| {
        let text = word.text();
        let was = core::mem::take(&mut skip);
        let is_option = text.starts_with('-');
        skip = is_option && text.len() == 2 && takes.contains(&text[1..]);
        !was && !is_option
    })
}
