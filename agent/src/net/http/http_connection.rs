//! A connection to a server: a socket, TLS around it for https, and the bytes that were read ahead.

use super::faults::tls_fault;
use super::head;
use super::head::Head;
use super::transfer_limits::Pace;
use crate::net::socket::{Deadline, Socket};
use crate::os::clock::uptime_milliseconds;
use komainu_core::fault::{FetchFault, text};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use std::io;
use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;

/// The bytes of heads and chunk lengths that are read ahead at once.
const AHEAD_BYTES: usize = 4096;
/// The longest line between the pieces of a body; servers send some ten bytes.
const LINE_BYTES_MAX: usize = 4096;

/// A connection that is open.
pub(super) struct Connection {
    wire: Wire,
    tls: Option<Box<ClientConnection>>,
    /// Bytes that were read ahead, from `start` on.
    ahead: Vec<u8>,
    start: usize,
}

impl Connection {
    pub(super) fn new(socket: Socket, pace: Pace) -> Connection {
        let wire = Wire { socket, pace, deadline: Deadline::in_seconds(0, ""), fault: None };
        Connection { wire, tls: None, ahead: Vec::new(), start: 0 }
    }

    /// Speaks TLS from now on, with the server of this name.
    ///
    /// # Errors
    /// `NotProven`, `CertificateExpired`, `Unreachable`, `TooSlow`, `Interrupted`.
    pub(super) fn begin_tls(
        &mut self,
        config: Arc<ClientConfig>,
        host: &str,
        deadline: Deadline,
    ) -> Result<(), FetchFault> {
        let no_name = || FetchFault::NotProven(text(format_args!("{host:.100} is not a host name")));
        let name = ServerName::try_from(host.to_owned()).map_err(|_| no_name())?;
        let tls = ClientConnection::new(config, name).map_err(|error| tls_fault(&error))?;
        self.wire.deadline = deadline;
        let tls = self.tls.insert(Box::new(tls));
        while tls.is_handshaking() || tls.wants_write() {
            let more = if tls.wants_write() { self.wire.send_tls(tls) } else { self.wire.receive_tls(tls) };
            if !more.map_err(|fault| or_cut(fault, "hung up in the middle of the TLS handshake"))? {
                return Err(hung_up("hung up in the middle of the TLS handshake"));
            }
        }
        Ok(())
    }

    /// Sends a request and reads the head of its answer.
    ///
    /// # Errors
    /// `Cut` if the other side hung up before it said anything; otherwise as [`Connection::begin_tls`].
    pub(super) fn ask(&mut self, request: &str, stall_seconds: u32) -> Result<Head, FetchFault> {
        self.wire.deadline = Deadline::in_seconds(stall_seconds, "sending the request");
        match &mut self.tls {
            None => self.wire.socket.send(request.as_bytes(), self.wire.deadline)?,
            Some(tls) => {
                let refused = |error| FetchFault::Unreachable(text(format_args!("{error}")));
                tls.writer().write_all(request.as_bytes()).map_err(refused)?;
                while tls.wants_write() {
                    self.wire.send_tls(tls)?;
                }
            }
        }
        self.wire.deadline = Deadline::in_seconds(stall_seconds, "the server's answer");
        let mut said_nothing = true;
        loop {
            if let Some((head, length)) = head::read(self.ahead())? {
                self.skip(length);
                // Interim answers (RFC 9110, 15.2); their number is bounded by the pace.
                if !matches!(head.code, 100 | 102..=199) {
                    return Ok(head);
                }
                continue;
            }
            said_nothing &= self.ahead().is_empty();
            match self.read_ahead() {
                Ok(true) => {}
                Err(fault) if !matches!(fault, FetchFault::Cut { .. }) => return Err(fault),
                _ if said_nothing => return Err(FetchFault::Cut { got_bytes: 0 }),
                _ => return Err(hung_up("hung up in the middle of its answer's header")),
            }
        }
    }

    /// Bytes of a body; 0 at the end of the connection.
    ///
    /// # Errors
    /// `Cut` where it broke off; `TooSlow`, `Unreachable`, `NotProven`, `Interrupted`.
    pub(super) fn read(&mut self, buffer: &mut [u8], stall_seconds: u32) -> Result<usize, FetchFault> {
        if self.ahead().is_empty() {
            self.wire.deadline = Deadline::in_seconds(stall_seconds, "the body");
            return self.wire.receive(self.tls.as_deref_mut(), buffer);
        }
        let count = buffer.len().min(self.ahead().len());
        buffer[..count].copy_from_slice(&self.ahead()[..count]);
        self.skip(count);
        Ok(count)
    }

