//! The connections around the page: many, slow, hostile; bounded in number, bytes and time. One thread, one loop,
//! no privileges: it holds the sockets that it was given, and asks the agent for everything else.

mod agent_channel;
mod connection;
mod connection_table;
mod pending_requests;
#[cfg(test)]
mod tests;

use crate::page::theme::Look;

use crate::ipc::{Answer, Ask, Told};
use crate::page::captive_dns;
use crate::page::captive_dns::Names;
use crate::page::request::Parsed;
use crate::page::response::Response;
use crate::page::{Outcome, Page, Visit};
use crate::server::agent_channel::Agent;
use crate::server::connection::{Phase, Place};
use crate::server::connection_table::Places;
use crate::server::pending_requests::AskedTable;
use crate::source_prefix::source_prefix;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::convert::Infallible;
use std::io;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};

/// A loop's share of one door, so that none starves the others.
const ACCEPTED_AT_ONCE: usize = 16;
const NAMES_AT_ONCE: usize = 32;

/// What the process was given.
pub struct Doors {
    /// Where browsers come in.
    pub web: Vec<TcpListener>,
    /// Where names are asked for; may be empty.
    pub names: Vec<UdpSocket>,
    /// The agent (`SOCK_SEQPACKET`): see [`crate::ipc`].
    pub agent: OwnedFd,
}

/// A clock that only goes forward.
pub trait Clock {
    /// Seconds since any moment.
    fn seconds(&mut self) -> u64;
}

