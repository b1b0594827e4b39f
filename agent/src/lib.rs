//! The agent's library. Its modules, from left to right; a module imports only modules to its left, and `update` and
//! `wall` never import each other:
//!
//! `os` system calls, processes, files, the watchdog and privileges; `config` the settings file; `gate` credentials
//! and hooks; `firewall` nf_tables and iptables; `net` HTTP, TLS and names; `update` sources, slots and boot loaders;
//! `wall` scans, remediations, quarantine and the security log; `daemon` the event loop, the page host and the control
//! socket; `cli` one file for each subcommand. The decisions are in `agent/core`.

pub mod cli;
pub mod config;
pub mod daemon;
pub mod firewall;
pub mod gate;
pub mod net;
pub mod os;
pub mod update;
pub mod wall;
