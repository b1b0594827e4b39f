//! One connection: a request comes in, an answer goes out, and that is all.

use crate::page::request::{BODY_BYTES_MAX, HEAD_BYTES_MAX, Parsed, parse};
use crate::source_prefix::source_prefix;
use nix::poll::PollFlags;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};

/// For a whole request.
pub const READING_SECONDS: u64 = 10;
/// For the agent.
pub const THINKING_SECONDS: u64 = 32;
/// For the gate to open.
pub const HOLDING_SECONDS: u64 = 3;
/// For the answer to be taken.
pub const WRITING_SECONDS: u64 = 10;
/// For what still comes after the answer: closed too early, it would take the answer with it.
const DRAINING_SECONDS: u64 = 2;
const DRAINING_BYTES: usize = 65_536;

/// How far a connection is.
pub enum Phase {
    /// What came so far.
    Reading(Vec<u8>),
    /// The agent was asked.
    Thinking,
    /// The answer is ready, and waits for the gate.
    Holding(Vec<u8>),
    /// The answer, and how much of it is gone.
    Writing(Vec<u8>, usize),
    /// How much more is read and thrown away.
    Draining(usize),
    /// Over.
    Gone,
}

pub struct Place {
    pub id: u32,
    pub stream: TcpStream,
    pub peer: IpAddr,
    pub local: SocketAddr,
    pub source: IpAddr,
    pub until: u64,
    pub phase: Phase,
}

impl Place {
    pub fn new(stream: TcpStream, peer: SocketAddr, now: u64) -> Option<Place> {
        stream.set_nonblocking(true).ok()?;
        let local = stream.local_addr().ok()?;
        let peer = peer.ip().to_canonical();
        let until = now + READING_SECONDS;
        let phase = Phase::Reading(Vec::new());
        Some(Place { id: 0, stream, peer, local, source: source_prefix(peer), until, phase })
    }

    pub fn waits_for(&self) -> PollFlags {
        match self.phase {
            Phase::Reading(_) | Phase::Draining(_) => PollFlags::POLLIN,
            Phase::Writing(..) => PollFlags::POLLOUT,
            Phase::Thinking | Phase::Holding(_) | Phase::Gone => PollFlags::empty(),
        }
    }

    /// Reads what is there.
    pub fn read(&mut self) -> Parsed {
        let Phase::Reading(bytes) = &mut self.phase else { return Parsed::More };
        let mut buffer = [0; 2048];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => {
                    bytes.extend_from_slice(&buffer[..length]);
                    let parsed = parse(bytes);
                    if parsed != Parsed::More {
                        return parsed;
                    }
                    if bytes.len() > HEAD_BYTES_MAX + BODY_BYTES_MAX {
                        return Parsed::Bad(413);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Parsed::More,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        self.phase = Phase::Gone;
        Parsed::More
    }

    /// Begins to answer.
    pub fn say(&mut self, bytes: Vec<u8>, now: u64) {
        self.phase = Phase::Writing(bytes, 0);
        self.until = now + WRITING_SECONDS;
        self.write(now);
    }

    /// Writes what can be written.
    pub fn write(&mut self, now: u64) {
        let Phase::Writing(bytes, at) = &mut self.phase else { return };
        while *at < bytes.len() {
            match self.stream.write(&bytes[*at..]) {
                Ok(0) => {
                    self.phase = Phase::Gone;
                    return;
                }
                Ok(length) => *at += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    self.phase = Phase::Gone;
                    return;
                }
            }
        }
        let ended = self.stream.shutdown(Shutdown::Write).is_ok();
        self.phase = if ended { Phase::Draining(DRAINING_BYTES) } else { Phase::Gone };
        self.until = now + DRAINING_SECONDS;
    }

    /// Reads and throws away.
    pub fn drain(&mut self) {
        let Phase::Draining(left) = &mut self.phase else { return };
        let mut buffer = [0; 2048];
        while *left > 0 {
            match self.stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => *left = left.saturating_sub(length),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        self.phase = Phase::Gone;
    }
}
