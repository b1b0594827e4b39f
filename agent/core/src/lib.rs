//! The decisions of the agent. No clock, no randomness, no input or output: facts in, plan out.
//!
//! Map: [`turn`] is one round of gate and update: it looks, lets [`gate::plan`] and [`update::plan`] decide, and
//! executes each [`step`]. [`update`] has a file for each word of an update: poll, verify (a downgrade is refused
//! there), stage (a download resumes there), activate, confirm and rollback; its `record` is all that survives a
//! restart. [`gate`] holds the owner's password, [`wall`] the measures against attackers, the judges and the answers
//! to an incident, with a turn of its own. [`firewall`] computes the rules for closed and open devices. [`advisory`]
//! matches the maker's advisories with the components of the firmware.
//!
//! [`device`] holds the traits for everything outside, [`settings`] the maker's decisions, [`operator_request`] the
//! requests of owner and root, [`retry_state`] the backoff after failures, [`reason`] every event that is logged,
//! [`fault`] the errors, [`identifiers`] the small bounded words, [`printable`] the escapes of text for people, [`local_time`] the clock on the wall, and
//! [`kernel_requirements`] the options that a device's kernel needs.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod advisory;
pub mod device;
pub mod fault;
pub mod firewall;
pub mod gate;
pub mod identifiers;
pub mod kernel_requirements;
pub mod ledger;
pub mod local_time;
pub mod operator_request;
pub mod printable;
pub mod reason;
pub mod retry_state;
pub mod settings;
pub mod step;
pub mod turn;
pub mod update;
pub mod wall;
