//! Rules in the words of iptables, as `iptables -S` says them.

use crate::firewall::fallback::Lacks;
use komainu_core::firewall::count::Count;
use komainu_core::firewall::table;
use komainu_core::firewall::table::{Hook, Match, Protocol, Rate, Rule, Table, Verdict};

/// The beginning of all our chains' names.
pub const OURS: &str = "KOMAINU-";

pub const FILTER: &str = "filter";
pub const NAT: &str = "nat";
pub const MANGLE: &str = "mangle";
/// All tables that we have chains in.
pub const TABLES: [&str; 3] = [FILTER, NAT, MANGLE];
/// Most lines that are read of a program's listing.
const LINES_MAX: usize = 4096;

/// The parts that a kernel may be lacking, and a rule that shows each.
pub const TRIALS: [(Lacks, &str); 4] = [
    (Lacks::OWN_SOURCE, "-m addrtype ! --src-type LOCAL -j RETURN"),
    (
        Lacks::LIMIT,
        "-m hashlimit --hashlimit-above 1/sec --hashlimit-burst 5 --hashlimit-name komainu-try -j RETURN",
    ),
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

    /// The file in which the kernel lists the tables in use.
    pub fn tables(self) -> &'static str {
        match self {
            Family::Four => "/proc/net/ip_tables_names",
            Family::Six => "/proc/net/ip6_tables_names",
        }
    }
}

/// Where a hook is: its table, the chain that packets come to (none where only our own chains ask), and our chain.
pub fn chain(hook: Hook) -> (&'static str, &'static str, &'static str) {
    match hook {
        Hook::Input => (FILTER, "INPUT", "KOMAINU-IN"),
        Hook::Forward => (FILTER, "FORWARD", "KOMAINU-FWD"),
        Hook::Output => (FILTER, "OUTPUT", "KOMAINU-OUT"),
        Hook::Redirect => (NAT, "PREROUTING", "KOMAINU-PRE"),
        Hook::Early => (MANGLE, "PREROUTING", "KOMAINU-EARLY"),
        Hook::Strangers => (FILTER, "", "KOMAINU-STRANGERS"),
        Hook::Far => (FILTER, "", "KOMAINU-FAR"),
        Hook::Foreign => (FILTER, "", "KOMAINU-FOREIGN"),
        Hook::Scan => (FILTER, "", "KOMAINU-SCAN"),
        Hook::Flood => (FILTER, "", "KOMAINU-FLOOD"),
        Hook::Errors => (FILTER, "", "KOMAINU-ERRORS"),
        Hook::Multicast => (FILTER, "", "KOMAINU-MULTICAST"),
    }
}

/// The chains of a table, as far as the kernel can have them.
fn of<'a>(
    wanted: &'a Table,
    table: &'a str,
    family: Family,
    lacks: Lacks,
) -> impl Iterator<Item = &'a table::Chain> {
    let no_nat = lacks.has(Lacks::NAT) || (family == Family::Six && lacks.has(Lacks::IP6_NAT));
    let lacking = (table == NAT && no_nat) || (table == MANGLE && lacks.has(Lacks::WAY_BACK));
    wanted.chains.iter().filter(move |one| !lacking && chain(one.hook).0 == table)
}

/// Names of our chains in a table.
pub fn chains(wanted: &Table, table: &str, family: Family, lacks: Lacks) -> Vec<&'static str> {
    of(wanted, table, family, lacks).map(|one| chain(one.hook).2).collect()
}

/// The rules that lead to our chains.
pub fn jumps(wanted: &Table, table: &str, family: Family, lacks: Lacks) -> Vec<String> {
    let jump = |one: &table::Chain| format!("-A {} -j {}", chain(one.hook).1, chain(one.hook).2);
    let hangs = |one: &&table::Chain| !chain(one.hook).1.is_empty();
    of(wanted, table, family, lacks).filter(hangs).map(jump).collect()
}

/// The rules of our chains.
pub fn rules(wanted: &Table, table: &str, family: Family, lacks: Lacks) -> Vec<String> {
    let mut lines = Vec::new();
    for one in of(wanted, table, family, lacks) {
        let name = chain(one.hook).2;
        lines.extend(rules_of(one, family, lacks).map(|rule| say(name, rule, family, lacks)));
        if one.policy == Verdict::Drop {
            lines.push(format!("-A {name} -j DROP"));
        }
    }
    lines
}

/// The rules of a chain that this family and kernel can have.
fn rules_of(chain: &table::Chain, family: Family, lacks: Lacks) -> impl Iterator<Item = &Rule> {
    chain.rules.iter().filter(move |rule| {
        let other = |one: &Match| matches!(one, Match::Family(it) if (*it == table::Family::V4) != (family == Family::Four));
        !lacks.leave_out(rule) && !rule.matches.iter().any(other)
    })
}

