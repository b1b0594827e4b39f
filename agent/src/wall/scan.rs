//! Looking at the device's processes, sockets and mounts.
//!
//! Map: `scanner` puts a look together and remembers the facts that are expensive to find out; `executable` and
//! `open_files` look at one process; `ports` gathers the sockets; `medium` says on which medium a program lies,
//! and `namespaces` in which views of the device a process lives.

pub mod executable;
pub mod medium;
mod namespaces;
pub mod open_files;
mod ports;
pub mod scanner;
