//! A socket to a server. Ours and not ureq's, because it carries the mark that lets the agent's own traffic through
//! a closed gate, and because it hears the bell while it waits: a person at the page must not wait for a server.

use super::http::transfer_limits::GivenUp;
use crate::os::clock::uptime_milliseconds;
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
use ureq::Error;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, LazyBuffers, NextTimeout, Transport};

/// The bytes that are read from a socket at once. Large enough that a plain download is bound by the disk.
pub(crate) const INPUT_BYTES: usize = 64 * 1024;
/// A request must fit with its longest line; signed addresses of CDNs have one or two thousand bytes.
pub(crate) const OUTPUT_BYTES: usize = 16 * 1024;
/// After it rang, it is not heard for so long: constant ringing must not keep updates out.
const QUIET_MILLISECONDS: u64 = 10_000;

/// The bell that ends a wait for a server early: descriptors, when one can be read.
#[derive(Clone, Debug, Default)]
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

impl std::fmt::Debug for Hung {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hung")
    }
}

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

/// Connects to the first address that lets it; all together get the time that there is.
pub(super) fn connect_any(details: &ConnectionDetails<'_>, wakeup: &Wakeup) -> Result<Socket, Error> {
    let whole = milliseconds(details.timeout);
    let began = uptime_milliseconds();
    let mut last: Error = io::Error::from(ErrorKind::ConnectionRefused).into();
    let addresses = details.addrs.len() as u64;
    for (before, address) in (0..).zip(&details.addrs) {
        // The addresses that are left share the time that is left.
        let share = whole.map(|whole| {
            let left = whole.saturating_sub(uptime_milliseconds().saturating_sub(began));
            (left / (addresses - before)).max(1)
        });
        match connect_one(*address, share, details.timeout, wakeup) {
            Ok(stream) => {
                let buffers = LazyBuffers::new(INPUT_BYTES, OUTPUT_BYTES);
                return Ok(Socket { stream, buffers, wakeup: wakeup.clone() });
            }
            Err(rung @ Error::Other(_)) => return Err(rung),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn connect_one(
    address: SocketAddr,
    share: Option<u64>,
    timeout: NextTimeout,
    wakeup: &Wakeup,
) -> Result<TcpStream, Error> {
    let failed = |error: Errno| Error::Io(error.into());
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let door = socket(family, SockType::Stream, flags, None).map_err(failed)?;
    // A process that may not set it is not root, and then nothing of ours filters either.
    let _ = setsockopt(&door, Mark, &MARK);
    setsockopt(&door, TcpNoDelay, &true).map_err(failed)?;
    match connect(door.as_raw_fd(), &SockaddrStorage::from(address)) {
        Ok(()) => {}
        Err(Errno::EINPROGRESS) => {
            wait(door.as_fd(), PollFlags::POLLOUT, share, timeout, wakeup)?;
            match getsockopt(&door, SocketError).map_err(failed)? {
                0 => {}
                error => return Err(failed(Errno::from_raw(error))),
            }
        }
        Err(error) => return Err(failed(error)),
    }
    Ok(TcpStream::from(door))
}

/// Waits until the socket is ready, the time is over, or the bell rings.
fn wait(
    socket: BorrowedFd<'_>,
    wanted: PollFlags,
    milliseconds: Option<u64>,
    timeout: NextTimeout,
    wakeup: &Wakeup,
) -> Result<(), Error> {
    let until = milliseconds.map(|milliseconds| uptime_milliseconds().saturating_add(milliseconds));
    let mut hung = wakeup.0.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let now = uptime_milliseconds();
        let quiet = hung.not_before.saturating_sub(now);
        let left = until.map(|until| until.saturating_sub(now));
        // Once the quiet is over it is heard again, in the middle of a wait too.
        let left = if quiet > 0 { Some(left.map_or(quiet, |left| left.min(quiet))) } else { left };
        let left = match hung.glance {
            Some(_) if quiet == 0 => {
                let glance = hung.glance_at.saturating_sub(now).max(1);
                Some(left.map_or(glance, |left| left.min(glance)))
            }
            _ => left,
        };
        let left = left.map_or(PollTimeout::NONE, |left| {
            PollTimeout::try_from(i32::try_from(left).unwrap_or(i32::MAX)).unwrap_or(PollTimeout::MAX)
        });
        let mut waits_for = vec![PollFd::new(socket, wanted)];
        if quiet == 0 {
            waits_for
                .extend(hung.wakeups.iter().map(|wakeup| PollFd::new(wakeup.as_fd(), PollFlags::POLLIN)));
        }
        match poll(&mut waits_for, left) {
            Err(Errno::EINTR) => continue,
            other => other.map_err(|error| Error::Io(error.into()))?,
        };
        if waits_for[0].any().unwrap_or(true) {
            return Ok(());
        }
        let rung = waits_for[1..].iter().any(|wakeup| wakeup.any().unwrap_or(true));
        drop(waits_for);
        if rung || quiet == 0 && hung.sees_something() {
            hung.not_before = now + QUIET_MILLISECONDS;
            return Err(Error::Other(Box::new(GivenUp::Rung)));
        }
        if until.is_some_and(|until| uptime_milliseconds() >= until) {
            return Err(Error::Timeout(timeout.reason));
        }
    }
}

fn milliseconds(timeout: NextTimeout) -> Option<u64> {
    timeout.not_zero().map(|duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// A connected socket. It never blocks but in [`wait`].
pub(super) struct Socket {
    stream: TcpStream,
    buffers: LazyBuffers,
    wakeup: Wakeup,
}

impl Socket {
    fn wait(&self, wanted: PollFlags, timeout: NextTimeout) -> Result<(), Error> {
        wait(self.stream.as_fd(), wanted, milliseconds(timeout), timeout, &self.wakeup)
    }
}

impl Transport for Socket {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let timeout = timeout.for_write();
        let mut sent = 0;
        while sent < amount {
            match (&self.stream).write(&self.buffers.output()[sent..amount]) {
                Ok(0) => return Err(io::Error::from(ErrorKind::WriteZero).into()),
                Ok(count) => sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.wait(PollFlags::POLLOUT, timeout)?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let timeout = timeout.for_read();
        loop {
            match (&self.stream).read(self.buffers.input_append_buf()) {
                Ok(count) => {
                    self.buffers.input_appended(count);
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.wait(PollFlags::POLLIN, timeout)?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn is_open(&mut self) -> bool {
        // Nothing to read and not ended: so looks a connection that waits for its next request.
        matches!(self.stream.peek(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
    }
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Socket")
    }
}
