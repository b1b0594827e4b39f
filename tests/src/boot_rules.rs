//! Models of boot loaders: the rule by which each chooses a slot, on flash whose power can go at every write. They read and
//! write the media by code of their own, so that the agent's is held against something else.
//!
//! Map: [`flash`] is the flash, [`saved_environment`] U-Boot's environment on it, [`loaders`] the rules, with
//! those that keep flags of their own in [`flag_loaders`], [`profiles`] the shipped profiles.

pub mod flag_loaders;
pub mod flash;
pub mod loaders;
pub mod profiles;
pub mod saved_environment;
