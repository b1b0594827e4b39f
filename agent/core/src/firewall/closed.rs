//! The rules of a closed gate: the traffic that may pass a device without an owner, or one that is contained.

use crate::firewall::builder::{V4, V6, add, add_addresses_in, add_far};
use crate::firewall::table::Match::{From, IcmpType, In, Known, Mark, Out, Protocol as Proto, Reply, To};
use crate::firewall::table::Protocol::{Icmp, Icmp6, Tcp, Udp};
use crate::firewall::table::Verdict::{Accept, Ask, Redirect, Reset, Unreachable};
use crate::firewall::table::{Hook, LinkName, Links, MARK, Rule, Traffic};
use alloc::vec::Vec;

/// Listener reports (MLD) and router solicitations: from the LAN to the device, and from the device.
const ICMP6_LISTENERS: [u8; 4] = [131, 132, 133, 143];
const ICMP6_NEIGHBOURS: [u8; 2] = [135, 136];
pub const ICMP_ECHO: u8 = 8;
pub const ICMP6_ECHO: u8 = 128;

pub fn input(lan: &[LinkName], links: &Links, traffic: &Traffic) -> Vec<Rule> {
    let mut rules = Vec::new();
    add(&mut rules, &[In(LinkName::LOOPBACK)], Accept);
    // Only connections that the device began: a session that came in before the gate closed is cut.
    add(&mut rules, &[Known, Reply], Accept);
    add_addresses_in(&mut rules);
    for link in lan {
        let from = In(*link);
        add_far(&mut rules, *link, traffic);
        add(&mut rules, &[from, Proto(Tcp), To(links.page_port)], Accept);
        add(&mut rules, &[from, Proto(Udp), To(links.dns_port)], Accept);
        add(&mut rules, &[V4, from, Proto(Udp), To(67)], Accept);
        add(&mut rules, &[V6, from, Proto(Udp), To(547)], Accept);
        add(&mut rules, &[V4, from, Proto(Icmp), IcmpType(ICMP_ECHO)], Accept);
        add(&mut rules, &[V6, from, Proto(Icmp6), IcmpType(ICMP6_ECHO)], Accept);
        for kind in ICMP6_LISTENERS {
            add(&mut rules, &[V6, from, Proto(Icmp6), IcmpType(kind)], Accept);
        }
        add(&mut rules, &[from, Proto(Tcp)], Reset);
        add(&mut rules, &[from, Proto(Udp)], Unreachable);
    }
    add(&mut rules, &[], Ask(Hook::Strangers));
    rules
}

pub fn forward(lan: &[LinkName]) -> Vec<Rule> {
    let mut rules = Vec::new();
    for link in lan {
        add(&mut rules, &[In(*link), Proto(Tcp)], Reset);
        add(&mut rules, &[In(*link), Proto(Udp)], Unreachable);
    }
    rules
}

/// The egress rules come behind the rules for the agent's own packets.
pub fn output(lan: &[LinkName], links: &Links, limits: Vec<Rule>) -> Vec<Rule> {
    let mut rules = own();
    // By any link: on a device that is no router, the way out is the LAN.
    add(&mut rules, &[V4, Proto(Udp), From(68), To(67)], Accept);
    add(&mut rules, &[V6, Proto(Udp), From(546), To(547)], Accept);
    for kind in ICMP6_LISTENERS.into_iter().chain(ICMP6_NEIGHBOURS) {
        add(&mut rules, &[V6, Proto(Icmp6), IcmpType(kind)], Accept);
    }
    rules.extend(limits);
    add(&mut rules, &[Proto(Udp), To(53)], Accept);
    add(&mut rules, &[Proto(Tcp), To(53)], Accept);
    add(&mut rules, &[Proto(Udp), To(123)], Accept);
    for link in lan {
        let to = Out(*link);
        // The resets that the device answers with are among these.
        add(&mut rules, &[to, Known, Reply], Accept);
        add(&mut rules, &[to, Proto(Tcp), From(links.page_port)], Accept);
        add(&mut rules, &[to, Proto(Udp), From(links.dns_port)], Accept);
        add(&mut rules, &[V4, to, Proto(Udp), From(67)], Accept);
        add(&mut rules, &[V6, to, Proto(Udp), From(547)], Accept);
        add(&mut rules, &[V4, to, Proto(Icmp)], Accept);
        add(&mut rules, &[V6, to, Proto(Icmp6)], Accept);
    }
    rules
}

/// Accepts the device's packets to itself, and the agent's packets.
pub fn own() -> Vec<Rule> {
    let mut rules = Vec::new();
    add(&mut rules, &[Out(LinkName::LOOPBACK)], Accept);
    add(&mut rules, &[Mark(MARK)], Accept);
    rules
}

pub fn redirect(lan: &[LinkName], links: &Links) -> Vec<Rule> {
    let mut rules = Vec::new();
    for link in lan {
        add(&mut rules, &[In(*link), Proto(Tcp), To(80)], Redirect(links.page_port));
        add(&mut rules, &[In(*link), Proto(Udp), To(53)], Redirect(links.dns_port));
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::rules::build_table;
    use crate::firewall::rules::tests::{chain, links, router};
    use crate::gate::state::GateState;

    #[test]
    fn without_a_lan_nobody_gets_the_page() {
        let table = build_table(GateState::Closed, &links(&["eth+", "0123456789abcdef"]), &router());
        assert_eq!(chain(&table, Hook::Redirect).rules, []);
        let input = &chain(&table, Hook::Input).rules;
        assert!(!input.iter().any(|rule| rule.matches.contains(&To(8080))));
    }

    #[test]
    fn port_443_is_never_redirected() {
        let table = build_table(GateState::Closed, &links(&["br0", "wlan0"]), &router());
        let redirected = &chain(&table, Hook::Redirect).rules;
        assert_eq!(redirected.len(), 4);
        for rule in redirected {
            assert!(rule.matches.contains(&To(80)) || rule.matches.contains(&To(53)));
            assert!(rule.matches.iter().any(|one| matches!(one, In(_))));
        }
    }
}
