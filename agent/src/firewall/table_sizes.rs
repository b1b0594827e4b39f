//! The sizes of the tables of the old iptables: a cheap sign that other software changed the rules, where the kernel reports
//! nothing. Only tables that were loaded a second before are asked for.

use crate::os::sys;
use nix::libc::{SOL_IP, SOL_IPV6};
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};
use std::fs;
use std::os::fd::{AsFd, OwnedFd};

/// A vendor's program that takes a rule or two of its own away removes fewer entries at once.
const CHAINS_GONE: u32 = 16;
/// The list of loaded tables is read again at each so manieth look: that takes longer than the sizes.
const LIST_EVERY: u32 = 10;

/// The sizes of the tables, looked at again and again.
#[derive(Default)]
pub(super) struct TableSizes {
    families: Vec<Family>,
    looks: u32,
}

/// The loaded tables of a family, and a socket to ask for them.
struct Family {
    socket: OwnedFd,
    level: i32,
    names: String,
}

impl TableSizes {
    /// Entries and bytes of each loaded table; empty where this cannot be told.
    pub(super) fn read(&mut self) -> Vec<(u32, u32)> {
        if self.looks.is_multiple_of(LIST_EVERY) {
            self.families = [
                Family::open(AddressFamily::Inet, SOL_IP, "/proc/net/ip_tables_names"),
                Family::open(AddressFamily::Inet6, SOL_IPV6, "/proc/net/ip6_tables_names"),
            ]
            .into_iter()
            .flatten()
            .collect();
        }
        self.looks = self.looks.wrapping_add(1);
        self.families.iter().flat_map(Family::sizes).collect()
    }
}

impl Family {
    fn open(family: AddressFamily, level: i32, list: &str) -> Option<Family> {
        let names = fs::read_to_string(list).ok()?;
        let socket = socket(family, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::Raw).ok()?;
        Some(Family { socket, level, names })
    }

    fn sizes(&self) -> impl Iterator<Item = (u32, u32)> {
        let size = |name| sys::iptables_size(self.socket.as_fd(), self.level, name);
        // A table that went meanwhile has no entries.
        self.names.lines().map(move |name| size(name).unwrap_or_default())
    }
}

/// Whether a table has lost so many entries that whole chains must have gone.
pub(super) fn have_shrunk(before: &[(u32, u32)], now: &[(u32, u32)]) -> bool {
    before.iter().zip(now).any(|((before, _), (now, _))| before.saturating_sub(*now) >= CHAINS_GONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_loss_of_many_entries_is_the_loss_of_chains() {
        let before = [(60, 6000), (5, 500)];
        assert!(have_shrunk(&before, &[(4, 300), (5, 500)]));
        for now in [&[][..], &before, &[(59, 5900), (5, 500)], &[(80, 8000), (5, 500)], &[(60, 6000), (0, 0)]]
        {
            assert!(!have_shrunk(&before, now), "{now:?}");
        }
    }
}
