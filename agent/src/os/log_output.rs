//! Where log lines go: one event a line, to standard error, the system log or the kernel's log.

use crate::config::LogTo;
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::fs::{File, OpenOptions};
use std::io::{IsTerminal, Write, stderr};
use std::os::unix::net::UnixDatagram;
use std::sync::{Mutex, OnceLock, PoisonError};

const SYSLOG: &str = "/dev/log";
const KERNEL: &str = "/dev/kmsg";
/// RFC 3164 §4.1.1: facility 3, system daemons, in the upper bits.
const FACILITY: u8 = 3 << 3;

enum Sink {
    Stderr,
    Syslog(UnixDatagram),
    Kernel(Mutex<File>),
}

struct Lines(Sink);

static LINES: OnceLock<Lines> = OnceLock::new();

/// Opens the log. Called once, before anything is said; a second call changes nothing.
pub fn open(to: LogTo) {
    let lines = LINES.get_or_init(|| Lines(sink(to)));
    // The only error is that a log is there already.
    let _ = log::set_logger(lines);
    log::set_max_level(if cfg!(debug_assertions) { LevelFilter::Debug } else { LevelFilter::Info });
}

fn sink(to: LogTo) -> Sink {
    let found = match to {
        LogTo::Stderr => None,
        LogTo::Auto if stderr().is_terminal() => None,
        LogTo::Syslog => syslog(),
        LogTo::Kernel => kernel(),
        LogTo::Auto => syslog().or_else(kernel),
    };
    found.unwrap_or(Sink::Stderr)
}

fn syslog() -> Option<Sink> {
    let socket = UnixDatagram::unbound().ok()?;
    socket.connect(SYSLOG).ok()?;
    // A system log that hangs must not hold up an update.
    socket.set_nonblocking(true).ok()?;
    Some(Sink::Syslog(socket))
}

fn kernel() -> Option<Sink> {
    OpenOptions::new().write(true).open(KERNEL).ok().map(Mutex::new).map(Sink::Kernel)
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
        // A log that cannot be written has nobody to tell.
        match &self.0 {
            Sink::Stderr => drop(writeln!(stderr(), "{} {}", word(record.level()), record.args())),
            Sink::Syslog(socket) => {
                drop(socket.send(format!("<{}>komainu: {}", FACILITY | severity, record.args()).as_bytes()));
            }
            Sink::Kernel(file) => {
                let line = format!("<{}>komainu: {}\n", FACILITY | severity, record.args());
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
