//! A rule as the expressions of nf_tables, and expressions in one normal form to compare them in.

use super::message::{Attributes, Messages};
use komainu_core::firewall::{Family, Match, Rule, Verdict};

/// Families of tables.
pub const INET: u8 = 1;
pub const IP: u8 = 2;
pub const IP6: u8 = 10;

/// The register that verdicts go to, and the one that everything else goes to.
const VERDICT: u32 = 0;
const VALUE: u32 = 1;

const EQUAL: u32 = 0;
const NOT_EQUAL: u32 = 1;

// What `meta` knows of a packet.
const META_MARK: u32 = 3;
const META_IN: u32 = 6;
const META_OUT: u32 = 7;
const META_FAMILY: u32 = 15;
const META_PROTOCOL: u32 = 16;
// What `ct` knows of its connection.
const CT_STATE: u32 = 0;
const CT_DIRECTION: u32 = 1;
const STATE_INVALID: u32 = 1;
const STATE_ESTABLISHED: u32 = 2;
const STATE_RELATED: u32 = 4;
const DIRECTION_REPLY: u8 = 1;

/// One of `NFTA_LIST_ELEM`, `NFTA_EXPR_NAME`, `NFTA_EXPR_DATA`.
const ELEMENT: u16 = 1;
const NAME: u16 = 1;
const DATA: u16 = 2;

/// Whether a rule says anything in tables of this family.
pub fn is_of(rule: &Rule, family: u8) -> bool {
    rule.matches.iter().all(|one| match one {
        Match::Family(Family::V4) => family != IP6,
        Match::Family(Family::V6) => family != IP,
        _ => true,
    })
}

/// Whether a rule needs connection tracking.
pub fn needs_tracking(rule: &Rule) -> bool {
    rule.matches.iter().any(|one| matches!(one, Match::Known | Match::Invalid | Match::Reply))
}

/// Writes the expressions of a rule for a table of this family. With `rejects` false, what would be refused is
/// dropped.
pub fn write(to: &mut Messages, rule: &Rule, family: u8, rejects: bool) {
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
            Match::IcmpType(kind) => transport(to, 0, &[*kind]),
            Match::Known => state(to, STATE_ESTABLISHED | STATE_RELATED),
            Match::Invalid => state(to, STATE_INVALID),
            Match::Reply => {
                load(to, "ct", (1, VALUE), (2, CT_DIRECTION));
                compare(to, EQUAL, &[DIRECTION_REPLY]);
            }
            // Registers hold marks in the device's own byte order.
            Match::Mark(mark) => meta(to, META_MARK, &mark.to_ne_bytes()),
        }
    }
    match rule.verdict {
        Verdict::Accept => end(to, 1),
        Verdict::Drop => end(to, 0),
        Verdict::Reset | Verdict::Unreachable if !rejects => end(to, 0),
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
    let at = open(to, "payload");
    to.number(1, VALUE);
    to.number(2, 2);
    to.number(3, offset);
    to.number(4, with.len() as u32);
    close(to, at);
    compare(to, EQUAL, with);
}

fn state(to: &mut Messages, bits: u32) {
    load(to, "ct", (1, VALUE), (2, CT_STATE));
    let at = open(to, "bitwise");
    to.number(1, VALUE);
    to.number(2, VALUE);
    to.number(3, 4);
    value(to, 4, &bits.to_ne_bytes());
    value(to, 5, &[0; 4]);
    close(to, at);
    compare(to, NOT_EQUAL, &[0; 4]);
}

fn end(to: &mut Messages, code: u32) {
    let at = open(to, "immediate");
    to.number(1, VERDICT);
    let data = to.open(2);
    let verdict = to.open(2);
    to.number(1, code);
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

/// Expressions in one form, however the kernel orders their attributes and whichever zeros it leaves out.
pub fn normal(expressions: &[u8]) -> Vec<u8> {
    let mut normal = Vec::new();
    for (_, element) in Attributes(expressions) {
        let name = Attributes(element).name(NAME);
        normal.extend_from_slice(name);
        normal.push(0);
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
