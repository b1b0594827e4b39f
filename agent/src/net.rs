//! Fetching over HTTP and TLS: what a device asks of the network. Map of the parts; no code here.
//!
//! TLS keeps what is fetched private. Trust never rests on it: every file is proved by its signatures and
//! hashes, whoever sent it.

// A fault carries its sentence within itself, so that the core needs no heap; it is made once per failed fetch.
#![allow(clippy::result_large_err)]

pub mod http;
mod resolver;
pub(crate) mod socket;
pub mod tls;
