//! The rules themselves, row by row: the gate (closed) and the wall (open).

use super::Match::{
    Family as Of, From, IcmpType, In, Invalid, Known, Mark, Out, Protocol as Proto, Reply, To,
};
use super::Protocol::{Icmp, Icmp6, Tcp, Udp};
use super::Verdict::{Accept, Drop, Redirect, Reset, Unreachable};
use super::{Chain, Family, Hook, LinkName, Links, MARK, Match, Rule, Table, Verdict};
use crate::gate::Standing;
use alloc::vec::Vec;

/// Before the vendor's, so that what is dropped is dropped in silence.
const FILTER: i32 = -10;
/// Before the vendor's -100: the first that redirects a connection decides.
const NAT: i32 = -110;

const V4: Match = Of(Family::V4);
const V6: Match = Of(Family::V6);

/// Without these IPv6 does not work: four kinds of errors, the router's question who listens, routers and
/// neighbours. The kernel takes the last three from the link only.
const ICMP6_IN: [u8; 8] = [1, 2, 3, 4, 130, 134, 135, 136];
/// What listens where, and the question for routers: from the LAN to us, and from us.
const ICMP6_LISTENERS: [u8; 4] = [131, 132, 133, 143];
const ICMP6_NEIGHBOURS: [u8; 2] = [135, 136];
const ICMP_ECHO: u8 = 8;
const ICMP6_ECHO: u8 = 128;

/// What is wanted of the kernel. LAN names that no link can have are left out: that link is WAN.
pub fn rules(wanted: Standing, links: &Links) -> Table {
    let lan: Vec<LinkName> = links.lan.iter().filter_map(|name| LinkName::new(name)).collect();
    let filter = |hook, rules| Chain { hook, priority: FILTER, policy: Drop, rules };
    let chains = match wanted {
        Standing::Closed => alloc::vec![
            filter(Hook::Input, closed_input(&lan, links)),
            filter(Hook::Forward, closed_forward(&lan)),
            filter(Hook::Output, closed_output(&lan, links)),
            Chain {
                hook: Hook::Redirect,
                priority: NAT,
                policy: Accept,
                rules: closed_redirect(&lan, links)
            },
        ],
        Standing::Open => alloc::vec![
            filter(Hook::Input, open_input(&lan)),
            filter(Hook::Forward, open_forward(&lan)),
            // Empty, and still there: where nobody else redirects, the kernel would stop translating what was
            // redirected before, and whoever set the password would never get an answer.
            Chain { hook: Hook::Redirect, priority: NAT, policy: Accept, rules: Vec::new() },
        ],
    };
    Table { chains }
}

/// Adds a rule.
fn add(rules: &mut Vec<Rule>, matches: &[Match], verdict: Verdict) {
    rules.push(Rule { matches: matches.to_vec(), verdict });
}

/// What a device needs from outside to have addresses at all, whoever is there.
fn add_addresses_in(rules: &mut Vec<Rule>) {
    add(rules, &[V4, Proto(Udp), From(67), To(68)], Accept);
    add(rules, &[V6, Proto(Udp), From(547), To(546)], Accept);
    for kind in ICMP6_IN {
        add(rules, &[V6, Proto(Icmp6), IcmpType(kind)], Accept);
    }
}

