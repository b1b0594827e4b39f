//! The server of the page process: connections that are many, slow and hostile, bounded in number, bytes and time. One
//! thread, one loop, no privileges: it serves the sockets that the agent handed over, and asks the agent for the rest.

mod agent_channel;
mod connection;
mod connection_table;
mod pending_requests;
#[cfg(test)]
mod tests;

use crate::ipc::{AgentMessage, Reply, Request};
use crate::page::captive_dns;
use crate::page::captive_dns::DnsMode;
use crate::page::http_request::{HttpMethod, HttpRequest, Parsed};
use crate::page::http_response::HttpResponse;
use crate::page::theme::Theme;
use crate::page::{Page, PageAction, RequestContext};
use crate::server::agent_channel::AgentChannel;
use crate::server::connection::{Connection, Phase};
use crate::server::connection_table::ConnectionTable;
use crate::server::pending_requests::{Pending, PendingRequests};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::convert::Infallible;
use std::io;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};

/// One turn of the loop takes so much from one socket at most, so that none starves the others.
const ACCEPTED_AT_ONCE: usize = 16;
const QUERIES_AT_ONCE: usize = 32;

/// The sockets that the agent hands over.
pub struct ListenSockets {
    pub web: Vec<TcpListener>,
    /// DNS while the gate is closed; may be empty.
    pub dns: Vec<UdpSocket>,
    /// The socket pair to the agent (`SOCK_SEQPACKET`): see [`crate::ipc`].
    pub agent: OwnedFd,
}

/// A clock that only goes forward.
pub trait Clock {
    /// Seconds since any moment.
    fn seconds(&mut self) -> u64;
}

