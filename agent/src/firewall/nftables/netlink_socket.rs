//! The socket to nf_tables: one batch and the kernel's answer to it, or one question and its answers. It is opened for
//! each, so that no late answer is ever taken for another's.

use super::netlink_message::{DONE, INTERRUPTED, Message};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, connect, recv, send, socket,
};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// Longest datagram that the kernel answers with.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// A kernel that says nothing for so long will not.
const PATIENCE_MILLISECONDS: u16 = 10_000;

/// The message that the kernel refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The number of the message.
    pub number: u32,
    pub error: Errno,
}

pub struct Socket(OwnedFd);

impl Socket {
    /// # Errors
    /// The kernel has no netfilter netlink, or the system's own.
    pub fn open() -> Result<Socket, Errno> {
        let opened = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkNetFilter,
        )?;
        // From now on only the kernel is heard.
        connect(opened.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        Ok(Socket(opened))
    }

    /// Sends messages, then hears answers until `heard` says that it was the last.
    fn ask(&self, bytes: &[u8], mut heard: impl FnMut(&Message<'_>) -> bool) -> Result<(), Errno> {
        send(self.0.as_raw_fd(), bytes, MsgFlags::empty())?;
        let mut buffer = vec![0; ANSWER_BYTES_MAX];
        loop {
            match poll(&mut [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)], PATIENCE_MILLISECONDS) {
                Ok(0) => return Err(Errno::ETIMEDOUT),
                Ok(_) => {}
                Err(Errno::EINTR) => continue,
                Err(error) => return Err(error),
            }
            let count = recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::MSG_TRUNC)?;
            let mut rest = buffer.get(..count).ok_or(Errno::EMSGSIZE)?;
            while let Some(message) = Message::take(&mut rest) {
                if heard(&message) {
                    return Ok(());
                }
            }
        }
    }

    /// Sends a batch, numbered from 0; `last` is the message in it that wants to be acknowledged.
    ///
    /// # Errors
    /// The first message that the kernel refuses; then nothing of the batch was done.
    pub fn change(&self, batch: &[u8], last: u32) -> Result<(), Refused> {
        let mut refused: Option<Refused> = None;
        let heard = |message: &Message<'_>| {
            let Some(code) = message.error() else { return false };
            if code != 0 && refused.is_none() {
                refused = Some(Refused { number: message.number, error: Errno::from_raw(code) });
            }
            // An error of message 0 is one of the whole batch.
            message.number == last || (message.number == 0 && code != 0)
        };
        self.ask(batch, heard).map_err(|error| Refused { number: 0, error })?;
        refused.map_or(Ok(()), Err)
    }

    /// Asks, and hands each answer to `each`. `false` if the rules changed meanwhile: the answers are worth nothing
    /// then.
    ///
    /// # Errors
    /// Those of the kernel; `ENOENT` if the thing asked for is not there.
    pub fn question(&self, question: &[u8], mut each: impl FnMut(&Message<'_>)) -> Result<bool, Errno> {
        let (mut fault, mut whole) = (None, true);
        self.ask(question, |message| {
            whole &= message.flags & INTERRUPTED == 0;
            match message.error() {
                Some(0) => true,
                Some(code) => {
                    fault = Some(Errno::from_raw(code));
                    true
                }
                None if message.kind == DONE => true,
                None => {
                    each(message);
                    false
                }
            }
        })?;
        fault.map_or(Ok(whole), Err)
    }
}
