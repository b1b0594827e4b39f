//! The firewall on LinuxDevice.

pub mod backend;
pub mod controller;
pub mod fallback;
pub mod iptables;
pub mod lan_subnets;
pub mod nftables;
