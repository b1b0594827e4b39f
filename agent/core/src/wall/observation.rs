//! Observation: everything that the wall sees in one look, and what its judges make of it. Any of it may be unknown.

use super::judge::accounts;
use super::judge::accounts::AccountsSeen;
use super::judge::autostart;
use super::judge::autostart::FoundAutostart;
use super::judge::integrity;
use super::judge::integrity::IntegrityFacts;
use super::judge::links;
use super::judge::links::DefaultRoutes;
use super::judge::mounts;
use super::judge::mounts::Mount;
use super::judge::services::REFLECTORS;
use super::judge::sysctl;
use super::judge::sysctl::Number;
use super::judge::upnp;
use super::judge::upnp::UpnpLease;
use super::judge::vulnerabilities;
use super::judge::vulnerabilities::FirmwareSeen;
use super::judge::wan_access;
use super::judge::wan_access::WanAccessFacts;
use super::judge::watchdog;
use super::judge::watchdog::WatchdogSeen;
use super::judge::{confinement, infection, services};
use super::measures::Measure;
use super::policy::Policy;
use super::process_snapshot::{ProcessSnapshot, Transport};
use super::remediation::ProcessId;
use super::report::Report;
use crate::fault::Text;
use crate::firewall::count::{Count, Counted};
use crate::firewall::{PortForward, WanRule};
use crate::gate::plan::{FirewallStatus, GateState};
use alloc::string::String;
use alloc::vec::Vec;
use core::net::Ipv4Addr;
use komainu_trust::Moment;

/// What is seen.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The links that the settings call LAN.
    pub lan: Vec<String>,
    /// Where the ways to the internet lead.
    pub routes: DefaultRoutes,
    /// Ports of openings, and whether what answers there speaks TLS.
    pub tls: Vec<(u16, Option<bool>)>,
    /// Leases of UPnP, and how many were not understood.
    pub mappings: (Vec<UpnpLease>, usize),
    /// Hosts of leases that are the device itself.
    pub own: Vec<Ipv4Addr>,
    /// Processes and sockets.
    pub seen: Result<ProcessSnapshot, Text>,
    /// Those of Komainu itself, which are never judged.
    pub ours: Vec<ProcessId>,
    /// What starts telnet, or fetches programs.
    pub starters: Vec<FoundAutostart>,
    /// Why not all of that could be read.
    pub starters_unread: Option<Text>,
    /// Accounts, passwords and keys.
    pub accounts: AccountsSeen,
    /// Files that only the owner changes.
    pub guarded: IntegrityFacts,
    /// The mounts.
    pub mounts: Result<Vec<Mount>, Text>,
    /// The watchdog.
    pub watchdog: WatchdogSeen,
    /// What Komainu could not give up; `None`: it is not at work.
    pub house: Option<Vec<&'static str>>,
    /// Numbers of the kernel's.
    pub numbers: Vec<Number>,
    /// What the firewall counted since the last look.
    pub counts: Vec<Count>,
    /// What is known of the firmware's vulnerabilities and of its support.
    pub firmware: FirmwareSeen,
    /// Chains in the kernel's firewall, `table/chain`, that are neither ours nor were there before.
    pub chains: Vec<String>,
}

/// What may pass the firewall besides what the settings say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FirewallGrants {
    /// Ways in from the WAN to the device.
    pub openings: Vec<WanRule>,
    /// Ways in from the WAN to hosts in the LAN.
    pub ways_through: Vec<PortForward>,
    /// The LAN is not what it seems: only near addresses are let in there.
    pub near_only: bool,
    /// The device is cut off from the WAN.
    pub contained: bool,
}

/// How the gate and the clock stand, which the wall needs to know.
#[derive(Clone, Debug)]
pub struct GateContext {
    /// How the gate stands; `None`: somebody else keeps it.
    pub standing: Option<GateState>,
    /// The rules in the kernel.
    pub rules: Option<FirewallStatus>,
    /// The time by the best clock.
    pub now: Moment,
}

