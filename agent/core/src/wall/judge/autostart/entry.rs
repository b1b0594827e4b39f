//! A line of a file that starts something: the way its file is read, its place, and its effect.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

/// Most that one file is found to start.
pub const STARTERS_MAX: usize = 16;
/// Most further files that one file leads to.
pub const CALLS_MAX: usize = 64;
/// Longest that is told of a line, in bytes; a longer one is compared as far as that.
pub const SAYS_BYTES_MAX: usize = 512;
/// The text before a line that was taken away.
pub(super) const COMMENT: &[u8] = b"# komainu: ";

/// The way a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `/etc/inittab`.
    Inittab,
    Inetd,
    /// A file of xinetd's services.
    Xinetd,
    /// A script of the shell's: `rc.local`, `init.d`, procd's, hotplug's.
    Script,
    /// One user's table of cron.
    Cron,
    /// The system's table of cron, whose lines name a user.
    CronOfUsers,
    /// A unit of systemd's.
    Unit,
    /// A script whose supervisor starts it again whenever it ends: runit's `run`.
    Supervised,
    /// `/etc/network/interfaces`.
    Interfaces,
    /// Rules of udev's.
    Udev,
    /// `/etc/mdev.conf`.
    Mdev,
}

impl Kind {
    /// The whole file is the shell's.
    pub fn is_script(self) -> bool {
        matches!(self, Kind::Script | Kind::Supervised)
    }
}

/// The layer in which a file lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The firmware's: on a medium that cannot be written, or in the lower layer of an overlay.
    Firmware,
    /// It lies over a file of the firmware's at the same path: a package's upgrade, or settings of the owner's.
    OverFirmware,
    /// The firmware has no such file: it was written since.
    Added,
    /// The device has one layer that can be written, so that nobody can tell.
    Unknown,
}

/// The effect of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// It starts telnet.
    Telnet,
    /// It starts SSH.
    Ssh,
    /// It gives a shell to anyone who connects.
    Shell,
    /// It fetches a program and runs it: malware writes such a line to come back.
    Fetch,
}

impl fmt::Display for Does {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Does::Telnet => "starts telnet",
            Does::Ssh => "starts SSH",
            Does::Shell => "gives a shell to whoever connects",
            Does::Fetch => "fetches a program and runs it",
        })
    }
}

/// A line that starts an unwanted program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutostartEntry {
    /// Its number, from 1.
    pub line: u32,
    /// Its text, up to [`SAYS_BYTES_MAX`]; lines that belong together are one.
    pub says: String,
    /// The program, as the line names it.
    pub program: String,
    /// Its effect on the device.
    pub does: Does,
    /// The reason why the line cannot be taken away.
    pub fixed: Option<&'static str>,
}

/// Text that was found to start something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The place of the word in which it was found.
    pub word: Range<usize>,
    /// The place of the word that `true` may replace, or the reason why none may be.
    pub edit: Result<Range<usize>, &'static str>,
    /// The program, as the line names it.
    pub program: String,
    /// Its effect on the device.
    pub does: Does,
    /// It is the only command, so that nothing else is lost with the line.
    pub alone: bool,
}

/// A place whose meaning cannot be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// Its line, from 1; 0: the whole file.
    pub line: u32,
    pub why: &'static str,
}

/// Another file that a file starts or reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its path; with `folder`, any file in there.
    pub path: String,
    pub folder: bool,
    /// It is read by the same shell (`.`): of its functions only those count that are called.
    pub sourced: bool,
}

/// The meaning of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The lines that start unwanted programs, at most [`STARTERS_MAX`], in their order.
    pub entries: Vec<AutostartEntry>,
    /// Further files, at most [`CALLS_MAX`].
    pub calls: Vec<Call>,
    /// Digests of the words that may name a function, in order.
    pub words: Vec<u32>,
    /// The first place that could not be understood.
    pub doubt: Option<Doubt>,
}

/// A hit, and where it is.
pub(super) struct Found {
    pub(super) line: u32,
    /// The line, or the lines that belong together, without the last line end.
    pub(super) lines: Range<usize>,
    pub(super) hit: Hit,
}

/// The lines with their numbers, without line ends; `joins`: one that ends with a backslash goes on in the next.
pub(super) fn lines(bytes: &[u8], joins: bool) -> impl Iterator<Item = (u32, Range<usize>)> + '_ {
    let mut at = 0;
    let mut number = 0;
    core::iter::from_fn(move || {
        if at >= bytes.len() {
            return None;
        }
        let (start, first) = (at, number + 1);
        loop {
            number += 1;
            let length = bytes[at..].iter().position(|byte| *byte == b'\n');
            let end = length.map_or(bytes.len(), |length| at + length);
            at = end + 1;
            let line = &bytes[start..end];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if !joins || !line.ends_with(b"\\") || at >= bytes.len() {
                return Some((first, start..start + line.len()));
            }
        }
    })
}

pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0)
}
