//! The words of the firewall: tables, chains, rules, matches and verdicts as data, and the facts about the device that
//! the rules depend on.

pub use crate::firewall::link_name::LinkName;
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
    /// A router's LAN gets the multicast that it joins on the WAN (IPTV): queries for listeners, and UDP to groups.
    pub multicast: bool,
    /// Tunnels of a VPN.
    pub vpn: Vpn,
    /// The kernel's own question for the way back (`rp_filter`).
    pub reverse_path: ReversePath,
    /// Packets above a limit, or under a false address, are dropped; else they are only counted.
    pub enforce_egress: bool,
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
            multicast: false,
            vpn: Vpn::default(),
            reverse_path: ReversePath::Off,
            enforce_egress: false,
            tcp_per_second: 50,
            udp_per_second: 2000,
            icmp_per_second: 20,
            scans_per_minute: 6,
        }
    }
}

/// How strictly the kernel asks whether an answer to a packet would go back by the link that it came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReversePath {
    /// Each value that the firmware has set is good.
    Off,
    /// By any link: several WANs, and IPTV beside the Internet, go on.
    Loose,
    /// By the same link.
    Strict,
}

/// The tunnels of a VPN on the device: neither LAN nor WAN.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vpn {
    /// Names of links, or their beginnings with a `*` behind. One that can be neither counts for nothing.
    pub links: Vec<String>,
    /// Ports of the device that may be reached by a tunnel: the first and the last.
    pub services: Vec<(Protocol, (u16, u16))>,
    /// A tunnel may begin connections to the LAN.
    pub to_lan: bool,
    /// A tunnel may begin connections to the WAN.
    pub to_wan: bool,
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

impl Table {
    /// Whether any packet may pass through the device.
    pub fn forwards(&self) -> bool {
        let through = self.chains.iter().filter(|chain| chain.hook == Hook::Forward);
        through.flat_map(|chain| &chain.rules).any(|rule| rule.verdict == Verdict::Accept)
    }
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

/// Where packets are looked at. From [`Hook::Strangers`] on, they are at no place of the kernel's: rules of other chains lead there
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
    /// The device's own packets, before they are held against the limits.
    Flood,
    /// Errors that the device tells (ICMP): no stranger on the WAN hears one.
    Errors,
    /// Multicast that comes in from the WAN.
    Multicast,
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
    /// It goes to a port from the first to the last.
    ToPorts(u16, u16),
    /// The type of an ICMP message.
    IcmpType(u8),
    /// The type and the code of an ICMP message.
    IcmpCode(u8, u8),
    /// Of a known connection, or about one.
    Known,
    /// Of no connection that makes sense.
    Invalid,
    /// In the direction of the answers; it stands after [`Match::Known`].
    Reply,
    /// In the direction of the first packet; it stands after [`Match::Known`].
    Original,
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
    /// Hosts tell which multicast of IPv4 they want.
    Igmp = 2,
    Tcp = 6,
    Udp = 17,
    /// The encrypted packets of IPsec.
    Esp = 50,
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
