//! What a device decides. No clock, no randomness, no input or output: facts in, plan out.
//!
//! Map: [`turn`] is the loop's body: it looks ([`facts`]), decides ([`plan`]), acts ([`step`]). The five words
//! of an update have a file each: [`poll`], [`verify`], [`stage`], [`activate`], [`confirm`]; and [`revert`] is
//! the way back. [`record`] is what is remembered, [`world`] everything that can be touched, [`reason`] every
//! event that is logged, [`firewall`] what may pass, [`wall`] what attackers must not find, [`advisory`] what the
//! maker knows of vulnerabilities in the components that [`sbom`] lists.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod activate;
pub mod advisory;
pub mod confirm;
pub mod facts;
pub mod fault;
pub mod firewall;
pub mod gate;
pub mod manifest;
pub mod names;
pub mod offer;
pub mod plan;
pub mod poll;
pub mod reason;
pub mod record;
pub mod revert;
pub mod sbom;
pub mod schedule;
pub mod settings;
pub mod stage;
pub mod step;
pub mod turn;
pub mod verify;
pub mod wall;
pub mod world;

pub use plan::{Next, plan};
pub use settings::Settings;
pub use turn::{act, turn};
pub use world::World;
