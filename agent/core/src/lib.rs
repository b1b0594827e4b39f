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

pub mod advisory;
pub mod device;
pub mod fault;
pub mod firewall;
pub mod gate;
pub mod identifiers;
pub mod ledger;
pub mod operator_request;
pub mod reason;
pub mod retry_state;
pub mod settings;
pub mod step;
pub mod turn;
pub mod update;
pub mod wall;
