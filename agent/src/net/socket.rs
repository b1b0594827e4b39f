//! A socket to a server. It carries the mark that lets the agent's own traffic through a closed gate, and it hears the
//! bell while it waits: a person at the page must not wait for a server.

use crate::os::clock::uptime_milliseconds;
use komainu_core::fault::{FetchFault, text};
use komainu_core::firewall::table::MARK;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::sockopt::{Mark, SocketError, TcpNoDelay};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, connect, getsockopt, setsockopt, socket,
};
use std::io;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The event for [`wait`] that there is something to read.
pub(super) const INPUT: PollFlags = PollFlags::POLLIN;

/// After it rang, it is not heard for so long: constant ringing must not keep updates out.
const QUIET_MILLISECONDS: u64 = 10_000;

/// The bell that ends a wait for a server early: descriptors, when one can be read.
#[derive(Clone, Default)]
pub(crate) struct Wakeup(Arc<Mutex<Hung>>);

#[derive(Default)]
struct Hung {
    wakeups: Vec<OwnedFd>,
    not_before: u64,
    /// A short look elsewhere, every other second; true ends the wait.
    glance: Option<Glance>,
    glance_at: u64,
}

/// A short look elsewhere.
pub(crate) type Glance = Box<dyn FnMut() -> bool + Send>;

/// The time between two looks elsewhere while waiting, in milliseconds.
const GLANCE_MILLISECONDS: u64 = 2000;

impl Hung {
    /// Looks elsewhere, if it is time.
    fn sees_something(&mut self) -> bool {
        let now = uptime_milliseconds();
        if now < self.glance_at {
            return false;
        }
        self.glance_at = now + GLANCE_MILLISECONDS;
        self.glance.as_mut().is_some_and(|glance| glance())
    }
}

impl Wakeup {
    /// Hangs other bells, or none.
    pub(crate) fn hang(&self, wakeups: Vec<OwnedFd>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).wakeups = wakeups;
    }

    /// From now on it is looked there while a server is waited for.
    pub(crate) fn glance(&self, glance: Glance) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).glance = Some(glance);
    }
}

/// The time until which something must have happened, and what it is, for the sentence when it has not.
#[derive(Clone, Copy)]
pub(super) struct Deadline {
    until: u64,
    what: &'static str,
}

impl Deadline {
    /// From now on; `what` is waited for.
    pub(super) fn in_seconds(seconds: u32, what: &'static str) -> Deadline {
        Deadline { until: uptime_milliseconds().saturating_add(u64::from(seconds) * 1000), what }
    }

    /// The same, of a time that ureq gives; `u64::MAX` milliseconds where it gives none.
    pub(super) fn after(time: Duration, what: &'static str) -> Deadline {
        let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Deadline { until: uptime_milliseconds().saturating_add(milliseconds), what }
    }

    /// The same time for the next step.
    pub(super) fn of(self, what: &'static str) -> Deadline {
        Deadline { what, ..self }
    }

    /// One that is over.
    #[cfg(test)]
    pub(super) fn over(what: &'static str) -> Deadline {
        Deadline { until: 0, what }
    }

    fn left(self) -> u64 {
        self.until.saturating_sub(uptime_milliseconds())
    }

    fn missed(self) -> FetchFault {
        FetchFault::Unreachable(text(format_args!("timed out ({})", self.what)))
    }
}

/// Connects to the first address that lets it; all together get the time that there is.
///
/// # Errors
/// `Unreachable`, of the last address; `Interrupted`.
pub(super) fn connect_any(
    addresses: &[SocketAddr],
    deadline: Deadline,
    wakeup: &Wakeup,
) -> Result<Socket, FetchFault> {
    let mut last = deadline.missed();
    for (before, &address) in addresses.iter().enumerate() {
        // The addresses that are left share the time that is left.
        let share = deadline.left() / (addresses.len() - before) as u64;
        let until = Deadline { until: uptime_milliseconds() + share.max(1), ..deadline };
        match connect_one(address, until, wakeup) {
            Ok(stream) => return Ok(Socket { stream, wakeup: wakeup.clone() }),
            Err(FetchFault::Interrupted) => return Err(FetchFault::Interrupted),
            Err(fault) => last = fault,
        }
    }
    Err(last)
}

