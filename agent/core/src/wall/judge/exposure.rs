//! Judges exposure: pictures, the identity of the device, and exports of settings that a program of this device gives
//! without a log-in. Also decides which listeners are asked at all; `questions` are the questions, `answer` reads the
//! answers, and the agent carries them (`agent/src/wall/probe/exposure.rs`).
//!
//! Bytes that a program does not expect can harm it: a printer prints them, a mail server logs them. So a listener is
//! asked only where its port, or the name of its program, says that HTTP or RTSP is spoken there.

pub mod answer;
pub mod questions;

use crate::wall::measures::Measure;
use crate::wall::policy::Policy;
use crate::wall::process_snapshot::{Listener, ProcessSnapshot, Transport};
use crate::wall::process_tree::{ProcessTree, rows};
use crate::wall::remediation::ProcessId;
use crate::wall::report::Report;
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use questions::{Given, Language};

/// Most listeners that are asked.
pub const LISTENERS_ASKED_MAX: usize = 16;

/// Ports of HTTP on cameras, recorders and routers. Where a recorder speaks a language of its own (8000, 34567, 37777), no
/// question is asked.
const HTTP_PORTS: [u16; 19] =
    [80, 81, 82, 83, 84, 85, 88, 1984, 2020, 5000, 8008, 8080, 8081, 8082, 8083, 8088, 8090, 8888, 8899];
/// Ports of RTSP.
const RTSP_PORTS: [u16; 7] = [554, 1554, 5544, 5554, 7070, 8554, 10554];
/// Programs that speak HTTP on any port from 1024, but for those of TLS and of printers.
const HTTP_PROGRAMS: [&str; 9] =
    ["lighttpd", "nginx", "httpd", "uhttpd", "mini_httpd", "thttpd", "goahead", "boa", "mjpg_streamer"];
const NOT_HTTP: [u16; 5] = [8443, 9100, 9101, 9102, 9443];

/// A listener that may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedListener {
    /// Where it is bound; unspecified: everywhere.
    pub address: IpAddr,
    pub port: u16,
    /// The first process that holds it: another one is asked anew.
    pub owner: Option<ProcessId>,
    /// The name of its program, for people.
    pub program: String,
    pub language: Language,
}

/// Something that a listener gave to a question without a log-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure {
    pub program: String,
    pub port: u16,
    pub given: Given,
    /// The address on it that was asked for.
    pub path: &'static str,
}

/// The listeners of a look that may be asked. Not those that only the device itself can reach, not `own`, and not one
/// that policy calls public.
pub fn asked(seen: &ProcessSnapshot, policy: &Policy, own: &[ProcessId]) -> Vec<AskedListener> {
    let tree = ProcessTree::new(seen, policy, own);
    let mut asked: Vec<AskedListener> = Vec::new();
    for listener in &seen.listeners {
        if listener.transport != Transport::Tcp
            || listener.address.is_loopback()
            || listener.telnet == Some(true)
            || tree.is_ours(listener)
            || is_public(&tree, listener)
        {
            continue;
        }
        let program = tree.owners(&listener.owners, listener.user).next().map_or("", |owner| owner.called());
        let Some(language) = language(listener.port, program) else { continue };
        let owner = tree.owners(&listener.owners, listener.user).next().map(|owner| owner.id);
        let (address, port) = (listener.address, listener.port);
        // A program that listens for IPv4 and for IPv6 is asked once, by IPv4.
        match asked.iter().position(|one| one.port == port && one.owner == owner) {
            Some(at) if address.is_ipv4() => asked[at].address = address,
            Some(_) => {}
            None if asked.len() < LISTENERS_ASKED_MAX => {
                asked.push(AskedListener { address, port, owner, program: program.to_owned(), language });
            }
            None => {}
        }
    }
    asked
}

/// Policy says that this program gives what it gives to everybody in the LAN.
fn is_public(tree: &ProcessTree<'_>, listener: &Listener) -> bool {
    rows(tree.policy, listener).any(|row| {
        row.public && tree.owners(&listener.owners, listener.user).any(|owner| tree.runs(row, owner))
    })
}

/// The language that a listener is likely to speak; `None`: it is not asked.
fn language(port: u16, program: &str) -> Option<Language> {
    if RTSP_PORTS.contains(&port) || program.contains("rtsp") && port >= 1024 {
        Some(Language::Rtsp)
    } else if HTTP_PORTS.contains(&port)
        || HTTP_PROGRAMS.contains(&program) && port >= 1024 && !NOT_HTTP.contains(&port)
    {
        Some(Language::Http)
    } else {
        None
    }
}

