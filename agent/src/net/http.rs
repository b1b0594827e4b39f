//! HTTP/1.1 for a client that only reads.

mod body;
pub mod client;
mod connection;
mod faults;
mod head;
mod idle;
mod proxy;
mod redirect;
mod response;
pub mod stream;
pub(crate) mod transfer_limits;
