//! Starting other programs: health checks, and the one that restarts the device.
//!
//! By nix's `posix_spawn` and not by the standard library's `Command`, which is 17 KB larger on a device for all
//! the other things that it can do.

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, poll};
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawnp};
use nix::sys::signal::{SigSet, Signal, killpg};
use nix::sys::stat::Mode;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::ffi::{CString, OsStr, OsString};
use std::fmt;
use std::io;
use std::io::{PipeReader, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Most that is heard of a program that was asked.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// A program that was started. Dropping this leaves it running.
pub struct Program(Pid);

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this exit code.
    Code(i32),
    /// By this signal.
    Signal(Signal),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Code(code) => write!(f, "ended with exit code {code}"),
            Ended::Signal(signal) => write!(f, "ended by {signal}"),
        }
    }
}

impl Program {
    /// Starts a program that shares our input and outputs. A name without a slash is looked up in `PATH`.
    ///
    /// # Errors
    /// Those of the system; also when there is no such program.
    pub fn start(program: &OsStr, arguments: &[String]) -> io::Result<Program> {
        let actions = PosixSpawnFileActions::init()?;
        spawn(program, arguments, &actions, PosixSpawnFlags::empty())
    }

    /// Starts a program that finds this on its standard input, shares our outputs, and has no environment. It gets a
    /// process group of its own.
    ///
    /// # Errors
    /// Those of the system.
    pub fn start_with_input(
        program: &OsStr,
        arguments: &[String],
        input: BorrowedFd<'_>,
    ) -> io::Result<Program> {
        let mut actions = PosixSpawnFileActions::init()?;
        actions.add_dup2(input.as_raw_fd(), 0)?;
        spawn_with(program, arguments, &actions, PosixSpawnFlags::POSIX_SPAWN_SETPGROUP, &[])
    }

    /// Starts a program that only its standard error is wanted of, and gives that. It finds `input` on its standard
    /// input, at most a page of it, and gets a process group of its own, so that what it starts can be ended with it.
    ///
    /// # Errors
    /// As for [`Program::start`].
    pub fn start_heard(
        program: &OsStr,
        arguments: &[String],
        input: &[u8],
    ) -> io::Result<(Program, PipeReader)> {
        // Both ends are closed in every program that is started; what is wanted there is the copy.
        let (heard, said) = io::pipe()?;
        let (fed, mut feeding) = io::pipe()?;
        // A pipe takes a page before anybody reads from it; what a program does not read goes with the pipe.
        feeding.write_all(&input[..input.len().min(4096)])?;
        drop(feeding);
        let mut actions = PosixSpawnFileActions::init()?;
        actions.add_dup2(fed.as_raw_fd(), 0)?;
        actions.add_open(1, "/dev/null", OFlag::O_WRONLY, Mode::empty())?;
        actions.add_dup2(said.as_raw_fd(), 2)?;
        let program = spawn(program, arguments, &actions, PosixSpawnFlags::POSIX_SPAWN_SETPGROUP)?;
        Ok((program, heard))
    }

