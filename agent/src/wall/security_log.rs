//! The security log: the findings and the actions on them, over months, in two files of bounded size. Written
//! sparingly, for it lives on flash: a repeated event is counted and written once an hour, and no hour has more than so
//! many lines.

#[cfg(test)]
mod tests;

use crate::os::{clock, files};
use komainu_core::fault::{Text, text};
use komainu_core::wall::answers;
use komainu_trust::Moment;
use std::fmt;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io;
use std::io::Write;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The file that is written; the one before it has `.1` at its end.
const NAME: &str = "security.log";
const BEFORE: &str = "security.log.1";
/// Largest of each of the two, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// Longest line, in bytes, with its end: a time, the name of an event, a [`Text`], a count.
pub const LINE_BYTES_MAX: usize = 320;
/// Most lines that are written in an hour, besides two that count the lines left out.
const LINES_AN_HOUR: u32 = 60;
const HOUR_SECONDS: u64 = 3600;
/// Most answers that are looked up.
pub const ANSWERS_MAX: usize = 32;
/// Most events that are known to repeat themselves, at any time.
const REPEATED_MAX: usize = 32;

/// When something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Seconds since the kernel started.
    pub uptime_seconds: u64,
    /// The time of day, where the clock can be right.
    pub time: Option<Moment>,
}

impl Now {
    /// By the device's clocks. A system clock before `floor` (the time when this program was built, or that of signed
    /// metadata) is wrong for certain.
    pub fn read(floor: Moment) -> Now {
        let time = Some(Moment(clock::system_seconds())).filter(|time| *time >= floor);
        Now { uptime_seconds: clock::uptime_milliseconds() / 1000, time }
    }
}

impl fmt::Display for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.time {
            Some(time) => write!(f, "{time}"),
            None => write!(f, "boot+{}", self.uptime_seconds),
        }
    }
}

/// An event that was written, and its repetitions since.
struct Repeated {
    event: &'static str,
    details: Text,
    /// When it was last written, in seconds of uptime.
    written: u64,
    times: u32,
}

pub struct SecurityLog {
    folder: PathBuf,
    repeated: Vec<Repeated>,
    /// The beginning of the hour in which lines are counted, in seconds of uptime.
    hour: u64,
    lines: u32,
    left_out: u32,
    /// It could not be written last time: said once.
    fails: bool,
    /// The last lines that tell of answers, the oldest first; `None`: not read yet.
    answers: Option<Vec<String>>,
}

impl SecurityLog {
    /// The log below the folder of the state; nothing is touched yet.
    pub fn new(state: &Path) -> SecurityLog {
        let folder = state.join("log");
        let (repeated, answers) = (Vec::new(), None);
        SecurityLog { folder, repeated, hour: 0, lines: 0, left_out: 0, fails: false, answers }
    }

    /// Something happened: the fixed name of the event, and `key=value` of it. A repetition within the hour is counted.
    pub fn note(&mut self, event: &'static str, details: fmt::Arguments<'_>, now: Now) {
        let details = text(details);
        let same = |known: &&mut Repeated| known.event == event && known.details == details;
        if let Some(known) = self.repeated.iter_mut().find(same) {
            known.times = known.times.saturating_add(1);
            return;
        }
        self.settle(now);
        if !self.may_write(now) {
            self.left_out = self.left_out.saturating_add(1);
            return;
        }
        let written = line(now, event, &details, 1);
        self.append(&written);
        if let Some(kept) = self.answers.as_mut().filter(|_| answers::read(written.trim_end()).is_some()) {
            if kept.len() == ANSWERS_MAX {
                kept.remove(0);
            }
            kept.push(written.trim_end().into());
        }
        if self.repeated.len() == REPEATED_MAX {
            let oldest = self.repeated.remove(0);
            self.tell(&oldest, now);
        }
        self.repeated.push(Repeated { event, details, written: now.uptime_seconds, times: 0 });
    }

    /// Writes the lines that are due: the count of each written event's repetitions. At every turn, and at the end of
    /// the agent with `all`.
    pub fn settle(&mut self, now: Now) {
        self.settle_after(HOUR_SECONDS, now);
    }

    /// The same at an orderly end: every count is written now.
    pub fn settle_all(&mut self, now: Now) {
        self.settle_after(0, now);
        self.tell_left_out(now);
    }