/// Judges everything.
pub fn judge(around: &Observation, stand: &GateContext, policy: &Policy) -> (Report, FirewallGrants) {
    let mut report = Report::default();
    judge_rules(stand.rules.as_ref(), &mut report);
    if let (false, Ok(seen)) = (stand.rules == Some(FirewallStatus::Hold), &around.seen) {
        open_reflectors(seen, &mut report);
    }
    judge_counts(&around.counts, &mut report);
    match &around.seen {
        Ok(seen) => {
            infection::judge(seen, policy, &around.ours, &around.watchdog, &mut report);
            services::judge(seen, policy, &around.ours, &mut report);
        }
        Err(why) => {
            for measure in [Measure::Telnet, Measure::Services, Measure::Programs, Measure::RawSockets] {
                report.cannot_tell(measure, format_args!("{why}"));
            }
        }
    }
    autostart::judge(&around.starters, around.starters_unread.as_ref(), policy, &mut report);
    accounts::judge(&around.accounts, policy, &mut report);
    for chain in &around.chains {
        report.weak(
            Measure::Configuration,
            None,
            format_args!(
                "the firewall has a new chain {chain}, and not by the owner: attackers shut out others, too"
            ),
        );
    }
    integrity::judge(&around.guarded, &policy.guarded, &mut report);
    match &around.mounts {
        Ok(mounts) => mounts::judge(mounts, &policy.no_programs, &mut report),
        Err(why) => report.cannot_tell(Measure::Mounts, format_args!("{why}")),
    }
    watchdog::judge(&around.watchdog, &mut report);
    match &around.house {
        Some(left) => confinement::judge(left, &mut report),
        None => report.cannot_tell(Measure::OwnHouse, format_args!("no komainu is at work")),
    }
    sysctl::judge(&around.numbers, &mut report);
    vulnerabilities::judge(&around.firmware, &mut report);
    let near_only = links::judge(&around.lan, &around.routes, policy, &mut report);
    let ended = around.firmware.support_ended().is_some();
    let seen =
        WanAccessFacts { standing: stand.standing, now: stand.now, tls: &around.tls, restricted: ended };
    let openings = wan_access::judge(&policy.doors, &seen, &mut report);
    let (leases, odd) = &around.mappings;
    let is_own = |address| around.own.contains(&address);
    let mut ways_through = upnp::judge(leases, *odd, stand.now, &is_own, &mut report);
    if ended {
        ways_through.clear();
    }
    (report, FirewallGrants { openings, ways_through, near_only, contained: false })
}

/// Without rules that keep the WAN away, whoever answers in the LAN answers there too.
fn open_reflectors(seen: &ProcessSnapshot, report: &mut Report) {
    for listener in &seen.listeners {
        let is_one = listener.transport == Transport::Udp && REFLECTORS.contains(&listener.port);
        if is_one && !listener.address.is_loopback() {
            report.weak(
                Measure::Reflectors,
                None,
                format_args!(
                    "port {} (udp) may answer on the WAN: no rules of ours keep it away",
                    listener.port
                ),
            );
        }
    }
}

/// What the device itself tried, and somebody in its LAN.
fn judge_counts(counts: &[Count], report: &mut Report) {
    for count in counts.iter().filter(|count| count.packets > 0) {
        match count.counted {
            Counted::Scan => report.infected(
                Measure::Egress,
                None,
                format_args!(
                    "the device asks others for port {}, more often than it may, as bots do",
                    count.port
                ),
            ),
            Counted::Spoof => {
                report.weak(
                    Measure::Egress,
                    None,
                    format_args!("the device sends under a false address; it is dropped"),
                );
            }
            Counted::Flood => {
                report.weak(
                    Measure::Egress,
                    None,
                    format_args!("the device sends more than it may; the rest is dropped"),
                );
            }
            Counted::LanScan => {
                report.note(format_args!(
                    "somebody in the LAN asks others for port {}, as bots do",
                    count.port
                ));
            }
            Counted::LanSpoof => {
                report.note(format_args!("somebody in the LAN sends under a false address; it is dropped"));
            }
            Counted::Stranger => {}
        }
    }
}

fn judge_rules(rules: Option<&FirewallStatus>, report: &mut Report) {
    let why: Option<Text> = match rules {
        Some(FirewallStatus::Hold) => None,
        Some(FirewallStatus::Differ) => {
            report.weak(Measure::Firewall, None, format_args!("the kernel does not have the rules"));
            None
        }
        Some(FirewallStatus::Beyond(why)) => Some(why.clone()),
        None => Some(crate::fault::text(format_args!(
            "the gate, and with it the firewall, is left to somebody else"
        ))),
    };
    if let Some(why) = why {
        for measure in [Measure::Firewall, Measure::Reflectors, Measure::Egress] {
            report.cannot_enforce(measure, format_args!("{why}"));
        }
    }
}
