//! Test: our messages, read by an independent decoder of nf_tables messages.

use super::batch::{Batch, Way, batch, describe};
use super::constants::{
    CHAIN_TABLE, INET, IP, IP6, NEW_CHAIN, NEW_RULE, NEW_TABLE, RULE_CHAIN, RULE_EXPRESSIONS, RULE_TABLE,
    TABLE, TABLE_NAME, chain_name,
};
use super::encode::write;
use super::netlink_message::{Attributes, Message, Messages};
use super::read_back::{Compared, Found};
use crate::firewall::backend::{read_answers, written};
use crate::firewall::fallback::Lacks;
use komainu_core::firewall::count::Count;
use komainu_core::firewall::rules::build_table;
use komainu_core::firewall::table::Counted;
use komainu_core::firewall::table::{
    Chain, Family, Hook, LinkName, Links, MARK, Match, Network, Protocol, Rate, Rule, Table, Traffic, Verdict,
};
use komainu_core::gate::state::GateState;
use netlink_bindings::nftables::{
    ChainAttrs, ExprOps, IterableDataAttrs, IterableRuleAttrs, RuleAttrs, TableAttrs,
};
use std::ffi::CStr;
use std::fmt::Write;

/// A batch, message by message, in short words.
fn shown(batch: &Batch<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut bytes = batch.messages.0.as_slice();
    while let Some(message) = Message::take(&mut bytes) {
        let acknowledged = if message.flags & 4 != 0 { " acknowledged" } else { "" };
        let body = &message.body[4..];
        assert_eq!(message.number as usize, lines.len(), "numbered one by one");
        let said = match message.kind {
            16 => "begin".into(),
            17 => "end".into(),
            0xa00 => format!("table {}", word(TableAttrs::new(body).get_name())),
            0xa02 => format!("no table {}", word(TableAttrs::new(body).get_name())),
            0xa03 => {
                let chain = ChainAttrs::new(body);
                let name = word(chain.get_name());
                let Ok(hook) = chain.get_hook() else {
                    lines.push(format!("{} chain {name}", message.family()));
                    continue;
                };
                format!(
                    "chain {name} {} hook={} priority={} policy={}",
                    word(chain.get_type()),
                    hook.get_num().unwrap(),
                    hook.get_priority().unwrap(),
                    chain.get_policy().unwrap(),
                )
            }
            0xa05 => format!("no chain {}", word(ChainAttrs::new(body).get_name())),
            0xa06 => format!("rule {}", word(RuleAttrs::new(body).get_chain())),
            0xa08 => format!("no rules in {}", word(RuleAttrs::new(body).get_table())),
            kind => panic!("a message {kind:#x}"),
        };
        lines.push(format!("{} {said}{acknowledged}", message.family()));
    }
    assert!(bytes.is_empty());
    lines
}

fn word<E: std::fmt::Debug>(name: Result<&CStr, E>) -> &str {
    name.unwrap().to_str().unwrap()
}