    /// A line between the pieces of a body, without its end (CRLF); `None` at the end of the connection.
    ///
    /// # Errors
    /// As [`Connection::read`].
    pub(super) fn line(&mut self, stall_seconds: u32) -> Result<Option<String>, FetchFault> {
        loop {
            if let Some(end) = self.ahead().windows(2).position(|two| two == b"\r\n") {
                let line = String::from_utf8_lossy(&self.ahead()[..end]).into_owned();
                self.skip(end + 2);
                return Ok(Some(line));
            }
            if self.ahead().len() > LINE_BYTES_MAX {
                return Err(hung_up("a line between the chunks of the body is too long"));
            }
            self.wire.deadline = Deadline::in_seconds(stall_seconds, "the body");
            if !self.read_ahead()? {
                return Ok(None);
            }
        }
    }

    /// True if it waits for its next request: nothing came uninvited, and it has not ended.
    pub(super) fn is_idle(&self) -> bool {
        self.ahead().is_empty() && self.wire.socket.is_idle()
    }

    fn ahead(&self) -> &[u8] {
        &self.ahead[self.start..]
    }

    fn skip(&mut self, count: usize) {
        self.start += count;
    }

    /// Reads more ahead; false at the end of the connection.
    fn read_ahead(&mut self) -> Result<bool, FetchFault> {
        self.ahead.drain(..self.start);
        self.start = 0;
        let before = self.ahead.len();
        self.ahead.resize(before + AHEAD_BYTES, 0);
        let received = self.wire.receive(self.tls.as_deref_mut(), &mut self.ahead[before..]);
        self.ahead.truncate(before + received.as_ref().map_or(0, |&count| count));
        received.map(|count| count > 0)
    }
}

/// A fault of the other side, as a sentence without subject or about the answer.
pub(super) fn hung_up(why: &str) -> FetchFault {
    FetchFault::Unreachable(text(format_args!("{why}")))
}

/// A cut has this sentence here; other faults stay.
pub(super) fn or_cut(fault: FetchFault, why: &str) -> FetchFault {
    if matches!(fault, FetchFault::Cut { .. }) { hung_up(why) } else { fault }
}

/// The socket below TLS, with the time that the step under way has. It stands between us and rustls, which knows no faults
/// of ours: they wait beside it.
struct Wire {
    socket: Socket,
    pace: Pace,
    deadline: Deadline,
    fault: Option<FetchFault>,
}

impl Wire {
    /// Reads from TLS, or without it from the socket.
    fn receive(
        &mut self,
        tls: Option<&mut ClientConnection>,
        buffer: &mut [u8],
    ) -> Result<usize, FetchFault> {
        let Some(tls) = tls else { return self.receive_plain(buffer) };
        loop {
            match tls.reader().read(buffer) {
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // The connection ended without TLS's word for it.
                Err(_) => return Err(FetchFault::Cut { got_bytes: 0 }),
            }
            while tls.wants_write() {
                self.send_tls(tls)?;
            }
            self.receive_tls(tls)?;
        }
    }

    fn receive_plain(&mut self, buffer: &mut [u8]) -> Result<usize, FetchFault> {
        let asked = uptime_milliseconds();
        let count = self.socket.receive(buffer, self.deadline)?;
        self.pace.record(uptime_milliseconds().saturating_sub(asked), count as u64)?;
        Ok(count)
    }

    /// Takes in records of TLS; false at the end of the connection.
    fn receive_tls(&mut self, tls: &mut ClientConnection) -> Result<bool, FetchFault> {
        let count = tls.read_tls(self).map_err(|error| self.fault_of(&error))?;
        if let Err(error) = tls.process_new_packets() {
            // The alert that tells the server why. Whether it arrives changes nothing.
            let _ = tls.write_tls(self);
            return Err(tls_fault(&error));
        }
        Ok(count > 0)
    }

    fn send_tls(&mut self, tls: &mut ClientConnection) -> Result<bool, FetchFault> {
        tls.write_tls(self).map(|_| true).map_err(|error| self.fault_of(&error))
    }

    fn fault_of(&mut self, error: &io::Error) -> FetchFault {
        self.fault.take().unwrap_or_else(|| hung_up(&error.to_string()))
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.receive_plain(buffer).map_err(|fault| {
            self.fault = Some(fault);
            ErrorKind::Other.into()
        })
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.send(bytes, self.deadline).map(|()| bytes.len()).map_err(|fault| {
            self.fault = Some(fault);
            ErrorKind::Other.into()
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
