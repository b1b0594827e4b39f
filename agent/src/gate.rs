//! The gate on Linux.

pub mod credential_store;
