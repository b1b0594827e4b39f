//! The one place where the agent sleeps: until it is time, or until something happens.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// The reason that a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// The time was over.
    Time,
    /// A command left a request.
    Request,
    /// One of the other descriptors that were waited for can be read.
    Heard,
    /// The agent is asked to end.
    End,
}

/// Waits, and hears signals while it does.
pub struct Waiter(SignalFd);

impl Waiter {
    /// From now on the signals that it hears do nothing else.
    ///
    /// # Errors
    /// Those of the kernel.
    pub fn new() -> io::Result<Waiter> {
        let mut heard = SigSet::empty();
        heard.add(Signal::SIGUSR1);
        heard.add(Signal::SIGTERM);
        heard.add(Signal::SIGINT);
        heard.thread_block()?;
        Ok(Waiter(SignalFd::with_flags(&heard, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?))
    }

    /// Sleeps at most `seconds`, or until one of the others can be read.
    ///
    /// # Errors
    /// Those of the kernel.
    pub fn wait(&mut self, seconds: u32, others: &[BorrowedFd<'_>]) -> io::Result<Woken> {
        let until = super::clock::uptime_milliseconds() + u64::from(seconds) * 1000;
        loop {
            let left = until.saturating_sub(super::clock::uptime_milliseconds());
            // The kernel counts in 31 bits of milliseconds: 24 days at a time.
            let timeout =
                PollTimeout::try_from(i32::try_from(left).unwrap_or(i32::MAX)).unwrap_or(PollTimeout::MAX);
            let mut waits_for = vec![PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
            waits_for.extend(others.iter().map(|other| PollFd::new(*other, PollFlags::POLLIN)));
            match poll(&mut waits_for, timeout) {
                Err(nix::errno::Errno::EINTR) => continue,
                other => other?,
            };
            let heard = waits_for[1..].iter().any(|other| other.any().unwrap_or(true));
            let signal = if waits_for[0].any().unwrap_or(true) { self.0.read_signal()? } else { None };
            match signal {
                Some(signal) if signal.ssi_signo == Signal::SIGUSR1 as u32 => return Ok(Woken::Request),
                Some(_) => return Ok(Woken::End),
                None if heard => return Ok(Woken::Heard),
                None if super::clock::uptime_milliseconds() >= until => return Ok(Woken::Time),
                None => {}
            }
        }
    }
}
