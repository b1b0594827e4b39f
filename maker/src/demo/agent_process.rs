//! The agent as a child process: its log arrives line by line, with the time of each; it never outlives this program.

use crate::clock::Stopwatch;
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// An agent that says nothing for so long hangs.
const SILENCE: Duration = Duration::from_secs(60);

/// The agent at work.
pub(super) struct Agent {
    /// None where it runs on a machine of its own, and ends with that.
    child: Option<Child>,
    lines: Receiver<(u64, String)>,
}

impl Agent {
    /// Starts `komainu once`, or another of its subcommands.
    pub fn start(program: &Path, settings: &Path, subcommand: &str, clock: Stopwatch) -> Result<Agent> {
        let mut child = Command::new(program)
            .arg("--settings")
            .arg(settings)
            .arg(subcommand)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let said = child.stderr.take().context("a pipe was asked for")?;
        let mut agent = Agent::of_machine(said, clock);
        agent.child = Some(child);
        Ok(agent)
    }

    /// The agent whose log comes by this pipe.
    pub fn of_machine(said: impl Read + Send + 'static, clock: Stopwatch) -> Agent {
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(said).lines().map_while(Result::ok) {
                if sender.send((clock.milliseconds(), line)).is_err() {
                    return;
                }
            }
        });
        Agent { child: None, lines }
    }

    /// The next line and when it was said; `None` if there will be no more.
    pub fn next_line(&self) -> Result<Option<(u64, String)>> {
        match self.lines.recv_timeout(SILENCE) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => bail!("the agent hangs"),
        }
    }

    /// A line that was said already, if there is one.
    pub fn line_so_far(&self) -> Option<(u64, String)> {
        self.lines.try_recv().ok()
    }

    /// Waits for its end.
    pub fn end(&mut self) -> Result<ExitStatus> {
        let child = self.child.as_mut().context("the agent is another machine's")?;
        child.wait().context("cannot wait for the agent")
    }

    /// Ends it at once; it has no chance to do anything (SIGKILL).
    pub fn kill(&mut self) -> Result<()> {
        self.child.as_mut().map_or(Ok(()), Child::kill).context("cannot kill the agent")?;
        self.end().map(|_| ())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
