//! Probes of the device's own ports: asking a listener shows the protocol that it speaks.

pub mod exposure;
pub mod telnet;
pub mod tls_greeting;
