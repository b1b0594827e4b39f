//! Everything that touches Linux. Map: `world` is the one implementation of `World`; what it is made of has a
//! file each: `slots`, `boot_choice`, `state` (record and metadata), `volatile` (what a restart may lose),
//! `health`, `gate`, `firewall`, `remote` (the server), `look` and `end` (the wall's eyes on processes and sockets, and its
//! hand), and below them `files`, `program`, `programs`, `clock`, `wait` and the unsafe
//! calls in `sys`.

pub mod accounts;
#[cfg(test)]
mod apart;
pub mod aside;
pub mod boot_choice;
pub mod clock;
pub mod end;
pub mod evidence;
pub mod files;
pub mod firewall;
pub mod firmware;
pub mod foreign;
pub mod gate;
pub mod guard;
pub mod health;
pub mod house;
pub mod journal;
pub mod look;
pub mod mounts;
pub mod near;
pub mod program;
pub mod programs;
pub mod remote;
pub mod sandbox;
pub mod slots;
pub mod speaks_tls;
pub mod starters;
pub mod state;
mod sys;
pub mod tune;
pub mod volatile;
pub mod wait;
pub mod wall;
pub mod ward;
pub mod watchdog;
pub mod world;

pub(crate) use sys::accept;
