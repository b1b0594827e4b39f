//! Asks listeners for pictures, the model and settings without a log-in: one question at a time, seldom, and never waiting.
//! The questions, and the meaning of the answers, are `komainu_core::wall::judge::exposure`'s.
//!
//! A listener is asked at the device's own address in the LAN, because some programs want no log-in from the device itself
//! (127.0.0.1). The packets do not leave the device.

#[cfg(test)]
mod tests;

use super::telnet::{ProbedPort, call};
use crate::os::clock::uptime_milliseconds;
use komainu_core::wall::judge::exposure::answer::{ANSWER_BYTES_MAX, Heard, hear};
use komainu_core::wall::judge::exposure::questions::{Language, Question, question};
use komainu_core::wall::judge::exposure::{AskedListener, Exposure};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{MsgFlags, recv, send};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// Time between two questions, to whomever, in milliseconds: six a minute.
const PACE_MILLISECONDS: u64 = 10_000;
/// All questions are asked anew after so long: twice a day.
const AGAIN_MILLISECONDS: u64 = 12 * 3600 * 1000;
/// Time for an answer.
const ANSWER_MILLISECONDS: u64 = 5_000;
/// A question is begun only where nothing woke the agent for so long: the owner's page goes first.
const CALM_MILLISECONDS: u64 = 1_500;
/// A listener that was silent so many times in a row is not asked on.
const SILENCES_MAX: u8 = 2;

/// Findings have three kinds (`Given`), by their number.
type Found = [Option<usize>; 3];

/// The questions that are under way, and the answers so far.
pub struct ExposureProbe {
    doors: Vec<Door>,
    call: Option<Call>,
    /// Time between two questions; 0: a caller waits.
    pace: u64,
    /// When the last question was begun, and when it was last gone on.
    begun: u64,
    stepped: u64,
}

/// A listener that is asked.
struct Door {
    listener: AskedListener,
    /// Where it is asked.
    at: SocketAddr,
    /// The number of the next question.
    next: usize,
    /// The questions are begun at this time.
    due: u64,
    silences: u8,
    /// The control was given too: what it gives as settings means nothing.
    says_yes_to_all: bool,
    /// The questions whose finding was made: in this round, and in the last whole one.
    found: Found,
    known: Found,
}

/// A question under way.
struct Call {
    door: usize,
    question: Question,
    socket: OwnedFd,
    request: Vec<u8>,
    answer: Vec<u8>,
    until: u64,
}

impl Default for ExposureProbe {
    fn default() -> ExposureProbe {
        ExposureProbe { doors: Vec::new(), call: None, pace: PACE_MILLISECONDS, begun: 0, stepped: 0 }
    }
}

impl ExposureProbe {
    /// Takes the listeners of a look; `lan` is the device's address in the LAN. New ones are asked as soon as it is their
    /// turn, those that are gone are forgotten.
    pub fn follow(&mut self, listeners: Vec<AskedListener>, lan: Option<Ipv4Addr>) {
        let wanted: Vec<(AskedListener, SocketAddr)> = listeners
            .into_iter()
            .filter_map(|listener| {
                let address =
                    if listener.address.is_unspecified() { IpAddr::V4(lan?) } else { listener.address };
                let at = SocketAddr::new(address, listener.port);
                Some((listener, at))
            })
            .collect();
        let same = self.doors.len() == wanted.len()
            && self
                .doors
                .iter()
                .zip(&wanted)
                .all(|(door, (listener, at))| door.listener == *listener && door.at == *at);
        if same {
            return;
        }
        self.call = None;
        let mut before = std::mem::take(&mut self.doors);
        for (listener, at) in wanted {
            let known = before.iter().position(|door| door.listener == listener && door.at == at);
            let door = known.map(|known| before.swap_remove(known));
            self.doors.push(door.unwrap_or_else(|| Door::new(listener, at)));
        }
    }

    /// Goes on with the question under way, or begins the next one. It never waits.
    pub fn step(&mut self) {
        let now = uptime_milliseconds();
        let is_calm = self.pace == 0 || now >= self.stepped + CALM_MILLISECONDS;
        self.stepped = now;
        if let Some(call) = &mut self.call {
            let language = self.doors[call.door].listener.language;
            let heard = call.go_on(now, language);
            if heard == Heard::Incomplete {
                return;
            }
            let (door, question, is_silent) = (call.door, call.question, call.answer.is_empty());
            self.call = None;
            self.doors[door].take(question, heard, is_silent, now);
        }
        if is_calm && now >= self.begun + self.pace {
            self.begin(now);
        }
    }

