//! Egress: the rate limits on packets that an open device sends, so that an infected device does not harm others. Raw
//! link-layer packets (`AF_PACKET`) pass no rule; the wall finds processes with such sockets.

use super::closed;
use crate::firewall::builder::{GROUPS, LAN_SUBNETS, UNSPECIFIED, V4, V6, add, add_counted};
use crate::firewall::table::Counted;
use crate::firewall::table::Match::{
    Destination, Family as Of, ForeignSource, From, IcmpCode, IcmpType, Known, NotSource, Original, Out,
    Over, Protocol as Proto, Reply, Syn, To,
};
use crate::firewall::table::Protocol::{Icmp, Icmp6, Tcp, Udp};
use crate::firewall::table::Verdict::{Accept, Ask, Count, Drop, Return};
use crate::firewall::table::{Hook, LinkName, Links, Match, Rate, Rule, Traffic, Verdict};
use alloc::vec::Vec;

/// TCP ports that bots scan.
pub const SCANNED: [u16; 8] = [23, 2323, 5358, 5555, 7547, 37215, 48101, 52869];

/// Neighbours, routers and listener queries: without them there is no IPv6, and they go no further than the link.
const ICMP6_LINK: [u8; 8] = [130, 131, 132, 133, 134, 135, 136, 143];

/// Errors: unreachable, source quench, redirect, time exceeded, parameter problem; of IPv6 too big as well.
const ICMP_ERRORS: [u8; 5] = [3, 4, 5, 11, 12];
const ICMP6_ERRORS: [u8; 5] = [1, 2, 3, 4, 137];

/// The smallest burst of a rate limit.
const BURST_MIN: u32 = 5;
/// Older versions of hashlimit take no larger burst.
const BURST_MAX: u32 = 10_000;

/// Accepts an open device's own packets, except those that the egress limits take, and errors to strangers.
pub fn open(limits: Vec<Rule>) -> Vec<Rule> {
    let mut rules = closed::own();
    for kind in ICMP6_LINK {
        add(&mut rules, &[V6, Proto(Icmp6), IcmpType(kind)], Accept);
    }
    for (family, protocol, kinds) in [(V4, Icmp, ICMP_ERRORS), (V6, Icmp6, ICMP6_ERRORS)] {
        for kind in kinds {
            add(&mut rules, &[family, Proto(protocol), IcmpType(kind)], Ask(Hook::Errors));
        }
    }
    rules.extend(limits);
    rules
}

/// Drops errors to strangers on the WAN, whatever made them: a port without a socket, a way without an end, an option
/// that the kernel does not know. Told are only what is about a connection from inside, and that a packet of a known
/// connection is too big.
pub fn errors(lan: &[LinkName], vpn: &[LinkName]) -> Vec<Rule> {
    let mut rules = Vec::new();
    for link in lan.iter().chain(vpn) {
        add(&mut rules, &[Out(*link)], Return);
    }
    add(&mut rules, &[Known, Original], Return);
    add(&mut rules, &[V4, Proto(Icmp), IcmpCode(3, 4), Known], Return);
    add(&mut rules, &[V6, Proto(Icmp6), IcmpType(2), Known], Return);
    add(&mut rules, &[], Drop);
    rules
}

/// Holds packets against the limits, and those with foreign source addresses.
pub fn limits() -> Vec<Rule> {
    let mut rules = Vec::new();
    for unspecified in UNSPECIFIED {
        let matches = [Of(unspecified.family()), NotSource(unspecified), ForeignSource];
        add(&mut rules, &matches, Ask(Hook::Foreign));
    }
    for port in SCANNED {
        add(&mut rules, &[Proto(Tcp), To(port), Syn], Ask(Hook::Scan));
    }
    add(&mut rules, &[], Ask(Hook::Flood));
    rules
}

/// Drops, or counts, packets above a rate limit. What goes to the LAN or into a tunnel harms no other network, and a
/// port that policy opens on the WAN may send as much as it wants.
pub fn flood(lan: &[LinkName], vpn: &[LinkName], links: &Links, traffic: &Traffic) -> Vec<Rule> {
    let mut rules = Vec::new();
    for link in vpn {
        add(&mut rules, &[Out(*link)], Return);
    }
    for link in lan {
        // The way out of a device that is no router leads by its LAN.
        if traffic.forwards {
            add(&mut rules, &[Out(*link)], Return);
            continue;
        }
        for near in LAN_SUBNETS.iter().chain(&GROUPS).chain(&links.lan_subnets) {
            add(&mut rules, &[Of(near.family()), Destination(*near), Out(*link)], Return);
        }
    }
    for opening in traffic.wan_rules.iter().filter(|opening| opening.protocol == Udp) {
        add(&mut rules, &[Proto(Udp), From(opening.port)], Return);
    }
    let caps: [(&str, u32, &[Match]); 4] = [
        ("tcp", traffic.tcp_per_second, &[Proto(Tcp), Syn]),
        ("udp", traffic.udp_per_second, &[Proto(Udp)]),
        ("icmp", traffic.icmp_per_second, &[V4, Proto(Icmp)]),
        ("icmp", traffic.icmp_per_second, &[V6, Proto(Icmp6)]),
    ];
    for (name, packets, what) in caps {
        // The burst is twice the rate: a start, or a page with many pictures, is no flood.
        let rate = Rate { name, packets, seconds: 1, burst: burst(packets.saturating_mul(2)) };
        add_over(&mut rules, what, rate, Counted::Flood, traffic);
    }
    rules
}

