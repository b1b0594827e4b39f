//! Asks listeners whether they talk telnet: connects from the device itself, says nothing, and reads the greeting. All
//! of them at once and within one budget of time, without regard to their answers. The caller waits as long as it likes,
//! and hears the others later.

use crate::os::clock::uptime_milliseconds;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, SockaddrStorage, bind, connect, recv, socket,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// Most listeners that are asked at once; the others have their turn at the next look.
pub const ASKED_AT_ONCE_MAX: usize = 64;

/// Time that a listener has to greet, in milliseconds.
pub const BUDGET_MILLISECONDS: u64 = 1500;

/// A silent one is asked again after so long, in milliseconds, and never a third time.
const AGAIN_MILLISECONDS: u64 = 30_000;
const TIMES_MAX: u8 = 2;

/// Bytes of a greeting that are read.
const GREETING_BYTES_MAX: usize = 64;

/// Telnet's mark of a command, and the commands that offer or ask for an option (RFC 854).
const COMMAND: u8 = 0xff;
const FIRST_OFFER: u8 = 0xfb;
const LAST_OFFER: u8 = 0xfe;
/// The last option that was ever given a meaning, but for one far away that no listener asks for first.
const LAST_OPTION: u8 = 49;

/// A listener to be asked: the number of its socket, and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbedPort {
    /// The kernel's number of the socket.
    pub inode: u64,
    /// Where it is bound; unspecified: everywhere.
    pub address: IpAddr,
    pub port: u16,
}

/// The bytes heard so far.
#[derive(Default)]
pub struct Asked {
    answers: Vec<Answer>,
    /// Those that were asked and have time left.
    calls: Vec<Call>,
}

struct Answer {
    door: ProbedPort,
    telnet: Option<bool>,
    times: u8,
    /// When it was asked, in milliseconds of uptime.
    at: u64,
}

impl Asked {
    /// Asks those that were not asked before, or were silent once, and hears them for so many milliseconds; those that
    /// are not among `wan_access` are forgotten.
    pub fn ask(&mut self, wan_access: &[ProbedPort], milliseconds: u64) {
        self.answers.retain(|answer| wan_access.contains(&answer.door));
        self.calls.retain(|call| wan_access.contains(&call.door));
        let now = uptime_milliseconds();
        let is_due = |answer: &Answer| {
            answer.telnet.is_none() && answer.times < TIMES_MAX && now >= answer.at + AGAIN_MILLISECONDS
        };
        for door in wan_access {
            let before = self.answers.iter().find(|answer| answer.door == *door);
            let is_asked = self.calls.iter().any(|call| call.door == *door);
            if self.calls.len() < ASKED_AT_ONCE_MAX && !is_asked && before.is_none_or(is_due) {
                self.calls.push(Call::begin(door, now));
            }
        }
        self.hear(milliseconds);
    }

    /// A listener that was asked before has answered in the meantime, as telnet does.
    pub fn has_heard(&mut self) -> bool {
        self.hear(0)
    }

    /// Hears those that were asked; true: one of them talks telnet.
    fn hear(&mut self, milliseconds: u64) -> bool {
        if self.calls.is_empty() {
            return false;
        }
        hear_all(&mut self.calls, milliseconds);
        let now = uptime_milliseconds();
        let mut found = false;
        for call in std::mem::take(&mut self.calls) {
            if call.socket.is_some() && now < call.began + BUDGET_MILLISECONDS {
                self.calls.push(call);
                continue;
            }
            let (door, telnet, at) = (call.door, call.telnet, call.began);
            found |= telnet == Some(true);
            match self.answers.iter_mut().find(|answer| answer.door == door) {
                Some(answer) => {
                    (answer.telnet, answer.times, answer.at) = (telnet, answer.times + 1, at);
                }
                None => self.answers.push(Answer { door, telnet, times: 1, at }),
            }
        }
        found
    }

    /// The known answer of a listener.
    pub fn telnet(&self, door: &ProbedPort) -> Option<bool> {
        self.answers.iter().find(|answer| answer.door == *door)?.telnet
    }
}

/// One that is being asked.
struct Call {
    door: ProbedPort,
    began: u64,
    socket: Option<OwnedFd>,
    greeting: Vec<u8>,
    telnet: Option<bool>,
}

