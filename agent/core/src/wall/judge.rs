//! The judges of the wall: pure functions, a file a subject. Each reads a part of the observation and adds to the report.

pub mod accounts;
pub mod authorized_keys;
pub mod autostart;
pub mod confinement;
pub mod egress;
pub mod exposure;
pub mod infection;
pub mod integrity;
pub mod links;
pub mod mounts;
pub mod services;
pub mod sysctl;
pub mod upnp;
pub mod vulnerabilities;
pub mod wan_access;
pub mod watchdog;
