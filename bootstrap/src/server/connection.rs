//! One HTTP connection: it takes one request, sends one response, and closes.

use crate::page::http_request::{BODY_BYTES_MAX, HEAD_BYTES_MAX, Parsed, parse};
use crate::source_prefix::source_prefix;
use nix::poll::PollFlags;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};

/// Time for a whole request to arrive.
const READING_SECONDS: u64 = 10;
/// Time for the agent to reply.
pub const AGENT_SECONDS: u64 = 32;
/// Time for the gate to open.
pub const GATE_SECONDS: u64 = 3;
/// Time for the client to take the response.
pub const WRITING_SECONDS: u64 = 10;
/// Time for bytes that still arrive after the response: a close before they are read would make the client lose it.
const DRAINING_SECONDS: u64 = 2;
const DRAINING_BYTES: usize = 65_536;

/// How far a connection has come.
pub enum Phase {
    /// The bytes that arrived so far.
    Reading(Vec<u8>),
    /// The agent has the request.
    AwaitingAgent,
    /// The response is ready, and waits until the gate is open.
    AwaitingGate(Vec<u8>),
    /// The response, and how many bytes of it are sent.
    Writing(Vec<u8>, usize),
    /// How many more bytes are read and thrown away.
    Draining(usize),
    Closed,
}

pub struct Connection {
    /// Its number in the table.
    pub id: u32,
    pub stream: TcpStream,
    pub peer: IpAddr,
    pub local: SocketAddr,
    /// The source by which limits count connections: see [`source_prefix`].
    pub source: IpAddr,
    /// The phase ends at this second at the latest.
    pub until: u64,
    pub phase: Phase,
}

impl Connection {
    pub fn new(stream: TcpStream, peer: SocketAddr, now: u64) -> Option<Connection> {
        stream.set_nonblocking(true).ok()?;
        let local = stream.local_addr().ok()?;
        let peer = peer.ip().to_canonical();
        let until = now + READING_SECONDS;
        let phase = Phase::Reading(Vec::new());
        Some(Connection { id: 0, stream, peer, local, source: source_prefix(peer), until, phase })
    }

    pub fn poll_flags(&self) -> PollFlags {
        match self.phase {
            Phase::Reading(_) | Phase::Draining(_) => PollFlags::POLLIN,
            Phase::Writing(..) => PollFlags::POLLOUT,
            Phase::AwaitingAgent | Phase::AwaitingGate(_) | Phase::Closed => PollFlags::empty(),
        }
    }

    /// Reads the bytes that are there.
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
        self.phase = Phase::Closed;
        Parsed::More
    }

    /// Begins to send a response.
    pub fn respond(&mut self, bytes: Vec<u8>, now: u64) {
        self.phase = Phase::Writing(bytes, 0);
        self.until = now + WRITING_SECONDS;
        self.write(now);
    }

    /// Writes as many bytes as the socket takes.
    pub fn write(&mut self, now: u64) {
        let Phase::Writing(bytes, at) = &mut self.phase else { return };
        while *at < bytes.len() {
            match self.stream.write(&bytes[*at..]) {
                Ok(0) => {
                    self.phase = Phase::Closed;
                    return;
                }
                Ok(length) => *at += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    self.phase = Phase::Closed;
                    return;
                }
            }
        }
        let ended = self.stream.shutdown(Shutdown::Write).is_ok();
        self.phase = if ended { Phase::Draining(DRAINING_BYTES) } else { Phase::Closed };
        self.until = now + DRAINING_SECONDS;
    }

    /// Reads bytes and throws them away.
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
        self.phase = Phase::Closed;
    }
}
