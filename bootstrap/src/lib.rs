//! The gate: a device does not work before its owner has set a good password. Map:
//!
//! - [`password_rule`]: the password rule and its reasons. Pure.
//! - [`credential`]: crypt strings, and the account files that hold them, as text in and text out. Pure.
//! - [`login_throttle`]: the rate limit of log-ins. Pure.
//! - [`page`]: the captive portal with the setup page, and the status page: requests in, responses out. Pure.
//! - [`server`]: the sockets and connections of the page process.
//! - [`json`]: the one JSON writer. Pure.
//! - [`ipc`]: the messages between the page process, which has no privileges, and the agent.
#![forbid(unsafe_code)]

pub mod constant_time;
pub mod credential;
pub mod ipc;
pub mod json;
pub mod login_throttle;
pub mod page;
pub mod password_rule;
pub mod server;
pub mod source_prefix;
