//! DNS of the captive portal: while the gate is closed every name has the address of this device, so that each request
//! of a browser ends at the setup page. Pure: a query in, an answer out; no other server is asked.

use std::net::Ipv4Addr;

/// Longest query that is read, and longest name in it.
const QUESTION_BYTES_MAX: usize = 512;
const NAME_BYTES_MAX: usize = 255;
/// Longest answer: header, question, one address.
pub const ANSWER_BYTES_MAX: usize = 12 + NAME_BYTES_MAX + 4 + 16;

const SERVFAIL: u8 = 2;
const REFUSED: u8 = 5;

/// The gate decides the addresses of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsMode {
    /// The gate is closed: every name has this address of the device.
    Captive(Ipv4Addr),
    /// The gate is closed, and the address of the device is not known yet.
    AddressUnknown,
    /// The gate is open: this server refuses every query.
    GateOpen,
}

/// The answer to a query; `None`: the bytes are no query, and get no answer.
pub fn answer(question: &[u8], mode: DnsMode) -> Option<Vec<u8>> {
    if question.len() > QUESTION_BYTES_MAX {
        return None;
    }
    let (header, rest) = question.split_first_chunk::<12>()?;
    let [id0, id1, flags, _, questions @ ..] = *header;
    // A standard query with one question, no answers, no authorities, at most one additional record (EDNS).
    let ordinary = flags & 0b1111_1010 == 0;
    if !ordinary || questions[..6] != [0, 1, 0, 0, 0, 0] || questions[6] != 0 || questions[7] > 1 {
        return None;
    }
    let name_bytes = name_bytes(rest)?;
    let asked = rest.get(..name_bytes + 4)?;
    let [kind0, kind1, class0, class1] = *rest[name_bytes..].first_chunk::<4>()?;
    let internet = matches!((class0, class1), (0, 1) | (0, 255));
    let (code, address) = match mode {
        DnsMode::GateOpen => (REFUSED, None),
        _ if !internet => (REFUSED, None),
        DnsMode::AddressUnknown => (SERVFAIL, None),
        DnsMode::Captive(address) => {
            (0, Some(address).filter(|_| matches!((kind0, kind1), (0, 1) | (0, 255))))
        }
    };
    // An authoritative answer; "recursion desired" as in the query; "recursion available", or some clients turn to
    // another server.
    let mut out = vec![id0, id1, 0b1000_0100 | flags & 1, 0b1000_0000 | code];
    out.extend_from_slice(&[0, 1, 0, u8::from(address.is_some()), 0, 0, 0, 0]);
    out.extend_from_slice(asked);
    if let Some(address) = address {
        // The name of the question; A, IN, TTL 0, four bytes.
        out.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        out.extend_from_slice(&address.octets());
    }
    Some(out)
}

/// The length of the name in bytes. A question has no compression pointer: no name stands before it.
fn name_bytes(rest: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let label = usize::from(*rest.get(at)?);
        at += 1 + label;
        if label > 63 || at > NAME_BYTES_MAX {
            return None;
        }
        if label == 0 {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: DnsMode = DnsMode::Captive(Ipv4Addr::new(192, 168, 1, 1));

    fn question(kind: u8, tail: &[u8]) -> Vec<u8> {
        let mut out = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        out.extend_from_slice(b"\x07captive\x05apple\x03com\x00\x00");
        out.extend_from_slice(&[kind, 0, 1]);
        out.extend_from_slice(tail);
        out
    }

    #[test]
    fn every_name_is_this_device_while_closed() {
        let asked = question(1, &[]);
        let answer = answer(&asked, OURS).unwrap();
        assert_eq!(answer[..12], [0xab, 0xcd, 0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
        assert_eq!(answer[12..asked.len()], asked[12..]);
        assert_eq!(answer[asked.len()..], [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 192, 168, 1, 1]);
    }

    #[test]
    fn other_kinds_have_no_answer_but_no_error() {
        for kind in [28, 65, 16, 6, 12] {
            let answer = answer(&question(kind, &[]), OURS).unwrap();
            assert_eq!((answer[3] & 15, answer[7]), (0, 0));
        }
    }

    #[test]
    fn nothing_is_answered_once_open_or_before_the_address_is_known() {
        for (names, code) in [(DnsMode::GateOpen, REFUSED), (DnsMode::AddressUnknown, SERVFAIL)] {
            let answer = answer(&question(1, &[]), names).unwrap();
            assert_eq!((answer[3] & 15, answer[7]), (code, 0));
        }
    }

    #[test]
    fn what_is_no_question_gets_no_answer() {
        let good = question(1, &[]);
        for length in 0..good.len() {
            assert_eq!(answer(&good[..length], OURS), None);
        }
        let changed = |place: usize, byte: u8| {
            let mut bad = good.clone();
            bad[place] = byte;
            bad
        };
        let mut long = good[..12].to_vec();
        for _ in 0..5 {
            long.push(63);
            long.extend([b'a'; 63]);
        }
        long.extend([0, 0, 1, 0, 1]);
        for bad in [
            changed(2, 0x81),
            changed(2, 0x10),
            changed(5, 2),
            changed(5, 0),
            changed(7, 1),
            changed(9, 1),
            changed(11, 2),
            changed(12, 0xc0),
            long,
            vec![0; QUESTION_BYTES_MAX + 1],
        ] {
            assert_eq!(answer(&bad, OURS), None, "{bad:x?}");
        }
    }

    #[test]
    fn an_answer_is_hardly_longer_than_its_question() {
        let edns = question(1, &[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
        let answer = answer(&edns, OURS).unwrap();
        assert!(answer.len() <= edns.len() + 16 && answer.len() <= ANSWER_BYTES_MAX);
    }
}
