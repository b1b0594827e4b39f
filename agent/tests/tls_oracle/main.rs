//! Our TLS provider against ring's, primitive by primitive and in whole handshakes; and the client's HTTPS
//! against servers that cannot prove who they are. Keys and chains are made afresh with the `openssl` tool.

#![allow(
    clippy::unwrap_used,
    clippy::result_large_err,
    clippy::disallowed_methods,
    reason = "a panic is the report; files here are scratch"
)]

mod chains;
mod handshakes;
mod https;
mod primitives;
mod rsa;
mod signatures;
