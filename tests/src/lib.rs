//! Shared parts of the tests of several crates. No other crate depends on this one.
//!
//! Map: [`attacked`] holds the steps of every test of an attack; [`boot_rules`] the rules of boot loaders; [`repository`] a
//! TUF repository in memory, honest or not; [`sim`] the simulated device, stricter than a real one; [`invariants`] the
//! sentences that always hold; [`media`] flash that is worse than real flash; [`stand_in`] a device in memory behind the
//! real page.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, missing_docs, reason = "code of tests: a panic is the report")]

pub mod attacked;
pub mod boot_rules;
pub mod invariants;
pub mod media;
pub mod repository;
pub mod sim;
pub mod stand_in;
