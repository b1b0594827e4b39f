//! The gate on LinuxDevice.

pub mod credential_store;
