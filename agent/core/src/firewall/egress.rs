//! Egress: the rate limits on packets that an open device sends, so that an infected device does not harm others. Raw
//! link-layer packets (`AF_PACKET`) pass no rule; the wall finds processes with such sockets.

use super::closed;
use crate::firewall::builder::{UNSPECIFIED, V4, V6, add, add_counted};
use crate::firewall::table::Counted;
use crate::firewall::table::Match::{
    Destination, Family as Of, ForeignSource, IcmpType, Known, NotSource, Over, Protocol as Proto, Reply,
    Syn, To,
};
use crate::firewall::table::Protocol::{Icmp, Icmp6, Tcp, Udp};
use crate::firewall::table::Verdict::{Accept, Ask, Drop, Return};
use crate::firewall::table::{Hook, Match, Rate, Rule, Traffic};
use alloc::vec::Vec;

/// TCP ports that bots scan.
pub const SCANNED: [u16; 8] = [23, 2323, 5358, 5555, 7547, 37215, 48101, 52869];

/// Neighbours, routers and listener queries: without them there is no IPv6, and they go no further than the link.
const ICMP6_LINK: [u8; 8] = [130, 131, 132, 133, 134, 135, 136, 143];

/// The smallest burst of a rate limit.
const BURST_MIN: u32 = 5;
/// Older versions of hashlimit take no larger burst.
const BURST_MAX: u32 = 10_000;

/// Accepts an open device's own packets, except those that the egress limits take.
pub fn open(limits: Vec<Rule>) -> Vec<Rule> {
    let mut rules = closed::own();
    for kind in ICMP6_LINK {
        add(&mut rules, &[V6, Proto(Icmp6), IcmpType(kind)], Accept);
    }
    rules.extend(limits);
    rules
}

/// Drops packets with foreign source addresses, and packets above a rate limit.
pub fn limits(traffic: &Traffic) -> Vec<Rule> {
    let mut rules = Vec::new();
    for unspecified in UNSPECIFIED {
        let matches = [Of(unspecified.family()), NotSource(unspecified), ForeignSource];
        add(&mut rules, &matches, Ask(Hook::Foreign));
    }
    for port in SCANNED {
        add(&mut rules, &[Proto(Tcp), To(port), Syn], Ask(Hook::Scan));
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
        add_over(&mut rules, what, rate, Counted::Flood);
    }
    rules
}

/// Drops packets that are sent under a foreign address. A device that forwards, or redirects connections, also
/// refuses and answers in the name of the other side: those packets are answers, and pass.
pub fn foreign() -> Vec<Rule> {
    let mut rules = Vec::new();
    add(&mut rules, &[Known, Reply], Return);
    add_counted(&mut rules, &[], Counted::Spoof, Drop);
    rules
}

/// More connections to ports that bots scan than are allowed.
pub fn scan(traffic: &Traffic) -> Vec<Rule> {
    let packets = traffic.scans_per_minute;
    let mut rules = Vec::new();
    // A host that may come in, such as the ACS, is asked again and again while it is silent: that is no scan.
    for from in traffic.wan_rules.iter().flat_map(|opening| &opening.from) {
        add(&mut rules, &[Of(from.family()), Destination(*from)], Return);
    }
    add_over(
        &mut rules,
        &[],
        Rate { name: "scan", packets, seconds: 60, burst: burst(packets) },
        Counted::Scan,
    );
    rules
}

fn burst(packets: u32) -> u32 {
    packets.clamp(BURST_MIN, BURST_MAX)
}

/// Drops packets above a rate; where nothing is allowed, drops all.
fn add_over(rules: &mut Vec<Rule>, what: &[Match], rate: Rate, counted: Counted) {
    let mut matches = what.to_vec();
    if rate.packets > 0 {
        matches.push(Over(rate));
    }
    add_counted(rules, &matches, counted, Drop);
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
        for rule in &output.rules {
            let limited = rule.matches.iter().any(|one| matches!(one, Over(_)));
            assert_eq!(limited, rule.verdict == Drop, "{rule:?}");
            assert_eq!(limited, rule.counted.is_some(), "{rule:?}");
        }
        assert_eq!(chain(&table, Hook::Redirect).rules, []);
    }

    #[test]
    fn the_agents_own_packets_are_not_limited() {
        for contained in [false, true] {
            let table = build_table(GateState::Open, &links(&["br0"]), &Traffic { contained, ..router() });
            let output = &chain(&table, Hook::Output).rules;
            let mine = output.iter().position(|rule| rule.matches == [Mark(MARK)]).unwrap();
            let limits = output.iter().position(|rule| rule.verdict == Drop).unwrap();
            assert!(mine < limits);
        }
    }

    #[test]
    fn where_nothing_is_allowed_all_is_dropped() {
        let table = build_table(
            GateState::Open,
            &links(&["br0"]),
            &Traffic { scans_per_minute: 0, icmp_per_second: 0, ..router() },
        );
        let scan = &chain(&table, Hook::Scan).rules;
        assert_eq!((&scan[0].matches[..], scan[0].verdict), (&[][..], Drop));
        let output = &chain(&table, Hook::Output).rules;
        assert!(output.iter().any(|rule| rule.matches == [V4, Proto(Icmp)] && rule.verdict == Drop));
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
