//! The firewall as data: what may pass a closed device and an open one. Nothing here knows how a kernel is told;
//! both ways of telling (nf_tables and iptables, in the agent) can say all of it.
//!
//! `Accept` ends our table only: what the vendor's own rules drop stays dropped, and the other way round. A link
//! that is not named as LAN is WAN: unknown means strict.
//!
//! Map: `table` the words that rules are made of, `builder` what every rule list shares, `rules` the whole table, `closed` the gate, `open` the wall, `egress` what an open device may send,
//! `count` what is counted, `wanted_table` the whole table from settings, grants and subnets.

pub mod builder;
mod closed;
pub mod count;
pub mod egress;
mod open;
pub mod rules;
pub mod table;
pub mod wanted_table;
