//! The words of the firewall: tables, chains, rules, matches and verdicts as data, and the facts about the device that
//! the rules depend on.

use crate::gate::state::GateState;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

/// The mark of the agent's own sockets (`SO_MARK`): while closed, little else reaches the WAN.
pub const MARK: u32 = 0x6b6f_6d61;

/// Facts about the device that the rules depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Links {
    /// Names of the LAN's links. One that cannot be a link's name counts for nothing.
    pub lan: Vec<String>,
    /// The networks of the LAN links, besides those that always count as LAN subnets.
    pub lan_subnets: Vec<Network>,
    /// Where the page listens (TCP).
    pub page_port: u16,
    /// Where our name server listens (UDP), while closed.
    pub dns_port: u16,
}

/// The traffic that may pass an open device, by the maker's policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// It forwards between LAN and WAN: a router. Any other device forwards nothing.
    pub forwards: bool,
    /// Packets from the LAN need a source address of a LAN subnet: private, link-local, or of the link's own network.
    /// For devices in a network of another operator, where a forwarded port would lead strangers in.
    pub lan_subnets_only: bool,
    /// Ways in from the WAN to the device itself.
    pub wan_rules: Vec<WanRule>,
    /// Ways in from the WAN to hosts in the LAN; the vendor's firmware translates the addresses.
    pub port_forwards: Vec<PortForward>,
    /// The device is cut off from the WAN except for the agent's own packets, because of an infection.
    pub contained: bool,
    /// Most new connections of TCP that the device itself may begin, in a second.
    pub tcp_per_second: u32,
    /// Most packets of UDP that it may send, in a second.
    pub udp_per_second: u32,
    /// Most packets of ICMP that it may send, in a second.
    pub icmp_per_second: u32,
    /// Most new connections to ports that bots scan, in a minute, by the device itself.
    pub scans_per_minute: u32,
}

impl Default for Traffic {
    /// The default where the maker says nothing: a device that is no router.
    fn default() -> Traffic {
        Traffic {
            forwards: false,
            lan_subnets_only: true,
            wan_rules: Vec::new(),
            port_forwards: Vec::new(),
            contained: false,
            tcp_per_second: 50,
            udp_per_second: 2000,
            icmp_per_second: 20,
            scans_per_minute: 6,
        }
    }
}

/// A network: an address and its prefix length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// The address; bits beyond the prefix are zero.
    pub address: IpAddr,
    /// Prefix length: at most 32 or 128.
    pub prefix: u8,
}

impl Network {
    /// Its version of IP.
    pub fn family(&self) -> Family {
        if self.address.is_ipv4() { Family::V4 } else { Family::V6 }
    }
}

/// A way in from the WAN to the device itself: remote administration, or an ACS that asks for a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WanRule {
    /// From where; none: from nowhere.
    pub from: Vec<Network>,
    /// TCP or UDP.
    pub protocol: Protocol,
    pub port: u16,
}

/// A way in from the WAN to a host in the LAN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortForward {
    pub to: IpAddr,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The port there.
    pub port: u16,
}

/// Traffic that may pass the firewall beyond the settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FirewallGrants {
    /// Ways in from the WAN to the device.
    pub wan_rules: Vec<WanRule>,
    /// Ways in from the WAN to hosts in the LAN.
    pub port_forwards: Vec<PortForward>,
    /// The link named as LAN looks like a WAN: only addresses of LAN subnets are let in there.
    pub lan_subnets_only: bool,
    /// The device is cut off from the WAN.
    pub contained: bool,
}

/// All that is wanted of the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The state of the gate that it is for.
    pub gate_state: GateState,
    /// It cuts the device off from the WAN.
    pub contained: bool,
    /// At most one for each [`Hook`].
    pub chains: Vec<Chain>,
}

/// The rules of one place that packets pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    pub hook: Hook,
    /// Lower numbers are asked first; vendors use 0, and -100 for addresses.
    pub priority: i32,
    /// The verdict for packets that match no rule: [`Verdict::Accept`] or [`Verdict::Drop`].
    pub policy: Verdict,
    /// The first that matches decides.
    pub rules: Vec<Rule>,
}

/// Where packets are looked at. The last four are at no place of the kernel's: rules of other chains lead there
/// ([`Verdict::Ask`]), and only [`Verdict::Drop`] and [`Verdict::Return`] mean the same in them everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Every packet, before any other processing.
    Early,
    /// To the device.
    Input,
    /// Through the device.
    Forward,
    /// From the device.
    Output,
    /// Before routing, where their address may be changed.
    Redirect,
    /// Packets that no rule accepts: they are counted and dropped.
    Strangers,
    /// Packets from outside the LAN subnets are a stranger's.
    Far,
    /// The device's own packets with a source address that is not its own.
    Foreign,
    /// The device's own new connections to ports that bots scan.
    Scan,
}

