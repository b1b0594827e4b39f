//! The firewall as data: the traffic that may pass a closed device and an open one. Nothing here talks to a kernel;
//! both backends in the agent (nf_tables and iptables) can express all of it.
//!
//! `Accept` ends our table only: a packet that the vendor's own rules drop stays dropped, and the other way round. A
//! link that is not named as LAN is WAN: unknown means strict.
//!
//! Map: `table` holds the words of rules, `builder` the parts that every rule list shares, `rules` builds the whole
//! table, `closed` the rules of a closed gate, `open` those of an open one, `egress` the limits on packets that an
//! open device sends, `owned_table` the rules that stay while others are removed, `count` the counters, `link_name` the names of links, and `wanted_table` combines settings, grants and LAN subnets.

pub mod builder;
mod closed;
pub mod count;
pub mod egress;
pub mod link_name;
mod open;
pub mod owned_table;
pub mod rules;
pub mod table;
pub mod wanted_table;
