//! The maker's programs in a folder: health checks, and the gate's hooks. In the order of their names, each within
//! its time, each heard for why.

use super::program::{Ended, Program};
use komainu_core::fault::{Text, text};
use std::ffi::OsStr;
use std::io::{self, ErrorKind, PipeReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// How one of them answered.
pub enum Answer {
    /// Exit code 0.
    Good,
    /// Another exit code, with its name and its first line of standard error.
    Code(i32, Text),
    /// No answer: it could not be started, was killed, or took too long.
    None(Text),
}

/// The programs of a folder in order: files that may be executed. No folder: none.
///
/// # Errors
/// The folder is there and cannot be read.
pub fn in_folder(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut programs = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let metadata = path.metadata()?;
        if metadata.is_file() && metadata.permissions().mode() & 0o111 != 0 {
            programs.push(path);
        }
    }
    // By their bytes: in one folder that is the order of their names, without the code that compares paths.
    programs.sort_unstable_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
    Ok(programs)
}

/// Runs one of them, at most `seconds` long; it finds `input` on its standard input.
pub fn ask(program: &Path, arguments: &[String], input: &[u8], seconds: u32) -> Answer {
    let name = program.file_name().unwrap_or(OsStr::new("program")).to_string_lossy();
    let (started, heard) = match Program::start_heard(program.as_os_str(), arguments, input) {
        Ok(started) => started,
        Err(error) => return Answer::None(text(format_args!("{name}: cannot be started: {error}"))),
    };
    match wait(&started, seconds) {
        Ok(Some(Ended::Code(0))) => Answer::Good,
        Ok(Some(ended)) => {
            let why = first_line(heard).unwrap_or_else(|| text(format_args!("{ended}")));
            let why = text(format_args!("{name}: {why}"));
            match ended {
                Ended::Code(code) => Answer::Code(code, why),
                Ended::Signal(_) => Answer::None(why),
            }
        }
        Ok(None) => Answer::None(text(format_args!("{name}: no answer in {seconds} s"))),
        Err(error) => Answer::None(text(format_args!("{name}: {error}"))),
    }
}

/// Waits for the end of a program; after its time, ends it and all that it started, and says `None`.
fn wait(program: &Program, seconds: u32) -> io::Result<Option<Ended>> {
    let deadline = super::clock::uptime_milliseconds() + u64::from(seconds) * 1000;
    loop {
        if let Some(ended) = program.ended()? {
            return Ok(Some(ended));
        }
        if super::clock::uptime_milliseconds() >= deadline {
            program.end()?;
            return Ok(None);
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

fn first_line(mut heard: PipeReader) -> Option<Text> {
    let mut bytes = [0; 160];
    let count = heard.read(&mut bytes).ok()?;
    let said = String::from_utf8_lossy(&bytes[..count]);
    let line = said.lines().next()?.trim();
    (!line.is_empty()).then(|| text(format_args!("{line}")))
}
