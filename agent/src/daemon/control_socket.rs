//! The door for root on the device itself: `komainu setup`, `komainu reset`, and the maker's own pages. The same
//! messages as the page's, over a socket that nobody else may open.

use crate::os::sys::accept;
use komainu_bootstrap::ipc::{AgentMessage, MESSAGE_BYTES_MAX, NumberedRequest, Reply, Request};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::sockopt::{PeerCredentials, ReceiveTimeout};
use nix::sys::socket::{
    AddressFamily, Backlog, MsgFlags, SockFlag, SockType, UnixAddr, bind, connect, getsockopt, listen, recv,
    send, setsockopt, socket,
};
use nix::sys::stat::{Mode, umask};
use nix::sys::time::TimeVal;
use nix::unistd::geteuid;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

const CLIENTS_MAX: usize = 4;
/// How long who knocks may take to say what it wants, before others are heard.
const WANTS_MILLISECONDS: u8 = 200;
/// How long an answer may take: hooks, and a restart of the network, are part of it.
const ANSWER_SECONDS: i64 = 120;

pub(crate) struct ControlSocket {
    path: PathBuf,
    door: OwnedFd,
    clients: Vec<Option<OwnedFd>>,
}

impl ControlSocket {
    /// Makes the door.
    pub(crate) fn open(run: &Path) -> Result<ControlSocket, String> {
        let path = run.join("keeper");
        let door =
            ControlSocket::door(&path).map_err(|error| format!("cannot open {}: {error}", path.display()))?;
        Ok(ControlSocket { path, door, clients: Vec::new() })
    }

    fn door(path: &Path) -> io::Result<OwnedFd> {
        // Whoever had it before is gone: the lock says so.
        let _ = std::fs::remove_file(path);
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let door = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?;
        let before = umask(Mode::from_bits_truncate(0o177));
        let bound = UnixAddr::new(path).and_then(|address| bind(door.as_raw_fd(), &address));
        umask(before);
        bound.and_then(|()| listen(&door, Backlog::new(4)?))?;
        Ok(door)
    }

    pub(crate) fn waits_for(&self) -> Vec<BorrowedFd<'_>> {
        let mut waits_for = vec![self.door.as_fd()];
        waits_for.extend(self.clients.iter().flatten().map(AsFd::as_fd));
        waits_for
    }

    /// Lets in who knocks, if it is who this process is.
    pub(crate) fn accept(&mut self) {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        while let Ok(client) = accept(self.door.as_fd(), flags) {
            let same = getsockopt(&client, PeerCredentials).is_ok_and(|who| who.uid() == geteuid().as_raw());
            let place = match self.clients.iter().position(Option::is_none) {
                Some(place) => place,
                None if self.clients.len() < CLIENTS_MAX => {
                    self.clients.push(None);
                    self.clients.len() - 1
                }
                None => continue,
            };
            if same {
                // What it wants comes right behind; without that, a server would be waited for before it is heard.
                let mut wants = [PollFd::new(client.as_fd(), PollFlags::POLLIN)];
                let _ = poll(&mut wants, PollTimeout::from(WANTS_MILLISECONDS));
            }
            self.clients[place] = Some(client).filter(|_| same);
        }
    }

    /// The next ask that is there, and whose.
    pub(crate) fn next_ask(&mut self) -> Option<(usize, NumberedRequest)> {
        for (place, slot) in self.clients.iter_mut().enumerate() {
            let Some(client) = slot else { continue };
            let mut message = [0; MESSAGE_BYTES_MAX];
            match recv(client.as_raw_fd(), &mut message, MsgFlags::MSG_DONTWAIT) {
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                Ok(count) if count > 0 => match NumberedRequest::read(&message[..count]) {
                    // The console has no address; what it says of one does not count.
                    Some(asked) => return Some((place, NumberedRequest { peer: CONSOLE, ..asked })),
                    None => *slot = None,
                },
                Ok(_) | Err(_) => *slot = None,
            }
        }
        None
    }

    pub(crate) fn tell(&mut self, place: usize, told: &AgentMessage) {
        if let Some(Some(client)) = self.clients.get(place) {
            let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
            let _ = send(client.as_raw_fd(), &told.write(), flags);
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

const CONSOLE: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// Asks the keeper of a running komainu; `None`: none runs.
///
/// # Errors
/// It could not be asked, in words.
pub fn ask(run: &Path, ask: Request) -> Result<Option<Reply>, String> {
    let path = run.join("keeper");
    let mut message = [0; MESSAGE_BYTES_MAX];
    let heard = exchange(&path, ask, &mut message);
    match heard.map_err(|error| format!("cannot ask by {}: {error}", path.display()))? {
        None => Ok(None),
        Some(0) => Err("komainu ended before it answered".into()),
        Some(count) => match AgentMessage::read(&message[..count]) {
            Some(AgentMessage::Reply(1, answer)) => Ok(Some(answer)),
            _ => Err("komainu answered something else".into()),
        },
    }
}

/// Sends an ask and gives the length of the answer; `None`: nobody hears.
fn exchange(path: &Path, ask: Request, message: &mut [u8]) -> io::Result<Option<usize>> {
    let door = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None)?;
    match connect(door.as_raw_fd(), &UnixAddr::new(path)?) {
        Err(Errno::ENOENT | Errno::ECONNREFUSED) => return Ok(None),
        other => other?,
    }
    setsockopt(&door, ReceiveTimeout, &TimeVal::new(ANSWER_SECONDS as _, 0))?;
    let asked = NumberedRequest { number: 1, peer: CONSOLE, request: ask };
    send(door.as_raw_fd(), &asked.write(), MsgFlags::MSG_NOSIGNAL)?;
    Ok(Some(recv(door.as_raw_fd(), message, MsgFlags::empty())?))
}
