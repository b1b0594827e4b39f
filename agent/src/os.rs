//! The operating system: the agent's requests to Linux, without their purpose.
//!
//! Map: `sys` the unsafe system calls; `clock` the clocks; `files` replacing and reading the agent's own files,
//! `foreign_file` every other file, `flash` raw flash, `untrusted_file` reading one by its path, `safe_names` signed names as file names; `process` starting, running and ending programs;
//! `procfs` readers of `/proc`; `privileges` capabilities that are given up, `sandbox` the seccomp filters; `watchdog` the
//! device's watchdog; `wakeup` the wait for signals and sockets; `log_output` the places of log lines.

pub mod clock;
pub mod files;
pub mod flash;
pub mod foreign_file;
pub mod log_output;
pub mod privileges;
pub mod process;
pub mod procfs;
pub mod safe_names;
pub mod sandbox;
pub mod sys;
#[cfg(test)]
pub(crate) mod test_namespace;
pub mod untrusted_file;
pub mod wakeup;
pub mod watchdog;