fn closed_input(lan: &[LinkName], links: &Links) -> Vec<Rule> {
    let mut rules = Vec::new();
    add(&mut rules, &[In(LinkName::LOOPBACK)], Accept);
    // Only what the device began: a session that came in before the gate closed is cut.
    add(&mut rules, &[Known, Reply], Accept);
    add_addresses_in(&mut rules);
    for link in lan {
        let from = In(*link);
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
    rules
}

fn closed_forward(lan: &[LinkName]) -> Vec<Rule> {
    let mut rules = Vec::new();
    for link in lan {
        add(&mut rules, &[In(*link), Proto(Tcp)], Reset);
        add(&mut rules, &[In(*link), Proto(Udp)], Unreachable);
    }
    rules
}

fn closed_output(lan: &[LinkName], links: &Links) -> Vec<Rule> {
    let mut rules = Vec::new();
    add(&mut rules, &[Out(LinkName::LOOPBACK)], Accept);
    add(&mut rules, &[Mark(MARK)], Accept);
    // By any link: on a device that is no router, the way out is the LAN.
    add(&mut rules, &[V4, Proto(Udp), From(68), To(67)], Accept);
    add(&mut rules, &[V6, Proto(Udp), From(546), To(547)], Accept);
    add(&mut rules, &[Proto(Udp), To(53)], Accept);
    add(&mut rules, &[Proto(Tcp), To(53)], Accept);
    add(&mut rules, &[Proto(Udp), To(123)], Accept);
    for kind in ICMP6_LISTENERS.into_iter().chain(ICMP6_NEIGHBOURS) {
        add(&mut rules, &[V6, Proto(Icmp6), IcmpType(kind)], Accept);
    }
    for link in lan {
        let to = Out(*link);
        // The resets that we answer with are among these.
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

fn closed_redirect(lan: &[LinkName], links: &Links) -> Vec<Rule> {
    let mut rules = Vec::new();
    for link in lan {
        add(&mut rules, &[In(*link), Proto(Tcp), To(80)], Redirect(links.page_port));
        add(&mut rules, &[In(*link), Proto(Udp), To(53)], Redirect(links.dns_port));
    }
    rules
}

fn open_input(lan: &[LinkName]) -> Vec<Rule> {
    let mut rules = Vec::new();
    add(&mut rules, &[In(LinkName::LOOPBACK)], Accept);
    for link in lan {
        add(&mut rules, &[In(*link)], Accept);
    }
    add(&mut rules, &[Known], Accept);
    add_addresses_in(&mut rules);
    rules
}

fn open_forward(lan: &[LinkName]) -> Vec<Rule> {
    let mut rules = Vec::new();
    // Such packets would leave with addresses that nobody translated.
    add(&mut rules, &[Invalid], Drop);
    add(&mut rules, &[Known], Accept);
    for link in lan {
        add(&mut rules, &[In(*link)], Accept);
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn links(lan: &[&str]) -> Links {
        Links { lan: lan.iter().map(ToString::to_string).collect(), page_port: 8080, dns_port: 5353 }
    }

    fn chain(table: &Table, hook: Hook) -> &Chain {
        table.chains.iter().find(|chain| chain.hook == hook).unwrap()
    }

    fn is_of_a_link(rule: &Rule) -> bool {
        rule.matches.iter().any(|one| matches!(one, In(_) | Out(_)))
    }

    #[test]
    fn what_no_rule_takes_is_dropped() {
        for wanted in [Standing::Closed, Standing::Open] {
            let table = rules(wanted, &links(&["br0"]));
            for chain in &table.chains {
                let policy = if chain.hook == Hook::Redirect { Accept } else { Drop };
                assert_eq!(chain.policy, policy);
            }
        }
    }

    #[test]
    fn a_closed_device_takes_nothing_new_from_the_wan() {
        for name in ["br0", "no such link's name"] {
            let table = rules(Standing::Closed, &links(&[name]));
            for rule in chain(&table, Hook::Input).rules.iter().filter(|rule| !is_of_a_link(rule)) {
                let answers = rule.matches == [Known, Reply];
                let dhcp = [To(68), To(546)].iter().any(|port| rule.matches.contains(port));
                assert!(answers || dhcp || rule.matches.contains(&Proto(Icmp6)), "{rule:?}");
            }
            let passes = |rule: &&Rule| !matches!(rule.verdict, Drop | Reset | Unreachable);
            assert_eq!(chain(&table, Hook::Forward).rules.iter().find(passes), None);
        }
    }

    #[test]
    fn without_a_lan_nobody_gets_the_page() {
        let table = rules(Standing::Closed, &links(&["eth+", "0123456789abcdef"]));
        assert_eq!(chain(&table, Hook::Redirect).rules, []);
        let input = &chain(&table, Hook::Input).rules;
        assert!(!input.iter().any(|rule| rule.matches.contains(&To(8080))));
    }

    #[test]
    fn port_443_is_never_redirected() {
        let table = rules(Standing::Closed, &links(&["br0", "wlan0"]));
        let redirected = &chain(&table, Hook::Redirect).rules;
        assert_eq!(redirected.len(), 4);
        for rule in redirected {
            assert!(rule.matches.contains(&To(80)) || rule.matches.contains(&To(53)));
            assert!(is_of_a_link(rule));
        }
    }

    #[test]
    fn an_open_device_leaves_its_own_packets_alone() {
        let table = rules(Standing::Open, &links(&["br0"]));
        assert!(!table.chains.iter().any(|chain| chain.hook == Hook::Output));
        assert_eq!(chain(&table, Hook::Redirect).rules, []);
    }
}
