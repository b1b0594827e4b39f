//! The link monitor: the kernel reports changes of links and of their addresses, on which the answers of the page's
//! name server depend, and after which the rules must be looked at again. `rules_keeper` hears of removed rules by the same
//! kind of socket.

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// `RTMGRP_LINK`, `RTMGRP_IPV4_IFADDR`, `RTMGRP_IPV6_IFADDR`.
const LINKS: u32 = 0x1 | 0x10 | 0x100;
/// `NFNLGRP_NFTABLES`, the seventh.
pub(crate) const RULES: u32 = 1 << 6;
/// `NFT_MSG_DELTABLE`, `NFT_MSG_DELCHAIN`, `NFT_MSG_DELRULE` of `NFNL_SUBSYS_NFTABLES`.
const REMOVALS: [u16; 3] = [0x0a02, 0x0a05, 0x0a08];
const MESSAGES_BYTES: usize = 4096;

pub(crate) struct LinkMonitor(Option<OwnedFd>);

impl LinkMonitor {
    /// Starts to listen; where the kernel does not report, the agent looks every minute all the same.
    pub(crate) fn open() -> LinkMonitor {
        LinkMonitor(open(SockProtocol::NetlinkRoute, LINKS))
    }

    pub(crate) fn waits_for(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.0.iter().map(AsFd::as_fd)
    }

    /// True if something changed since the last call.
    pub(crate) fn changed(&self) -> bool {
        self.0.as_ref().is_some_and(|links| heard(links, |_| true))
    }
}

pub(crate) fn open(of: SockProtocol, groups: u32) -> Option<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let opened = socket(AddressFamily::Netlink, SockType::Raw, flags, of)
        .and_then(|socket| bind(socket.as_raw_fd(), &NetlinkAddr::new(0, groups)).map(|()| socket));
    if let Err(error) = &opened {
        log::debug!("links-unheard why=\"{}\"", io::Error::from(*error));
    }
    opened.ok()
}

/// Takes all waiting messages; true if some of them matter.
pub(crate) fn heard(socket: &OwnedFd, matters: fn(&[u8]) -> bool) -> bool {
    let (mut changed, mut messages) = (false, [0; MESSAGES_BYTES]);
    loop {
        match recv(socket.as_raw_fd(), &mut messages, MsgFlags::MSG_DONTWAIT) {
            Ok(0) | Err(Errno::EAGAIN) => return changed,
            // A full receive buffer is news too: messages were lost.
            Ok(MESSAGES_BYTES) | Err(Errno::ENOBUFS) => changed = true,
            Ok(count) => changed |= matters(&messages[..count]),
            Err(Errno::EINTR) => {}
            Err(_) => return changed,
        }
    }
}

/// Tells whether one of the messages reports removed rules. Sets change all the time, and many programs add rules.
pub(crate) fn is_removal(mut messages: &[u8]) -> bool {
    while let Some(header) = messages.first_chunk::<16>() {
        let [l0, l1, l2, l3, kind0, kind1, ..] = *header;
        if REMOVALS.contains(&u16::from_ne_bytes([kind0, kind1])) {
            return true;
        }
        // Each message begins at a multiple of four.
        let length = (u32::from_ne_bytes([l0, l1, l2, l3]) as usize).max(16).next_multiple_of(4);
        messages = messages.get(length..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, body: usize) -> Vec<u8> {
        let mut message = (16 + body as u32).to_ne_bytes().to_vec();
        message.extend(kind.to_ne_bytes());
        message.resize((16 + body).next_multiple_of(4), 0);
        message
    }

    #[test]
    fn only_removals_matter() {
        let (added, element, removed) = (message(0x0a06, 9), message(0x0a0c, 40), message(0x0a08, 4));
        assert!(is_removal(&[&*added, &element, &removed].concat()));
        assert!(!is_removal(&[&*added, &element].concat()));
        assert!(!is_removal(&removed[..15]) && !is_removal(&[0; 40]));
    }
}
