//! The wall's eyes and hands on LinuxDevice.

pub mod accounts;
pub mod autostart;
pub mod driver;
pub(crate) mod firmware_identity;
pub mod forensics;
pub(crate) mod incident_store;
pub mod integrity;
pub(crate) mod own_processes;
pub mod probe;
pub mod quarantine;
pub(crate) mod remediate;
pub mod remount;
pub mod scan;
pub mod security_log;
pub mod sysctl;
pub mod vulnerabilities;
