//! The maker's programs in a folder: health checks, and the gate's hooks. They are run in the order of their names, each
//! within its time; the text on its standard error says why it failed.

use super::interpreter;
use super::spawn::{Ended, Outputs, Program};
use komainu_core::fault::{Text, text};
use std::ffi::OsStr;
use std::io;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The answer of one of them.
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
    let run = match Program::run(program.as_os_str(), arguments, input, Outputs::Errors, seconds) {
        Ok(run) => run,
        // The kernel's word for a script without its interpreter is "No such file or directory".
        Err(error) => {
            return Answer::None(match interpreter::can_start(program) {
                Err(why) => text(format_args!("{name}: cannot be run: {why}")),
                Ok(()) => text(format_args!("{name}: cannot be run: {error}")),
            });
        }
    };
    let Some(ended) = run.ended else {
        return Answer::None(text(format_args!("{name}: no answer in {seconds} s")));
    };
    if ended == Ended::Code(0) {
        return Answer::Good;
    }
    let said = String::from_utf8_lossy(&run.said);
    let why = match said.lines().next().map(str::trim) {
        Some(line) if !line.is_empty() => text(format_args!("{name}: {line}")),
        _ => text(format_args!("{name}: {ended}")),
    };
    match ended {
        Ended::Code(code) => Answer::Code(code, why),
        Ended::Signal(_) => Answer::None(why),
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
    fn a_script_with_the_line_ends_of_windows_says_so() {
        let script = std::env::temp_dir().join(format!("komainu-crlf-{}", std::process::id()));
        crate::os::files::replace_as(&script, b"#!/bin/sh\r\nexit 0\r\n", 0o755).unwrap();
        let Answer::None(why) = ask(&script, &[], b"", 60) else { panic!("it has no interpreter") };
        std::fs::remove_file(script).unwrap();
        assert!(why.contains("cannot be run: its interpreter /bin/sh\\r is not there"), "{why}");
    }

    #[test]
    fn a_program_may_say_more_than_a_pipe_holds() {
        assert_eq!(shell("head -c 300000 /dev/zero >&2", 60), "good");
        assert_eq!(shell("echo full >&2; head -c 300000 /dev/zero >&2; exit 3", 60), "sh: full");
    }
}
