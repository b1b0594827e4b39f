//! The gate: what a device asks of its owner before it works. Map:
//!
//! - [`asks`]: what the page, which has no privileges, may ask of the agent, which has them, and the answers.
//! - [`rule`]: which passwords are good enough, and why others are not. Pure.
//! - [`credential`]: crypt strings, and the files that hold them, as text in and text out. Pure.
//! - [`page`]: the setup page and the status page: requests in, answers out. Pure.
//! - [`server`]: the connections around it.
//! - [`throttle`]: how long to wait after wrong passwords. Pure.
#![forbid(unsafe_code)]

mod constant_time;
pub mod credential;
pub mod ipc;
pub mod login_throttle;
pub mod page;
pub mod password_rule;
pub mod server;
mod source_prefix;
