//! Health checks: the programs in a folder, in the order of their names, each within its time.
//!
//! What a check's exit code says: 0 good; 2 it will not get better, go back now; anything else, or no answer in
//! time, not yet: it is asked again until the trial's deadline. Its first line of standard error is the reason.

use super::program::{Ended, Program};
use komainu_core::facts::Health;
use komainu_core::fault::{Text, text};
use std::ffi::OsStr;
use std::io::{self, ErrorKind, PipeReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The exit code of a check that will not get better.
const FAILING: i32 = 2;
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Runs every check of the folder; the first that is not good decides. No folder, or none in it: good.
pub fn ask(folder: &Path, check_seconds: u32) -> Health {
    let checks = match checks(folder) {
        Ok(checks) => checks,
        Err(error) => return Health::NotYet(text(format_args!("cannot read {}: {error}", folder.display()))),
    };
    for check in checks {
        match run(&check, check_seconds) {
            Health::Good => {}
            other => return other,
        }
    }
    Health::Good
}

/// The checks of a folder in order: files that may be executed.
///
/// # Errors
/// The folder is there and cannot be read.
pub fn checks(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut checks = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let metadata = path.metadata()?;
        if metadata.is_file() && metadata.permissions().mode() & 0o111 != 0 {
            checks.push(path);
        }
    }
    // By their bytes: in one folder that is the order of their names, without the code that compares paths.
    checks.sort_unstable_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
    Ok(checks)
}

fn run(check: &Path, seconds: u32) -> Health {
    let name = check.file_name().unwrap_or(OsStr::new("check")).to_string_lossy();
    let (program, heard) = match Program::start_heard(check.as_os_str(), &[]) {
        Ok(started) => started,
        Err(error) => return Health::NotYet(text(format_args!("{name}: cannot be started: {error}"))),
    };
    match wait(&program, seconds) {
        Ok(Some(Ended::Code(0))) => Health::Good,
        Ok(Some(ended)) => {
            let why = first_line(heard).unwrap_or_else(|| text(format_args!("{ended}")));
            let why = text(format_args!("{name}: {why}"));
            if ended == Ended::Code(FAILING) { Health::Failing(why) } else { Health::NotYet(why) }
        }
        Ok(None) => Health::NotYet(text(format_args!("{name}: no answer in {seconds} s"))),
        Err(error) => Health::NotYet(text(format_args!("{name}: {error}"))),
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