/// Serves until the agent's socket closes or fails; that is what is returned.
pub fn serve(doors: Doors, look: &Look, clock: &mut dyn Clock) -> io::Error {
    let server = Server {
        web: doors.web,
        names: doors.names,
        agent: Agent::new(doors.agent),
        page: Page::new(look),
        places: Places::default(),
        asked: AskedTable::default(),
        deaf: false,
    };
    match server.run(clock) {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

struct Server<'a> {
    web: Vec<TcpListener>,
    names: Vec<UdpSocket>,
    agent: Agent,
    page: Page<'a>,
    places: Places,
    asked: AskedTable,
    /// No connection could be taken: a moment is waited before the next try.
    deaf: bool,
}

impl Server<'_> {
    fn run(mut self, clock: &mut dyn Clock) -> io::Result<Infallible> {
        for listener in &self.web {
            listener.set_nonblocking(true)?;
        }
        for socket in &self.names {
            socket.set_nonblocking(true)?;
        }
        loop {
            let ready = self.wait()?;
            let now = clock.seconds();
            let (doors, places) = ready.split_at(1 + self.names.len());
            if !doors[0].is_empty() {
                self.hear(now)?;
            }
            for (place, flags) in doors[1..].iter().enumerate() {
                if !flags.is_empty() {
                    self.name(place);
                }
            }
            let (web, places) = places.split_at(self.web.len());
            for (place, flags) in places.iter().enumerate() {
                if !flags.is_empty() {
                    self.go_on(place, *flags, now)?;
                }
            }
            self.deaf = false;
            for (place, flags) in web.iter().enumerate() {
                if !flags.is_empty() {
                    self.accept(place, now)?;
                }
            }
            self.tidy(now);
        }
    }

    /// Waits until something happens; what happened, in the order agent, names, web, places.
    fn wait(&self) -> io::Result<Vec<PollFlags>> {
        let web = if self.deaf { PollFlags::empty() } else { PollFlags::POLLIN };
        let mut all = vec![PollFd::new(self.agent.as_fd(), PollFlags::POLLIN)];
        all.extend(self.names.iter().map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN)));
        all.extend(self.web.iter().map(|listener| PollFd::new(listener.as_fd(), web)));
        all.extend(self.places.0.iter().map(|place| PollFd::new(place.stream.as_fd(), place.waits_for())));
        let busy = !self.places.0.is_empty() || !self.asked.is_empty() || self.deaf;
        let timeout = if busy { PollTimeout::from(1000u16) } else { PollTimeout::NONE };
        match poll(&mut all, timeout) {
            Ok(_) => Ok(all.iter().map(|one| one.revents().unwrap_or(PollFlags::empty())).collect()),
            Err(nix::errno::Errno::EINTR) => Ok(vec![PollFlags::empty(); all.len()]),
            Err(error) => Err(error.into()),
        }
    }

    /// Everything that the agent has to say.
    fn hear(&mut self, now: u64) -> io::Result<()> {
        while let Some(told) = self.agent.hear()? {
            match told {
                Told::State(state) => {
                    self.page.hear(state, now);
                    if self.page.open() {
                        self.places.let_go(now);
                    }
                }
                Told::Answer(number, answer) => self.answer(number, answer, now)?,
            }
        }
        Ok(())
    }

    fn answer(&mut self, number: u32, answer: Answer, now: u64) -> io::Result<()> {
        let opened = match &answer {
            Answer::Welcome(session) => Some(*session),
            _ => None,
        };
        let asked = self.asked.take(number);
        let place = asked.as_ref().and_then(|asked| self.places.thinking(asked.place));
        let (Some(asked), Some(place)) = (asked, place) else {
            // Nobody is there to have the session: it must not stay open.
            if let Some(session) = opened {
                let number = self.asked.number();
                self.agent.ask(number, std::net::Ipv4Addr::UNSPECIFIED.into(), Ask::Logout { session })?;
            }
            return Ok(());
        };
        let response = self.page.answered(&asked.asking, answer, now);
        let bytes = self.page.bytes(&response, asked.method);
        let hold = response.when_open && !self.page.open();
        place.phase = if hold { Phase::Holding(bytes) } else { Phase::Writing(bytes, 0) };
        place.until = now + if hold { connection::HOLDING_SECONDS } else { connection::WRITING_SECONDS };
        place.write(now);
        Ok(())
    }

    fn name(&self, place: usize) {
        let names = match self.page.state() {
            Some(_) if self.page.open() => Names::Open,
            Some(state) => match state.of("lan4").and_then(|address| address.parse().ok()) {
                Some(address) => Names::Ours(address),
                None => Names::Unknown,
            },
            None => Names::Unknown,
        };
        // One byte more than the longest: what does not fit is cut by the kernel, and must not look whole.
        let mut buffer = [0; 513];
        for _ in 0..NAMES_AT_ONCE {
            let Ok((length, from)) = self.names[place].recv_from(&mut buffer) else { return };
            if let Some(answer) = captive_dns::answer(&buffer[..length], names) {
                let _ = self.names[place].send_to(&answer, from);
            }
        }
    }

    fn accept(&mut self, place: usize, now: u64) -> io::Result<()> {
        for _ in 0..ACCEPTED_AT_ONCE {
            match self.web[place].accept() {
                Ok((stream, peer)) => {
                    let Some(place) = Place::new(stream, peer, now) else { continue };
                    let Some(at) = self.places.take_in(place) else { continue };
                    // The request is often there already.
                    self.go_on(at, PollFlags::POLLIN, now)?;
                    self.places.sweep();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(_) => {
                    self.deaf = true;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// A connection can be read or written.
    fn go_on(&mut self, at: usize, flags: PollFlags, now: u64) -> io::Result<()> {
        let place = &mut self.places.0[at];
        match &place.phase {
            Phase::Reading(_) => match place.read() {
                Parsed::More => {}
                Parsed::Whole(request) => {
                    let visit = Visit { peer: place.peer, local: place.local, now };
                    match self.page.visit(&request, visit) {
                        Outcome::Reply(response) => {
                            let bytes = self.page.bytes(&response, request.method);
                            place.say(bytes, now);
                        }
                        Outcome::Ask(ask, asking) => {
                            let from = source_prefix(place.peer);
                            let (peer, id) = (place.peer, place.id);
                            place.phase = Phase::Thinking;
                            place.until = now + connection::THINKING_SECONDS;
                            let number = self.asked.number();
                            let refusal = if !self.asked.has_room(from) {
                                Answer::Wait(5)
                            } else if self.agent.ask(number, peer, ask)? {
                                self.asked.keep(number, id, from, asking, request.method, now);
                                return Ok(());
                            } else {
                                Answer::Failed("The device has too much to do just now.".into())
                            };
                            let response = self.page.answered(&asking, refusal, now);
                            let bytes = self.page.bytes(&response, request.method);
                            self.places.0[at].say(bytes, now);
                        }
                    }
                }
                Parsed::Bad(status) => {
                    let bytes = self.page.bytes(&Response::bare(status), crate::page::request::Method::Get);
                    place.say(bytes, now);
                }
            },
            Phase::Thinking | Phase::Holding(_) => {
                if flags.intersects(PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL) {
                    place.phase = Phase::Gone;
                }
            }
            Phase::Writing(..) => place.write(now),
            Phase::Draining(_) => place.drain(),
            Phase::Gone => {}
        }
        Ok(())
    }

    /// Ends what took too long.
    fn tidy(&mut self, now: u64) {
        for asked in self.asked.expired(now) {
            if let Some(place) = self.places.thinking(asked.place) {
                let response = self.page.late(&asked.asking);
                place.say(self.page.bytes(&response, asked.method), now);
            }
        }
        for place in &mut self.places.0 {
            if now < place.until {
                continue;
            }
            match std::mem::replace(&mut place.phase, Phase::Gone) {
                Phase::Reading(begun) if !begun.is_empty() => {
                    let response = Response::bare(408);
                    place.say(self.page.bytes(&response, crate::page::request::Method::Get), now);
                }
                Phase::Holding(bytes) => place.say(bytes, now),
                _ => {}
            }
        }
        self.places.sweep();
    }
}
