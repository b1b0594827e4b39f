//! Hears from the kernel that links or their addresses changed: what the page's name server answers depends on them,
//! and rules must be looked at again.

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// `RTMGRP_LINK`, `RTMGRP_IPV4_IFADDR`, `RTMGRP_IPV6_IFADDR`.
const GROUPS: u32 = 0x1 | 0x10 | 0x100;

pub(super) struct Links(Option<OwnedFd>);

impl Links {
    /// From now on hears; a kernel that does not tell is asked every minute all the same.
    pub(super) fn open() -> Links {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let opened = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)
            .and_then(|door| bind(door.as_raw_fd(), &NetlinkAddr::new(0, GROUPS)).map(|()| door));
        if let Err(error) = &opened {
            log::debug!("links-unheard why=\"{}\"", error.desc());
        }
        Links(opened.ok())
    }

    pub(super) fn waits_for(&self) -> Option<BorrowedFd<'_>> {
        self.0.as_ref().map(AsFd::as_fd)
    }

    /// True if something changed since this was last asked.
    pub(super) fn changed(&self) -> bool {
        let Some(door) = &self.0 else { return false };
        let (mut changed, mut message) = (false, [0; 4096]);
        loop {
            match recv(door.as_raw_fd(), &mut message, MsgFlags::MSG_DONTWAIT) {
                Ok(0) | Err(Errno::EAGAIN) => return changed,
                // More than was kept for us is news too.
                Ok(_) | Err(Errno::ENOBUFS) => changed = true,
                Err(Errno::EINTR) => {}
                Err(_) => return changed,
            }
        }
    }
}
