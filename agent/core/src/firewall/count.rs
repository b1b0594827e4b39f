//! Counters: the packets that are counted, and the ports that strangers ask for.

use crate::firewall::table::Counted;
use crate::firewall::table::{Match, Protocol, Rule};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

impl Count {
    /// The name of the counted traffic, for people: `23/tcp`, `other/udp`, `other`.
    pub fn port_name(&self) -> String {
        let protocol = match self.protocol {
            Some(Protocol::Tcp) => "/tcp",
            Some(Protocol::Udp) => "/udp",
            Some(Protocol::Icmp | Protocol::Icmp6) => "/icmp",
            Some(Protocol::Igmp) => "/igmp",
            Some(Protocol::Esp) => "/esp",
            None => "",
        };
        match self.port {
            0 => format!("other{protocol}"),
            port => format!("{port}{protocol}"),
        }
    }
}

/// A number of counted packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    pub counted: Counted,
    /// Of this protocol; none: of all others, or of any.
    pub protocol: Option<Protocol>,
    /// To this port; 0: to all others, or to any.
    pub port: u16,
    /// Packets since the rules were put into the kernel. The number goes back to 0 when they are put there anew.
    pub packets: u64,
}

/// TCP ports that bots and scanners ask for: each is counted by itself.
#[rustfmt::skip]
pub const TCP_COUNTED: [u16; 22] = [
    21, 22, 23, 80, 81, 443, 445, 554, 2323, 3389, 5358, 5555, 7547, 8000, 8080, 8081, 8443, 9000, 37215, 48101, 49152,
    52869,
];
/// UDP ports of services that attackers use as reflectors.
#[rustfmt::skip]
pub const UDP_COUNTED: [u16; 18] = [
    17, 19, 53, 69, 111, 123, 137, 161, 389, 520, 1900, 3283, 3702, 5353, 5683, 10001, 11211, 37810,
];

/// Adds the packets that a rule has counted; two rules that count under one name give one number.
pub fn counts(counts: &mut Vec<Count>, rule: &Rule, packets: u64) {
    let Some(counted) = rule.counted else { return };
    let (mut protocol, mut port) = (None, 0);
    for one in &rule.matches {
        match one {
            Match::Protocol(it) => protocol = Some(*it),
            Match::To(it) => port = *it,
            _ => {}
        }
    }
    add(counts, Count { counted, protocol, port, packets });
}

/// Adds one count to the others.
fn add(counts: &mut Vec<Count>, one: Count) {
    let same = |it: &&mut Count| (it.counted, it.protocol, it.port) == (one.counted, one.protocol, one.port);
    match counts.iter_mut().find(same) {
        Some(it) => it.packets = it.packets.saturating_add(one.packets),
        None => counts.push(one),
    }
}

impl Count {
    /// Adds these to others.
    pub fn add_all(to: &mut Vec<Count>, more: &[Count]) {
        for one in more {
            add(to, *one);
        }
    }
}

/// Counts that grew lately. A finding about them stays while traffic comes and goes.
#[derive(Debug, Default)]
pub struct Recent(Vec<(Count, u64)>);

impl Recent {
    /// Time for which a count stays after it grew, in milliseconds.
    pub const STAYS_MILLISECONDS: u64 = 120_000;

    /// Adds the counts that have grown now, and hands back all that grew lately.
    pub fn take(&mut self, grown: &[Count], now: u64) -> Vec<Count> {
        for count in grown {
            let same = |it: &Count| {
                (it.counted, it.protocol, it.port) == (count.counted, count.protocol, count.port)
            };
            self.0.retain(|(other, _)| !same(other));
            self.0.push((*count, now));
        }
        self.0.retain(|(_, grew)| now < grew.saturating_add(Recent::STAYS_MILLISECONDS));
        self.0.iter().map(|(count, _)| *count).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::table::{Family, Verdict};

    #[test]
    fn what_comes_and_goes_stays_for_a_while() {
        let flood =
            |packets| Count { counted: Counted::Flood, protocol: Some(Protocol::Udp), port: 0, packets };
        let mut recent = Recent::default();
        assert_eq!(recent.take(&[], 1_000), []);
        assert_eq!(recent.take(&[flood(5)], 2_000), [flood(5)]);
        assert_eq!(recent.take(&[], 60_000), [flood(5)]);
        assert_eq!(recent.take(&[flood(7)], 100_000), [flood(7)]);
        assert_eq!(recent.take(&[], 219_999), [flood(7)]);
        assert_eq!(recent.take(&[], 220_000), []);
    }

    #[test]
    fn what_is_counted_under_one_name_is_one_number() {
        let rule = |matches: &[Match]| Rule {
            matches: matches.to_vec(),
            verdict: Verdict::Drop,
            counted: Some(Counted::Stranger),
        };
        let mut found = Vec::new();
        let telnet = [Match::Protocol(Protocol::Tcp), Match::To(23)];
        counts(&mut found, &rule(&telnet), 3);
        counts(&mut found, &rule(&[&[Match::Family(Family::V6)], &telnet[..]].concat()), 2);
        counts(&mut found, &rule(&[]), u64::MAX);
        counts(&mut found, &rule(&[]), 1);
        counts(&mut found, &Rule { counted: None, ..rule(&telnet) }, 7);
        let of = |protocol, port, packets| Count { counted: Counted::Stranger, protocol, port, packets };
        assert_eq!(found, [of(Some(Protocol::Tcp), 23, 5), of(None, 0, u64::MAX)]);
    }
}
