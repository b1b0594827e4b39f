//! Starting other programs, and running one with input, output and a deadline.
//!
//! By nix's `posix_spawn` and not by the standard library's `Command`, which is 17 KB larger on a device for all
//! the other things that it can do.

use crate::os::clock::uptime_milliseconds;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, poll};
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawnp};
use nix::sys::signal::{SigSet, Signal, killpg};
use nix::sys::stat::Mode;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::ffi::{CString, OsStr, OsString};
use std::fmt;
use std::io;
use std::io::{ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Most that is kept of both outputs of a program, and of its standard error alone, in bytes.
const OUTPUT_BYTES_MAX: usize = 1024 * 1024;
const ERRORS_BYTES_MAX: usize = 160;
/// Whether a program has ended is looked at again after so long, if nothing else happens before.
const LOOK_AGAIN_MILLISECONDS: u64 = 10;

/// A program that was started. Dropping this leaves it running.
pub struct Program(Pid);

/// The way a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this exit code.
    Code(i32),
    /// By this signal.
    Signal(Signal),
}

/// The outputs of a program that are read; others go nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outputs {
    Errors,
    /// Standard output and standard error, as one.
    Both,
}

/// A program that was run.
pub struct Run {
    /// The way it ended; `None`: its time was over.
    pub ended: Option<Ended>,
    /// The bytes it wrote.
    pub said: Vec<u8>,
    /// That is all it wrote.
    pub is_whole: bool,
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

    /// Runs a program that finds `input` on its standard input, and gives how it ended and what it wrote. It gets a process
    /// group of its own; if it takes longer than `seconds`, it is ended with all that it started. Programs that it leaves
    /// running are not waited for.
    ///
    /// # Errors
    /// As for [`Program::start`].
    pub fn run(
        program: &OsStr,
        arguments: &[String],
        input: &[u8],
        outputs: Outputs,
        seconds: u32,
    ) -> io::Result<Run> {
        let (program, pipes) = start_piped(program, arguments, outputs)?;
        let run = program.converse(pipes, input, seconds);
        if run.is_err() {
            // The first error is the one that is told.
            let _ = program.end();
        }
        run
    }

    fn converse(&self, mut pipes: Pipes, mut input: &[u8], seconds: u32) -> io::Result<Run> {
        let deadline = uptime_milliseconds() + u64::from(seconds) * 1000;
        let mut run = Run { ended: None, said: Vec::new(), is_whole: true };
        loop {
            // Asked first, so that all that it wrote before its end is read below.
            run.ended = self.ended()?;
            pipes.feed(&mut input);
            pipes.listen(&mut run);
            let left = deadline.saturating_sub(uptime_milliseconds());
            if run.ended.is_none() && left == 0 {
                self.end()?;
                return Ok(run);
            }
            if run.ended.is_some() {
                return Ok(run);
            }
            pipes.wait(left.min(LOOK_AGAIN_MILLISECONDS))?;
        }
    }

    /// The way it ended, if it has.
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
        // If it has just ended by itself, there is no process left to hear this.
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

/// Our ends of the pipes to a program; a pipe that has ended is closed.
struct Pipes {
    input: Option<PipeWriter>,
    outputs: Option<PipeReader>,
    /// Most that is kept of the outputs.
    bytes_max: usize,
}

impl Pipes {
    /// Writes as much as the program has room for.
    fn feed(&mut self, input: &mut &[u8]) {
        let Some(pipe) = &mut self.input else { return };
        let result = if input.is_empty() { Ok(0) } else { pipe.write(input) };
        match result {
            Ok(count) => *input = &input[count..],
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return,
            // A program need not read.
            Err(_) => *input = &[],
        }
        if input.is_empty() {
            self.input = None;
        }
    }

    /// Reads what is there, a pipe full at most: a program that never stops writing does not keep us.
    fn listen(&mut self, run: &mut Run) {
        let mut bytes = [0; 4096];
        for _ in 0..16 {
            let Some(pipe) = &mut self.outputs else { return };
            match pipe.read(&mut bytes) {
                Ok(0) => self.outputs = None,
                Ok(count) => {
                    let room = self.bytes_max - run.said.len();
                    run.said.extend_from_slice(&bytes[..count.min(room)]);
                    run.is_whole &= count <= room;
                }
                Err(_) => return,
            }
        }
    }

