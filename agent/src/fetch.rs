//! Fetching over HTTP and TLS: what a device asks of the network. Map of the parts; no code here.
//!
//! TLS keeps what is fetched private. Trust never rests on it: every file is proved by its signatures and
//! hashes, whoever sent it.

// A fault carries its sentence within itself, so that the core needs no heap; it is made once per failed fetch.
#![allow(clippy::result_large_err)]

mod answer;
pub mod connector;
pub(crate) mod faults;
pub mod http;
mod pace;
pub mod provider;
mod redirect;
mod resolver;
pub mod roots;
pub(crate) mod socket;
pub mod stream;
mod versioned;
