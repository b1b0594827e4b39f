//! Everything that touches Linux. Map: `world` is the one implementation of `World`; what it is made of has a
//! file each: `slots`, `boot_choice`, `state` (record and metadata), `volatile` (what a restart may lose),
//! `health`, `remote` (the server), `firewall`, and below them `files`, `program`, `clock`, `wait` and the unsafe
//! calls in `sys`.

pub mod boot_choice;
pub mod clock;
pub mod files;
pub mod firewall;
pub mod health;
pub mod program;
pub mod remote;
pub mod slots;
pub mod state;
mod sys;
pub mod volatile;
pub mod wait;
pub mod world;
