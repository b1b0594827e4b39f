//! The U-Boot environment, read and written as `fw_printenv` and `fw_setenv` do. Map: `env_config` its place,
//! `env_image` one copy as bytes, `variables` its content, `environment` the transaction, `env_place` the place of a copy
//! (`env_storage` files and block devices, `env_mtd` and `env_ubi` raw flash), `env_lock` the lock of the tools,
//! `env_layouts` guesses for messages, `env_fault` the faults. Nothing here knows the meaning of any variable.

pub mod env_config;
pub mod env_fault;
pub mod env_image;
mod env_layouts;
mod env_lock;
mod env_mtd;
mod env_place;
mod env_storage;
mod env_ubi;
pub mod environment;
pub mod variables;