/// The counts of our chains' rules, where `listed` is the program's listing of a table with its counts.
pub fn counts(listed: &str, wanted: &Table, table: &str, family: Family, lacks: Lacks, to: &mut Vec<Count>) {
    let listed = listed_counts(listed);
    for one in of(wanted, table, family, lacks) {
        let name = chain(one.hook).2;
        let found = listed.iter().filter(|(of, _)| *of == name);
        let last = usize::from(one.policy == Verdict::Drop);
        // In a chain that a stranger changed the rules cannot be told apart.
        if found.clone().count() == rules_of(one, family, lacks).count() + last {
            for (rule, (_, packets)) in rules_of(one, family, lacks).zip(found) {
                komainu_core::firewall::count::counts(to, rule, *packets);
            }
        }
    }
}

/// The chain of ours and the packets of each rule that a program lists with its counts (`-v -S`).
pub fn listed_counts(listed: &str) -> Vec<(&str, u64)> {
    let count = |line: &'_ str| {
        let (_, counts) = line.split_once(" -c ")?;
        counts.split(' ').next()?.parse().ok()
    };
    let lines = listed.lines().take(LINES_MAX).filter_map(|line| line.strip_prefix("-A "));
    let of = |line| Some((str::split(line, ' ').next()?, count(line).unwrap_or_default()));
    lines.filter(|line| line.starts_with(OURS)).filter_map(of).collect()
}

