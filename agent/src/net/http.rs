//! HTTP/1.1 for a client that only reads.

mod body;
pub mod client;
mod faults;
mod head;
mod http_connection;
mod idle;
mod proxy;
mod redirect;
mod response;
pub mod stream;
pub(crate) mod transfer_limits;
