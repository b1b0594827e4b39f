//! The policy: everything that the maker allows on this kind of device. A program, port or file that it does not name
//! is not allowed.

use super::process_snapshot::Transport;
use crate::firewall::table::Network;
use crate::firewall::table::Protocol;
use crate::firewall::table::Traffic;
use alloc::string::String;
use alloc::vec::Vec;
use komainu_trust::Moment;

/// The networks from which a service may be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// From the device itself only.
    Loopback,
    /// From the LAN: it may be bound anywhere, the firewall keeps the WAN away.
    Lan,
}

/// A service that may listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The program behind it: the name of a program or applet (`dnsmasq`), or a path. Empty: any program of the
    /// firmware's.
    pub program: String,
    pub transport: Transport,
    /// The first and the last of its ports; for raw sockets the protocol.
    pub ports: (u16, u16),
    pub reach: Reach,
}

/// A way in that the maker, or the owner, wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WanAccess {
    /// It is for an ACS that asks the device to call back.
    pub is_acs: bool,
    pub port: u16,
    /// TCP or UDP.
    pub protocol: Protocol,
    pub from: Vec<Network>,
    /// When it ends.
    pub until: Option<Moment>,
}

/// The answer to a service that is not listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlisted {
    /// It is ended.
    Stop,
    /// It is reported.
    Report,
}

/// A file whose change needs the owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtectedPath {
    pub path: String,
    /// Its content, for people: DNS, accounts, firewall, start scripts.
    pub what: String,
    /// A change without a session of the owner's is undone; else it is reported.
    pub restore: bool,
}

/// The answers that the device gives by itself when it finds an infection. An operator can ask for each of them, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Automatic {
    /// Cut it off from the WAN; the owner's page stays.
    pub contain: bool,
    /// Keep the traces.
    pub evidence: bool,
    /// Restart it: most malware on such devices lives only in RAM.
    pub restart: bool,
    /// Ask the owner for a new password before it goes online again.
    pub new_password: bool,
    /// Look for an update at once.
    pub update: bool,
    /// Write the signed firmware anew into the other slot, and start that.
    pub reimage: bool,
}

/// The policy of this device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The kind of device, for people: `router`, `camera`; `strict` where the maker's kind is not known.
    pub kind: String,
    /// Programs that may listen, and their ports.
    pub services: Vec<Service>,
    /// The answer to any other listening program.
    pub unlisted: Unlisted,
    /// SSH may be reached from the LAN.
    pub ssh: bool,
    /// Accounts that may log in with a password, besides the owner's.
    pub accounts: Vec<String>,
    /// Keys that may log in, by their fingerprints as `ssh-keygen -l` shows them: `SHA256:` and base64 without `=`.
    pub keys: Vec<String>,
    /// Programs outside the firmware that may run: path beginnings, each ending with `/`, or whole paths.
    pub programs: Vec<String>,
    /// Programs that may have raw sockets (ping, pppd, DHCP clients) or write to flash, by name.
    pub privileged: Vec<String>,
    /// Files whose change needs the owner.
    pub integrity: Vec<ProtectedPath>,
    /// Mounts that no program may be started from.
    pub noexec_mounts: Vec<String>,
    /// The traffic that may pass the firewall of an open device, without the grants that each look judges anew.
    pub traffic: Traffic,
    /// Ways in from the WAN that the maker or the owner wants.
    pub wan_access: Vec<WanAccess>,
    /// The device's own answers to an infection.
    pub automatic: Automatic,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A policy that allows nothing, reports, and answers nothing by itself.
    pub(crate) fn bare() -> Policy {
        Policy {
            kind: "strict".into(),
            services: Vec::new(),
            unlisted: Unlisted::Report,
            ssh: false,
            accounts: Vec::new(),
            keys: Vec::new(),
            programs: Vec::new(),
            privileged: Vec::new(),
            integrity: Vec::new(),
            noexec_mounts: Vec::new(),
            traffic: Traffic::default(),
            wan_access: Vec::new(),
            automatic: Automatic {
                contain: false,
                evidence: false,
                restart: false,
                new_password: false,
                update: false,
                reimage: false,
            },
        }
    }
}