/// Serves until the agent's socket closes or fails, and returns that error.
pub fn serve(sockets: ListenSockets, theme: &Theme, clock: &mut dyn Clock) -> io::Error {
    let server = Server {
        web: sockets.web,
        dns: sockets.dns,
        agent: AgentChannel::new(sockets.agent),
        page: Page::new(theme),
        connections: ConnectionTable::default(),
        pending: PendingRequests::default(),
        accept_paused: false,
    };
    match server.run(clock) {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

struct Server<'a> {
    web: Vec<TcpListener>,
    dns: Vec<UdpSocket>,
    agent: AgentChannel,
    page: Page<'a>,
    connections: ConnectionTable,
    pending: PendingRequests,
    /// The last `accept` failed: the loop waits a moment before the next try.
    accept_paused: bool,
}

impl Server<'_> {
    fn run(mut self, clock: &mut dyn Clock) -> io::Result<Infallible> {
        for listener in &self.web {
            listener.set_nonblocking(true)?;
        }
        for socket in &self.dns {
            socket.set_nonblocking(true)?;
        }
        loop {
            let ready = self.wait()?;
            let now = clock.seconds();
            let (agent, ready) = ready.split_at(1);
            let (dns, ready) = ready.split_at(self.dns.len());
            let (web, connections) = ready.split_at(self.web.len());
            if !agent[0].is_empty() {
                self.read_agent(now)?;
            }
            for (index, flags) in dns.iter().enumerate() {
                if !flags.is_empty() {
                    self.answer_dns(index);
                }
            }
            for (index, flags) in connections.iter().enumerate() {
                if !flags.is_empty() {
                    self.advance(index, *flags, now)?;
                }
            }
            self.accept_paused = false;
            for (index, flags) in web.iter().enumerate() {
                if !flags.is_empty() {
                    self.accept(index, now)?;
                }
            }
            self.end_expired(now);
        }
    }

    /// Waits until a socket is ready; the flags are in the order agent, DNS, listeners, connections.
    fn wait(&self) -> io::Result<Vec<PollFlags>> {
        let web = if self.accept_paused { PollFlags::empty() } else { PollFlags::POLLIN };
        let mut all = vec![PollFd::new(self.agent.as_fd(), PollFlags::POLLIN)];
        all.extend(self.dns.iter().map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN)));
        all.extend(self.web.iter().map(|listener| PollFd::new(listener.as_fd(), web)));
        let connections = &self.connections.0;
        all.extend(connections.iter().map(|one| PollFd::new(one.stream.as_fd(), one.poll_flags())));
        let busy = !connections.is_empty() || !self.pending.is_empty() || self.accept_paused;
        let timeout = if busy { PollTimeout::from(1000u16) } else { PollTimeout::NONE };
        match poll(&mut all, timeout) {
            Ok(_) => Ok(all.iter().map(|one| one.revents().unwrap_or(PollFlags::empty())).collect()),
            Err(nix::errno::Errno::EINTR) => Ok(vec![PollFlags::empty(); all.len()]),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes every message of the agent that is there.
    fn read_agent(&mut self, now: u64) -> io::Result<()> {
        while let Some(message) = self.agent.read()? {
            match message {
                AgentMessage::State(state) => {
                    self.page.set_state(state, now);
                    if self.page.is_open() {
                        self.connections.gate_opened(now);
                    }
                }
                AgentMessage::Reply(number, reply) => self.pass_reply_on(number, reply, now)?,
            }
        }
        Ok(())
    }

    fn pass_reply_on(&mut self, number: u32, reply: Reply, now: u64) -> io::Result<()> {
        let opened = match &reply {
            Reply::SessionOpened(session, _) => Some(*session),
            _ => None,
        };
        let pending = self.pending.take(number);
        let connection =
            pending.as_ref().and_then(|pending| self.connections.awaiting_agent(pending.connection));
        let (Some(pending), Some(connection)) = (pending, connection) else {
            // The client is gone, so that nothing would ever end the session.
            if let Some(session) = opened {
                let number = self.pending.next_number();
                let peer = std::net::Ipv4Addr::UNSPECIFIED.into();
                self.agent.send(number, peer, Request::Logout { session })?;
            }
            return Ok(());
        };
        let response = self.page.reply_page(&pending.request, reply, now);
        let bytes = self.page.bytes(&response, pending.method);
        let hold = response.when_open && !self.page.is_open();
        connection.phase = if hold { Phase::AwaitingGate(bytes) } else { Phase::Writing(bytes, 0) };
        connection.until = now + if hold { connection::GATE_SECONDS } else { connection::WRITING_SECONDS };
        connection.write(now);
        Ok(())
    }

    fn answer_dns(&self, index: usize) {
        let mode = match self.page.state() {
            Some(_) if self.page.is_open() => DnsMode::GateOpen,
            Some(state) => match state.of("lan4").and_then(|address| address.parse().ok()) {
                Some(address) => DnsMode::Captive(address),
                None => DnsMode::AddressUnknown,
            },
            None => DnsMode::AddressUnknown,
        };
        // One byte more than the longest query: the kernel cuts a longer one, and it must not look whole.
        let mut buffer = [0; 513];
        for _ in 0..QUERIES_AT_ONCE {
            let Ok((length, from)) = self.dns[index].recv_from(&mut buffer) else { return };
            if let Some(answer) = captive_dns::answer(&buffer[..length], mode) {
                let _ = self.dns[index].send_to(&answer, from);
            }
        }
    }

    fn accept(&mut self, index: usize, now: u64) -> io::Result<()> {
        for _ in 0..ACCEPTED_AT_ONCE {
            match self.web[index].accept() {
                Ok((stream, peer)) => {
                    let Some(connection) = Connection::new(stream, peer, now) else { continue };
                    let Some(at) = self.connections.insert(connection) else { continue };
                    // The request is often there already.
                    self.advance(at, PollFlags::POLLIN, now)?;
                    self.connections.remove_closed();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(_) => {
                    self.accept_paused = true;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Goes on with a connection that can be read or written.
    fn advance(&mut self, at: usize, flags: PollFlags, now: u64) -> io::Result<()> {
        let connection = &mut self.connections.0[at];
        match &connection.phase {
            Phase::Reading(_) => match connection.read() {
                Parsed::More => {}
                Parsed::Whole(request) => return self.handle(at, &request, now),
                Parsed::Bad(status) => {
                    let bytes = self.page.bytes(&HttpResponse::bare(status), HttpMethod::Get);
                    connection.respond(bytes, now);
                }
            },
            Phase::AwaitingAgent | Phase::AwaitingGate(_) => {
                if flags.intersects(PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL) {
                    connection.phase = Phase::Closed;
                }
            }
            Phase::Writing(..) => connection.write(now),
            Phase::Draining(_) => connection.drain(),
            Phase::Closed => {}
        }
        Ok(())
    }

    /// Responds to a request, or passes it to the agent.
    fn handle(&mut self, at: usize, request: &HttpRequest, now: u64) -> io::Result<()> {
        let connection = &mut self.connections.0[at];
        let (peer, source, id) = (connection.peer, connection.source, connection.id);
        let response = match self.page.handle(request, RequestContext { peer, local: connection.local, now })
        {
            PageAction::Respond(response) => response,
            PageAction::AskAgent(agent_request, pending) => {
                connection.phase = Phase::AwaitingAgent;
                connection.until = now + connection::AGENT_SECONDS;
                let number = self.pending.next_number();
                let refusal = if !self.pending.has_room(source) {
                    Reply::RateLimited(5)
                } else if self.agent.send(number, peer, agent_request)? {
                    let (method, since) = (request.method, now);
                    let pending = Pending { number, connection: id, source, request: pending, method, since };
                    self.pending.insert(pending);
                    return Ok(());
                } else {
                    Reply::Failed("The device has too much to do just now.".into())
                };
                self.page.reply_page(&pending, refusal, now)
            }
        };
        let bytes = self.page.bytes(&response, request.method);
        self.connections.0[at].respond(bytes, now);
        Ok(())
    }

    /// Ends requests and connections whose time is over.
    fn end_expired(&mut self, now: u64) {
        for pending in self.pending.take_expired(now) {
            if let Some(connection) = self.connections.awaiting_agent(pending.connection) {
                let response = self.page.timeout_page(&pending.request);
                connection.respond(self.page.bytes(&response, pending.method), now);
            }
        }
        for connection in &mut self.connections.0 {
            if now < connection.until {
                continue;
            }
            match std::mem::replace(&mut connection.phase, Phase::Closed) {
                Phase::Reading(begun) if !begun.is_empty() => {
                    let response = HttpResponse::bare(408);
                    connection.respond(self.page.bytes(&response, HttpMethod::Get), now);
                }
                Phase::AwaitingGate(bytes) => connection.respond(bytes, now),
                _ => {}
            }
        }
        self.connections.remove_closed();
    }
}
