//! The whole table for each state of the gate: addresses, strangers, and LAN subnets.

use super::count::{TCP_COUNTED, UDP_COUNTED};
use super::{closed, egress, open};
use crate::firewall::builder::add;
use crate::firewall::builder::add_counted;
use crate::firewall::builder::{LAN_SUBNETS, UNSPECIFIED};
use crate::firewall::table::Counted;
use crate::firewall::table::Match::{Family as Of, Protocol as Proto, Source, To};
use crate::firewall::table::Protocol::{Tcp, Udp};
use crate::firewall::table::Verdict::{Accept, Ask, Drop, Return};
use crate::firewall::table::{Chain, Hook, LinkName, Links, Network, Rule, Table, Traffic};
use crate::gate::state::GateState;
use alloc::vec::Vec;

/// This chain runs before the vendor's, so that dropped packets cause no answer.
const FILTER: i32 = -10;
/// This chain runs before the vendor's at -100: the first chain that redirects a connection decides.
const NAT: i32 = -110;
/// This chain runs before connections are tracked: a packet that is dropped there costs no memory.
const EARLY: i32 = -290;

/// Builds the table that the kernel shall hold. LAN names that no link can have are left out: that link is WAN.
pub fn build_table(wanted: GateState, links: &Links, traffic: &Traffic) -> Table {
    let lan: Vec<LinkName> = links.lan.iter().filter_map(|name| LinkName::new(name)).collect();
    let vpn: Vec<LinkName> = traffic.vpn.links.iter().filter_map(|name| LinkName::pattern(name)).collect();
    // The first rule shows whether the kernel can count, before anything further is added.
    let mut chains = alloc::vec![part(Hook::Strangers, strangers())];
    // Every chain exists even if no rule leads to it: kernels before 4.18 cannot remove a chain in the same
    // transaction as the rules that lead to it.
    let open = wanted == GateState::Open;
    chains.push(part(Hook::Far, if traffic.lan_subnets_only { far(&links.lan_subnets) } else { Vec::new() }));
    chains.push(part(Hook::Foreign, if open { egress::foreign(traffic) } else { Vec::new() }));
    chains.push(part(Hook::Scan, if open { egress::scan(traffic) } else { Vec::new() }));
    chains.push(part(Hook::Flood, if open { egress::flood(&lan, &vpn, links, traffic) } else { Vec::new() }));
    chains.push(part(Hook::Errors, if open { egress::errors(&lan, &vpn) } else { Vec::new() }));
    chains
        .push(part(Hook::Multicast, if open && traffic.multicast { open::multicast() } else { Vec::new() }));
    let (input, forward, output, redirect) = match wanted {
        GateState::Closed => (
            closed::input(&lan, links, traffic),
            closed::forward(&lan),
            (closed::output(&lan, links, Vec::new()), Drop),
            closed::redirect(&lan, links),
        ),
        GateState::Open => {
            if traffic.forwards && !traffic.contained {
                chains.push(Chain { policy: Accept, ..at(Hook::Early, EARLY, open::early(&lan, traffic)) });
            }
            let limits = egress::limits();
            let output = match traffic.contained {
                true => (closed::output(&lan, links, limits), Drop),
                false => (egress::open(limits), Accept),
            };
            // This chain stays even without rules: where no other software redirects, the kernel would stop
            // translating connections that were redirected before, and the owner would never see the answer to
            // setting the password.
            (open::input(&lan, &vpn, traffic), open::forward(&lan, &vpn, traffic), output, Vec::new())
        }
    };
    chains.push(at(Hook::Input, FILTER, input));
    chains.push(at(Hook::Forward, FILTER, forward));
    chains.push(Chain { policy: output.1, ..at(Hook::Output, FILTER, output.0) });
    chains.push(Chain { policy: Accept, ..at(Hook::Redirect, NAT, redirect) });
    Table { gate_state: wanted, contained: traffic.contained, chains }
}

fn at(hook: Hook, priority: i32, rules: Vec<Rule>) -> Chain {
    Chain { hook, priority, policy: Drop, rules }
}

/// A chain that rules of other chains lead to.
fn part(hook: Hook, rules: Vec<Rule>) -> Chain {
    Chain { hook, priority: 0, policy: Accept, rules }
}

/// One rule for each port that is counted by itself, and three for all others.
fn strangers() -> Vec<Rule> {
    let mut rules = Vec::new();
    for (protocol, ports) in [(Tcp, TCP_COUNTED.as_slice()), (Udp, UDP_COUNTED.as_slice())] {
        for port in ports {
            add_counted(&mut rules, &[Proto(protocol), To(*port)], Counted::Stranger, Drop);
        }
        add_counted(&mut rules, &[Proto(protocol)], Counted::Stranger, Drop);
    }
    add_counted(&mut rules, &[], Counted::Stranger, Drop);
    rules
}

