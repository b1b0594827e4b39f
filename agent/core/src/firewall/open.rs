//! The rules of an open gate: the traffic that may come to and through a device that has an owner.

use super::closed;
use super::egress::SCANNED;
use crate::firewall::builder::{UNSPECIFIED, add, add_addresses_in, add_counted, add_far};
use crate::firewall::table::Counted;
use crate::firewall::table::Match::{
    Destination, Family as Of, In, Invalid, Known, NoWayBack, Out, Protocol as Proto, Reply, Source, Syn, To,
};
use crate::firewall::table::Protocol::{Tcp, Udp};
use crate::firewall::table::Verdict::{Accept, Ask, Count, Drop};
use crate::firewall::table::{Hook, LinkName, Network, Protocol, Rule, Traffic};
use alloc::vec::Vec;

pub fn input(lan: &[LinkName], traffic: &Traffic) -> Vec<Rule> {
    let mut rules = Vec::new();
    add(&mut rules, &[In(LinkName::LOOPBACK)], Accept);
    // On a contained device, connections from before the containment are cut too.
    add(&mut rules, if traffic.contained { &[Known, Reply] } else { &[Known] }, Accept);
    add_addresses_in(&mut rules);
    if !traffic.contained {
        for opening in traffic.wan_rules.iter().filter(|opening| has_ports(opening.protocol)) {
            for from in &opening.from {
                let matches = [Of(from.family()), Source(*from), Proto(opening.protocol), To(opening.port)];
                add(&mut rules, &matches, Accept);
            }
        }
    }
    for link in lan {
        add_far(&mut rules, *link, traffic);
        add(&mut rules, &[In(*link)], Accept);
    }
    add(&mut rules, &[], Ask(Hook::Strangers));
    rules
}

pub fn forward(lan: &[LinkName], traffic: &Traffic) -> Vec<Rule> {
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
    }
    rules
}

/// Drops packets from the LAN with a source address that does not belong there.
pub fn early(lan: &[LinkName]) -> Vec<Rule> {
    let mut rules = Vec::new();
    for link in lan {
        for unspecified in UNSPECIFIED {
            add(&mut rules, &[Of(unspecified.family()), Source(unspecified), In(*link)], Accept);
        }
        add_counted(&mut rules, &[In(*link), NoWayBack], Counted::LanSpoof, Drop);
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
    use crate::firewall::table::Protocol::Icmp;
    use crate::firewall::table::Verdict::{Reset, Unreachable};
    use crate::firewall::table::{PortForward, WanRule};
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
        let open: Vec<&Rule> =
            input.iter().filter(|rule| rule.matches.iter().any(|one| matches!(one, Source(_)))).collect();
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
