//! Fetching over HTTP and TLS: the device's requests to the network. Map of the parts; no code here.
//!
//! TLS keeps fetched files private. Trust never rests on it: every file is proved by its signatures and
//! hashes, from any sender.

// A fault carries its sentence within itself, so that the core needs no heap; it is made once per failed fetch.
#![allow(clippy::result_large_err)]

pub mod http;
mod resolver;
pub(crate) mod socket;
pub mod tls;
