//! The control socket for root on the device itself: `komainu setup`, `komainu reset`, and the maker's own pages. It
//! carries the same messages as the page's socket, and only root may open it.

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
/// A client has this long to send its request before others are heard.
const WANTS_MILLISECONDS: u8 = 200;
/// The longest wait for an answer: hooks, and a restart of the network, are part of it.
const ANSWER_SECONDS: i64 = 120;

pub(crate) struct ControlSocket {
    path: PathBuf,
    listener: OwnedFd,
    clients: Vec<Option<OwnedFd>>,
}

impl ControlSocket {
    /// Makes the socket.
    pub(crate) fn open(run: &Path) -> Result<ControlSocket, String> {
        let path = run.join("control");
        let listener = ControlSocket::listen_on(&path)
            .map_err(|error| format!("cannot open {}: {error}", path.display()))?;
        Ok(ControlSocket { path, listener, clients: Vec::new() })
    }

    fn listen_on(path: &Path) -> io::Result<OwnedFd> {
        // An earlier owner of the socket file is gone: the lock says so.
        let _ = std::fs::remove_file(path);
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket_fd = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?;
        let before = umask(Mode::from_bits_truncate(0o177));
        let bound = UnixAddr::new(path).and_then(|address| bind(socket_fd.as_raw_fd(), &address));
        umask(before);
        bound.and_then(|()| listen(&socket_fd, Backlog::new(4)?))?;
        Ok(socket_fd)
    }

    pub(crate) fn waits_for(&self) -> Vec<BorrowedFd<'_>> {
        let mut waits_for = vec![self.listener.as_fd()];
        waits_for.extend(self.clients.iter().flatten().map(AsFd::as_fd));
        waits_for
    }

    /// Accepts a connection, if its peer has the same user as this process.
    pub(crate) fn accept(&mut self) {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        while let Ok(client) = accept(self.listener.as_fd(), flags) {
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
                // The request comes right behind; without this wait, the loop would wait for a server before it hears
                // the request.
                let mut wants = [PollFd::new(client.as_fd(), PollFlags::POLLIN)];
                let _ = poll(&mut wants, PollTimeout::from(WANTS_MILLISECONDS));
            }
            self.clients[place] = Some(client).filter(|_| same);
        }
    }

    /// The next request, and the connection that sent it.
    pub(crate) fn next_ask(&mut self) -> Option<(usize, NumberedRequest)> {
        for (place, slot) in self.clients.iter_mut().enumerate() {
            let Some(client) = slot else { continue };
            let mut message = [0; MESSAGE_BYTES_MAX];
            match recv(client.as_raw_fd(), &mut message, MsgFlags::MSG_DONTWAIT) {
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                Ok(count) if count > 0 => match NumberedRequest::read(&message[..count]) {
                    // The console has no address; an address in its message does not count.
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

/// Sends a request to the page host of a running komainu; `None`: none runs.
///
/// # Errors
/// It could not be asked, in words.
pub fn ask(run: &Path, ask: Request) -> Result<Option<Reply>, String> {
    let path = run.join("control");
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

/// Sends a request and gives the length of the answer; `None`: no process listens.
fn exchange(path: &Path, ask: Request, message: &mut [u8]) -> io::Result<Option<usize>> {
    let socket_fd = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None)?;
    match connect(socket_fd.as_raw_fd(), &UnixAddr::new(path)?) {
        Err(Errno::ENOENT | Errno::ECONNREFUSED) => return Ok(None),
        other => other?,
    }
    setsockopt(&socket_fd, ReceiveTimeout, &TimeVal::new(ANSWER_SECONDS as _, 0))?;
    let asked = NumberedRequest { number: 1, peer: CONSOLE, request: ask };
    send(socket_fd.as_raw_fd(), &asked.write(), MsgFlags::MSG_NOSIGNAL)?;
    Ok(Some(recv(socket_fd.as_raw_fd(), message, MsgFlags::empty())?))
}
