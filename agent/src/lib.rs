//! What a device does: `World` for Linux, settings, log, TLS and HTTP. Map of the parts; no code here.

pub mod linux;