    /// Runs a program with `input` as its standard input (shorter than a pipe holds), and gives how it ended and
    /// what it wrote on both outputs. One that takes longer than `seconds` is ended.
    ///
    /// # Errors
    /// As for [`Program::start`]; also when it was ended, or said more than a megabyte.
    pub fn ask(
        program: &OsStr,
        arguments: &[String],
        input: &str,
        seconds: u32,
    ) -> io::Result<(Ended, String)> {
        let (theirs, mut ours) = io::pipe()?;
        let (mut heard, said) = io::pipe()?;
        let mut actions = PosixSpawnFileActions::init()?;
        actions.add_dup2(theirs.as_raw_fd(), 0)?;
        actions.add_dup2(said.as_raw_fd(), 1)?;
        actions.add_dup2(said.as_raw_fd(), 2)?;
        let program = spawn(program, arguments, &actions, PosixSpawnFlags::POSIX_SPAWN_SETPGROUP)?;
        drop((theirs, said));
        // Who does not read has its reasons, and tells them by its end.
        let _ = ours.write_all(input.as_bytes());
        drop(ours);
        let deadline = crate::os::clock::uptime_milliseconds() + u64::from(seconds) * 1000;
        let mut answer = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let left = deadline.saturating_sub(crate::os::clock::uptime_milliseconds());
            let left = u16::try_from(left).unwrap_or(u16::MAX);
            match poll(&mut [PollFd::new(heard.as_fd(), PollFlags::POLLIN)], left) {
                Err(nix::errno::Errno::EINTR) => continue,
                Ok(1..) if answer.len() < ANSWER_BYTES_MAX => match heard.read(&mut buffer)? {
                    0 => break,
                    count => answer.extend_from_slice(&buffer[..count]),
                },
                _ => {
                    program.end()?;
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
        }
        Ok((program.wait()?, String::from_utf8_lossy(&answer).into_owned()))
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// Those of the system.
    pub fn ended(&self) -> io::Result<Option<Ended>> {
        self.wait_status(Some(WaitPidFlag::WNOHANG))
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// Those of the system.
    pub fn wait(&self) -> io::Result<Ended> {
        loop {
            if let Some(ended) = self.wait_status(None)? {
                return Ok(ended);
            }
        }
    }

    /// Ends it and its process group, for one that was started in its own.
    ///
    /// # Errors
    /// Those of the system.
    pub fn end(&self) -> io::Result<Ended> {
        // If it has just ended by itself, there is nobody left to hear this.
        let _ = killpg(self.0, Signal::SIGKILL);
        self.wait()
    }

    fn wait_status(&self, flags: Option<WaitPidFlag>) -> io::Result<Option<Ended>> {
        loop {
            return match waitpid(self.0, flags) {
                Ok(WaitStatus::Exited(_, code)) => Ok(Some(Ended::Code(code))),
                Ok(WaitStatus::Signaled(_, signal, _)) => Ok(Some(Ended::Signal(signal))),
                Ok(_) => Ok(None),
                Err(nix::errno::Errno::EINTR) => continue,
                Err(error) => Err(error.into()),
            };
        }
    }
}

fn spawn(
    program: &OsStr,
    arguments: &[String],
    actions: &PosixSpawnFileActions,
    flags: PosixSpawnFlags,
) -> io::Result<Program> {
    let mut environment = Vec::new();
    for (name, value) in std::env::vars_os() {
        let mut pair: OsString = name;
        pair.push("=");
        pair.push(value);
        environment.push(CString::new(pair.into_vec())?);
    }
    spawn_with(program, arguments, actions, flags, &environment)
}

fn spawn_with(
    program: &OsStr,
    arguments: &[String],
    actions: &PosixSpawnFileActions,
    flags: PosixSpawnFlags,
    environment: &[CString],
) -> io::Result<Program> {
    let mut words = vec![CString::new(program.as_bytes())?];
    for argument in arguments {
        words.push(CString::new(argument.as_bytes())?);
    }
    // What we do with signals is not for others: the waiter keeps some back, and Rust ignores SIGPIPE.
    let mut ignored = SigSet::empty();
    ignored.add(Signal::SIGPIPE);
    let mut attributes = PosixSpawnAttr::init()?;
    attributes.set_sigdefault(&ignored)?;
    attributes.set_sigmask(&SigSet::empty())?;
    attributes.set_flags(
        flags | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF | PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK,
    )?;
    let pid = posix_spawnp(&words[0], actions, &attributes, &words, environment)?;
    crate::os::privileges::like_others(pid.as_raw());
    Ok(Program(pid))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> io::Result<Ended> {
        Program::start("sh".as_ref(), &["-c".into(), script.into()])?.wait()
    }

    #[test]
    fn how_a_program_ended_is_told() {
        assert_eq!(shell("exit 3").unwrap(), Ended::Code(3));
        let killed = shell("kill -9 $$").unwrap();
        assert_eq!(killed, Ended::Signal(Signal::SIGKILL));
        assert_eq!(killed.to_string(), "ended by SIGKILL");
    }

    #[test]
    fn what_is_not_there_cannot_be_started() {
        let fault = Program::start("/nowhere/check".as_ref(), &[]).err().unwrap();
        assert_eq!(fault.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_program_has_our_environment_and_no_signal_kept_back() {
        let mut kept_back = SigSet::empty();
        kept_back.add(Signal::SIGTERM);
        kept_back.thread_block().unwrap();
        assert_eq!(
            shell("test -n \"$PATH\" || exit 1; kill -TERM $$; exit 2").unwrap(),
            Ended::Signal(Signal::SIGTERM)
        );
    }

    #[test]
    fn a_program_is_fed_and_only_its_standard_error_is_heard() {
        let script = "echo not this; cat >&2; echo ' and this' >&2; exit 7";
        let (program, mut heard) =
            Program::start_heard("sh".as_ref(), &["-c".into(), script.into()], b"fed").unwrap();
        let mut said = String::new();
        heard.read_to_string(&mut said).unwrap();
        assert_eq!((said.as_str(), program.wait().unwrap()), ("fed and this\n", Ended::Code(7)));
    }

    #[test]
    fn a_program_that_is_asked_answers() {
        let ask = |script: &str, seconds| {
            Program::ask("sh".as_ref(), &["-c".into(), script.into()], "one\ntwo\n", seconds)
        };
        assert_eq!(
            ask("cat; echo three >&2; exit 4", 60).unwrap(),
            (Ended::Code(4), "one\ntwo\nthree\n".into())
        );
        assert_eq!(ask("exec <&-; echo deaf", 60).unwrap(), (Ended::Code(0), "deaf\n".into()));
        assert_eq!(ask("sleep 1000 & wait", 0).unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn what_a_program_started_ends_with_it() {
        let script = "sleep 1000 & wait";
        let (program, mut heard) =
            Program::start_heard("sh".as_ref(), &["-c".into(), script.into()], b"fed").unwrap();
        assert_eq!(program.ended().unwrap(), None);
        assert_eq!(program.end().unwrap(), Ended::Signal(Signal::SIGKILL));
        // The pipe ends when the last one that could write to it has ended.
        assert_eq!(heard.read_to_end(&mut Vec::new()).unwrap(), 0);
    }
}
