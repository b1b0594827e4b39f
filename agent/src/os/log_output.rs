//! Where log lines go: one event a line, to standard error, the system log or the kernel's log.

use komainu_core::printable;
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::fs::{File, OpenOptions};
use std::io::{IsTerminal, Write, stderr};
use std::os::unix::net::UnixDatagram;
use std::sync::{Mutex, OnceLock, PoisonError};

/// RFC 3164 §4.1.1: facility 3, system daemons, in the upper bits.
const FACILITY: u8 = 3 << 3;

enum Sink {
    Stderr,
    Syslog(UnixDatagram),
    Kernel(Mutex<File>),
}

struct Lines(Sink);

static LINES: OnceLock<Lines> = OnceLock::new();

/// Opens the log. Called once, before the first line; a second call changes nothing. The lines go to the first of `places`
/// that can be opened: a socket is taken for the system log's, any other file for the kernel's. If none can be, and at a
/// terminal that is preferred to them, they go to standard error.
pub fn open(places: &[&str], prefers_terminal: bool) {
    let lines = LINES.get_or_init(|| {
        let at_terminal = prefers_terminal && stderr().is_terminal();
        let found =
            places.iter().filter(|_| !at_terminal).find_map(|place| syslog(place).or_else(|| kernel(place)));
        Lines(found.unwrap_or(Sink::Stderr))
    });
    // The only error is that a log is there already.
    let _ = log::set_logger(lines);
    log::set_max_level(if cfg!(debug_assertions) { LevelFilter::Debug } else { LevelFilter::Info });
}

fn syslog(place: &str) -> Option<Sink> {
    let socket = UnixDatagram::unbound().ok()?;
    socket.connect(place).ok()?;
    // A system log that hangs must not hold up an update.
    socket.set_nonblocking(true).ok()?;
    Some(Sink::Syslog(socket))
}

fn kernel(place: &str) -> Option<Sink> {
    OpenOptions::new().write(true).open(place).ok().map(Mutex::new).map(Sink::Kernel)
}

impl Log for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("komainu")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let severity = match record.level() {
            Level::Error => 3,
            Level::Warn => 4,
            Level::Info => 6,
            Level::Debug | Level::Trace => 7,
        };
        let line = printable::line(&record.args().to_string());
        // A log that cannot be written has no one to tell.
        match &self.0 {
            Sink::Stderr => drop(writeln!(stderr(), "{} {line}", word(record.level()))),
            Sink::Syslog(socket) => {
                drop(socket.send(format!("<{}>komainu: {line}", FACILITY | severity).as_bytes()));
            }
            Sink::Kernel(file) => {
                let line = format!("<{}>komainu: {line}\n", FACILITY | severity);
                drop(file.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes()));
            }
        }
    }

    fn flush(&self) {}
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug | Level::Trace => "debug",
    }
}
