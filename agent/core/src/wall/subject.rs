//! The subject of a finding for machines: a few words `key=value`, so that a policy can be suggested without reading
//! sentences. Judges write it, `komainu harden --json` shows it as an object, `permits` says whether a policy has room
//! for it.
//!
//! Values may come from an attacker: blanks, `%` and control characters are written as `%` and two digits.

use super::process_snapshot::{Listener, Medium, Process, Program};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Longest subject, in bytes. A longer one is left out: half a path would name another file.
pub const SUBJECT_BYTES_MAX: usize = 512;

/// A value, escaped.
pub struct Value<'a>(pub &'a str);

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                ' ' | '%' | '\0'..'\x20' | '\x7f' => write!(f, "%{:02x}", u32::from(letter))?,
                letter => fmt::Write::write_char(f, letter)?,
            }
        }
        Ok(())
    }
}

/// The words about a process: its program, its name in policies where that is another, and where its file is.
pub struct Of<'a>(pub &'a Process);

impl fmt::Display for Of<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let process = self.0;
        match &process.program {
            Program::File { path, there, replaced, medium, elsewhere } => {
                let place = match medium {
                    Medium::Firmware => "firmware",
                    Medium::Storage => "storage",
                    Medium::Memory => "memory",
                    Medium::Upgraded => "upgraded",
                    Medium::Unknown => "unknown",
                };
                write!(f, "program={} place={place}", Value(path))?;
                if process.called() != process.program.base_name() {
                    write!(f, " called={}", Value(process.called()))?;
                }
                if !there {
                    f.write_str(if *replaced { " gone=replaced" } else { " gone=deleted" })?;
                }
                if *elsewhere {
                    f.write_str(" view=own")?;
                }
                Ok(())
            }
            Program::Nameless(name) => write!(f, "memfd={}", Value(name)),
            Program::Hidden => write!(f, "hidden={}", Value(&process.name)),
        }
    }
}

/// The words about a socket: `listens` as policies write it, and the networks from which it is reached.
pub struct At<'a>(pub &'a Listener);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Listener { transport, address, port, .. } = self.0;
        let reach = if address.is_loopback() { "loopback" } else { "lan" };
        match transport.name() {
            name @ "packet" => write!(f, "listens={name}"),
            name => write!(f, "listens={name}/{port} reach={reach}"),
        }
    }
}

/// A subject that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject(pub Vec<(String, String)>);

impl Subject {
    /// Reads the text of a finding's subject.
    pub fn read(text: &str) -> Subject {
        let words = text.split(' ').filter_map(|word| word.split_once('='));
        Subject(words.map(|(key, value)| (key.into(), unescaped(value))).collect())
    }

    /// The value of a key; empty where it has none.
    pub fn get(&self, key: &str) -> &str {
        self.0.iter().find(|(name, _)| name == key).map_or("", |(_, value)| value)
    }

    /// The program or the name of it that a policy writes for it: of an applet its name, else the path.
    pub fn program(&self) -> &str {
        match (self.get("called"), self.get("memfd")) {
            ("", "") => self.get("program"),
            ("", memfd) => memfd,
            (called, _) => called,
        }
    }

    /// The name of the program or applet.
    pub fn called(&self) -> &str {
        match self.get("called") {
            "" => self.get("program").rsplit('/').next().unwrap_or_default(),
            called => called,
        }
    }

    /// The program is in view of this device under its path: a policy can name it.
    pub fn is_in_view(&self) -> bool {
        self.get("view") != "own" && self.get("gone") != "deleted" && self.get("hidden").is_empty()
    }

    /// Transport and port of the socket.
    pub fn listens(&self) -> Option<(&str, u16)> {
        let (transport, port) = self.get("listens").split_once('/').unwrap_or((self.get("listens"), "0"));
        (!transport.is_empty()).then_some((transport, port.parse().ok()?))
    }
}

fn unescaped(value: &str) -> String {
    let mut parts = value.split('%');
    let mut text = String::from(parts.next().unwrap_or_default());
    for part in parts {
        let byte = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte.filter(u8::is_ascii) {
            Some(byte) => {
                text.push(char::from(byte));
                text.push_str(&part[2..]);
            }
            None => {
                text.push('%');
                text.push_str(part);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wall::process_snapshot::Transport;
    use crate::wall::process_tree::tests::{applet, deleted, elsewhere, file, listener, process};
    use alloc::string::ToString;

    #[test]
    fn a_subject_is_read_as_it_was_written() {
        for (program, text) in [
            (file("/usr/sbin/lldpd", Medium::Firmware), "program=/usr/sbin/lldpd place=firmware"),
            (file("/mnt/my app%\n=x", Medium::Storage), "program=/mnt/my%20app%25%0a=x place=storage"),
            (deleted("/tmp/x", Medium::Memory, false), "program=/tmp/x place=memory gone=deleted"),
            (elsewhere("/x", Medium::Storage), "program=/x place=storage view=own"),
            (Program::Nameless("memfd:a b".into()), "memfd=memfd:a%20b"),
        ] {
            let one = process(7, 1, program);
            assert_eq!(Of(&one).to_string(), text);
            let path = match &one.program {
                Program::File { path, .. } => path,
                Program::Nameless(name) => name,
                Program::Hidden => "",
            };
            assert_eq!(Subject::read(text).program(), path);
        }
        let subject = Subject::read(&Of(&applet(9, "udhcpc")).to_string());
        assert_eq!((subject.get("program"), subject.program()), ("/bin/busybox", "udhcpc"));
        let at = At(&listener(Transport::Udp, "127.0.0.1", 53, &[])).to_string();
        assert_eq!(at, "listens=udp/53 reach=loopback");
        assert_eq!(Subject::read(&at).listens(), Some(("udp", 53)));
        assert_eq!(Subject::read("listens=packet").listens(), Some(("packet", 0)));
    }
}
