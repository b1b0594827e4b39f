//! The maker's programs in a folder: health checks, and the gate's hooks. In the order of their names, each within
//! its time, each heard for why.

use super::spawn::{Ended, Program};
use komainu_core::fault::{Text, text};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use std::ffi::OsStr;
use std::io;
use std::io::{ErrorKind, PipeReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// What is kept of what a program says, in bytes.
const SAID_BYTES_MAX: usize = 160;

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
    let mut heard = Heard { pipe: heard, said: Vec::new() };
    // What it left running may hold the other end for ever: nothing here waits for words.
    if let Err(error) = fcntl(&heard.pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)) {
        log::debug!("unheard why=\"{}\"", std::io::Error::from(error));
        let _ = started.end();
        return Answer::None(text(format_args!("{name}: {}", std::io::Error::from(error))));
    }
    match wait(&started, &mut heard, seconds) {
        Ok(Some(Ended::Code(0))) => Answer::Good,
        Ok(Some(ended)) => {
            let why = heard.first_line().unwrap_or_else(|| text(format_args!("{ended}")));
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
fn wait(program: &Program, heard: &mut Heard, seconds: u32) -> io::Result<Option<Ended>> {
    let deadline = crate::os::clock::uptime_milliseconds() + u64::from(seconds) * 1000;
    loop {
        let ended = program.ended()?;
        // Also while it runs: a full pipe would stop it.
        heard.listen();
        if let Some(ended) = ended {
            return Ok(Some(ended));
        }
        if crate::os::clock::uptime_milliseconds() >= deadline {
            program.end()?;
            return Ok(None);
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// What a program says on its standard error.
struct Heard {
    pipe: PipeReader,
    said: Vec<u8>,
}

impl Heard {
    /// Takes what is there, a pipe full at most: one that never stops talking does not keep us.
    fn listen(&mut self) {
        let mut bytes = [0; 4096];
        for _ in 0..16 {
            let Ok(count @ 1..) = self.pipe.read(&mut bytes) else { return };
            let room = SAID_BYTES_MAX - self.said.len();
            self.said.extend_from_slice(&bytes[..count.min(room)]);
        }
    }

    fn first_line(&self) -> Option<Text> {
        let said = String::from_utf8_lossy(&self.said);
        let line = said.lines().next()?.trim();
        (!line.is_empty()).then(|| text(format_args!("{line}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, seconds: u32) -> String {
        match ask("/bin/sh".as_ref(), &["-c".into(), script.into()], b"", seconds) {
            Answer::Good => "good".into(),
            Answer::Code(_, why) | Answer::None(why) => why.to_string(),
        }
    }

    #[test]
    fn a_program_that_leaves_another_running_is_not_waited_for() {
        let left = std::env::temp_dir().join(format!("komainu-left-{}", std::process::id()));
        let began = crate::os::clock::uptime_milliseconds();
        let why = shell(&format!("sleep 30 & echo $! > {}; exit 1", left.display()), 60);
        let took = crate::os::clock::uptime_milliseconds() - began;
        let number = std::fs::read_to_string(&left).unwrap().trim().parse().unwrap();
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(number), nix::sys::signal::Signal::SIGKILL);
        std::fs::remove_file(left).unwrap();
        assert_eq!(why, "sh: ended with exit code 1");
        assert!(took < 25_000, "{took} ms: it held the pipe");
    }

    #[test]
    fn a_program_may_say_more_than_a_pipe_holds() {
        assert_eq!(shell("head -c 300000 /dev/zero >&2", 60), "good");
        assert_eq!(shell("echo full >&2; head -c 300000 /dev/zero >&2; exit 3", 60), "sh: full");
    }
}
