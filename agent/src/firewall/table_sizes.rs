//! The sizes of the tables of the old iptables: a cheap sign that other software changed the rules, where the kernel reports
//! nothing. Only tables that are loaded are asked for.

use crate::os::sys;
use nix::libc::{SOL_IP, SOL_IPV6};
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};
use std::fs;
use std::os::fd::AsFd;

/// Each family with the list of its loaded tables.
const FAMILIES: [(AddressFamily, i32, &str); 2] = [
    (AddressFamily::Inet, SOL_IP, "/proc/net/ip_tables_names"),
    (AddressFamily::Inet6, SOL_IPV6, "/proc/net/ip6_tables_names"),
];

/// A vendor's program that takes a rule or two of its own away removes fewer entries at once.
const CHAINS_GONE: u32 = 16;

/// Entries and bytes of each loaded table; empty where this cannot be told.
pub(super) fn table_sizes() -> Vec<(u32, u32)> {
    let mut sizes = Vec::new();
    for (family, level, list) in FAMILIES {
        let Ok(names) = fs::read_to_string(list) else { continue };
        let Ok(raw) = socket(family, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::Raw) else {
            continue;
        };
        // A table that went meanwhile has no entries.
        sizes.extend(
            names.lines().map(|name| sys::iptables_size(raw.as_fd(), level, name).unwrap_or_default()),
        );
    }
    sizes
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
