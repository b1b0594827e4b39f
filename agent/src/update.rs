//! The update on a device: sources that bring bytes, storage that keeps them, the boot flow that starts them.

pub mod boot;
pub mod example_keys;
pub mod health;
pub mod runtime_state;
pub mod source;
pub mod storage;
pub mod store;
