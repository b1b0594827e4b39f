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
