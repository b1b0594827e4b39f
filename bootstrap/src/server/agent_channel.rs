//! The agent, at the other end of a socket that keeps messages apart.

use crate::ipc::{Ask, Asked, MESSAGE_BYTES_MAX, Told};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv, send};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

pub struct Agent {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl Agent {
    pub fn new(socket: OwnedFd) -> Agent {
        Agent { socket, buffer: vec![0; MESSAGE_BYTES_MAX + 1] }
    }

    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// The next message that is there, if one is; what is no message is passed over.
    pub fn hear(&mut self) -> io::Result<Option<Told>> {
        loop {
            match recv(self.socket.as_raw_fd(), &mut self.buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(length) => {
                    if let Some(told) = Told::read(&self.buffer[..length]) {
                        return Ok(Some(told));
                    }
                }
                Err(Errno::EAGAIN) => return Ok(None),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Asks; whether there was room for it.
    pub fn ask(&mut self, number: u32, peer: IpAddr, ask: Ask) -> io::Result<bool> {
        let message = Asked { number, peer, ask }.write();
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