/// All matches must hold; with none the rule is for every packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The conditions of the rule.
    pub matches: Vec<Match>,
    /// The verdict on a packet that matches.
    pub verdict: Verdict,
    /// The name under which matching packets are counted.
    pub counted: Option<Counted>,
}

/// One condition. Conditions stand in this order: family, source and destination, links, protocol, and then ports and
/// types before flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// IPv4 or IPv6; without it, both.
    Family(Family),
    /// It came in by this link.
    In(LinkName),
    /// It goes out by this link.
    Out(LinkName),
    /// The protocol above IP.
    Protocol(Protocol),
    /// The port that it comes from.
    From(u16),
    /// The port that it goes to.
    To(u16),
    /// The type of an ICMP message.
    IcmpType(u8),
    /// Of a known connection, or about one.
    Known,
    /// Of no connection that makes sense.
    Invalid,
    /// In the direction of the answers; it stands after [`Match::Known`].
    Reply,
    /// The socket's mark.
    Mark(u32),
    /// It comes from an address of this network; it stands after the [`Match::Family`].
    Source(Network),
    /// It comes from elsewhere; it stands after the [`Match::Family`].
    NotSource(Network),
    /// It goes to an address of this network; it stands after the [`Match::Family`].
    Destination(Network),
    /// It comes from an address that is not the device's own.
    ForeignSource,
    /// A packet to the source address would not leave by the link that this one came in by (reverse path).
    NoWayBack,
    /// The first of a connection; it stands after the [`Match::Protocol`] TCP.
    Syn,
    /// There were more such packets than this.
    Over(Rate),
}

/// A rate that is too high. For iptables, all rules with the same [`Rate::name`] share one counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The name of the limit, in one lower-case word.
    pub name: &'static str,
    /// So many, at least 1.
    pub packets: u32,
    /// In so many seconds: 1 or 60.
    pub seconds: u32,
    /// The burst: this many at once are allowed.
    pub burst: u32,
}

/// A version of IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

/// A protocol in IP, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Protocol {
    /// ICMP of IPv4.
    Icmp = 1,
    Tcp = 6,
    Udp = 17,
    /// ICMP of IPv6.
    Icmp6 = 58,
}

/// The verdict on a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may pass our table.
    Accept,
    /// It is gone, without a word.
    Drop,
    /// The connection is refused at once (TCP).
    Reset,
    /// The sender gets "port unreachable".
    Unreachable,
    /// It ends at this port of the device instead.
    Redirect(u16),
    /// Another chain is asked; if that says nothing, the next rule is.
    Ask(Hook),
    /// Back to the rule behind the one that led here.
    Return,
    /// It is counted; the next rule is asked.
    Count,
}

/// A link's name as kernels have it: at most 15 bytes, and zeros behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkName([u8; 16]);

impl LinkName {
    /// The link to the device itself.
    pub const LOOPBACK: LinkName = LinkName(*b"lo\0\0\0\0\0\0\0\0\0\0\0\0\0\0");

    /// `None` if it cannot be a link's name, or would mean more than one link to iptables.
    pub fn new(name: &str) -> Option<LinkName> {
        let may_begin = name.as_bytes().first().is_some_and(|first| !b"-!.".contains(first));
        let may_be = |byte: u8| byte.is_ascii_graphic() && !b"/:+*\"'\\".contains(&byte);
        if !may_begin || !name.bytes().all(may_be) {
            return None;
        }
        let mut bytes = [0; 16];
        bytes[..15].get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        Some(LinkName(bytes))
    }

    /// With the zeros behind.
    pub fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// As people write it.
    pub fn as_str(&self) -> &str {
        let length = self.0.iter().position(|byte| *byte == 0).unwrap_or(16);
        str::from_utf8(&self.0[..length]).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_name_of_one_link_is_a_link_name() {
        for good in ["br-lan", "eth0.1", "wlan0", "a", "123456789012345"] {
            assert_eq!(LinkName::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "1234567890123456", "eth+", "-j", "!lo", "a b", "a\nb", "a/b", "..", "é", "a\"b"] {
            assert_eq!(LinkName::new(bad), None, "{bad}");
        }
    }
}

/// The names under which packets are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Turned away: an unwanted packet.
    Stranger,
    /// The device itself began more connections to ports that bots scan than it may: a sign that it is taken.
    Scan,
    /// The device itself sent more than it may: a sign that it is taken.
    Flood,
    /// The device itself sent from an address that is not its own: a sign that it is taken.
    Spoof,
    /// A host in the LAN began a connection to a port that bots scan; it went on.
    LanScan,
    /// A host in the LAN sent from an address that does not belong there.
    LanSpoof,
}

impl Counted {
    /// Its fixed name, for people and logs.
    pub fn name(self) -> &'static str {
        match self {
            Counted::Stranger => "stranger",
            Counted::Scan => "scan",
            Counted::Flood => "flood",
            Counted::Spoof => "spoof",
            Counted::LanScan => "lan-scan",
            Counted::LanSpoof => "lan-spoof",
        }
    }
}
