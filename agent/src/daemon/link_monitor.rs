//! The link monitor: the kernel reports changes of links and of their addresses, on which the answers of the page's
//! name server depend, and after which the rules must be looked at again. `rules_keeper` hears of removed rules by the same
//! kind of socket.

use crate::firewall::nftables::constants::{DELETE_CHAIN, DELETE_RULE, DELETE_TABLE, TABLE, TABLE_NAME};
use crate::firewall::nftables::netlink_message::Message;
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
const REMOVALS: [u16; 3] = [DELETE_TABLE, DELETE_CHAIN, DELETE_RULE];
const MESSAGES_BYTES: usize = 4096;

pub(crate) struct LinkMonitor(Option<OwnedFd>);

impl LinkMonitor {
    /// Starts to listen; where the kernel does not report, the agent looks every minute all the same.
    pub(crate) fn open() -> LinkMonitor {
        LinkMonitor(open(SockProtocol::NetlinkRoute, LINKS))
    }

    /// Whether the kernel reports changes.
    pub(crate) fn hears(&self) -> bool {
        self.0.is_some()
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

/// Tells whether one of the messages reports that rules of our table were removed. Sets change all the time, and many programs
/// add rules, and remove their own.
pub(crate) fn is_removal(mut messages: &[u8]) -> bool {
    while let Some(message) = Message::take(&mut messages) {
        // The first attribute of all three is the table's name.
        if REMOVALS.contains(&message.kind) && message.attributes().name(TABLE_NAME) == TABLE.as_bytes() {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::nftables::constants::{INET, NEW_RULE};
    use crate::firewall::nftables::netlink_message::Messages;

    fn message(kind: u16, table: &str, more: usize) -> Vec<u8> {
        let mut messages = Messages::default();
        let at = messages.begin(kind, 0, 1, INET, 0);
        messages.name(TABLE_NAME, table);
        messages.bytes(2, &vec![0; more]);
        messages.end(at);
        messages.0
    }

    #[test]
    fn only_removals_of_ours_matter() {
        let (added, element) = (message(NEW_RULE, TABLE, 9), message(0x0a0c, TABLE, 40));
        for kind in [DELETE_TABLE, DELETE_CHAIN, DELETE_RULE] {
            let removed = message(kind, TABLE, 4);
            assert!(is_removal(&[&*added, &element, &removed].concat()));
            for length in 0..removed.len() {
                assert!(!is_removal(&removed[..length]));
            }
            for table in ["", "fw4", "komain", "komainu-closed", "komainus"] {
                assert!(!is_removal(&message(kind, table, 4)), "{table}");
            }
        }
        assert!(!is_removal(&[&*added, &element].concat()) && !is_removal(&[0; 40]));
    }
}
