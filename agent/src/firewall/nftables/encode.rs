//! A rule as the expressions of nf_tables, and expressions in one normal form to compare them in.

use super::constants::{INET, IP, IP6, chain_name};
use super::netlink_message::{Attributes, Messages};
use crate::firewall::fallback::Lacks;
use komainu_core::firewall::table::{Family, Match, Network, Rate, Rule, Verdict};
use std::net::IpAddr;

/// The register that verdicts go to, and the one that everything else goes to.
const VERDICT: u32 = 0;
const VALUE: u32 = 1;

const EQUAL: u32 = 0;
const NOT_EQUAL: u32 = 1;
const AT_MOST: u32 = 3;
const AT_LEAST: u32 = 5;

// Keys of `meta`: facts about a packet.
const META_MARK: u32 = 3;
const META_IN: u32 = 6;
const META_OUT: u32 = 7;
const META_FAMILY: u32 = 15;
const META_PROTOCOL: u32 = 16;
// Keys of `ct`: facts about a packet's connection.
const CT_STATE: u32 = 0;
const CT_DIRECTION: u32 = 1;
const STATE_INVALID: u32 = 1;
const STATE_ESTABLISHED: u32 = 2;
const STATE_RELATED: u32 = 4;
// Questions to `fib` about the source, and its answers.
const FIB_LINK: u32 = 1;
const FIB_KIND: u32 = 3;
const FIB_OF_SOURCE: u32 = 1;
const FIB_BY_LINK: u32 = 8;
const KIND_OWN: u32 = 2;
/// Flag of a limit: it matches packets over the limit.
const LIMIT_OVER: u32 = 1;
/// Headers: of IP, and of its payload.
const NETWORK: u32 = 1;
const TRANSPORT: u32 = 2;
/// Where TCP has its flags; those of a connection's beginning and end; the one of the first packet.
const TCP_FLAGS: u32 = 13;
const FLAGS_MASK: u8 = 0x17;
const FLAG_SYN: u8 = 0x02;
// Verdicts.
const DROP: i32 = 0;
const ACCEPT: i32 = 1;
const JUMP: i32 = -3;
const RETURN: i32 = -5;

/// One of `NFTA_LIST_ELEM`, `NFTA_EXPR_NAME`, `NFTA_EXPR_DATA`.
const ELEMENT: u16 = 1;
const NAME: u16 = 1;
const DATA: u16 = 2;
const COUNTER: &str = "counter";

/// Whether a rule says anything in tables of this family.
pub fn is_of(rule: &Rule, family: u8) -> bool {
    rule.matches.iter().all(|one| match one {
        Match::Family(Family::V4) => family != IP6,
        Match::Family(Family::V6) => family != IP,
        _ => true,
    })
}