fn say(name: &str, rule: &Rule, family: Family, lacks: Lacks) -> String {
    let mut line = format!("-A {name}");
    let mut add = |words: &str| {
        line.push(' ');
        line.push_str(words);
    };
    let (mut protocol, mut ports) = ("", false);
    for one in &rule.matches {
        match one {
            Match::Family(_) => {}
            // Many links have a plus here, which no link's name has.
            Match::In(link) => add(&format!("-i {}", link.as_str().replace('*', "+"))),
            Match::Out(link) => add(&format!("-o {}", link.as_str().replace('*', "+"))),
            Match::Protocol(one) => {
                protocol = match one {
                    Protocol::Icmp => "icmp",
                    Protocol::Igmp => "igmp",
                    Protocol::Esp => "esp",
                    Protocol::Tcp => "tcp",
                    Protocol::Udp => "udp",
                    Protocol::Icmp6 => "ipv6-icmp",
                };
                add(&format!("-p {protocol}"));
            }
            Match::From(first) | Match::To(first) | Match::ToPorts(first, _) => {
                if !ports {
                    add(&format!("-m {protocol}"));
                }
                ports = true;
                let way = if matches!(one, Match::From(_)) { "--sport" } else { "--dport" };
                match one {
                    Match::ToPorts(_, last) if last != first => add(&format!("{way} {first}:{last}")),
                    _ => add(&format!("{way} {first}")),
                }
            }
            Match::IcmpType(kind) if family == Family::Four => add(&format!("-m icmp --icmp-type {kind}")),
            Match::IcmpType(kind) => add(&format!("-m icmp6 --icmpv6-type {kind}")),
            Match::IcmpCode(kind, code) => add(&format!("-m icmp --icmp-type {kind}/{code}")),
            Match::Known => add("-m conntrack --ctstate RELATED,ESTABLISHED"),
            Match::Invalid => add("-m conntrack --ctstate INVALID"),
            Match::Reply => add("--ctdir REPLY"),
            Match::Original => add("--ctdir ORIGINAL"),
            Match::Mark(mark) => add(&format!("-m mark --mark {mark:#x}")),
            Match::Source(of) | Match::Destination(of) if of.prefix == 0 => {}
            Match::Source(of) => add(&format!("-s {}/{}", of.address, of.prefix)),
            Match::NotSource(of) => add(&format!("! -s {}/{}", of.address, of.prefix)),
            Match::Destination(of) => add(&format!("-d {}/{}", of.address, of.prefix)),
            Match::ForeignSource => add("-m addrtype ! --src-type LOCAL"),
            Match::NoWayBack => add("-m rpfilter --invert"),
            Match::Syn => {
                if !ports {
                    add("-m tcp");
                }
                ports = true;
                add("--tcp-flags FIN,SYN,RST,ACK SYN");
            }
            Match::Over(rate) => add_rate(&mut add, rate),
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
        Verdict::Ask(hook) => add(&format!("-j {}", chain(hook).2)),
        Verdict::Return => add("-j RETURN"),
        Verdict::Count => {}
    }
    line
}

fn add_rate(add: &mut impl FnMut(&str), rate: &Rate) {
    let Rate { name, packets, seconds, burst } = rate;
    let unit = if *seconds == 1 { "sec" } else { "min" };
    add(&format!(
        "-m hashlimit --hashlimit-above {packets}/{unit} --hashlimit-burst {burst} --hashlimit-name komainu-{name}"
    ));
}

#[cfg(test)]
mod tests {
    use super::*;
    use komainu_core::firewall::table::Network;
    use komainu_core::firewall::table::{Counted, LinkName};

    fn said(matches: &[Match], verdict: Verdict) -> String {
        say("X", &Rule { matches: matches.to_vec(), verdict, counted: None }, Family::Four, Lacks::NONE)
    }

    #[test]
    fn each_rule_is_said_as_iptables_lists_it() {
        let network = |prefix| Network { address: "10.0.0.0".parse().unwrap(), prefix };
        let rate = |seconds| Match::Over(Rate { name: "scan", packets: 6, seconds, burst: 7 });
        let over = "-m hashlimit --hashlimit-above 6/min --hashlimit-burst 7 --hashlimit-name komainu-scan";
        let cases = [
            (vec![Match::Source(network(8))], Verdict::Return, "-s 10.0.0.0/8 -j RETURN".to_owned()),
            (vec![Match::Source(network(0))], Verdict::Drop, "-j DROP".to_owned()),
            (vec![Match::NotSource(network(32))], Verdict::Drop, "! -s 10.0.0.0/32 -j DROP".to_owned()),
            (vec![Match::Destination(network(32))], Verdict::Accept, "-d 10.0.0.0/32 -j RETURN".to_owned()),
            (vec![Match::ForeignSource], Verdict::Drop, "-m addrtype ! --src-type LOCAL -j DROP".to_owned()),
            (vec![Match::NoWayBack], Verdict::Drop, "-m rpfilter --invert -j DROP".to_owned()),
            (
                vec![Match::Protocol(Protocol::Tcp), Match::To(23), Match::Syn],
                Verdict::Ask(Hook::Scan),
                "-p tcp -m tcp --dport 23 --tcp-flags FIN,SYN,RST,ACK SYN -j KOMAINU-SCAN".to_owned(),
            ),
            (vec![rate(60)], Verdict::Count, over.to_owned()),
            (
                vec![
                    Match::In(LinkName::pattern("tun*").unwrap()),
                    Match::Protocol(Protocol::Udp),
                    Match::ToPorts(50, 60),
                ],
                Verdict::Accept,
                "-i tun+ -p udp -m udp --dport 50:60 -j RETURN".to_owned(),
            ),
            (
                vec![Match::Protocol(Protocol::Tcp), Match::ToPorts(50, 50)],
                Verdict::Accept,
                "-p tcp -m tcp --dport 50 -j RETURN".to_owned(),
            ),
            (
                vec![Match::Protocol(Protocol::Icmp), Match::IcmpCode(3, 4), Match::Known],
                Verdict::Return,
                "-p icmp -m icmp --icmp-type 3/4 -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN"
                    .to_owned(),
            ),
            (
                vec![Match::Known, Match::Original],
                Verdict::Return,
                "-m conntrack --ctstate RELATED,ESTABLISHED --ctdir ORIGINAL -j RETURN".to_owned(),
            ),
            (vec![Match::Protocol(Protocol::Igmp)], Verdict::Accept, "-p igmp -j RETURN".to_owned()),
            (vec![Match::Protocol(Protocol::Esp)], Verdict::Accept, "-p esp -j RETURN".to_owned()),
            (vec![rate(1)], Verdict::Drop, format!("{} -j DROP", over.replace("min", "sec"))),
        ];
        for (matches, verdict, expected) in cases {
            assert_eq!(said(&matches, verdict), format!("-A X {expected}"));
        }
    }

    #[test]
    fn what_a_program_lists_is_counted_rule_by_rule() {
        let rule = |port| Rule {
            matches: vec![Match::Protocol(Protocol::Tcp), Match::To(port)],
            verdict: Verdict::Drop,
            counted: Some(Counted::Stranger),
        };
        let strangers = table::Chain {
            hook: Hook::Strangers,
            priority: 0,
            policy: Verdict::Accept,
            rules: vec![rule(22), rule(23)],
        };
        let wanted = Table {
            gate_state: komainu_core::gate::state::GateState::Closed,
            contained: false,
            chains: vec![strangers],
        };
        let listed = "-P INPUT ACCEPT -c 9 9\n-N KOMAINU-STRANGERS\n-A INPUT -c 1 60 -j KOMAINU-IN\n\
            -A KOMAINU-STRANGERS -p tcp -m tcp --dport 22 -c 0 0 -j DROP\n\
            -A KOMAINU-STRANGERS -p tcp -m tcp --dport 23 -c 5 300 -j DROP\n";
        let mut found = Vec::new();
        counts(listed, &wanted, FILTER, Family::Four, Lacks::NONE, &mut found);
        assert_eq!(found.iter().map(|one| (one.port, one.packets)).collect::<Vec<_>>(), [(22, 0), (23, 5)]);
        let changed = format!("{listed}-A KOMAINU-STRANGERS -c 7 420 -j RETURN\n");
        found.clear();
        counts(&changed, &wanted, FILTER, Family::Four, Lacks::NONE, &mut found);
        assert_eq!(found, [], "nobody knows which rule is which");
    }

    #[test]
    fn a_list_that_makes_no_sense_counts_nothing() {
        for listed in ["", "-A", "-A KOMAINU-IN -c", "-A KOMAINU-IN -c x 5", "-A OTHER -c 5 5"] {
            assert!(listed_counts(listed).iter().all(|(_, packets)| *packets == 0), "{listed}");
        }
    }
}
