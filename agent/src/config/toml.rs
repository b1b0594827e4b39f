//! Reads a settings file: a strict subset of TOML 1.0, small enough for a device, in which every key is asked
//! for by name and anything not asked for is refused. Here is the asking; `reader` turns text into tables and
//! `placing` puts each where it belongs.
//!
//! The text it takes means the same to every TOML reader. It takes tables, arrays of tables, bare keys, basic and
//! literal strings, decimal integers, booleans, and arrays of strings or of integers; at most 64 KiB, tables
//! four deep, 64 entries in each array or table. Everything else is refused with its line.
//!
//! ```
//! # use komainu_agent::config::toml::reader::parse;
//! # use komainu_agent::config::toml::table::SettingsFault;
//! # fn main() -> Result<(), SettingsFault> {
//! let mut top = parse("[server]\nurl = \"https://updates.example\"\n")?;
//! let mut server = top.take_table("server")?;
//! let url = server.required_string("url")?;
//! let interval_seconds = server.integer("interval_seconds", 60..=604_800)?.unwrap_or(3_600);
//! server.finish()?;
//! top.finish()?;
//! # assert_eq!((url.as_str(), interval_seconds), ("https://updates.example", 3_600));
//! # Ok(())
//! # }
//! ```

mod placing;
pub mod reader;
pub mod table;
