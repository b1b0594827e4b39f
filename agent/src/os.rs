//! Everything that touches LinuxDevice. Map: `world` is the one implementation of `World`; what it is made of has a
//! file each: `slots`, `boot_choice`, `state` (record and metadata), `volatile` (what a restart may lose),
//! `health`, `gate`, `firewall`, `remote` (the server), `look` and `end` (the wall's eyes on processes and sockets, and its
//! hand), and below them `files`, `program`, `programs`, `clock`, `wait` and the unsafe
//! calls in `sys`.

pub mod clock;
pub mod files;
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