/// Drops, or counts, packets that are sent under a foreign address. A device that forwards, or redirects connections,
/// also refuses and answers in the name of the other side: those packets are answers, and pass.
pub fn foreign(traffic: &Traffic) -> Vec<Rule> {
    let mut rules = Vec::new();
    add(&mut rules, &[Known, Reply], Return);
    add_counted(&mut rules, &[], Counted::Spoof, over(traffic));
    rules
}

/// More connections to ports that bots scan than are allowed.
pub fn scan(traffic: &Traffic) -> Vec<Rule> {
    let packets = traffic.scans_per_minute;
    let mut rules = Vec::new();
    // A host that may come in, such as the ACS, is asked again and again while it is silent: that is no scan. Anybody
    // is no host.
    for from in traffic.wan_rules.iter().flat_map(|opening| &opening.from).filter(|from| from.prefix > 0) {
        add(&mut rules, &[Of(from.family()), Destination(*from)], Return);
    }
    let rate = Rate { name: "scan", packets, seconds: 60, burst: burst(packets) };
    add_over(&mut rules, &[], rate, Counted::Scan, traffic);
    rules
}

/// The verdict on what is too much.
fn over(traffic: &Traffic) -> Verdict {
    if traffic.enforce_egress { Drop } else { Count }
}

fn burst(packets: u32) -> u32 {
    packets.clamp(BURST_MIN, BURST_MAX)
}

