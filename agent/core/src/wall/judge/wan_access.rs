//! Judges WAN rules, the ports of the device that are open on the WAN. Each needs addresses, TLS, an owner with a good
//! password, and a day on which it ends; one that lacks any of these is shut, and the report says which. An ACS (TR-069)
//! needs its addresses only, and a VPN, which answers to keys, not even these.

use crate::firewall::table::WanRule;
use crate::gate::state::GateState;
use crate::wall::measures::Measure;
use crate::wall::policy::{Purpose, WanAccess};
use crate::wall::report::Report;
use alloc::vec::Vec;
use komainu_trust::Moment;

/// The facts that are known when doors are judged.
#[derive(Clone, Debug)]
pub struct WanAccessFacts<'a> {
    /// The state of the gate: open only with an owner whose password the rule has judged.
    pub gate_state: Option<GateState>,
    /// The time by the best clock.
    pub now: Moment,
    /// Ports that answered with TLS; `None`: no answer came.
    pub tls: &'a [(u16, Option<bool>)],
    /// The maker's support has ended: no administration from the WAN any more.
    pub restricted: bool,
}

/// The doors that may stand open now.
pub fn judge(wan_access: &[WanAccess], seen: &WanAccessFacts<'_>, report: &mut Report) -> Vec<WanRule> {
    let mut wan_rules = Vec::new();
    for door in wan_access {
        match why_shut(door, seen) {
            None => {
                let WanAccess { port, protocol, from, .. } = door;
                let whom = match door.purpose {
                    Purpose::Acs => "the ACS",
                    Purpose::Admin => "administration",
                    Purpose::Vpn => "the VPN",
                };
                match from.iter().any(|network| network.prefix == 0) {
                    true => {
                        report.note(format_args!("port {port} is open on the WAN for {whom}, to any address"))
                    }
                    false => report.note(format_args!(
                        "port {port} is open on the WAN for {whom}, to {} addresses or networks",
                        from.len()
                    )),
                }
                wan_rules.push(WanRule { from: from.clone(), protocol: *protocol, port: *port });
            }
            Some(why) => {
                report.cannot_enforce(
                    Measure::WanAdmin,
                    format_args!("the way in to port {} is shut, because {why}", door.port),
                );
            }
        }
    }
    wan_rules
}

fn why_shut(door: &WanAccess, seen: &WanAccessFacts<'_>) -> Option<&'static str> {
    if door.from.is_empty() {
        return Some("no address is named that may come in");
    }
    if door.until.is_some_and(|until| until <= seen.now) {
        return Some("its time is over");
    }
    // A VPN asks for a key before it says a word.
    if door.purpose != Purpose::Admin {
        return None;
    }
    if door.until.is_none() {
        return Some("it has no end");
    }
    if seen.restricted {
        return Some("the maker's support has ended");
    }
    if seen.gate_state != Some(GateState::Open) {
        return Some("the owner has not set a password");
    }
    match seen.tls.iter().find(|(port, _)| *port == door.port).and_then(|(_, tls)| *tls) {
        Some(true) => None,
        Some(false) => Some("what answers there does not speak TLS"),
        None => Some("nobody answers there"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::table::{Network, Protocol};
    use core::net::{IpAddr, Ipv4Addr};

    fn door() -> WanAccess {
        let network = Network { address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)), prefix: 32 };
        let until = Some(Moment(2_000));
        WanAccess {
            purpose: Purpose::Admin,
            port: 443,
            protocol: Protocol::Tcp,
            from: alloc::vec![network],
            until,
        }
    }

    #[test]
    fn a_way_in_lacks_nothing_or_is_shut() {
        let all = WanAccessFacts {
            gate_state: Some(GateState::Open),
            now: Moment(1_000),
            tls: &[(443, Some(true))],
            restricted: false,
        };
        let shut = |door: WanAccess, seen: &WanAccessFacts<'_>| {
            let mut report = Report::default();
            judge(&[door], seen, &mut report).is_empty()
        };
        assert!(!shut(door(), &all));
        assert!(shut(WanAccess { from: Vec::new(), ..door() }, &all));
        assert!(shut(WanAccess { until: None, ..door() }, &all));
        assert!(shut(door(), &WanAccessFacts { now: Moment(2_000), ..all.clone() }));
        assert!(shut(door(), &WanAccessFacts { gate_state: Some(GateState::Closed), ..all.clone() }));
        assert!(shut(door(), &WanAccessFacts { gate_state: None, ..all.clone() }));
        assert!(shut(door(), &WanAccessFacts { tls: &[(443, Some(false))], ..all.clone() }));
        assert!(shut(door(), &WanAccessFacts { tls: &[(443, None)], ..all.clone() }));
        assert!(shut(door(), &WanAccessFacts { tls: &[(80, Some(true))], ..all.clone() }));
        assert!(shut(door(), &WanAccessFacts { restricted: true, ..all.clone() }));
    }

    #[test]
    fn an_acs_needs_its_addresses_only() {
        let acs = WanAccess { purpose: Purpose::Acs, until: None, ..door() };
        let none = WanAccessFacts { gate_state: None, now: Moment(1_000), tls: &[], restricted: true };
        let mut report = Report::default();
        assert_eq!(judge(core::slice::from_ref(&acs), &none, &mut report).len(), 1);
        assert_eq!((report.doubts.len(), report.notes.len()), (0, 1));
        assert!(judge(&[WanAccess { from: Vec::new(), ..acs }], &none, &mut report).is_empty());
    }

    #[test]
    fn a_vpn_may_be_asked_by_anybody() {
        let all = Network { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), prefix: 0 };
        let vpn = WanAccess {
            purpose: Purpose::Vpn,
            port: 51820,
            protocol: Protocol::Udp,
            until: None,
            from: alloc::vec![all],
        };
        let none = WanAccessFacts { gate_state: None, now: Moment(1_000), tls: &[], restricted: true };
        let mut report = Report::default();
        assert_eq!(judge(core::slice::from_ref(&vpn), &none, &mut report).len(), 1);
        assert_eq!(&*report.notes[0], "port 51820 is open on the WAN for the VPN, to any address");
        let ended = WanAccess { until: Some(Moment(900)), ..vpn };
        assert!(judge(&[ended], &none, &mut report).is_empty());
    }
}
