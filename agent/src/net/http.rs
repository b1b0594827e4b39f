//! HTTP/1.1 for a client that only reads.

pub mod client;
pub mod connector;
pub(crate) mod faults;
pub(crate) mod redirect;
pub(crate) mod request_line;
pub(crate) mod response;
pub mod stream;
pub(crate) mod transfer_limits;