/// Takes packets above a rate; where nothing is allowed, takes all.
fn add_over(rules: &mut Vec<Rule>, what: &[Match], rate: Rate, counted: Counted, traffic: &Traffic) {
    let mut matches = what.to_vec();
    if rate.packets > 0 {
        matches.push(Over(rate));
    }
    add_counted(rules, &matches, counted, over(traffic));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::rules::build_table;
    use crate::firewall::rules::tests::{chain, links, router};
    use crate::firewall::table::MARK;
    use crate::firewall::table::Match::Mark;
    use crate::gate::state::GateState;

    #[test]
    fn an_open_device_sends_all_but_too_much() {
        let table = build_table(GateState::Open, &links(&["br0"]), &router());
        let output = chain(&table, Hook::Output);
        assert_eq!(output.policy, Accept);
        assert!(output.rules.iter().all(|rule| rule.counted.is_none() && rule.verdict != Drop));
        assert_eq!(chain(&table, Hook::Redirect).rules, []);
    }

    #[test]
    fn what_is_too_much_goes_on_unless_policy_enforces_it() {
        for enforce_egress in [false, true] {
            let table =
                build_table(GateState::Open, &links(&["br0"]), &Traffic { enforce_egress, ..router() });
            let verdict = if enforce_egress { Drop } else { Count };
            for hook in [Hook::Foreign, Hook::Scan, Hook::Flood, Hook::Early] {
                let counted = chain(&table, hook).rules.iter().filter(|rule| rule.counted.is_some());
                assert!(counted.clone().count() > 0);
                assert!(counted.clone().all(|rule| rule.verdict == verdict), "{hook:?}");
            }
            let flood = &chain(&table, Hook::Flood).rules;
            for rule in flood {
                let limited = rule.matches.iter().any(|one| matches!(one, Over(_)));
                assert_eq!(limited, rule.counted.is_some(), "{rule:?}");
            }
        }
    }

    #[test]
    fn what_stays_in_the_lan_or_goes_into_a_tunnel_is_no_flood() {
        use crate::firewall::table::{Network, Vpn, WanRule};
        let own = Network { address: "2001:db8:2::".parse().unwrap(), prefix: 64 };
        let vpn = Vpn { links: alloc::vec!["wg*".into(), "?".repeat(16)], ..Vpn::default() };
        let all = Network { address: "0.0.0.0".parse().unwrap(), prefix: 0 };
        let opening = WanRule { from: alloc::vec![all], protocol: Udp, port: 51820 };
        let traffic = Traffic { vpn, wan_rules: alloc::vec![opening], ..router() };
        let before = |table: &crate::firewall::table::Table| -> Vec<Vec<Match>> {
            let rules = &chain(table, Hook::Flood).rules;
            rules.iter().take_while(|rule| rule.verdict == Return).map(|rule| rule.matches.clone()).collect()
        };
        let link = |name| Out(LinkName::pattern(name).unwrap());
        let table = build_table(GateState::Open, &links(&["br0"]), &traffic);
        assert_eq!(
            before(&table),
            [alloc::vec![link("wg*")], alloc::vec![link("br0")], alloc::vec![Proto(Udp), From(51820)]]
        );
        assert_eq!(chain(&table, Hook::Scan).rules[0].counted, Some(Counted::Scan), "anybody is no ACS");
        // The way out of a camera leads by its LAN: there only what stays near is none.
        let wanted = Links { lan_subnets: alloc::vec![own], ..links(&["eth0"]) };
        let near = before(&build_table(GateState::Open, &wanted, &Traffic::default()));
        assert_eq!(near.len(), 9);
        assert!(
            near.iter()
                .all(|matches| matches!(matches[..], [Of(_), Destination(to), Out(_)] if to.prefix > 0))
        );
        assert!(near.iter().any(|matches| matches.contains(&Destination(own))));
    }

    #[test]
    fn no_stranger_hears_of_an_error() {
        let table = build_table(GateState::Open, &links(&["br0"]), &router());
        let output = &chain(&table, Hook::Output).rules;
        for kind in [3, 4, 5, 11, 12] {
            let asked = [V4, Proto(Icmp), IcmpType(kind)];
            assert!(output.iter().any(|rule| rule.matches == asked && rule.verdict == Ask(Hook::Errors)));
        }
        for kind in [1, 2, 3, 4, 137] {
            let asked = [V6, Proto(Icmp6), IcmpType(kind)];
            assert!(output.iter().any(|rule| rule.matches == asked && rule.verdict == Ask(Hook::Errors)));
        }
        let errors = &chain(&table, Hook::Errors).rules;
        let last = &errors[errors.len() - 1];
        assert_eq!((&last.matches[..], last.verdict), (&[][..], Drop));
        let free = errors.iter().filter(|rule| !rule.matches.iter().any(|one| matches!(one, Known | Out(_))));
        assert_eq!(free.count(), 1, "nothing without a connection");
    }

    #[test]
    fn the_agents_own_packets_are_not_limited() {
        for contained in [false, true] {
            let table = build_table(GateState::Open, &links(&["br0"]), &Traffic { contained, ..router() });
            let output = &chain(&table, Hook::Output).rules;
            let mine = output.iter().position(|rule| rule.matches == [Mark(MARK)]).unwrap();
            let limits = output.iter().position(|rule| rule.verdict == Ask(Hook::Foreign)).unwrap();
            assert!(mine < limits);
        }
    }

    #[test]
    fn where_nothing_is_allowed_all_is_dropped() {
        let table = build_table(
            GateState::Open,
            &links(&["br0"]),
            &Traffic { scans_per_minute: 0, icmp_per_second: 0, enforce_egress: true, ..router() },
        );
        let scan = &chain(&table, Hook::Scan).rules;
        assert_eq!((&scan[0].matches[..], scan[0].verdict), (&[][..], Drop));
        let flood = &chain(&table, Hook::Flood).rules;
        assert!(flood.iter().any(|rule| rule.matches == [V4, Proto(Icmp)] && rule.verdict == Drop));
    }

    #[test]
    fn bursts_are_neither_nothing_nor_more_than_old_kernels_take() {
        for (packets, expected) in [(1, 5), (6, 6), (2000, 2000), (u32::MAX, 10_000)] {
            assert_eq!(burst(packets), expected);
        }
    }

    #[test]
    fn an_acs_that_is_silent_makes_no_scan_of_its_client() {
        use crate::firewall::table::{Network, WanRule};
        let acs = Network { address: "198.51.100.7".parse().unwrap(), prefix: 32 };
        let opening = WanRule { from: alloc::vec![acs], protocol: Tcp, port: 7547 };
        let traffic = Traffic { wan_rules: alloc::vec![opening], ..router() };
        let table = build_table(GateState::Open, &links(&["br0"]), &traffic);
        let scan = &chain(&table, Hook::Scan).rules;
        assert_eq!((&scan[0].matches[..], scan[0].verdict), (&[V4, Destination(acs)][..], Return));
        assert_eq!(scan[1].counted, Some(Counted::Scan));
    }
}