/// Tells the owner: the wall mends none of it, for nobody but the owner can set a password there.
pub fn judge(exposures: &[Exposure], report: &mut Report) {
    for exposure in exposures {
        let (gives, advice) = match exposure.given {
            Given::Pictures => ("shows pictures", "set a password in its settings"),
            Given::Identity => ("tells the model by ONVIF", "set a password for ONVIF in its settings"),
            Given::Settings => ("gives its settings away", "take this export away, or set a password"),
        };
        let Exposure { program, port, path, .. } = exposure;
        let program = if program.is_empty() { "of an unknown name" } else { program };
        report.weak(
            Measure::Exposure,
            None,
            format_args!("the program {program} at port {port} {gives} without a log-in ({path}): {advice}"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wall::policy::{Reach, Service};
    use crate::wall::process_tree::tests::{firmware, id, listener, policy, service};
    use alloc::vec;

    fn snapshot(listeners: Vec<Listener>) -> ProcessSnapshot {
        let processes = vec![
            firmware(7, "/usr/sbin/streamer"),
            firmware(8, "/usr/sbin/lighttpd"),
            firmware(9, "/usr/sbin/komainu"),
        ];
        ProcessSnapshot { processes, listeners, ..ProcessSnapshot::default() }
    }

    fn ports(seen: &ProcessSnapshot, services: Vec<Service>) -> Vec<(u16, Language)> {
        let asked = asked(seen, &policy(services), &[id(9)]);
        asked.into_iter().map(|one| (one.port, one.language)).collect()
    }

    #[test]
    fn only_listeners_that_are_known_to_speak_http_or_rtsp_are_asked() {
        for (port, owner, language) in [
            (554, 7, Some(Language::Rtsp)),
            (8554, 7, Some(Language::Rtsp)),
            (80, 7, Some(Language::Http)),
            (8090, 7, Some(Language::Http)),
            (3000, 8, Some(Language::Http)),
            (3000, 7, None),
            // A printer prints what it hears; mail, SSH, file servers and recorders have languages of their own.
            (9100, 8, None),
            (9100, 7, None),
            (25, 8, None),
            (22, 7, None),
            (110, 7, None),
            (143, 7, None),
            (445, 7, None),
            (515, 7, None),
            (631, 7, None),
            (3306, 7, None),
            (8000, 7, None),
            (37777, 7, None),
            (443, 8, None),
            (8443, 8, None),
            // Ours is never asked.
            (80, 9, None),
        ] {
            let seen = snapshot(vec![listener(Transport::Tcp, "0.0.0.0", port, &[owner])]);
            let wanted: Vec<(u16, Language)> =
                language.map(|language| (port, language)).into_iter().collect();
            assert_eq!(ports(&seen, vec![]), wanted, "{port} of {owner}");
        }
    }

    #[test]
    fn what_the_lan_cannot_reach_or_policy_calls_public_is_not_asked() {
        let of = |address: &str| snapshot(vec![listener(Transport::Tcp, address, 554, &[7])]);
        assert_eq!(ports(&of("127.0.0.1"), vec![]), []);
        assert_eq!(ports(&of("::1"), vec![]), []);
        assert_eq!(ports(&of("192.168.1.1"), vec![]).len(), 1);
        let row =
            |program: &str, public| Service { public, ..service(program, Transport::Tcp, 554, Reach::Lan) };
        assert_eq!(ports(&of("0.0.0.0"), vec![row("streamer", true)]), []);
        assert_eq!(ports(&of("0.0.0.0"), vec![row("streamer", false)]).len(), 1);
        assert_eq!(
            ports(&of("0.0.0.0"), vec![row("another", true)]).len(),
            1,
            "it speaks of another program"
        );
        let telnet = Listener { telnet: Some(true), ..listener(Transport::Tcp, "0.0.0.0", 80, &[7]) };
        assert_eq!(ports(&snapshot(vec![telnet]), vec![]), []);
        let udp = snapshot(vec![listener(Transport::Udp, "0.0.0.0", 554, &[7])]);
        assert_eq!(ports(&udp, vec![]), []);
    }

    #[test]
    fn a_program_is_asked_once_by_its_ipv4_address_and_few_are_asked() {
        let both = snapshot(vec![
            listener(Transport::Tcp, "::", 554, &[7]),
            listener(Transport::Tcp, "192.168.1.1", 554, &[7]),
        ]);
        let one = asked(&both, &policy(vec![]), &[]);
        assert_eq!((one.len(), one[0].address.is_ipv4(), one[0].program.as_str()), (1, true, "streamer"));
        let many = (2000..2100).map(|port| listener(Transport::Tcp, "0.0.0.0", port, &[8])).collect();
        assert_eq!(ports(&snapshot(many), vec![]).len(), LISTENERS_ASKED_MAX);
    }

    #[test]
    fn what_is_given_to_anybody_is_weak_and_told_to_the_owner() {
        let exposure =
            |given, program: &str| Exposure { program: program.into(), port: 554, given, path: "/live" };
        for (given, program, says) in [
            (
                Given::Pictures,
                "streamer",
                "the program streamer at port 554 shows pictures without a log-in (/live): set a password in its settings",
            ),
            (
                Given::Identity,
                "",
                "the program of an unknown name at port 554 tells the model by ONVIF without a log-in (/live): set a \
                 password for ONVIF in its settings",
            ),
            (
                Given::Settings,
                "httpd",
                "the program httpd at port 554 gives its settings away without a log-in (/live): take this export \
                 away, or set a password",
            ),
        ] {
            let mut report = Report::default();
            judge(&[exposure(given, program)], &mut report);
            assert_eq!(&*report.findings[0].what, says);
            assert_eq!(report.findings[0].remediation, None);
            assert!(!report.findings[0].is_infection());
        }
    }
}
