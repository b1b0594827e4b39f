//! The channel to the agent: a `SOCK_SEQPACKET` socket, which keeps messages apart.

use crate::ipc::{AgentMessage, MESSAGE_BYTES_MAX, NumberedRequest, Request};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv, send};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

pub struct AgentChannel {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl AgentChannel {
    pub fn new(socket: OwnedFd) -> AgentChannel {
        AgentChannel { socket, buffer: vec![0; MESSAGE_BYTES_MAX + 1] }
    }

    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// The next message, if one is there. Bytes that are no message are skipped.
    pub fn read(&mut self) -> io::Result<Option<AgentMessage>> {
        loop {
            match recv(self.socket.as_raw_fd(), &mut self.buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(length) => {
                    if let Some(message) = AgentMessage::read(&self.buffer[..length]) {
                        return Ok(Some(message));
                    }
                }
                Err(Errno::EAGAIN) => return Ok(None),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Sends a request; `false`: the socket has no room for it.
    pub fn send(&mut self, number: u32, peer: IpAddr, request: Request) -> io::Result<bool> {
        let message = NumberedRequest { number, peer, request }.write();
        loop {
            let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
            match send(self.socket.as_raw_fd(), &message, flags) {
                Ok(_) => return Ok(true),
                Err(Errno::EAGAIN | Errno::ENOBUFS) => return Ok(false),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
