//! The whole: what tests of several crates share. Nobody depends on this crate.
//!
//! Map: [`attacked`] what every test of an attack does; [`repository`] a TUF repository in memory, honest or not; [`sim`] the simulated world, stricter than a
//! real one; [`invariants`] what must hold whatever happens; [`stand_in`] a device in memory behind the real page.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, missing_docs, reason = "code of tests: a panic is the report")]

pub mod attacked;
pub mod invariants;
pub mod repository;
pub mod sim;
pub mod stand_in;
