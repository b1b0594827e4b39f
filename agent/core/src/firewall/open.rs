//! The rules of an open gate: the traffic that may come to and through a device that has an owner.

use super::closed;
use super::closed::{ICMP_ECHO, ICMP6_ECHO};
use super::egress::SCANNED;
use crate::firewall::builder::{GROUPS, UNSPECIFIED, V4, V6, add, add_addresses_in, add_counted, add_far};
use crate::firewall::table::Counted;
use crate::firewall::table::Match::{
    Destination, Family as Of, IcmpType, In, Invalid, Known, NoWayBack, Out, Protocol as Proto, Reply,
    Source, Syn, To, ToPorts,
};
use crate::firewall::table::Protocol::{Esp, Icmp, Icmp6, Igmp, Tcp, Udp};
use crate::firewall::table::Verdict::{Accept, Ask, Count, Drop};
use crate::firewall::table::{Hook, LinkName, Network, Protocol, Rule, Traffic};
use alloc::vec::Vec;

/// Reports of listeners (MLD).
const ICMP6_REPORTS: [u8; 3] = [131, 132, 143];
/// SSDP, WS-Discovery, mDNS, LLMNR, CoAP: ports of services that answer a question to a group.
const ASKED_BY_GROUP: [u16; 5] = [1900, 3702, 5353, 5355, 5683];

pub fn input(lan: &[LinkName], vpn: &[LinkName], traffic: &Traffic) -> Vec<Rule> {
    let mut rules = Vec::new();
    add(&mut rules, &[In(LinkName::LOOPBACK)], Accept);
    // On a contained device, connections from before the containment are cut too.
    add(&mut rules, if traffic.contained { &[Known, Reply] } else { &[Known] }, Accept);
    add_addresses_in(&mut rules);
    if !traffic.contained {
        for opening in traffic.wan_rules.iter().filter(|one| has_ports(one.protocol) || one.protocol == Esp) {
            for from in &opening.from {
                let matches = [Of(from.family()), Source(*from), Proto(opening.protocol), To(opening.port)];
                // Only TCP and UDP have ports.
                add(&mut rules, &matches[..matches.len() - usize::from(opening.protocol == Esp)], Accept);
            }
        }
        for link in vpn {
            add_tunnel(&mut rules, *link, traffic);
        }
        if traffic.forwards && traffic.multicast {
            add_groups_in(&mut rules);
        }
    }
    for link in lan {
        add_far(&mut rules, *link, traffic);
        add(&mut rules, &[In(*link)], Accept);
    }
    add(&mut rules, &[], Ask(Hook::Strangers));
    rules
}

pub fn forward(lan: &[LinkName], vpn: &[LinkName], traffic: &Traffic) -> Vec<Rule> {
    if traffic.contained || !traffic.forwards {
        return closed::forward(lan);
    }
    let mut rules = Vec::new();
    // Without address translation such packets would leave with private addresses.
    add(&mut rules, &[Invalid], Drop);
    add(&mut rules, &[Known], Accept);
    for link in lan {
        for port in SCANNED {
            let matches = [In(*link), Proto(Tcp), To(port), Syn];
            add_counted(&mut rules, &matches, Counted::LanScan, Count);
        }
        add(&mut rules, &[In(*link)], Accept);
        for way in traffic.port_forwards.iter().filter(|way| has_ports(way.protocol)) {
            let to = Network { address: way.to, prefix: if way.to.is_ipv4() { 32 } else { 128 } };
            let matches = [Of(to.family()), Destination(to), Out(*link), Proto(way.protocol), To(way.port)];
            add(&mut rules, &matches, Accept);
        }
        for groups in GROUPS.iter().filter(|_| traffic.multicast) {
            let matches = [Of(groups.family()), Destination(*groups), Out(*link), Proto(Udp)];
            add(&mut rules, &matches, Ask(Hook::Multicast));
            add(&mut rules, &matches, Accept);
        }
        for tunnel in vpn {
            add(&mut rules, &[In(*tunnel), Out(*link)], if traffic.vpn.to_lan { Accept } else { Drop });
        }
    }
    for tunnel in vpn.iter().filter(|_| traffic.vpn.to_wan) {
        add(&mut rules, &[In(*tunnel)], Accept);
    }
    rules
}

