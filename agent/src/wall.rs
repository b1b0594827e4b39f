//! The wall on this device: observing it, remediating the weaknesses that the core finds, and the parts needed for
//! that.
//!
//! Map: `driver` puts an observation together; `scan` processes, sockets and mounts, `probe` telnet and TLS probes,
//! `accounts`, `autostart`, `sysctl`, `integrity` and `vulnerabilities` a subject each; `glance` tells whether files have
//! changed that three of them read; `remediate` carries out
//! remediations, `remount` those of mounts, `quarantine` keeps files that were taken away, `forensics` evidence;
//! `security_log` holds the events, `log_events` chooses them, `known_events` leaves out those of every start, `incident_store` the facts that outlast a restart.

pub mod accounts;
pub mod autostart;
pub mod driver;
pub(crate) mod firmware_identity;
pub mod forensics;
mod glance;
pub(crate) mod incident_store;
pub mod integrity;
pub(crate) mod known_events;
mod log_events;
pub(crate) mod own_processes;
pub mod probe;
pub mod quarantine;
pub(crate) mod remediate;
pub mod remount;
pub mod scan;
pub mod security_log;
pub mod sysctl;
pub mod vulnerabilities;