    /// The last answers that the wall gave, as lines of this log, the oldest first: at most [`ANSWERS_MAX`].
    pub fn answers(&mut self) -> &[String] {
        if self.answers.is_none() {
            let mut lines = Vec::new();
            for path in self.paths() {
                let bytes = files::read(&path, FILE_BYTES_MAX + LINE_BYTES_MAX as u64).ok().flatten();
                lines.extend(last_lines(&bytes.unwrap_or_default(), usize::MAX));
            }
            lines.retain(|line| answers::read(line).is_some());
            let first = lines.len().saturating_sub(ANSWERS_MAX);
            self.answers = Some(lines.split_off(first));
        }
        self.answers.as_deref().unwrap_or_default()
    }

    /// Its files, the older first, for keeping evidence.
    pub fn paths(&self) -> [PathBuf; 2] {
        [BEFORE, NAME].map(|name| self.folder.join(name))
    }

    fn settle_after(&mut self, seconds: u64, now: Now) {
        let is_due = |known: &Repeated| now.uptime_seconds.saturating_sub(known.written) >= seconds;
        let mut at = 0;
        while at < self.repeated.len() {
            if is_due(&self.repeated[at]) {
                let known = self.repeated.remove(at);
                self.tell(&known, now);
            } else {
                at += 1;
            }
        }
        if now.uptime_seconds.saturating_sub(self.hour) >= HOUR_SECONDS {
            self.tell_left_out(now);
        }
    }

    /// Writes the number of repetitions of an event; nothing if there are none.
    fn tell(&mut self, known: &Repeated, now: Now) {
        if known.times == 0 {
            return;
        }
        if self.may_write(now) {
            self.append(&line(now, known.event, &known.details, known.times));
        } else {
            self.left_out = self.left_out.saturating_add(known.times);
        }
    }

    fn tell_left_out(&mut self, now: Now) {
        if self.left_out > 0 {
            let count = text(format_args!("count={}", self.left_out));
            self.append(&line(now, "left-out", &count, 1));
            self.left_out = 0;
        }
    }

    /// Whether this hour has room for a line; the line is counted.
    fn may_write(&mut self, now: Now) -> bool {
        if now.uptime_seconds.saturating_sub(self.hour) >= HOUR_SECONDS {
            self.tell_left_out(now);
            (self.hour, self.lines) = (now.uptime_seconds, 0);
        }
        self.lines = self.lines.saturating_add(1);
        self.lines <= LINES_AN_HOUR
    }

    /// A line that cannot be written is still in the system's log; this one must stop nothing.
    fn append(&mut self, line: &str) {
        let written = self.try_append(line);
        match &written {
            Err(error) if !self.fails => {
                log::warn!(
                    "security-log-unwritten path={} why=\"{error}\"",
                    self.folder.join(NAME).display()
                );
            }
            _ => {}
        }
        self.fails = written.is_err();
    }

    fn try_append(&self, line: &str) -> io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        let path = self.folder.join(NAME);
        let (mut file, mut bytes) = open(&path)?;
        if bytes + line.len() as u64 + 1 > FILE_BYTES_MAX {
            files::rename(&path, &self.folder.join(BEFORE))?;
            (file, bytes) = open(&path)?;
        }
        // A line that a power cut tore ends here.
        let mut last = [b'\n'];
        if bytes > 0 {
            file.read_exact_at(&mut last, bytes - 1)?;
        }
        if last != [b'\n'] {
            file.write_all(b"\n")?;
        }
        file.write_all(line.as_bytes())?;
        file.sync_all()
    }
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK)
        .open(path)?;
    let seen = file.metadata()?;
    if !seen.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file"));
    }
    Ok((file, seen.len()))
}

fn line(now: Now, event: &str, details: &Text, times: u32) -> String {
    let mut line = format!("{now} {event}");
    // Writing to a string does not fail.
    if !details.is_empty() {
        let _ = write!(line, " {}", &**details);
    }
    if times > 1 {
        let _ = write!(line, " times={times}");
    }
    line.push('\n');
    line
}

/// The last whole lines of the bytes read, the oldest of them first. A line that is not ours (torn by a power cut,
/// spoilt by flash, written by another program) is left out.
pub fn last_lines(bytes: &[u8], lines_max: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    // The bytes behind the last line end are torn, or empty.
    for line in bytes.rsplit(|&byte| byte == b'\n').skip(1) {
        if lines.len() >= lines_max {
            break;
        }
        if line.is_empty() || line.len() >= LINE_BYTES_MAX {
            continue;
        }
        let line = std::str::from_utf8(line).ok().filter(|line| !line.chars().any(char::is_control));
        lines.extend(line.map(str::to_owned));
    }
    lines.reverse();
    lines
}