fn connect_one(address: SocketAddr, deadline: Deadline, wakeup: &Wakeup) -> Result<TcpStream, FetchFault> {
    let failed = |error: Errno| {
        FetchFault::Unreachable(text(format_args!("connecting to {address}: {}", io::Error::from(error))))
    };
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let door = socket(family, SockType::Stream, flags, None).map_err(failed)?;
    // A process that may not set it is not root, and then nothing of ours filters either.
    let _ = setsockopt(&door, Mark, &MARK);
    setsockopt(&door, TcpNoDelay, &true).map_err(failed)?;
    match connect(door.as_raw_fd(), &SockaddrStorage::from(address)) {
        Ok(()) => {}
        Err(Errno::EINPROGRESS) => {
            wait(door.as_fd(), PollFlags::POLLOUT, deadline, wakeup)?;
            match getsockopt(&door, SocketError).map_err(failed)? {
                0 => {}
                error => return Err(failed(Errno::from_raw(error))),
            }
        }
        Err(error) => return Err(failed(error)),
    }
    Ok(TcpStream::from(door))
}

/// Waits so many milliseconds, as a settings' bound on the speed of a download asks for.
///
/// # Errors
/// `Interrupted` when the bell rings.
pub(crate) fn pause(milliseconds: u64, wakeup: &Wakeup) -> Result<(), FetchFault> {
    // Nothing is ever written into this pipe.
    let (quiet, _writer) = io::pipe().map_err(|error| broken(&error))?;
    let deadline = Deadline { until: uptime_milliseconds().saturating_add(milliseconds), what: "pausing" };
    match wait(quiet.as_fd(), PollFlags::POLLIN, deadline, wakeup) {
        Err(FetchFault::Interrupted) => Err(FetchFault::Interrupted),
        _ => Ok(()),
    }
}

/// Waits until the descriptor is ready.
///
/// # Errors
/// `Unreachable` when the time is over, also if the descriptor is ready by then: this process may have slept across its
/// deadline. `Interrupted` when the bell rings.
pub(super) fn wait(
    what: BorrowedFd<'_>,
    wanted: PollFlags,
    deadline: Deadline,
    wakeup: &Wakeup,
) -> Result<(), FetchFault> {
    let mut hung = wakeup.0.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let now = uptime_milliseconds();
        let mut left = deadline.until.saturating_sub(now);
        if left == 0 {
            return Err(deadline.missed());
        }
        let quiet = hung.not_before.saturating_sub(now);
        if quiet > 0 {
            // Once the quiet is over it is heard again, in the middle of a wait too.
            left = left.min(quiet);
        } else if hung.glance.is_some() {
            left = left.min(hung.glance_at.saturating_sub(now).max(1));
        }
        let left = PollTimeout::try_from(i32::try_from(left).unwrap_or(i32::MAX)).unwrap_or(PollTimeout::MAX);
        let mut waits_for = vec![PollFd::new(what, wanted)];
        if quiet == 0 {
            waits_for
                .extend(hung.wakeups.iter().map(|wakeup| PollFd::new(wakeup.as_fd(), PollFlags::POLLIN)));
        }
        match poll(&mut waits_for, left) {
            Err(Errno::EINTR) => continue,
            other => other.map_err(|error| broken(&error.into()))?,
        };
        if waits_for[0].any().unwrap_or(true) {
            return Ok(());
        }
        let rung = waits_for[1..].iter().any(|wakeup| wakeup.any().unwrap_or(true));
        drop(waits_for);
        if rung || quiet == 0 && hung.sees_something() {
            hung.not_before = now + QUIET_MILLISECONDS;
            return Err(FetchFault::Interrupted);
        }
    }
}

