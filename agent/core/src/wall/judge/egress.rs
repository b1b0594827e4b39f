//! Judges the packets that the device itself sent too many of, or under a false address, and those of hosts in its
//! LAN, by the firewall's counts.

use crate::firewall::count::Count;
use crate::firewall::table::{Counted, Protocol, Traffic};
use crate::wall::evidence::Sign;
use crate::wall::measures::Measure;
use crate::wall::process_snapshot::{ProcessSnapshot, Transport};
use crate::wall::remediation::ProcessId;
use crate::wall::report::Report;
use alloc::string::String;
use alloc::vec::Vec;

/// Most programs that a finding names.
const NAMES_MAX: usize = 4;

/// Judges the recent counts.
pub fn judge(
    counts: &[Count],
    traffic: &Traffic,
    snapshot: Option<&ProcessSnapshot>,
    ours: &[ProcessId],
    report: &mut Report,
) {
    let end = if traffic.enforce_egress { "is dropped" } else { "is only counted" };
    for count in counts.iter().filter(|count| count.packets > 0) {
        match count.counted {
            Counted::Scan => report.weighed(
                Measure::Egress,
                Sign::ManyScans.row().alone,
                None,
                format_args!(
                    "the device asks others for port {}, more often than it may, as bots do",
                    count.port
                ),
            ),
            Counted::Spoof => {
                report.told(
                    Measure::Egress,
                    None,
                    format_args!("the device sends under a false address, which {end}"),
                );
            }
            Counted::Flood => {
                let (what, setting, limit) = match count.protocol {
                    Some(Protocol::Tcp) => ("connections of TCP", "tcp_per_second", traffic.tcp_per_second),
                    Some(Protocol::Udp) => ("packets of UDP", "udp_per_second", traffic.udp_per_second),
                    _ => ("packets of ICMP", "icmp_per_second", traffic.icmp_per_second),
                };
                let programs = senders(count.protocol, snapshot, ours);
                report.told(
                    Measure::Egress,
                    None,
                    format_args!(
                        "the device sends more than {limit} {what} a second ({setting}); what is above {end}; {programs}"
                    ),
                );
            }
            Counted::LanScan => {
                report
                    .note(format_args!("a host in the LAN asks others for port {}, as bots do", count.port));
            }
            Counted::LanSpoof => {
                report.note(format_args!("a host in the LAN sends under a false address, which {end}"));
            }
            Counted::Stranger => {}
        }
    }
}

/// The programs that may be the senders, as far as their sockets tell.
fn senders(protocol: Option<Protocol>, snapshot: Option<&ProcessSnapshot>, ours: &[ProcessId]) -> String {
    let Some(snapshot) = snapshot else { return "its programs are not known".into() };
    let listening = |transport| {
        let of = snapshot
            .listeners
            .iter()
            .filter(move |one| one.transport == transport && !one.address.is_loopback());
        of.flat_map(|one| &one.owners)
    };
    let owners: Vec<&ProcessId> = match protocol {
        Some(Protocol::Tcp) => {
            snapshot.connections.iter().filter(|one| one.opening).flat_map(|one| &one.owners).collect()
        }
        Some(Protocol::Udp) => listening(Transport::Udp).collect(),
        _ => listening(Transport::Raw).collect(),
    };
    let theirs = owners.into_iter().filter(|id| !ours.contains(id)).filter_map(|id| snapshot.process(*id));
    let mut names: Vec<&str> =
        theirs.map(|process| process.called()).filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    names.truncate(NAMES_MAX);
    if names.is_empty() {
        return "no program has such a socket open".into();
    }
    let mut said = String::from("such sockets have ");
    said.push_str(&names.join(", "));
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wall::process_snapshot::{Listener, Medium, Process, Program};
    use alloc::string::ToString;
    use core::net::{IpAddr, Ipv4Addr};

    fn process(pid: u32, path: &str) -> Process {
        Process {
            id: ProcessId { pid, started: 1 },
            parent: 1,
            user: 0,
            program: Program::File {
                path: path.into(),
                there: true,
                replaced: false,
                elsewhere: false,
                medium: Medium::Firmware,
            },
            name: String::new(),
            first_word: String::new(),
            second_word: String::new(),
            holds_watchdog: false,
            writes_flash: false,
            stopped: false,
            namespaced: false,
        }
    }

    fn listener(pid: u32, transport: Transport, address: Ipv4Addr) -> Listener {
        let owners = alloc::vec![ProcessId { pid, started: 1 }];
        Listener { transport, address: IpAddr::V4(address), port: 5000, user: 0, owners, telnet: None }
    }

    #[test]
    fn a_flood_is_told_with_its_setting_and_its_programs() {
        let any = Ipv4Addr::UNSPECIFIED;
        let snapshot = ProcessSnapshot {
            processes: alloc::vec![
                process(7, "/usr/bin/rtpd"),
                process(8, "/usr/sbin/openvpn"),
                process(9, "/usr/sbin/komainu"),
                process(10, "/usr/sbin/named")
            ],
            listeners: alloc::vec![
                listener(7, Transport::Udp, any),
                listener(8, Transport::Udp, any),
                listener(8, Transport::Udp, any),
                listener(9, Transport::Udp, any),
                listener(10, Transport::Udp, Ipv4Addr::LOCALHOST),
            ],
            ..ProcessSnapshot::default()
        };
        let flood =
            |protocol| Count { counted: Counted::Flood, protocol: Some(protocol), port: 0, packets: 3 };
        let told = |protocol, enforce_egress, snapshot: Option<&ProcessSnapshot>| {
            let mut report = Report::default();
            let traffic = Traffic { enforce_egress, udp_per_second: 2000, ..Traffic::default() };
            judge(&[flood(protocol)], &traffic, snapshot, &[ProcessId { pid: 9, started: 1 }], &mut report);
            report.findings[0].what.to_string()
        };
        assert_eq!(
            told(Protocol::Udp, false, Some(&snapshot)),
            "the device sends more than 2000 packets of UDP a second (udp_per_second); what is above is only counted; such sockets have openvpn, rtpd"
        );
        assert!(told(Protocol::Udp, true, Some(&snapshot)).contains("what is above is dropped"));
        assert!(told(Protocol::Udp, true, None).ends_with("its programs are not known"));
        assert!(told(Protocol::Icmp6, true, Some(&snapshot)).contains("(icmp_per_second)"));
        assert!(told(Protocol::Tcp, true, Some(&snapshot)).ends_with("no program has such a socket open"));
    }

    #[test]
    fn a_rate_is_told_and_no_infection() {
        use crate::wall::evidence::Evidence;
        for counted in [Counted::Scan, Counted::Spoof, Counted::Flood, Counted::LanScan, Counted::LanSpoof] {
            let mut report = Report::default();
            let count = Count { counted, protocol: Some(Protocol::Tcp), port: 37_215, packets: 99 };
            judge(&[count], &Traffic::default(), None, &[], &mut report);
            let told = |one: &crate::wall::report::Finding| {
                one.evidence == Evidence::Told && one.remediation.is_none()
            };
            assert!(report.findings.iter().all(told));
            assert_eq!(report.findings.len() + report.notes.len(), 1);
        }
    }

    #[test]
    fn what_was_not_counted_is_not_told() {
        let none = Count { counted: Counted::Spoof, protocol: None, port: 0, packets: 0 };
        let mut report = Report::default();
        judge(&[none], &Traffic::default(), None, &[], &mut report);
        assert_eq!(report, Report::default());
    }
}