/// Hears them all for so many milliseconds, or until each has said enough.
fn hear_all(calls: &mut [Call], milliseconds: u64) {
    let deadline = uptime_milliseconds() + milliseconds;
    loop {
        let left = deadline.saturating_sub(uptime_milliseconds());
        let waiting = |call: &&mut Call| call.socket.is_some();
        let mut open: Vec<&mut Call> = calls.iter_mut().filter(waiting).collect();
        if open.is_empty() {
            break;
        }
        let mut watched: Vec<PollFd<'_>> = Vec::new();
        for call in &open {
            watched.extend(call.socket.as_ref().map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN)));
        }
        match poll(&mut watched, u16::try_from(left).unwrap_or(u16::MAX)) {
            Err(Errno::EINTR) => continue,
            Ok(1..) => {}
            Ok(_) | Err(_) => break,
        }
        let ready: Vec<bool> =
            watched.iter().map(|one| one.revents().is_none_or(|events| !events.is_empty())).collect();
        for (call, _) in open.iter_mut().zip(ready).filter(|(_, ready)| *ready) {
            call.listen();
        }
        if left == 0 {
            break;
        }
    }
}

impl Call {
    fn begin(door: &ProbedPort, now: u64) -> Call {
        Call { door: *door, began: now, socket: call(door).ok(), greeting: Vec::new(), telnet: None }
    }

    /// Takes the bytes that have come; when nothing more is to be learned, hangs up.
    fn listen(&mut self) {
        let Some(socket) = &self.socket else { return };
        let mut bytes = [0; GREETING_BYTES_MAX];
        let room = GREETING_BYTES_MAX - self.greeting.len();
        let count = match recv(socket.as_raw_fd(), &mut bytes[..room], MsgFlags::MSG_DONTWAIT) {
            Ok(count) => count,
            Err(Errno::EAGAIN | Errno::EINTR) => return,
            Err(_) => 0,
        };
        self.greeting.extend_from_slice(&bytes[..count]);
        if is_telnet(&self.greeting) {
            self.telnet = Some(true);
        } else if !self.greeting.is_empty() {
            self.telnet = Some(false);
        }
        if count == 0 || self.telnet == Some(true) || self.greeting.len() == GREETING_BYTES_MAX {
            self.socket = None;
        }
    }
}

/// A greeting that offers or asks for one of telnet's options, at its beginning or after text.
pub fn is_telnet(greeting: &[u8]) -> bool {
    let is_text = |byte: &u8| matches!(byte, 0x00 | 0x07..=0x0d | 0x1b | 0x20..=0x7e);
    let text = greeting.iter().take_while(|byte| is_text(byte)).count();
    matches!(greeting[text..], [COMMAND, FIRST_OFFER..=LAST_OFFER, 0..=LAST_OPTION, ..])
}

