//! The firewall on Linux: applies the table that `komainu_core::firewall` computes. Map: `controller` applies and
//! compares, `backend` chooses `nftables` (nf_tables over netlink) or `iptables`, `fallback` names the features that a
//! kernel lacks, `conntrack` ends connections through the device, `link_closer` closes a device whose kernel takes no rules,
//! `lan_subnets` reads the LAN's networks, `table_sizes` tells that iptables were changed, `vendor_chains` lists
//! the chains of others.

pub mod backend;
pub mod conntrack;
pub mod controller;
pub mod fallback;
pub mod iptables;
pub mod lan_subnets;
pub mod link_closer;
pub mod nftables;
mod table_sizes;
pub(crate) mod vendor_chains;
