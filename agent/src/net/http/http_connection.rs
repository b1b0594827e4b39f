//! A connection to a server, as ureq sees it: a socket, TLS around it for https, and one strict reading of each answer's
//! head before ureq reads it.

use super::faults::{carried, tls_fault};
use super::head;
use super::request_line::completed;
use super::transfer_limits::Pace;
use crate::net::socket::{Deadline, Socket};
use crate::os::clock::uptime_milliseconds;
use komainu_core::fault::{FetchFault, text};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use std::fmt;
use std::io;
use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use ureq::Error;
use ureq::unversioned::transport::{Buffers, LazyBuffers, NextTimeout, Transport};

/// The bytes that are read from a socket at once. Large enough that a plain download is bound by the disk.
const INPUT_BYTES: usize = 64 * 1024;
/// A request must fit with its longest line; signed addresses of CDNs have one or two thousand bytes.
const OUTPUT_BYTES: usize = 16 * 1024;

/// A connection that is open.
pub(super) struct Connection {
    wire: Wire,
    tls: Option<Box<ClientConnection>>,
    buffers: LazyBuffers,
    /// Stands before the path in requests: `http://HOST` for a proxy without a tunnel.
    server: String,
    /// A request was sent, and the head of its answer has not come.
    awaits_head: bool,
    /// An answer has come before.
    has_served: bool,
}

impl Connection {
    pub(super) fn new(socket: Socket, pace: Pace) -> Connection {
        Connection {
            wire: Wire { socket, pace, deadline: Deadline::in_seconds(0, ""), fault: None },
            tls: None,
            buffers: LazyBuffers::new(INPUT_BYTES, OUTPUT_BYTES),
            server: String::new(),
            awaits_head: false,
            has_served: false,
        }
    }

    /// From now on, requests give the whole address, of this server (`http://HOST`).
    pub(super) fn ask_for(&mut self, server: String) {
        self.server = server;
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

    /// Asks a proxy for a tunnel, and gives the status of its answer.
    ///
    /// # Errors
    /// As [`Connection::begin_tls`].
    pub(super) fn ask(&mut self, request: &str, deadline: Deadline) -> Result<u16, FetchFault> {
        self.send(request.as_bytes(), deadline)?;
        let (code, length) = self.await_head(deadline)?;
        self.buffers.input_consume(length);
        Ok(code)
    }

    /// True if it waits for its next request: nothing came uninvited, and it has not ended.
    pub(super) fn is_idle(&self) -> bool {
        self.buffers.input().is_empty() && self.wire.socket.is_idle()
    }

    fn send(&mut self, request: &[u8], deadline: Deadline) -> Result<(), FetchFault> {
        self.wire.deadline = deadline;
        let sent = match &mut self.tls {
            None => self.wire.socket.send(request, deadline),
            Some(tls) => self.wire.send_through(tls, request),
        };
        sent.map_err(|fault| self.or_unanswered(fault))
    }

    /// Waits until the head of an answer is there as a whole, and passes over those before it that are interim (RFC 9110,
    /// 15.2); their number is bounded by the pace. Gives its status and length.
    fn await_head(&mut self, deadline: Deadline) -> Result<(u16, usize), FetchFault> {
        self.wire.deadline = deadline;
        let mut said_nothing = true;
        loop {
            match head::check(self.buffers.input())? {
                Some((100 | 102..=199, length)) => self.buffers.input_consume(length),
                Some(head) => return Ok(head),
                None => match self.receive() {
                    Ok(1..) => said_nothing = false,
                    Ok(0) | Err(FetchFault::Cut { .. }) if said_nothing => {
                        return Err(self.or_unanswered(FetchFault::Cut { got_bytes: 0 }));
                    }
                    Ok(0) | Err(FetchFault::Cut { .. }) => {
                        return Err(hung_up("hung up in the middle of its answer's header"));
                    }
                    Err(fault) => return Err(fault),
                },
            }
        }
    }

    /// Reads ahead what there is; 0 at the end of the connection.
    fn receive(&mut self) -> Result<usize, FetchFault> {
        let room = self.buffers.input_append_buf();
        if room.is_empty() {
            return Err(hung_up("a line between the chunks of the body is too long"));
        }
        let count = self.wire.receive(self.tls.as_deref_mut(), room)?;
        self.buffers.input_appended(count);
        Ok(count)
    }

    /// A cut stays one where an answer came before: the connection was closed while it waited for this request, which can be
    /// sent again.
    fn or_unanswered(&self, fault: FetchFault) -> FetchFault {
        if self.has_served { fault } else { or_cut(fault, "hung up before it answered") }
    }
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let deadline = Deadline::after(*timeout.for_write().after, "sending the request");
        let request = completed(&self.buffers.output()[..amount], &self.server);
        self.send(&request, deadline).map_err(carried)?;
        self.awaits_head = true;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let time = *timeout.for_read().after;
        if self.awaits_head {
            self.await_head(Deadline::after(time, "the server's answer")).map_err(carried)?;
            (self.awaits_head, self.has_served) = (false, true);
            return Ok(true);
        }
        self.wire.deadline = Deadline::after(time, "the body");
        self.receive().map(|count| count > 0).map_err(carried)
    }

    fn is_open(&mut self) -> bool {
        self.is_idle()
    }

    fn is_tls(&self) -> bool {
        self.tls.is_some()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
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

    fn send_through(&mut self, tls: &mut ClientConnection, bytes: &[u8]) -> Result<(), FetchFault> {
        tls.writer().write_all(bytes).map_err(|error| hung_up(&error.to_string()))?;
        while tls.wants_write() {
            self.send_tls(tls)?;
        }
        Ok(())
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