/// A host without an address asks for one under the unspecified address.
fn far(lan_subnets: &[Network]) -> Vec<Rule> {
    let mut rules = Vec::new();
    for network in UNSPECIFIED.iter().chain(&LAN_SUBNETS).chain(lan_subnets) {
        add(&mut rules, &[Of(network.family()), Source(*network)], Return);
    }
    add(&mut rules, &[], Ask(Hook::Strangers));
    rules
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::firewall::builder::V6;
    use crate::firewall::table::Match::In;
    use crate::firewall::table::Match::{Known, Out, Reply};
    use crate::firewall::table::Verdict::{Count, Reset, Unreachable};
    use alloc::string::ToString;

    pub fn links(lan: &[&str]) -> Links {
        let lan = lan.iter().map(ToString::to_string).collect();
        Links { lan, lan_subnets: Vec::new(), page_port: 8080, dns_port: 5353 }
    }

    pub fn router() -> Traffic {
        Traffic { forwards: true, lan_subnets_only: false, ..Traffic::default() }
    }

    pub fn chain(table: &Table, hook: Hook) -> &Chain {
        table.chains.iter().find(|chain| chain.hook == hook).unwrap()
    }

    fn is_of_a_link(rule: &Rule) -> bool {
        rule.matches.iter().any(|one| matches!(one, In(_) | Out(_)))
    }

    fn kinds() -> [Traffic; 4] {
        let contained = Traffic { contained: true, ..router() };
        let camera = Traffic { contained: true, ..Traffic::default() };
        [router(), contained, Traffic::default(), camera]
    }

    #[test]
    fn what_no_rule_takes_is_dropped() {
        for (wanted, traffic) in [GateState::Closed, GateState::Open]
            .into_iter()
            .flat_map(|wanted| kinds().map(|traffic| (wanted, traffic)))
        {
            let table = build_table(wanted, &links(&["br0"]), &traffic);
            for hook in [Hook::Input, Hook::Forward] {
                assert_eq!(chain(&table, hook).policy, Drop);
            }
            let sends = wanted == GateState::Open && !traffic.contained;
            assert_eq!(chain(&table, Hook::Output).policy, if sends { Accept } else { Drop });
            let input = &chain(&table, Hook::Input).rules;
            assert_eq!(
                (&input[input.len() - 1].matches[..], input[input.len() - 1].verdict),
                (&[][..], Ask(Hook::Strangers))
            );
            let strangers = &chain(&table, Hook::Strangers).rules;
            assert!(strangers.iter().all(|rule| rule.verdict == Drop && rule.counted.is_some()));
            assert_eq!(strangers[strangers.len() - 1].matches, []);
        }
    }

    #[test]
    fn every_chain_that_is_asked_is_there_and_says_what_it_may() {
        for (wanted, traffic) in [GateState::Closed, GateState::Open]
            .into_iter()
            .flat_map(|wanted| kinds().map(|traffic| (wanted, traffic)))
        {
            let table = build_table(wanted, &links(&["br0", "wlan0"]), &traffic);
            for one in &table.chains {
                let places = [Hook::Early, Hook::Input, Hook::Forward, Hook::Output, Hook::Redirect];
                let asked = !places.contains(&one.hook);
                for rule in &one.rules {
                    match rule.verdict {
                        Ask(hook) => assert_eq!(chain(&table, hook).hook, hook),
                        Return => assert!(asked),
                        verdict => assert!(!asked || matches!(verdict, Drop | Count), "{rule:?}"),
                    }
                }
            }
        }
    }

    #[test]
    fn a_closed_device_takes_nothing_new_from_the_wan() {
        for name in ["br0", "no such link's name"] {
            for traffic in kinds() {
                let table = build_table(GateState::Closed, &links(&[name]), &traffic);
                for rule in chain(&table, Hook::Input).rules.iter().filter(|rule| !is_of_a_link(rule)) {
                    let answers = rule.matches == [Known, Reply];
                    let dhcp = [To(68), To(546)].iter().any(|port| rule.matches.contains(port));
                    let gone = rule.verdict == Ask(Hook::Strangers);
                    assert!(
                        answers
                            || dhcp
                            || gone
                            || rule.matches.contains(&Proto(crate::firewall::table::Protocol::Icmp6)),
                        "{rule:?}"
                    );
                }
                let passes = |rule: &&Rule| !matches!(rule.verdict, Drop | Reset | Unreachable);
                assert_eq!(chain(&table, Hook::Forward).rules.iter().find(passes), None);
            }
        }
    }

    #[test]
    fn where_only_the_near_may_come_in_every_link_of_the_lan_is_asked_first() {
        for wanted in [GateState::Closed, GateState::Open] {
            let table = build_table(wanted, &links(&["eth0", "wlan0"]), &Traffic::default());
            for name in ["eth0", "wlan0"].map(|name| LinkName::new(name).unwrap()) {
                let input = &chain(&table, Hook::Input).rules;
                let first = input.iter().find(|rule| rule.matches.contains(&In(name))).unwrap();
                assert_eq!((&first.matches[..], first.verdict), (&[In(name)][..], Ask(Hook::Far)));
            }
        }
    }

    #[test]
    fn the_links_own_networks_are_near() {
        let own = Network { address: "2001:db8:2::".parse().unwrap(), prefix: 64 };
        let wanted = Links { lan_subnets: alloc::vec![own], ..links(&["eth0"]) };
        let table = build_table(GateState::Open, &wanted, &Traffic::default());
        let far = &chain(&table, Hook::Far).rules;
        assert!(far.iter().any(|rule| rule.matches == [V6, Source(own)] && rule.verdict == Return));
        assert_eq!(far[far.len() - 1].verdict, Ask(Hook::Strangers));
    }
}