/// Expressions in the words of `nft --debug=netlink`.
fn told(rule: IterableRuleAttrs<'_>) -> String {
    let mut told = String::new();
    for expression in rule.get_expressions().unwrap().get_elem() {
        let name = word(expression.get_name());
        let says = match expression.get_data() {
            Ok(ExprOps::Meta(it)) => format!("{} => {}", it.get_key().unwrap(), it.get_dreg().unwrap()),
            Ok(ExprOps::Ct(it)) => format!("{} => {}", it.get_key().unwrap(), it.get_dreg().unwrap()),
            Ok(ExprOps::Cmp(it)) => {
                let how = ["eq", "neq", "lt", "lte", "gt", "gte"][it.get_op().unwrap() as usize];
                format!("{how} {} {}", it.get_sreg().unwrap(), value(it.get_data().unwrap()))
            }
            Ok(ExprOps::Payload(it)) => format!(
                "{}b @ {} + {} => {}",
                it.get_len().unwrap(),
                it.get_base().unwrap(),
                it.get_offset().unwrap(),
                it.get_dreg().unwrap()
            ),
            Ok(ExprOps::Bitwise(it)) => format!(
                "{} = {} & {} ^ {} len {}",
                it.get_dreg().unwrap(),
                it.get_sreg().unwrap(),
                value(it.get_mask().unwrap()),
                value(it.get_xor().unwrap()),
                it.get_len().unwrap()
            ),
            Ok(ExprOps::Immediate(it)) => {
                format!("{} {}", it.get_dreg().unwrap(), value(it.get_data().unwrap()))
            }
            Ok(ExprOps::Fib(it)) => {
                format!(
                    "{} of {} => {}",
                    it.get_result().unwrap(),
                    it.get_flags().unwrap(),
                    it.get_dreg().unwrap()
                )
            }
            Ok(ExprOps::Counter(_)) => String::new(),
            Ok(ExprOps::Reject(it)) => format!("{} {}", it.get_type().unwrap(), it.get_icmp_code().unwrap()),
            Ok(other) => panic!("{other:?}"),
            // The decoder does not know this one.
            Err(_) if name == "redir" => {
                let data = Attributes(Attributes(expression.get_buf()).of(2));
                [1, 2, 3].map(|kind| data.number(kind).unwrap().to_string()).join(" ")
            }
            Err(_) if name == "limit" => {
                let data = Attributes(Attributes(expression.get_buf()).of(2));
                let long = |kind| u64::from_be_bytes(data.of(kind).try_into().unwrap());
                let [burst, over] = [3, 5].map(|kind| data.number(kind).unwrap());
                assert_eq!(data.number(4), None, "packets, not bytes");
                format!("{} in {}s burst {burst} over {over}", long(1), long(2))
            }
            Err(error) => panic!("{error:?}"),
        };
        write!(told, "[{name} {says}]").unwrap();
    }
    told
}

fn value(data: IterableDataAttrs<'_>) -> String {
    match (data.get_value(), data.get_verdict()) {
        (Ok(bytes), _) => bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}")),
        (_, Ok(verdict)) => {
            let chain = verdict.get_chain().map_or("", |chain| chain.to_str().unwrap());
            format!("verdict {} {chain}", verdict.get_code().unwrap().cast_signed()).trim_end().to_owned()
        }
        _ => panic!("neither value nor verdict"),
    }
}

