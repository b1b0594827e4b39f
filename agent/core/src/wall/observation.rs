//! The observation: everything that the wall sees in one scan, and the findings of its judges. Any of it may be
//! unknown.

use super::judge::accounts;
use super::judge::accounts::AccountsSeen;
use super::judge::autostart;
use super::judge::autostart::FoundAutostart;
use super::judge::exposure;
use super::judge::exposure::Exposure;
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
use super::judge::{confinement, egress, infection, services};
use super::measures::Measure;
use super::policy::Policy;
use super::process_snapshot::{ProcessSnapshot, Transport};
use super::remediation::ProcessId;
use super::report::Report;
use super::subject::{At, Value};
use crate::fault::Text;
use crate::firewall::count::Count;
use crate::firewall::table::FirewallGrants;
use crate::gate::state::{FirewallStatus, GateState};
use alloc::string::String;
use alloc::vec::Vec;
use core::net::Ipv4Addr;
use komainu_trust::Moment;

/// The facts of one scan.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The links that the settings call LAN.
    pub lan: Vec<String>,
    /// The links and gateways of the default routes.
    pub routes: DefaultRoutes,
    /// Ports of WAN rules, and whether their service speaks TLS.
    pub tls: Vec<(u16, Option<bool>)>,
    /// Leases of UPnP, and the number of those that were not understood.
    pub upnp_leases: (Vec<UpnpLease>, usize),
    /// Hosts of leases that are the device itself.
    pub own: Vec<Ipv4Addr>,
    /// Processes and sockets.
    pub processes: Result<ProcessSnapshot, Text>,
    /// Processes of Komainu itself, which are never judged.
    pub ours: Vec<ProcessId>,
    /// Pictures, models and settings that programs gave without a log-in.
    pub exposures: Vec<Exposure>,
    /// Autostart entries that start telnet, or fetch programs.
    pub autostart: Vec<FoundAutostart>,
    /// The reason why some of them could not be read.
    pub autostart_unread: Option<Text>,
    /// Accounts, passwords and keys.
    pub accounts: AccountsSeen,
    /// Files that only the owner changes.
    pub integrity: IntegrityFacts,
    pub mounts: Result<Vec<Mount>, Text>,
    pub watchdog: WatchdogSeen,
    /// Privileges that Komainu could not give up; `None`: it is not at work.
    pub confinement: Option<Vec<&'static str>>,
    /// Numbers of the kernel's.
    pub numbers: Vec<Number>,
    /// The firewall's counts since the last look.
    pub counts: Vec<Count>,
    /// Known vulnerabilities of the firmware, and its support.
    pub firmware: FirmwareSeen,
    /// Chains in the kernel's firewall, `table/chain`, that are neither ours nor were there before.
    pub chains: Vec<String>,
}

/// Facts about the gate and the clock that the wall needs.
#[derive(Clone, Debug)]
pub struct GateContext {
    /// The state of the gate; `None`: the maker leaves it to other software.
    pub gate_state: Option<GateState>,
    /// The status of the rules in the kernel.
    pub rules: Option<FirewallStatus>,
    /// The time by the best clock.
    pub now: Moment,
}

pub fn judge(observation: &Observation, context: &GateContext, policy: &Policy) -> (Report, FirewallGrants) {
    let mut report = Report::default();
    judge_rules(context.rules.as_ref(), &mut report);
    if let (false, Ok(snapshot)) = (context.rules == Some(FirewallStatus::Hold), &observation.processes) {
        open_reflectors(snapshot, &mut report);
    }
    let snapshot = observation.processes.as_ref().ok();
    egress::judge(&observation.counts, &policy.traffic, snapshot, &observation.ours, &mut report);
    match &observation.processes {
        Ok(snapshot) => {
            infection::judge(snapshot, policy, &observation.ours, &observation.watchdog, &mut report);
            services::judge(snapshot, policy, &observation.ours, &mut report);
        }
        Err(why) => {
            for measure in [Measure::Telnet, Measure::Services, Measure::Programs, Measure::RawSockets] {
                report.cannot_tell(measure, format_args!("{why}"));
            }
        }
    }
    autostart::judge(&observation.autostart, observation.autostart_unread.as_ref(), policy, &mut report);
    accounts::judge(&observation.accounts, policy, &mut report);
    exposure::judge(&observation.exposures, &mut report);
    for chain in &observation.chains {
        report.about(format_args!("chain={}", Value(chain))).told(
            Measure::Configuration,
            None,
            format_args!(
                "the firewall has a new chain {chain}, and not by the owner: attackers shut out others, too"
            ),
        );
    }
    integrity::judge(&observation.integrity, &policy.integrity, &mut report);
    match &observation.mounts {
        Ok(mounts) => mounts::judge(mounts, &policy.noexec_mounts, &mut report),
        Err(why) => report.cannot_tell(Measure::Mounts, format_args!("{why}")),
    }
    watchdog::judge(&observation.watchdog, &mut report);
    match &observation.confinement {
        Some(left) => confinement::judge(left, &mut report),
        None => report.cannot_tell(Measure::Confinement, format_args!("no komainu is at work")),
    }
    sysctl::judge(&observation.numbers, policy.traffic.reverse_path, &mut report);
    vulnerabilities::judge(&observation.firmware, &mut report);
    let lan_subnets_only = links::judge(&observation.lan, &observation.routes, policy, &mut report);
    let ended = observation.firmware.support_ended().is_some();
    let facts = WanAccessFacts {
        gate_state: context.gate_state,
        now: context.now,
        tls: &observation.tls,
        restricted: ended,
    };
    let wan_rules = wan_access::judge(&policy.wan_access, &facts, &mut report);
    let (leases, odd) = &observation.upnp_leases;
    let is_own = |address| observation.own.contains(&address);
    let mut port_forwards = upnp::judge(leases, *odd, context.now, &is_own, &mut report);
    if ended {
        port_forwards.clear();
    }
    (report, FirewallGrants { wan_rules, port_forwards, lan_subnets_only, contained: false })
}

/// Without rules that keep the WAN away, a service that answers in the LAN answers there too.
fn open_reflectors(snapshot: &ProcessSnapshot, report: &mut Report) {
    for listener in &snapshot.listeners {
        let is_one = listener.transport == Transport::Udp && REFLECTORS.contains(&listener.port);
        if is_one && !listener.address.is_loopback() {
            report.about(format_args!("{}", At(listener))).weak(
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

fn judge_rules(rules: Option<&FirewallStatus>, report: &mut Report) {
    let why: Option<Text> = match rules {
        Some(FirewallStatus::Hold) => None,
        Some(FirewallStatus::Differ) => {
            report.weak(Measure::Firewall, None, format_args!("the kernel does not have the rules"));
            None
        }
        Some(FirewallStatus::Beyond(why)) => Some(why.clone()),
        None => Some(crate::fault::text(format_args!(
            "the gate, and with it the firewall, is left to other software"
        ))),
    };
    if let Some(why) = why {
        for measure in [Measure::Firewall, Measure::Reflectors, Measure::Egress] {
            report.cannot_enforce(measure, format_args!("{why}"));
        }
    }
}