/// The traffic that may come to the device by a tunnel.
fn add_tunnel(rules: &mut Vec<Rule>, link: LinkName, traffic: &Traffic) {
    for (protocol, (first, last)) in &traffic.vpn.services {
        add(rules, &[In(link), Proto(*protocol), ToPorts(*first, *last)], Accept);
    }
    add(rules, &[V4, In(link), Proto(Icmp), IcmpType(ICMP_ECHO)], Accept);
    add(rules, &[V6, In(link), Proto(Icmp6), IcmpType(ICMP6_ECHO)], Accept);
}

/// Queries for listeners and their reports, which come from the link only, and what is sent to groups.
fn add_groups_in(rules: &mut Vec<Rule>) {
    add(rules, &[V4, Proto(Igmp)], Accept);
    for kind in ICMP6_REPORTS {
        add(rules, &[V6, Proto(Icmp6), IcmpType(kind)], Accept);
    }
    for groups in GROUPS {
        let matches = [Of(groups.family()), Destination(groups), Proto(Udp)];
        add(rules, &matches, Ask(Hook::Multicast));
        add(rules, &matches, Accept);
    }
}

/// Drops questions to groups that a host answers to the asker: from the WAN they would make reflectors of the device
/// and of the LAN.
pub fn multicast() -> Vec<Rule> {
    let mut rules = Vec::new();
    for port in ASKED_BY_GROUP {
        add(&mut rules, &[Proto(Udp), To(port)], Drop);
    }
    rules
}

/// Drops, or counts, packets from the LAN with a source address that does not belong there.
pub fn early(lan: &[LinkName], traffic: &Traffic) -> Vec<Rule> {
    let verdict = if traffic.enforce_egress { Drop } else { Count };
    let mut rules = Vec::new();
    for link in lan {
        for unspecified in UNSPECIFIED {
            add(&mut rules, &[Of(unspecified.family()), Source(unspecified), In(*link)], Accept);
        }
        add_counted(&mut rules, &[In(*link), NoWayBack], Counted::LanSpoof, verdict);
    }
    rules
}