#[test]
fn each_rule_is_decoded_as_it_was_meant() {
    let link = LinkName::new("br0").unwrap();
    let mark = MARK.to_ne_bytes().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let known = if cfg!(target_endian = "little") { "06000000" } else { "00000006" };
    let invalid = known.replace('6', "1");
    let local = known.replace('6', "2");
    let network = |address: &str, prefix| Network { address: address.parse().unwrap(), prefix };
    let br0 = "62723000000000000000000000000000";
    let cases = [
        (INET, vec![], Verdict::Accept, String::new(), "[immediate 0 verdict 1]"),
        (INET, vec![Match::In(link)], Verdict::Drop, format!("[meta 6 => 1][cmp eq 1 {br0}]"), "[immediate 0 verdict 0]"),
        (INET, vec![Match::Out(link)], Verdict::Drop, format!("[meta 7 => 1][cmp eq 1 {br0}]"), "[immediate 0 verdict 0]"),
        (INET, vec![Match::Mark(MARK)], Verdict::Accept, format!("[meta 3 => 1][cmp eq 1 {mark}]"), "[immediate 0 verdict 1]"),
        (INET, vec![Match::Family(Family::V4)], Verdict::Accept, "[meta 15 => 1][cmp eq 1 02]".into(), "[immediate 0 verdict 1]"),
        (INET, vec![Match::Family(Family::V6)], Verdict::Accept, "[meta 15 => 1][cmp eq 1 0a]".into(), "[immediate 0 verdict 1]"),
        (IP, vec![Match::Family(Family::V4)], Verdict::Accept, String::new(), "[immediate 0 verdict 1]"),
        (IP6, vec![Match::Family(Family::V6)], Verdict::Accept, String::new(), "[immediate 0 verdict 1]"),
        (
            INET,
            vec![Match::Protocol(Protocol::Udp), Match::From(67), Match::To(68)],
            Verdict::Accept,
            "[meta 16 => 1][cmp eq 1 11][payload 2b @ 2 + 0 => 1][cmp eq 1 0043][payload 2b @ 2 + 2 => 1][cmp eq 1 0044]".into(),
            "[immediate 0 verdict 1]",
        ),
        (
            INET,
            vec![Match::Protocol(Protocol::Icmp6), Match::IcmpType(135)],
            Verdict::Accept,
            "[meta 16 => 1][cmp eq 1 3a][payload 1b @ 2 + 0 => 1][cmp eq 1 87]".into(),
            "[immediate 0 verdict 1]",
        ),
        (
            INET,
            vec![Match::Known, Match::Reply],
            Verdict::Accept,
            format!("[ct 0 => 1][bitwise 1 = 1 & {known} ^ 00000000 len 4][cmp neq 1 00000000][ct 1 => 1][cmp eq 1 01]"),
            "[immediate 0 verdict 1]",
        ),
        (
            INET,
            vec![Match::Invalid],
            Verdict::Drop,
            format!("[ct 0 => 1][bitwise 1 = 1 & {invalid} ^ 00000000 len 4][cmp neq 1 00000000]"),
            "[immediate 0 verdict 0]",
        ),
        (
            INET,
            vec![Match::Source(network("172.16.0.0", 12))],
            Verdict::Return,
            "[payload 4b @ 1 + 12 => 1][bitwise 1 = 1 & fff00000 ^ 00000000 len 4][cmp eq 1 ac100000]".into(),
            "[immediate 0 verdict -5]",
        ),
        (
            INET,
            vec![Match::NotSource(network("0.0.0.0", 32)), Match::ForeignSource],
            Verdict::Drop,
            format!("[payload 4b @ 1 + 12 => 1][cmp neq 1 00000000][fib 3 of 1 => 1][cmp neq 1 {local}]"),
            "[immediate 0 verdict 0]",
        ),
        (
            INET,
            vec![Match::Destination(network("2001:db8:ffff::", 33))],
            Verdict::Accept,
            format!(
                "[payload 16b @ 1 + 24 => 1][bitwise 1 = 1 & ffffffff8{z:023} ^ {z:032} len 16][cmp eq 1 20010db88{z:023}]",
                z = 0
            ),
            "[immediate 0 verdict 1]",
        ),
        (INET, vec![Match::NoWayBack], Verdict::Drop, "[fib 1 of 9 => 1][cmp eq 1 00000000]".into(), "[immediate 0 verdict 0]"),
        (
            INET,
            vec![Match::Protocol(Protocol::Tcp), Match::Syn],
            Verdict::Ask(Hook::Scan),
            "[meta 16 => 1][cmp eq 1 06][payload 1b @ 2 + 13 => 1][bitwise 1 = 1 & 17 ^ 00 len 1][cmp eq 1 02]".into(),
            "[immediate 0 verdict -3 scan]",
        ),
        (
            INET,
            vec![Match::Over(Rate { name: "scan", packets: 6, seconds: 60, burst: 7 })],
            Verdict::Count,
            "[limit 6 in 60s burst 7 over 1]".into(),
            "",
        ),
        (
            INET,
            vec![Match::In(LinkName::pattern("tun*").unwrap())],
            Verdict::Drop,
            "[meta 6 => 1][cmp eq 1 74756e]".into(),
            "[immediate 0 verdict 0]",
        ),
        (
            INET,
            vec![Match::ToPorts(5000, 5100), Match::ToPorts(443, 443)],
            Verdict::Accept,
            "[payload 2b @ 2 + 2 => 1][cmp gte 1 1388][cmp lte 1 13ec][payload 2b @ 2 + 2 => 1][cmp eq 1 01bb]".into(),
            "[immediate 0 verdict 1]",
        ),
        (
            INET,
            vec![Match::Protocol(Protocol::Icmp), Match::IcmpCode(3, 4), Match::Known, Match::Original],
            Verdict::Return,
            format!("[meta 16 => 1][cmp eq 1 01][payload 2b @ 2 + 0 => 1][cmp eq 1 0304][ct 0 => 1][bitwise 1 = 1 & {known} ^ 00000000 len 4][cmp neq 1 00000000][ct 1 => 1][cmp eq 1 00]"),
            "[immediate 0 verdict -5]",
        ),
        (INET, vec![], Verdict::Reset, String::new(), "[reject 1 0]"),
        (INET, vec![], Verdict::Unreachable, String::new(), "[reject 2 1]"),
        (IP, vec![], Verdict::Unreachable, String::new(), "[reject 0 3]"),
        (IP6, vec![], Verdict::Unreachable, String::new(), "[reject 0 4]"),
        (INET, vec![], Verdict::Redirect(8080), String::new(), "[immediate 1 1f90][redir 1 1 2]"),
    ];
    for (family, matches, verdict, first, last) in cases {
        let rule = Rule { matches, verdict, counted: None };
        let mut written = Messages::default();
        let at = written.open(4);
        write(&mut written, &rule, family, Lacks::NONE);
        written.close(at);
        assert_eq!(told(RuleAttrs::new(&written.0)), format!("{first}{last}"), "{rule:?}");
    }
}

