//! The output of a subcommand: text, warnings, and whether a person is needed.

use anyhow::{Context, Result};
use komainu_core::printable;
use std::fmt;
use std::io::{ErrorKind, Write};

/// The result of a command that did its work.
pub(super) struct Outcome {
    pub text: String,
    pub person_needed: bool,
}

impl From<String> for Outcome {
    fn from(text: String) -> Outcome {
        Outcome { text, person_needed: false }
    }
}

/// A wrong command line that only the command itself can tell: it ends with the status that `clap` gives.
#[derive(Debug)]
pub(super) struct WrongCommandLine(String);

impl fmt::Display for WrongCommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WrongCommandLine {}

/// Makes the fault one of the command line.
pub(super) fn wrong_command_line(fault: anyhow::Error) -> anyhow::Error {
    WrongCommandLine(format!("{fault:#}")).into()
}

/// Prints: the one door to standard output. A reader that has seen enough and left (`| head`) is no fault.
pub(super) fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout();
    match out.write_all(printable::lines(text).as_bytes()).and_then(|()| out.flush()) {
        Err(fault) if fault.kind() != ErrorKind::BrokenPipe => Err(fault).context("cannot print"),
        _ => Ok(()),
    }
}

pub(super) fn warn(warnings: &[String]) {
    for warning in warnings {
        complain("warning", warning);
    }
}

/// Prints one line to standard error: the one door to it.
pub(super) fn complain(kind: &str, sentence: &str) {
    eprintln!("{kind}: {}", printable::line(sentence));
}