fn broken(error: &io::Error) -> FetchFault {
    match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
            FetchFault::Cut { got_bytes: 0 }
        }
        _ => FetchFault::Unreachable(text(format_args!("{error}"))),
    }
}

/// A connected socket. It never blocks but in [`wait`].
pub(super) struct Socket {
    stream: TcpStream,
    wakeup: Wakeup,
}

impl Socket {
    /// Sends all of it.
    ///
    /// # Errors
    /// `Unreachable`; `Cut` where the other side has hung up; `Interrupted`.
    pub(super) fn send(&self, mut bytes: &[u8], deadline: Deadline) -> Result<(), FetchFault> {
        while !bytes.is_empty() {
            match (&self.stream).write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    wait(self.stream.as_fd(), PollFlags::POLLOUT, deadline, &self.wakeup)?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(broken(&error)),
            }
        }
        Ok(())
    }

    /// Reads what there is, as soon as there is something; 0 at the end.
    ///
    /// # Errors
    /// As [`Socket::send`]. What is there once the time is over comes too late.
    pub(super) fn receive(&self, buffer: &mut [u8], deadline: Deadline) -> Result<usize, FetchFault> {
        loop {
            if deadline.left() == 0 {
                return Err(deadline.missed());
            }
            match (&self.stream).read(buffer) {
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    wait(self.stream.as_fd(), PollFlags::POLLIN, deadline, &self.wakeup)?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(broken(&error)),
            }
        }
    }

    /// Nothing to read and not ended: so looks a connection that waits for its next request.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.stream.peek(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn pair() -> (Socket, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = listener.local_addr().unwrap();
        let deadline = Deadline::in_seconds(30, "a test");
        let socket = connect_any(&[place], deadline, &Wakeup::default()).unwrap();
        (socket, listener.accept().unwrap().0)
    }

    #[test]
    fn bytes_that_are_there_once_the_time_is_over_come_too_late() {
        let (socket, mut other) = pair();
        other.write_all(b"hello").unwrap();
        wait(socket.stream.as_fd(), INPUT, Deadline::in_seconds(30, "a test"), &socket.wakeup).unwrap();
        for _ in 0..2 {
            let late = socket.receive(&mut [0; 9], Deadline::over("the server's answer")).unwrap_err();
            assert_eq!(late.to_string(), "unreachable: timed out (the server's answer)");
            let late =
                wait(socket.stream.as_fd(), INPUT, Deadline::over("the server's answer"), &socket.wakeup);
            assert!(late.is_err());
        }
        assert_eq!(socket.receive(&mut [0; 9], Deadline::in_seconds(30, "a test")), Ok(5));
    }

    #[test]
    fn an_idle_connection_has_nothing_to_read_and_has_not_ended() {
        let (socket, mut other) = pair();
        assert!(socket.is_idle());
        other.write_all(b"x").unwrap();
        wait(socket.stream.as_fd(), INPUT, Deadline::in_seconds(30, "a test"), &socket.wakeup).unwrap();
        assert!(!socket.is_idle());
        let (socket, other) = pair();
        drop(other);
        wait(socket.stream.as_fd(), INPUT, Deadline::in_seconds(30, "a test"), &socket.wakeup).unwrap();
        assert!(!socket.is_idle());
    }

    #[test]
    fn the_bell_ends_a_wait() {
        let (socket, _other) = pair();
        let (bell, mut rope) = io::pipe().unwrap();
        socket.wakeup.hang(vec![bell.into()]);
        rope.write_all(b"x").unwrap();
        let rung = socket.receive(&mut [0; 9], Deadline::in_seconds(30, "a test"));
        assert_eq!(rung, Err(FetchFault::Interrupted));
    }
}
