//! The policy: everything that the maker allows on this kind of device. A program, port or file that it does not name
//! is not allowed.

use super::measures::{Measure, TABLE};
use super::process_snapshot::Transport;
use super::remediation;
use super::report::Finding;
use crate::firewall::table::Network;
use crate::firewall::table::Protocol;
use crate::firewall::table::Traffic;
use alloc::format;
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
    /// It gives to everybody in the LAN what it gives: pictures without a log-in are meant.
    pub public: bool,
}

/// The purpose of a way in from the WAN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Remote administration, with TLS and an end.
    Admin,
    /// An ACS that asks the device to call back.
    Acs,
    /// The handshake and the packets of a VPN.
    Vpn,
}

impl Service {
    /// Its socket, as policies write it: `tcp/80`, `udp/5000-5100`, `raw/1`, `packet`.
    pub fn listens(&self) -> String {
        let (name, (first, last)) = (self.transport.name(), self.ports);
        match self.transport {
            Transport::Packet => name.into(),
            _ if first == last => format!("{name}/{first}"),
            _ => format!("{name}/{first}-{last}"),
        }
    }

    /// Reads the transport and ports of such words.
    pub fn parse_listens(word: &str) -> Option<(Transport, (u16, u16))> {
        if word == "packet" {
            return Some((Transport::Packet, (0, u16::MAX)));
        }
        let (transport, ports) = word.split_once('/')?;
        let (from, to) = ports.split_once('-').unwrap_or((ports, ports));
        let number = |word: &str| u16::try_from(word.parse::<u32>().ok()?).ok();
        let ports = (number(from)?, number(to)?);
        let all = [Transport::Tcp, Transport::Udp, Transport::Raw];
        let transport = all.into_iter().find(|one| one.name() == transport)?;
        (ports.0 <= ports.1 && (ports.0 > 0 || transport == Transport::Raw)).then_some((transport, ports))
    }
}

/// A way in that the maker, or the owner, wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WanAccess {
    pub purpose: Purpose,
    pub port: u16,
    /// TCP or UDP.
    pub protocol: Protocol,
    pub from: Vec<Network>,
    /// When it ends.
    pub until: Option<Moment>,
}

/// A word of `enforce`: what the wall does, and not only tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enforce {
    /// Every row, and the answers to an infection.
    All,
    /// Every remediation of this row.
    Row(Measure),
    /// This kind of remediation, in every row.
    Kind(&'static str),
    /// An infection is answered: what belongs to it is ended, and `incident_response` is carried out.
    Infection,
}

/// The rows that are enforced as shipped: the WAN is closed, telnet is ended, well-known passwords are refused, and a free
/// watchdog is held.
pub const ENFORCED_AS_SHIPPED: [Enforce; 5] = [
    Enforce::Row(Measure::Firewall),
    Enforce::Row(Measure::WanAdmin),
    Enforce::Row(Measure::Telnet),
    Enforce::Row(Measure::Passwords),
    Enforce::Kind("hold-watchdog"),
];

/// Programs that Linux devices of all kinds need raw sockets, flash or disks for: addresses, links, routes, file systems,
/// flash and boot loaders.
pub const PRIVILEGED_AS_SHIPPED: &str = "\
    udhcpc udhcpc6 udhcpd dhclient dhcpcd dhcpd dhcp6c dhcp6s dhcrelay odhcpd odhcp6c dnsmasq zcip \
    avahi-autoipd systemd-networkd NetworkManager connmand pppd pppoe pppoe-discovery pppoe-relay \
    xl2tpd ping ping6 arping fping traceroute traceroute6 mtr mtr-packet hostapd wpa_supplicant wpad \
    wpa_cli iwd lldpd lldpcli ladvd mstpd radvd rdnssd ndppd relayd 6relayd igmpproxy mcproxy omcproxy \
    smcroute smcrouted improxy keepalived ospfd ospf6d zebra bird babeld olsrd batmand alfred usteerd \
    dawn miniupnpd snmpd mount umount mtd fw_setenv fw_printenv ubiupdatevol ubiattach ubimkvol \
    ubirmvol ubiformat nandwrite flashcp flash_erase flash_eraseall sysupgrade fsck e2fsck fsck.ext4 \
    fsck.fat fsck.vfat fsck.exfat fsck.f2fs fsck.hfsplus dosfsck mkfs mke2fs mkfs.ext4 mkfs.fat \
    mkfs.vfat mkfs.f2fs mkfs.ubifs mkfs.xfs mkfs.btrfs mkswap tune2fs resize2fs e2label ntfs-3g ntfsfix \
    mount.ntfs-3g mount.exfat-fuse mdadm mdmon lvm cryptsetup parted sfdisk fdisk sgdisk hdparm \
    smartctl smartd blkid fstrim xfs_repair btrfs udevd systemd-udevd udisksd";

