//! Probes of the device's own ports: what a listener speaks is found out by asking it.

pub mod telnet;
pub mod tls_greeting;