fn closed() -> Table {
    build_table(
        GateState::Closed,
        &Links { lan: vec!["br0".into()], lan_subnets: Vec::new(), page_port: 8080, dns_port: 5353 },
        &Traffic::default(),
    )
}

#[test]
fn a_batch_is_decoded_as_it_was_meant() {
    let wanted = closed();
    let there = [(INET, b"input".to_vec()), (INET, b"more".to_vec()), (IP, b"other".to_vec())];
    let lines = shown(&batch(&wanted, Lacks::NONE, Way::Refill, &there));
    let expected = [
        "0 begin",
        "2 table komainu",
        "2 no table komainu",
        "1 table komainu",
        "1 no rules in komainu",
        "1 no chain more",
        "1 chain strangers",
        "1 chain far",
        "1 chain foreign",
        "1 chain scan",
        "1 chain flood",
        "1 chain errors",
        "1 chain multicast",
        "1 chain input filter hook=1 priority=-10 policy=0",
        "1 chain forward filter hook=2 priority=-10 policy=0",
        "1 chain output filter hook=3 priority=-10 policy=0",
        "1 chain prerouting nat hook=0 priority=-110 policy=1",
        "1 rule strangers",
    ];
    assert_eq!(lines[..expected.len()], expected);
    let counts =
        |chain: &str| lines.iter().filter(|line| line.starts_with(&format!("1 rule {chain}"))).count();
    for (name, chain) in [
        "strangers",
        "far",
        "foreign",
        "scan",
        "flood",
        "errors",
        "multicast",
        "input",
        "forward",
        "output",
        "prerouting",
    ]
    .into_iter()
    .zip(&wanted.chains)
    {
        assert_eq!(counts(name), chain.rules.len());
    }
    // Only the last is acknowledged, and the batch's own ends are not.
    let acknowledged: Vec<usize> =
        (0..lines.len()).filter(|at| lines[*at].ends_with("acknowledged")).collect();
    assert_eq!(acknowledged, [lines.len() - 2]);
    assert_eq!(lines[lines.len() - 1], "0 end");
}

#[test]
fn all_anew_is_one_batch_too() {
    let wanted = closed();
    let lines = shown(&batch(&wanted, Lacks::MIXED_NAT, Way::Anew, &[]));
    assert_eq!(
        lines[..5],
        ["0 begin", "1 table komainu", "1 no table komainu", "1 table komainu", "1 no rules in komainu"]
    );
    for family in [IP, IP6] {
        let of = |line: &&String| line.starts_with(&format!("{family} "));
        assert_eq!(
            lines.iter().filter(of).collect::<Vec<_>>()[4],
            &format!("{family} chain prerouting nat hook=0 priority=-110 policy=1")
        );
    }
}

#[test]
fn the_batchs_own_messages_name_their_subsystem() {
    let wanted = closed();
    let batch = batch(&wanted, Lacks::NONE, Way::Refill, &[]);
    let mut bytes = batch.messages.0.as_slice();
    while let Some(message) = Message::take(&mut bytes) {
        let resource = if message.kind < 0x100 { 10 } else { 0 };
        assert_eq!(message.body[1..4], [0, 0, resource], "big-endian, on every machine");
    }
}