/// Folders where everybody may write, and no program needs to be started.
pub const NOEXEC_AS_SHIPPED: [&str; 6] = ["/tmp", "/var", "/run", "/dev", "/dev/shm", "/mnt"];

impl Enforce {
    /// The one with this name: `all`, `infection`, the id of a measure, or the name of a kind of remediation.
    pub fn parse(name: &str) -> Option<Enforce> {
        match name {
            "all" => return Some(Enforce::All),
            "infection" => return Some(Enforce::Infection),
            _ => {}
        }
        let row = TABLE.iter().find(|row| row.id == name).map(|row| Enforce::Row(row.measure));
        row.or_else(|| remediation::kind(name).map(|kind| Enforce::Kind(kind.name)))
    }

    /// Its name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Enforce::All => "all",
            Enforce::Infection => "infection",
            Enforce::Row(measure) => measure.row().id,
            Enforce::Kind(name) => name,
        }
    }
}

/// A file whose change needs the owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtectedPath {
    pub path: String,
    /// Its content, for people: DNS, accounts, firewall, start scripts.
    pub what: String,
    /// A change without a session of the owner's is undone, where `enforce` says so; else it is told.
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

impl Automatic {
    /// The device gives no answer by itself.
    pub const NOTHING: Automatic = Automatic {
        contain: false,
        evidence: false,
        restart: false,
        new_password: false,
        update: false,
        reimage: false,
    };
}

/// The policy of this device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The kind of device, for people: `router`, `camera`; `strict` where the maker's kind is not known.
    pub kind: String,
    /// Programs that may listen, and their ports.
    pub services: Vec<Service>,
    /// What the wall does; everything else it only tells.
    pub enforce: Vec<Enforce>,
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

impl Policy {
    /// The finding's remediation is carried out.
    pub fn enforces(&self, finding: &Finding) -> bool {
        let Some(kind) = finding.kind else { return false };
        finding.is_infection() && self.enforce.contains(&Enforce::Infection)
            || self.enforces_kind(finding.measure, kind.name)
    }

    /// Remediations of this kind are carried out in this row.
    pub fn enforces_kind(&self, row: Measure, kind: &str) -> bool {
        self.enforce.iter().any(|enforce| match *enforce {
            Enforce::All => true,
            Enforce::Row(measure) => measure == row,
            Enforce::Kind(name) => name == kind,
            Enforce::Infection => false,
        })
    }

    /// An infection is answered, and not only told.
    pub fn answers_infections(&self) -> bool {
        self.enforce.iter().any(|enforce| matches!(enforce, Enforce::All | Enforce::Infection))
    }

    /// The row is enforced as a whole.
    pub fn enforces_row(&self, row: Measure) -> bool {
        self.enforce.iter().any(|enforce| *enforce == Enforce::All || *enforce == Enforce::Row(row))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A policy that allows nothing, enforces everything, and answers nothing by itself.
    pub(crate) fn bare() -> Policy {
        Policy {
            kind: "strict".into(),
            services: Vec::new(),
            enforce: alloc::vec![Enforce::All],
            ssh: false,
            accounts: Vec::new(),
            keys: Vec::new(),
            programs: Vec::new(),
            privileged: Vec::new(),
            integrity: Vec::new(),
            noexec_mounts: Vec::new(),
            traffic: Traffic::default(),
            wan_access: Vec::new(),
            automatic: Automatic::NOTHING,
        }
    }
}