fn has_ports(protocol: Protocol) -> bool {
    matches!(protocol, Tcp | Udp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::rules::build_table;
    use crate::firewall::rules::tests::{chain, links, router};
    use crate::firewall::table::Verdict::{Reset, Unreachable};
    use crate::firewall::table::{PortForward, Vpn, WanRule};
    use crate::gate::state::GateState;

    fn opened() -> Traffic {
        let network = |address: &str, prefix| Network { address: address.parse().unwrap(), prefix };
        let here = alloc::vec![network("198.51.100.7", 32), network("2001:db8:9::", 48)];
        let way = |protocol| PortForward { to: "192.168.1.20".parse().unwrap(), protocol, port: 22 };
        Traffic {
            wan_rules: alloc::vec![
                WanRule { from: here.clone(), protocol: Tcp, port: 7547 },
                WanRule { from: Vec::new(), protocol: Tcp, port: 443 },
                WanRule { from: here, protocol: Icmp, port: 1 },
            ],
            port_forwards: alloc::vec![way(Tcp), way(Icmp)],
            ..router()
        }
    }

    #[test]
    fn an_opening_is_for_its_networks_only() {
        let table = build_table(GateState::Open, &links(&["br0"]), &opened());
        let input = &chain(&table, Hook::Input).rules;
        let open: Vec<&Rule> = input
            .iter()
            .filter(|rule| rule.matches.iter().any(|one| matches!(one, Source(of) if of.prefix > 10)))
            .collect();
        assert_eq!(open.len(), 2);
        assert!(open.iter().all(|rule| rule.matches.ends_with(&[Proto(Tcp), To(7547)])));
        assert!(!input.iter().any(|rule| rule.matches.contains(&To(443))), "from nowhere is nowhere");
    }

    #[test]
    fn a_way_through_is_for_its_host_only() {
        let table = build_table(GateState::Open, &links(&["br0"]), &opened());
        let forward = &chain(&table, Hook::Forward).rules;
        let ways: Vec<&Rule> = forward
            .iter()
            .filter(|rule| {
                rule.verdict == Accept && !rule.matches.iter().any(|one| matches!(one, In(_) | Known))
            })
            .collect();
        assert_eq!(ways.len(), 1);
        assert!(matches!(ways[0].matches[..], [Of(_), Destination(_), Out(_), Proto(Tcp), To(22)]));
    }

    #[test]
    fn a_tunnel_reaches_what_policy_says_and_nothing_while_cut_off() {
        let tunnel = LinkName::pattern("wg*").unwrap();
        let services = alloc::vec![(Tcp, (443, 443)), (Udp, (5000, 5100))];
        for (to_lan, to_wan, contained) in
            [(false, false, false), (true, false, false), (false, true, false), (true, true, true)]
        {
            let links_of = alloc::vec!["wg*".into(), "no such name's link".into()];
            let vpn = Vpn { links: links_of, services: services.clone(), to_lan, to_wan };
            let traffic = Traffic { vpn, contained, ..router() };
            let table = build_table(GateState::Open, &links(&["br0"]), &traffic);
            let of_tunnel = |hook| {
                let rules = chain(&table, hook).rules.iter();
                rules.filter(|rule| rule.matches.contains(&In(tunnel))).collect::<Vec<_>>()
            };
            let input = of_tunnel(Hook::Input);
            let forward = of_tunnel(Hook::Forward);
            if contained {
                assert_eq!((input.len(), forward.len()), (0, 0));
                assert!(!table.forwards());
                continue;
            }
            assert!(table.forwards());
            assert_eq!(input.len(), 4, "two services, and echoes");
            assert!(input[1].matches.ends_with(&[Proto(Udp), ToPorts(5000, 5100)]));
            // First what leads to the LAN, then all else.
            let lan = if to_lan { Accept } else { Drop };
            assert_eq!(
                forward.iter().map(|rule| rule.verdict).collect::<Vec<_>>()[..],
                [lan, Accept][..1 + usize::from(to_wan)]
            );
            let closed = build_table(GateState::Closed, &links(&["br0"]), &traffic);
            assert!(
                !closed
                    .chains
                    .iter()
                    .flat_map(|one| &one.rules)
                    .any(|rule| rule.matches.contains(&In(tunnel)))
            );
            assert!(!closed.forwards());
        }
    }

    #[test]
    fn groups_pass_to_the_lan_where_policy_wants_it() {
        for (multicast, forwards, contained) in
            [(false, true, false), (true, true, false), (true, false, false), (true, true, true)]
        {
            let traffic = Traffic { multicast, forwards, contained, ..router() };
            let table = build_table(GateState::Open, &links(&["br0"]), &traffic);
            let passes = |hook| {
                let rules = chain(&table, hook).rules.iter();
                rules
                    .filter(|rule| {
                        rule.verdict == Accept
                            && rule
                                .matches
                                .iter()
                                .any(|one| matches!(one, Destination(to) if GROUPS.contains(to)))
                    })
                    .count()
            };
            let expected = if multicast && forwards && !contained { 2 } else { 0 };
            assert_eq!((passes(Hook::Input), passes(Hook::Forward)), (expected, expected));
            let igmp =
                chain(&table, Hook::Input).rules.iter().any(|rule| rule.matches.contains(&Proto(Igmp)));
            assert_eq!(igmp, expected > 0);
        }
        let table = build_table(GateState::Open, &links(&["br0"]), &Traffic { multicast: true, ..router() });
        assert!(
            chain(&table, Hook::Multicast)
                .rules
                .iter()
                .any(|rule| rule.matches.contains(&To(1900)) && rule.verdict == Drop)
        );
    }

    #[test]
    fn a_device_that_is_no_router_or_is_cut_off_forwards_nothing() {
        for traffic in [Traffic { forwards: false, ..opened() }, Traffic { contained: true, ..opened() }] {
            let table = build_table(GateState::Open, &links(&["br0"]), &traffic);
            let mut forward = chain(&table, Hook::Forward).rules.iter();
            assert!(forward.all(|rule| matches!(rule.verdict, Reset | Unreachable)));
            assert!(!table.chains.iter().any(|chain| chain.hook == Hook::Early));
        }
    }

    #[test]
    fn a_device_that_is_cut_off_has_no_openings_and_keeps_no_sessions() {
        let table = build_table(GateState::Open, &links(&["br0"]), &Traffic { contained: true, ..opened() });
        let input = &chain(&table, Hook::Input).rules;
        assert!(!input.iter().any(|rule| rule.matches.contains(&To(7547))));
        assert!(!input.iter().any(|rule| rule.matches == [Known]));
        let lan = LinkName::new("br0").unwrap();
        assert!(input.iter().any(|rule| rule.matches == [In(lan)] && rule.verdict == Accept));
    }
}
