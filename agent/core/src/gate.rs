//! The gate: a device is not usable before its owner has set a password. `plan` decides, `execute` holds the order of the steps.

pub(crate) mod execute;
pub mod plan;
pub mod state;
