//! HTTP/1.1 for a client that reads, and tells a fleet server how it went: ureq, on connections of ours.

pub mod client;
mod connector;
#[cfg(feature = "ddi")]
pub mod exchange;
mod faults;
mod head;
mod http_connection;
mod proxy;
mod redirect;
mod request_line;
mod response;
pub mod stream;
pub(crate) mod transfer_limits;
