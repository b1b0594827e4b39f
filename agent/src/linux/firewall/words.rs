//! Rules in the words of iptables, as `iptables -S` says them.

use super::lacks::Lacks;
use komainu_core::firewall::{self, Hook, Match, Protocol, Rule, Table, Verdict};

pub const FILTER: &str = "filter";
pub const NAT: &str = "nat";

/// What a kernel may be lacking, and a rule that shows it.
pub const TRIALS: [(Lacks, &str); 2] = [
    (Lacks::TRACKING, "-m conntrack --ctstate RELATED,ESTABLISHED --ctdir REPLY -j RETURN"),
    (Lacks::REJECT, "-p tcp -j REJECT --reject-with tcp-reset"),
];

/// A family, which has a program of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Family {
    Four,
    Six,
}

impl Family {
    pub fn program(self) -> &'static str {
        match self {
            Family::Four => "iptables",
            Family::Six => "ip6tables",
        }
    }
}

/// Where a hook is: its table, the chain that packets come to, and our chain.
pub fn chain(hook: Hook) -> (&'static str, &'static str, &'static str) {
    match hook {
        Hook::Input => (FILTER, "INPUT", "KOMAINU-IN"),
        Hook::Forward => (FILTER, "FORWARD", "KOMAINU-FWD"),
        Hook::Output => (FILTER, "OUTPUT", "KOMAINU-OUT"),
        Hook::Redirect => (NAT, "PREROUTING", "KOMAINU-PRE"),
    }
}

/// The chains of a table, as far as the kernel can have them.
fn of<'a>(
    wanted: &'a Table,
    table: &'a str,
    family: Family,
    lacks: Lacks,
) -> impl Iterator<Item = &'a firewall::Chain> {
    let no_nat = lacks.has(Lacks::NAT) || (family == Family::Six && lacks.has(Lacks::IP6_NAT));
    let there = !(table == NAT && no_nat);
    wanted.chains.iter().filter(move |one| there && chain(one.hook).0 == table)
}

/// Names of our chains in a table.
pub fn chains(wanted: &Table, table: &str, family: Family, lacks: Lacks) -> Vec<&'static str> {
    of(wanted, table, family, lacks).map(|one| chain(one.hook).2).collect()
}

/// The rules that lead to our chains.
pub fn jumps(wanted: &Table, table: &str, family: Family, lacks: Lacks) -> Vec<String> {
    let jump = |one: &firewall::Chain| format!("-A {} -j {}", chain(one.hook).1, chain(one.hook).2);
    of(wanted, table, family, lacks).map(jump).collect()
}

/// The rules of our chains.
pub fn rules(wanted: &Table, table: &str, family: Family, lacks: Lacks) -> Vec<String> {
    let mut lines = Vec::new();
    for one in of(wanted, table, family, lacks) {
        let name = chain(one.hook).2;
        lines.extend(one.rules.iter().filter_map(|rule| say(name, rule, family, lacks)));
        if one.policy == Verdict::Drop {
            lines.push(format!("-A {name} -j DROP"));
        }
    }
    lines
}

/// A rule; `None` if this family or kernel has nothing to do with it.
fn say(chain: &str, rule: &Rule, family: Family, lacks: Lacks) -> Option<String> {
    let mut line = format!("-A {chain}");
    let mut add = |words: &str| {
        line.push(' ');
        line.push_str(words);
    };
    let (mut protocol, mut ports) = ("", false);
    for one in &rule.matches {
        match one {
            Match::Family(firewall::Family::V4) if family == Family::Six => return None,
            Match::Family(firewall::Family::V6) if family == Family::Four => return None,
            Match::Family(_) => {}
            Match::In(link) => add(&format!("-i {}", link.as_str())),
            Match::Out(link) => add(&format!("-o {}", link.as_str())),
            Match::Protocol(one) => {
                protocol = match one {
                    Protocol::Icmp => "icmp",
                    Protocol::Tcp => "tcp",
                    Protocol::Udp => "udp",
                    Protocol::Icmp6 => "ipv6-icmp",
                };
                add(&format!("-p {protocol}"));
            }
            Match::From(port) | Match::To(port) => {
                if !ports {
                    add(&format!("-m {protocol}"));
                }
                ports = true;
                let way = if matches!(one, Match::From(_)) { "--sport" } else { "--dport" };
                add(&format!("{way} {port}"));
            }
            Match::IcmpType(kind) if family == Family::Four => add(&format!("-m icmp --icmp-type {kind}")),
            Match::IcmpType(kind) => add(&format!("-m icmp6 --icmpv6-type {kind}")),
            Match::Known | Match::Invalid | Match::Reply if lacks.has(Lacks::TRACKING) => return None,
            Match::Known => add("-m conntrack --ctstate RELATED,ESTABLISHED"),
            Match::Invalid => add("-m conntrack --ctstate INVALID"),
            Match::Reply => add("--ctdir REPLY"),
            Match::Mark(mark) => add(&format!("-m mark --mark {mark:#x}")),
        }
    }
    match rule.verdict {
        // On to the vendor's rules: our acceptance must not outdo the vendor's refusal.
        Verdict::Accept => add("-j RETURN"),
        Verdict::Reset | Verdict::Unreachable if lacks.has(Lacks::REJECT) => add("-j DROP"),
        Verdict::Drop => add("-j DROP"),
        Verdict::Reset => add("-j REJECT --reject-with tcp-reset"),
        Verdict::Unreachable if family == Family::Six => {
            add("-j REJECT --reject-with icmp6-port-unreachable")
        }
        Verdict::Unreachable => add("-j REJECT --reject-with icmp-port-unreachable"),
        Verdict::Redirect(port) => add(&format!("-j REDIRECT --to-ports {port}")),
    }
    Some(line)
}