/// Writes the expressions of a rule for a table of this family. Without [`Lacks::REJECT`], a refusal becomes a drop.
pub fn write(to: &mut Messages, rule: &Rule, family: u8, lacks: Lacks) {
    for one in &rule.matches {
        match one {
            // Tables of one family need no such match.
            Match::Family(_) if family != INET => {}
            Match::Family(Family::V4) => meta(to, META_FAMILY, &[IP]),
            Match::Family(Family::V6) => meta(to, META_FAMILY, &[IP6]),
            Match::In(link) => meta(to, META_IN, link.bytes()),
            Match::Out(link) => meta(to, META_OUT, link.bytes()),
            Match::Protocol(protocol) => meta(to, META_PROTOCOL, &[*protocol as u8]),
            Match::From(port) => transport(to, 0, &port.to_be_bytes()),
            Match::To(port) => transport(to, 2, &port.to_be_bytes()),
            Match::ToPorts(first, last) if first == last => transport(to, 2, &first.to_be_bytes()),
            Match::ToPorts(first, last) => {
                payload(to, TRANSPORT, 2, 2);
                compare(to, AT_LEAST, &first.to_be_bytes());
                compare(to, AT_MOST, &last.to_be_bytes());
            }
            Match::IcmpType(kind) => transport(to, 0, &[*kind]),
            Match::IcmpCode(kind, code) => transport(to, 0, &[*kind, *code]),
            Match::Known => state(to, STATE_ESTABLISHED | STATE_RELATED),
            Match::Invalid => state(to, STATE_INVALID),
            Match::Reply | Match::Original => {
                load(to, "ct", (1, VALUE), (2, CT_DIRECTION));
                compare(to, EQUAL, &[u8::from(*one == Match::Reply)]);
            }
            // Registers hold marks in the device's own byte order.
            Match::Mark(mark) => meta(to, META_MARK, &mark.to_ne_bytes()),
            Match::Source(of) => address(to, EQUAL, 0, of),
            Match::NotSource(of) => address(to, NOT_EQUAL, 0, of),
            Match::Destination(of) => address(to, EQUAL, 1, of),
            Match::ForeignSource => {
                fib(to, FIB_KIND, FIB_OF_SOURCE);
                compare(to, NOT_EQUAL, &KIND_OWN.to_ne_bytes());
            }
            Match::NoWayBack => {
                fib(to, FIB_LINK, FIB_OF_SOURCE | FIB_BY_LINK);
                compare(to, EQUAL, &[0; 4]);
            }
            Match::Syn => {
                payload(to, TRANSPORT, TCP_FLAGS, 1);
                mask(to, &[FLAGS_MASK]);
                compare(to, EQUAL, &[FLAG_SYN]);
            }
            Match::Over(rate) => limit(to, *rate),
        }
    }
    if rule.counted.is_some() && !lacks.has(Lacks::COUNT) {
        let at = open(to, COUNTER);
        close(to, at);
    }
    match rule.verdict {
        Verdict::Accept => end(to, ACCEPT, None),
        Verdict::Drop => end(to, DROP, None),
        Verdict::Return => end(to, RETURN, None),
        Verdict::Ask(hook) => end(to, JUMP, Some(chain_name(hook))),
        Verdict::Count => {}
        Verdict::Reset | Verdict::Unreachable if lacks.has(Lacks::REJECT) => end(to, DROP, None),
        Verdict::Reset => reject(to, 1, 0),
        // Each family has its own number for "port unreachable"; mixed tables have one for both.
        Verdict::Unreachable => match family {
            IP => reject(to, 0, 3),
            IP6 => reject(to, 0, 4),
            _ => reject(to, 2, 1),
        },
        Verdict::Redirect(port) => redirect(to, port),
    }
}

/// Begins an expression; [`close`] ends it.
fn open(to: &mut Messages, name: &str) -> (usize, usize) {
    let element = to.open(ELEMENT);
    to.name(NAME, name);
    (element, to.open(DATA))
}

fn close(to: &mut Messages, (element, data): (usize, usize)) {
    to.close(data);
    to.close(element);
}

/// An expression of two numbers.
fn load(to: &mut Messages, name: &str, one: (u16, u32), two: (u16, u32)) {
    let at = open(to, name);
    to.number(one.0, one.1);
    to.number(two.0, two.1);
    close(to, at);
}

fn compare(to: &mut Messages, how: u32, with: &[u8]) {
    let at = open(to, "cmp");
    to.number(1, VALUE);
    to.number(2, how);
    value(to, 3, with);
    close(to, at);
}

fn value(to: &mut Messages, kind: u16, bytes: &[u8]) {
    let data = to.open(kind);
    to.bytes(1, bytes);
    to.close(data);
}

fn meta(to: &mut Messages, key: u32, with: &[u8]) {
    load(to, "meta", (1, VALUE), (2, key));
    compare(to, EQUAL, with);
}

/// Bytes of the header above IP.
fn transport(to: &mut Messages, offset: u32, with: &[u8]) {
    payload(to, TRANSPORT, offset, with.len() as u32);
    compare(to, EQUAL, with);
}

fn payload(to: &mut Messages, base: u32, offset: u32, length: u32) {
    let at = open(to, "payload");
    to.number(1, VALUE);
    to.number(2, base);
    to.number(3, offset);
    to.number(4, length);
    close(to, at);
}

