//! TLS 1.3 for a client.

pub mod provider;
pub mod roots;
