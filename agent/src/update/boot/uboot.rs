//! The U-Boot environment, read and written as `fw_printenv` and `fw_setenv` do. Map: `env_config` its place,
//! `env_image` one copy as bytes, `variables` its content, `environment` the transaction, `env_storage` files and
//! block devices, `env_fault` the faults. Nothing here knows the meaning of any variable.

pub mod env_config;
pub mod env_fault;
pub mod env_image;
mod env_storage;
pub mod environment;
pub mod variables;
