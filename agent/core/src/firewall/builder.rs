//! Shared parts of every rule list: adding a rule, and the addresses and messages that every link needs.

use crate::firewall::table::Counted;
use crate::firewall::table::Family;
use crate::firewall::table::Hook;
use crate::firewall::table::LinkName;
use crate::firewall::table::Match;
use crate::firewall::table::Match::IcmpType;
use crate::firewall::table::Match::In;
use crate::firewall::table::Match::To;
use crate::firewall::table::Match::{Destination, Source};
use crate::firewall::table::Network;
use crate::firewall::table::Protocol::Icmp6;
use crate::firewall::table::Protocol::Udp;
use crate::firewall::table::Rule;
use crate::firewall::table::Traffic;
use crate::firewall::table::Verdict;
use crate::firewall::table::Verdict::Accept;
use crate::firewall::table::Verdict::Ask;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::net::Ipv4Addr;
use core::net::Ipv6Addr;
pub const V4: Match = Match::Family(Family::V4);

pub const V6: Match = Match::Family(Family::V6);

/// IPv6 does not work without these: four kinds of errors, the router's query for listeners (MLD), routers and
/// neighbours. The kernel takes the last three from the link only.
const ICMP6_IN: [u8; 8] = [1, 2, 3, 4, 130, 134, 135, 136];

pub const fn v4(a: u8, b: u8, prefix: u8) -> Network {
    Network { address: IpAddr::V4(Ipv4Addr::new(a, b, 0, 0)), prefix }
}

pub const fn v6(first: u16, prefix: u8) -> Network {
    Network { address: IpAddr::V6(Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, 0)), prefix }
}

const LINK_LOCAL: Network = v6(0xfe80, 10);

/// Groups that many hosts listen to (multicast).
pub const GROUPS: [Network; 2] = [v4(224, 0, 4), v6(0xff00, 8)];

/// Networks from which no router brings packets from far away.
pub const LAN_SUBNETS: [Network; 6] =
    [v4(10, 0, 8), v4(172, 16, 12), v4(192, 168, 16), v4(169, 254, 16), LINK_LOCAL, v6(0xfc00, 7)];

/// The source addresses of a host that has no address yet.
pub const UNSPECIFIED: [Network; 2] = [v4(0, 0, 32), v6(0, 128)];

/// Adds a rule.
pub fn add(rules: &mut Vec<Rule>, matches: &[Match], verdict: Verdict) {
    rules.push(Rule { matches: matches.to_vec(), verdict, counted: None });
}

/// Adds a rule that counts.
pub fn add_counted(rules: &mut Vec<Rule>, matches: &[Match], counted: Counted, verdict: Verdict) {
    rules.push(Rule { matches: matches.to_vec(), verdict, counted: Some(counted) });
}

/// Accepts the messages from outside that a device needs in order to have addresses at all (DHCP, neighbours), from
/// any host. Answers of DHCP may come from any port. Those of DHCPv6 belong to the link: no router carries an address
/// of a link further.
pub fn add_addresses_in(rules: &mut Vec<Rule>) {
    add(rules, &[V4, Match::Protocol(Udp), To(68)], Accept);
    for on_link in [Source(LINK_LOCAL), Destination(LINK_LOCAL)] {
        add(rules, &[V6, on_link, Match::Protocol(Udp), To(546)], Accept);
    }
    for kind in ICMP6_IN {
        add(rules, &[V6, Match::Protocol(Icmp6), IcmpType(kind)], Accept);
    }
}

/// Turns away strangers that come in by a LAN link, if the settings want that.
pub fn add_far(rules: &mut Vec<Rule>, link: LinkName, traffic: &Traffic) {
    if traffic.lan_subnets_only {
        add(rules, &[In(link)], Ask(Hook::Far));
    }
}
