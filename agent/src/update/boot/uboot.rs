//! The U-Boot environment, read and written as `fw_printenv` and `fw_setenv` do. Map: `config` where it lies,
//! `image` one copy as bytes, `variables` what is in it, `environment` the transaction, `device` files and
//! block devices, `fault` what can go wrong. Nothing here knows what any variable means.

pub mod env_config;
pub mod env_fault;
pub mod env_image;
mod env_storage;
pub mod environment;
pub mod variables;
