//! The settings of a device: one file, written by its maker, read once at the start. A key that is not known is refused
//! with its line. `agent/dist/komainu.toml` shows every key with its default.
//!
//! Map: `identity` finds the device's id, `toml` reads the file, `table_reader` the keys of a table with their defaults;
//! `settings`, `server_settings`, `gate_settings`, `wall_settings` and `wall_lists` say what the keys mean; `address` reads
//! an address of the web.

pub mod address;
pub mod gate_settings;
pub mod identity;
pub mod server_settings;
pub mod settings;
mod table_reader;
pub mod toml;
mod wall_lists;
pub mod wall_settings;