    /// Asks all that is due, and waits for the answers, for at most so many milliseconds.
    pub fn ask_now(&mut self, milliseconds: u64) {
        let pace = std::mem::replace(&mut self.pace, 0);
        let until = uptime_milliseconds() + milliseconds;
        loop {
            self.step();
            let now = uptime_milliseconds();
            let Some(call) = self.call.as_ref().filter(|_| now < until) else { break };
            let wanted = if call.request.is_empty() { PollFlags::POLLIN } else { PollFlags::POLLOUT };
            let left = u16::try_from(call.until.min(until).saturating_sub(now) + 1).unwrap_or(u16::MAX);
            let _ = poll(&mut [PollFd::new(call.socket.as_fd(), wanted)], left);
        }
        self.pace = pace;
    }

    /// Everything that was given so far.
    pub fn exposures(&self) -> Vec<Exposure> {
        let mut all = Vec::new();
        for door in &self.doors {
            for (now, before) in door.found.iter().zip(door.known) {
                let AskedListener { program, port, language, .. } = &door.listener;
                // A finding stays until the whole next round has not made it again.
                if let Some(question) = now.or(before).and_then(|number| question(*language, number)) {
                    let (program, path) = (program.clone(), question.path());
                    all.push(Exposure { program, port: *port, given: question.given(), path });
                }
            }
        }
        all
    }

    /// Begins the next question that is due.
    fn begin(&mut self, now: u64) {
        for (at, door) in self.doors.iter_mut().enumerate() {
            let Some(question) = door.next_question(now) else { continue };
            let language = door.listener.language;
            self.begun = now;
            match call(&ProbedPort { inode: 0, address: door.at.ip(), port: door.at.port() }) {
                Ok(socket) => {
                    let request = question.request(language, door.at);
                    let until = now + ANSWER_MILLISECONDS;
                    self.call = Some(Call { door: at, question, socket, request, answer: Vec::new(), until });
                }
                Err(_) => door.end_round(now),
            }
            return;
        }
    }
}

impl Door {
    fn new(listener: AskedListener, at: SocketAddr) -> Door {
        Door {
            listener,
            at,
            next: 0,
            due: 0,
            silences: 0,
            says_yes_to_all: false,
            found: [None; 3],
            known: [None; 3],
        }
    }

    /// The question whose turn it is; those whose finding was made already are left out.
    fn next_question(&mut self, now: u64) -> Option<Question> {
        if now < self.due {
            return None;
        }
        loop {
            let Some(question) = question(self.listener.language, self.next) else {
                self.end_round(now);
                return None;
            };
            let is_moot = matches!(question, Question::Settings(_)) && self.says_yes_to_all;
            if self.found[question.given() as usize].is_none() && !is_moot {
                return Some(question);
            }
            self.next += 1;
        }
    }

    /// Takes the answer to a question.
    fn take(&mut self, question: Question, heard: Heard, is_silent: bool, now: u64) {
        self.silences = if is_silent { self.silences + 1 } else { 0 };
        match heard {
            Heard::Given if question == Question::Control => self.says_yes_to_all = true,
            Heard::Given => self.found[question.given() as usize] = Some(self.next),
            _ => {}
        }
        self.next += 1;
        if heard == Heard::Refused || self.silences >= SILENCES_MAX {
            self.end_round(now);
        }
    }

    fn end_round(&mut self, now: u64) {
        self.known = std::mem::take(&mut self.found);
        (self.next, self.silences, self.says_yes_to_all) = (0, 0, false);
        self.due = now + AGAIN_MILLISECONDS;
    }
}

impl Call {
    /// Sends and hears what can be sent and heard now.
    fn go_on(&mut self, now: u64, language: Language) -> Heard {
        let end = |call: &Call| hear(language, call.question, &call.answer, true);
        if now >= self.until {
            return end(self);
        }
        let fd = self.socket.as_raw_fd();
        while !self.request.is_empty() {
            match send(fd, &self.request, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL) {
                Ok(count) => drop(self.request.drain(..count)),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN | Errno::ENOTCONN) => return Heard::Incomplete,
                Err(_) => return end(self),
            }
        }
        loop {
            let mut bytes = [0; 1024];
            let room = bytes.len().min(ANSWER_BYTES_MAX - self.answer.len());
            match recv(fd, &mut bytes[..room], MsgFlags::MSG_DONTWAIT) {
                Ok(0) => return end(self),
                Ok(count) => self.answer.extend_from_slice(&bytes[..count]),
                Err(Errno::EINTR) => continue,
                Err(Errno::EAGAIN) => return Heard::Incomplete,
                Err(_) => return end(self),
            }
            let heard = hear(language, self.question, &self.answer, false);
            if heard != Heard::Incomplete {
                return heard;
            }
        }
    }
}

/// The device's own address in the LAN.
pub fn lan_address(lan: &[String]) -> Option<Ipv4Addr> {
    let mut all = nix::ifaddrs::getifaddrs().ok()?.filter(|entry| lan.contains(&entry.interface_name));
    all.find_map(|entry| Some(entry.address?.as_sockaddr_in()?.ip()))
}