/// A rule that counts, as a kernel tells it after so many packets.
fn told_by_a_kernel(wanted: &Table, packets: u64) -> Vec<u8> {
    let mut messages = Messages::default();
    for chain in &wanted.chains {
        let at = messages.begin(NEW_CHAIN, 0, 1, INET, 0);
        messages.name(CHAIN_TABLE, TABLE);
        describe(&mut messages, chain);
        messages.end(at);
        for rule in &chain.rules {
            let at = messages.begin(NEW_RULE, 0, 1, INET, 0);
            messages.name(RULE_TABLE, TABLE);
            messages.name(RULE_CHAIN, chain_name(chain.hook));
            let expressions = messages.open(RULE_EXPRESSIONS);
            write(&mut messages, &Rule { counted: None, ..rule.clone() }, INET, Lacks::NONE);
            if rule.counted.is_some() {
                // It stands before the verdict, and this rule has nothing else.
                assert_eq!(rule.matches, []);
                let verdict = messages.0.split_off(expressions + 4);
                let element = messages.open(1);
                messages.name(1, "counter");
                let data = messages.open(2);
                messages.long(1, packets * 60);
                messages.bytes(3, &[]);
                messages.long(2, packets);
                messages.close(data);
                messages.close(element);
                messages.0.extend_from_slice(&verdict);
            }
            messages.close(expressions);
            messages.end(at);
        }
    }
    let at = messages.begin(NEW_TABLE, 0, 1, INET, 0);
    messages.name(TABLE_NAME, TABLE);
    messages.end(at);
    messages.0
}

#[test]
fn what_a_kernel_counted_is_read_and_makes_no_difference() {
    let rule = Rule { matches: Vec::new(), verdict: Verdict::Drop, counted: Some(Counted::Stranger) };
    let chain = Chain { hook: Hook::Strangers, priority: 0, policy: Verdict::Accept, rules: vec![rule] };
    let wanted = Table {
        gate_state: komainu_core::gate::state::GateState::Closed,
        contained: false,
        chains: vec![chain],
    };
    for packets in [0, 5, u64::from(u32::MAX) + 1] {
        let (holds, counts) = read_answers(&told_by_a_kernel(&wanted, packets), &wanted);
        assert!(holds);
        let all = Count { counted: Counted::Stranger, protocol: None, port: 0, packets };
        assert_eq!(counts, [all]);
    }
}

#[test]
fn what_is_written_is_what_is_wanted() {
    let (open, closed) = (open(), closed());
    assert_eq!(read_answers(&written(&open), &open), (true, Vec::new()));
    assert!(!read_answers(&written(&open), &closed).0);
    assert!(!read_answers(&[], &open).0);
}

fn open() -> Table {
    let links = Links { lan: vec!["br0".into()], lan_subnets: Vec::new(), page_port: 8080, dns_port: 5353 };
    build_table(GateState::Open, &links, &Traffic { forwards: true, ..Traffic::default() })
}

#[test]
fn a_kernel_that_does_not_know_the_wrong_way_round_is_found_out() {
    let rate = Rate { name: "tcp", packets: 50, seconds: 1, burst: 100 };
    let rule = Rule { matches: vec![Match::Over(rate)], verdict: Verdict::Drop, counted: None };
    let chain = Chain { hook: Hook::Strangers, priority: 0, policy: Verdict::Accept, rules: vec![rule] };
    let wanted = Table {
        gate_state: komainu_core::gate::state::GateState::Closed,
        contained: false,
        chains: vec![chain],
    };
    let mut answer = told_by_a_kernel(&wanted, 0);
    let compared = |answer: &[u8]| {
        let (mut found, mut bytes) = (Found::of(INET), answer);
        while let Some(message) = Message::take(&mut bytes) {
            found.take(&message);
        }
        found.compare(&wanted.chains.iter().collect::<Vec<_>>(), Lacks::NONE)
    };
    assert!(compared(&answer) == Compared::Same);
    // The flag is the only 1 in an attribute of this kind and length.
    let flag = [8u16.to_ne_bytes(), 5u16.to_ne_bytes(), [0, 0], [0, 1]].concat();
    let at = answer.windows(8).position(|bytes| bytes == flag).unwrap();
    answer[at + 7] = 0;
    assert!(compared(&answer) == Compared::ButLimits);
}