    /// Waits until the program reads, writes or closes a pipe, at most so long.
    fn wait(&self, milliseconds: u64) -> io::Result<()> {
        let mut waits_for = Vec::new();
        waits_for.extend(self.input.as_ref().map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLOUT)));
        waits_for.extend(self.outputs.as_ref().map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN)));
        match poll(&mut waits_for, u16::try_from(milliseconds).unwrap_or(u16::MAX)) {
            Err(nix::errno::Errno::EINTR) => Ok(()),
            other => Ok(other.map(drop)?),
        }
    }
}

fn start_piped(program: &OsStr, arguments: &[String], outputs: Outputs) -> io::Result<(Program, Pipes)> {
    // Both ends are closed in every program that is started; only the copy is wanted there.
    let (heard, said) = io::pipe()?;
    let (fed, feeding) = io::pipe()?;
    for ours in [heard.as_fd(), feeding.as_fd()] {
        fcntl(ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    }
    let mut actions = PosixSpawnFileActions::init()?;
    actions.add_dup2(fed.as_raw_fd(), 0)?;
    let bytes_max = match outputs {
        Outputs::Both => {
            actions.add_dup2(said.as_raw_fd(), 1)?;
            OUTPUT_BYTES_MAX
        }
        Outputs::Errors => {
            actions.add_open(1, "/dev/null", OFlag::O_WRONLY, Mode::empty())?;
            ERRORS_BYTES_MAX
        }
    };
    actions.add_dup2(said.as_raw_fd(), 2)?;
    let program = spawn(program, arguments, &actions, PosixSpawnFlags::POSIX_SPAWN_SETPGROUP)?;
    Ok((program, Pipes { input: Some(feeding), outputs: Some(heard), bytes_max }))
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
    // Our treatment of signals is not for others: the waiter keeps some back, and Rust ignores SIGPIPE.
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

    fn run(script: &str, outputs: Outputs, seconds: u32) -> (Option<Ended>, String) {
        let arguments = ["-c".into(), script.into()];
        let run = Program::run("sh".as_ref(), &arguments, b"one\ntwo\n", outputs, seconds).unwrap();
        assert!(run.is_whole);
        (run.ended, String::from_utf8(run.said).unwrap())
    }

    #[test]
    fn a_program_is_fed_and_only_its_standard_error_is_heard() {
        let said = run("echo not this; cat >&2; echo and this >&2; exit 7", Outputs::Errors, 60);
        assert_eq!(said, (Some(Ended::Code(7)), "one\ntwo\nand this\n".into()));
    }

    #[test]
    fn a_program_that_is_asked_answers() {
        let said = run("cat; echo three >&2; exit 4", Outputs::Both, 60);
        assert_eq!(said, (Some(Ended::Code(4)), "one\ntwo\nthree\n".into()));
        assert_eq!(run("exec <&-; echo deaf", Outputs::Both, 60), (Some(Ended::Code(0)), "deaf\n".into()));
        assert_eq!(run("sleep 1000 & wait", Outputs::Both, 0).0, None);
    }

    #[test]
    fn input_and_output_may_be_more_than_a_pipe_holds() {
        let input = vec![b'x'; 300_000];
        let run = Program::run("cat".as_ref(), &[], &input, Outputs::Both, 60).unwrap();
        assert_eq!((run.ended, run.said == input, run.is_whole), (Some(Ended::Code(0)), true, true));
        let endless = ["-c".into(), format!("head -c {} /dev/zero", OUTPUT_BYTES_MAX + 1)];
        let run = Program::run("sh".as_ref(), &endless, b"", Outputs::Both, 60).unwrap();
        assert_eq!(
            (run.ended, run.said.len(), run.is_whole),
            (Some(Ended::Code(0)), OUTPUT_BYTES_MAX, false)
        );
    }

    #[test]
    fn what_a_program_started_ends_with_it() {
        let script = "sleep 1000 & wait";
        let (program, pipes) =
            start_piped("sh".as_ref(), &["-c".into(), script.into()], Outputs::Errors).unwrap();
        assert_eq!(program.ended().unwrap(), None);
        assert_eq!(program.end().unwrap(), Ended::Signal(Signal::SIGKILL));
        // The pipe ends when the last one that could write to it has ended.
        let mut heard = pipes.outputs.unwrap();
        fcntl(&heard, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
        assert_eq!(heard.read_to_end(&mut Vec::new()).unwrap(), 0);
    }
}