/// The first (0) or the second (1) address of the IP header.
fn address(to: &mut Messages, how: u32, which: u32, of: &Network) {
    // Both versions as 128 bits: of IPv4 only the first 32 count.
    let (bytes, first, length) = match of.address {
        IpAddr::V4(it) => (u128::from(it.to_bits()) << 96, 12, 4),
        IpAddr::V6(it) => (it.to_bits(), 8, 16),
    };
    let counts = u128::MAX.checked_shl(128 - u32::from(of.prefix.min(128))).unwrap_or(0);
    payload(to, NETWORK, first + which * length, length);
    let length = length as usize;
    if usize::from(of.prefix) < length * 8 {
        mask(to, &counts.to_be_bytes()[..length]);
    }
    compare(to, how, &(bytes & counts).to_be_bytes()[..length]);
}

fn fib(to: &mut Messages, answer: u32, about: u32) {
    let at = open(to, "fib");
    to.number(1, VALUE);
    to.number(2, answer);
    to.number(3, about);
    close(to, at);
}

fn limit(to: &mut Messages, rate: Rate) {
    let at = open(to, "limit");
    to.long(1, u64::from(rate.packets));
    to.long(2, u64::from(rate.seconds));
    to.number(3, rate.burst);
    to.number(5, LIMIT_OVER);
    close(to, at);
}

fn state(to: &mut Messages, bits: u32) {
    load(to, "ct", (1, VALUE), (2, CT_STATE));
    mask(to, &bits.to_ne_bytes());
    compare(to, NOT_EQUAL, &[0; 4]);
}

/// Keeps these bits.
fn mask(to: &mut Messages, bits: &[u8]) {
    let at = open(to, "bitwise");
    to.number(1, VALUE);
    to.number(2, VALUE);
    to.number(3, bits.len() as u32);
    value(to, 4, bits);
    value(to, 5, &[0; 16][..bits.len()]);
    close(to, at);
}

fn end(to: &mut Messages, code: i32, chain: Option<&str>) {
    let at = open(to, "immediate");
    to.number(1, VERDICT);
    let data = to.open(2);
    let verdict = to.open(2);
    to.number(1, code.cast_unsigned());
    if let Some(chain) = chain {
        to.name(2, chain);
    }
    to.close(verdict);
    to.close(data);
    close(to, at);
}

fn reject(to: &mut Messages, kind: u32, code: u8) {
    let at = open(to, "reject");
    to.number(1, kind);
    to.bytes(2, &[code]);
    close(to, at);
}

fn redirect(to: &mut Messages, port: u16) {
    let at = open(to, "immediate");
    to.number(1, VALUE);
    value(to, 2, &port.to_be_bytes());
    close(to, at);
    let at = open(to, "redir");
    to.number(1, VALUE);
    to.number(2, VALUE);
    // The kernel sets this flag itself ("a port is given") and would show it.
    to.number(3, 2);
    close(to, at);
}

/// Packets that a rule has counted, if it counts.
pub fn counted(expressions: &[u8]) -> Option<u64> {
    let mut elements = Attributes(expressions);
    let (_, counter) = elements.find(|(_, element)| Attributes(element).name(NAME) == COUNTER.as_bytes())?;
    let packets = Attributes(Attributes(counter).of(DATA)).of(2);
    Some(u64::from_be_bytes(packets.try_into().ok()?))
}

/// Expressions in one form, for any order of attributes, any zeros that the kernel leaves out, and any counts.
pub fn normal(expressions: &[u8]) -> Vec<u8> {
    let mut normal = Vec::new();
    for (_, element) in Attributes(expressions) {
        let name = Attributes(element).name(NAME);
        normal.extend_from_slice(name);
        normal.push(0);
        if name == COUNTER.as_bytes() {
            continue;
        }
        let mut parts: Vec<(u16, &[u8])> = Attributes(Attributes(element).of(DATA))
            .filter(|(_, value)| value.iter().any(|b| *b != 0))
            .collect();
        parts.sort_unstable_by_key(|(kind, _)| *kind);
        for (kind, value) in parts {
            normal.extend_from_slice(&kind.to_be_bytes());
            normal.extend_from_slice(&(value.len() as u32).to_be_bytes());
            normal.extend_from_slice(value);
        }
    }
    normal
}
