//! The settings of a device: one file, written by its maker, read once at the start. A key that is not known is refused
//! with its line. `agent/dist/komainu.toml` shows every key with its default.
//!
//! Map: `settings_file` reads a maker's file, `toml` its text, `table_reader` the keys of a table with their defaults;
//! `identity` finds the device's id;
//! `settings`, `poll_settings`, `boot_settings`, `gate_settings`, `server_settings`, `ddi_settings`, `trial_settings`, `wall_settings` and `wall_lists` say
//! what the keys mean; `address` reads an address of the web, `boot_profile` the profile of a boot loader, and
//! `boot_rules` holds its meaning.

pub mod address;
pub mod boot_profile;
pub mod boot_rules;
pub mod boot_settings;
pub mod ddi_settings;
pub mod gate_settings;
pub mod identity;
pub mod identity_settings;
mod poll_settings;
#[cfg(feature = "profiles")]
pub mod profile_reader;
pub mod server_settings;
pub mod settings;
pub mod settings_file;
mod table_reader;
pub mod toml;
pub mod trial_settings;
mod wall_lists;
pub mod wall_settings;
