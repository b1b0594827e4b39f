//! Judges UPnP port forwards, which programs in the LAN asked for (IGD). A port forward to the device itself, to a port of
//! administration, to a host outside the LAN, or without an end is closed; the others are open, and listed.

use crate::firewall::table::{PortForward, Protocol};
use crate::wall::measures::Measure;
use crate::wall::report::Report;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};
use komainu_trust::Moment;

/// Most leases that are looked at.
pub const MAPPINGS_MAX: usize = 64;
/// Largest file of leases, in bytes.
pub const LEASES_BYTES_MAX: u64 = 16 * 1024;
/// Where hosts are administered, or are taken over.
const ADMINISTRATION: [u16; 16] =
    [21, 22, 23, 80, 443, 445, 2323, 3389, 5555, 5900, 7547, 8000, 8080, 8443, 37215, 52869];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpnpLease {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The port on the WAN.
    pub outside: u16,
    pub to: Ipv4Addr,
    /// The port there.
    pub inside: u16,
    /// When it ends; `None`: never.
    pub until: Option<Moment>,
}

/// Reads miniupnpd's file of leases: `TCP:8080:192.168.1.2:80:1700000000:who`, one a line. Any other line is
/// counted, and not let through.
pub fn read(text: &str) -> (Vec<UpnpLease>, usize) {
    let mut odd = 0;
    let mut upnp_leases = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        match mapping(line) {
            Some(mapping) if upnp_leases.len() < MAPPINGS_MAX => upnp_leases.push(mapping),
            _ => odd += 1,
        }
    }
    (upnp_leases, odd)
}

fn mapping(line: &str) -> Option<UpnpLease> {
    let mut words = line.trim().splitn(6, ':');
    let protocol = match words.next()? {
        "TCP" => Protocol::Tcp,
        "UDP" => Protocol::Udp,
        _ => return None,
    };
    let port = |word: &str| u16::try_from(word.parse::<u32>().ok()?).ok();
    let outside = port(words.next()?)?;
    let to = words.next()?.parse().ok()?;
    let inside = port(words.next()?)?;
    let until: i64 = words.next()?.parse().ok()?;
    Some(UpnpLease { protocol, outside, to, inside, until: (until > 0).then_some(Moment(until)) })
}

/// The mappings that are let through. `is_own` tells whether an address is the device's.
pub fn judge(
    upnp_leases: &[UpnpLease],
    odd: usize,
    now: Moment,
    is_own: &dyn Fn(Ipv4Addr) -> bool,
    report: &mut Report,
) -> Vec<PortForward> {
    let mut ways = Vec::new();
    if odd > 0 {
        report.note(format_args!("{odd} leases of UPnP are not understood, and not let through"));
    }
    for mapping in upnp_leases {
        let UpnpLease { protocol, outside, to, inside, until } = *mapping;
        let name = if protocol == Protocol::Tcp { "tcp" } else { "udp" };
        let why = match until {
            _ if is_own(to) => "it leads to the device itself",
            _ if !to.is_private() => "its host is not in the LAN",
            _ if ADMINISTRATION.contains(&inside) => "it leads to where hosts are administered",
            None => "it has no end",
            Some(until) if until <= now => "its time is over",
            Some(until) => {
                let seconds = until.0.saturating_sub(now.0);
                report
                    .note(format_args!("UPnP leads {outside}/{name} to {to}:{inside} for {seconds} s more"));
                ways.push(PortForward { to: IpAddr::V4(to), protocol, port: inside });
                continue;
            }
        };
        report.about(format_args!("lease={outside}/{name} to={to} inside={inside}")).weak(
            Measure::Mappings,
            None,
            format_args!(
                "UPnP was asked to lead {outside}/{name} to {to}:{inside}; not let through, because {why}"
            ),
        );
    }
    ways
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment(1_000);

    fn judged(line: &str) -> (usize, Report) {
        let (upnp_leases, odd) = read(line);
        let mut report = Report::default();
        let own = |address| address == Ipv4Addr::new(192, 168, 1, 1);
        let ways = judge(&upnp_leases, odd, NOW, &own, &mut report);
        (ways.len(), report)
    }

    #[test]
    fn a_game_in_the_lan_gets_its_way_in_and_is_listed() {
        let (ways, report) = judged("UDP:3074:192.168.1.50:3074:4600:console: with colons\n");
        assert_eq!((ways, report.findings.len(), report.notes.len()), (1, 0, 1));
        assert_eq!(&*report.notes[0], "UPnP leads 3074/udp to 192.168.1.50:3074 for 3600 s more");
    }

    #[test]
    fn a_way_to_the_device_or_to_administration_or_without_end_is_not_let_through() {
        for (line, why) in [
            ("TCP:9999:192.168.1.1:9999:4600:x", "the device itself"),
            ("TCP:9999:192.168.1.50:23:4600:x", "administered"),
            ("TCP:9999:192.168.1.50:80:4600:x", "administered"),
            ("TCP:9999:192.0.2.9:9999:4600:x", "not in the LAN"),
            ("TCP:9999:192.168.1.50:9999:0:x", "no end"),
            ("TCP:9999:192.168.1.50:9999:999:x", "over"),
        ] {
            let (ways, report) = judged(line);
            assert_eq!((ways, report.findings.len()), (0, 1), "{line}");
            assert!(report.findings[0].what.contains(why), "{}", report.findings[0].what);
        }
    }

    #[test]
    fn what_is_no_lease_is_counted_and_not_let_through() {
        for line in [
            "",
            "TCP",
            "SCTP:1:192.168.1.2:2:3:x",
            "TCP:70000:192.168.1.2:2:3:x",
            "TCP:1:::1:2:3:x",
            "\u{0}:::::",
        ] {
            let (upnp_leases, odd) = read(line);
            assert_eq!((upnp_leases.len(), odd), (0, usize::from(!line.is_empty())), "{line}");
        }
        let many = "UDP:1:192.168.1.2:3000:0:x\n".repeat(MAPPINGS_MAX + 3);
        assert_eq!(read(&many).1, 3);
    }
}