/// Begins to connect. From the very address that the listener has, so that nothing leaves the device when that address is
/// not ours any more.
///
/// # Errors
/// Those of the kernel, as far as they are known at once.
pub fn call(door: &ProbedPort) -> nix::Result<OwnedFd> {
    let address = match door.address {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket(family, SockType::Stream, flags, None)?;
    bind(socket.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(address, 0)))?;
    match connect(socket.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(address, door.port))) {
        Ok(()) | Err(Errno::EINPROGRESS) => Ok(socket),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::thread::spawn;

    fn door(listener: &TcpListener, inode: u64) -> ProbedPort {
        let at = listener.local_addr().unwrap();
        ProbedPort { inode, address: at.ip(), port: at.port() }
    }

    /// A listener that greets every caller, and then holds the line until we hang up.
    fn greeter(address: &str, pieces: Vec<Vec<u8>>) -> (ProbedPort, std::thread::JoinHandle<()>) {
        let listener = TcpListener::bind(address).unwrap();
        let door = door(&listener, 1);
        let thread = spawn(move || {
            let (mut stream, _): (TcpStream, _) = listener.accept().unwrap();
            stream.set_nodelay(true).unwrap();
            for piece in pieces {
                let _ = stream.write_all(&piece);
            }
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        });
        (door, thread)
    }

    /// Asks them all, and gives the answer of each, in their order.
    fn ask_all(doors: &[ProbedPort], milliseconds: u64) -> Vec<Option<bool>> {
        let mut calls: Vec<Call> = doors.iter().map(|door| Call::begin(door, 0)).collect();
        hear_all(&mut calls, milliseconds);
        calls.into_iter().map(|call| call.telnet).collect()
    }

    fn heard(address: &str, pieces: Vec<Vec<u8>>, budget: u64) -> Option<bool> {
        let (door, thread) = greeter(address, pieces);
        let heard = ask_all(&[door], budget);
        thread.join().unwrap();
        heard[0]
    }

    #[test]
    fn telnet_is_known_by_its_negotiation() {
        for (greeting, telnet) in [
            (&b"\xff\xfd\x01\xff\xfd\x1f\xff\xfb\x01\xff\xfb\x03"[..], true),
            (b"\xff\xfb\x01", true),
            (b"\r\nRouter login\r\n\xff\xfe\x22", true),
            (b"\xff\xfb", false),
            (b"\xff\xf1\x01", false),
            (b"\xff\xfd\xee", false),
            (b"\xff\xff\xfd\x01", false),
            (b"SSH-2.0-dropbear\r\n", false),
            (b"J\0\0\0\x0a5.7.42\0\x08\0\x90\xff\xfb\x01", false),
            (b"", false),
        ] {
            assert_eq!(is_telnet(greeting), telnet, "{greeting:?}");
        }
    }

    #[test]
    fn a_telnet_server_is_found_on_both_families_even_when_it_speaks_in_pieces() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let pieces = vec![b"welcome\r\n".to_vec(), b"\xff".to_vec(), b"\xfd\x01".to_vec()];
            assert_eq!(heard(address, pieces, 20_000), Some(true), "{address}");
        }
    }

    #[test]
    fn who_says_something_else_or_nothing_is_told_apart() {
        assert_eq!(heard("127.0.0.1:0", vec![b"SSH-2.0-x\r\n".repeat(10)], 20_000), Some(false));
        assert_eq!(heard("127.0.0.1:0", vec![], 50), None);
        let closed = TcpListener::bind("127.0.0.1:0").unwrap();
        let gone = door(&closed, 1);
        drop(closed);
        assert_eq!(ask_all(&[gone], 20_000), [None]);
    }

    #[test]
    fn a_silent_one_does_not_keep_the_others_from_being_heard() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let (telnet, thread) = greeter("127.0.0.1:0", vec![b"\xff\xfb\x01".to_vec()]);
        let began = uptime_milliseconds();
        let heard = ask_all(&[door(&silent, 2), telnet], 2000);
        assert!(uptime_milliseconds() - began < 20_000);
        thread.join().unwrap();
        assert_eq!(heard, [None, Some(true)]);
    }

    #[test]
    fn an_address_that_is_not_ours_is_never_called() {
        let door = ProbedPort { inode: 1, address: [192, 0, 2, 1].into(), port: 9 };
        assert_eq!(call(&door).err(), Some(Errno::EADDRNOTAVAIL));
    }

    #[test]
    fn who_has_answered_is_not_asked_again() {
        let (door, thread) = greeter("127.0.0.1:0", vec![b"\xff\xfb\x01".to_vec()]);
        let mut asked = Asked::default();
        asked.ask(&[door], 20_000);
        thread.join().unwrap();
        // The listener is gone now: asked again, it would be silent.
        asked.ask(&[door], 20_000);
        assert_eq!(asked.telnet(&door), Some(true));
        asked.ask(&[], 0);
        assert_eq!(asked.telnet(&door), None, "it is gone");
    }

    #[test]
    fn who_does_not_wait_hears_the_answer_later() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let door = door(&listener, 1);
        let mut asked = Asked::default();
        asked.ask(&[door], 0);
        assert!(!asked.has_heard());
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"\xff\xfb\x01").unwrap();
        let bound = uptime_milliseconds() + BUDGET_MILLISECONDS / 2;
        while !asked.has_heard() {
            assert!(uptime_milliseconds() < bound);
        }
        assert_eq!(asked.telnet(&door), Some(true));
    }
}
