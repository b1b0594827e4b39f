//! Reads what `komainu harden --json` printed: many reports in one file, of one device or several.

use anyhow::{Context, Result, anyhow};
use komainu_core::firewall::table::{Protocol, ReversePath, Traffic, Vpn};
use komainu_core::wall::evidence::Evidence;
use komainu_core::wall::incident_response::IncidentResponse;
use komainu_core::wall::measures::{Measure, TABLE};
use komainu_core::wall::policy::{Automatic, Enforce, Policy, ProtectedPath, Reach, Service};
use komainu_core::wall::process_snapshot::Transport;
use komainu_core::wall::subject::Subject;
use komainu_trust::Moment;
use serde::Deserialize;
use serde_json::error::Category;
use std::collections::BTreeMap;

/// One report of one device.
pub struct DeviceReport {
    /// The file that it was read from.
    pub file: String,
    pub time: Moment,
    /// The policy that judged.
    pub policy: Policy,
    /// The rows and the results of their judges: `strong`, `weak`, `cannot tell`, `cannot enforce`.
    pub rows: Vec<(Measure, String)>,
    pub findings: Vec<Sighting>,
    /// Ways in from the WAN in its policy: a report does not show them.
    pub wan_rules: u64,
    /// Findings that had no room in the report.
    pub more: u64,
}

/// One finding of a report.
pub struct Sighting {
    pub measure: Measure,
    pub evidence: Evidence,
    pub what: String,
    pub subject: Subject,
}

#[derive(Deserialize)]
struct RawReport {
    time: String,
    policy: RawPolicy,
    measures: Vec<RawRow>,
    more: u64,
}

#[derive(Deserialize)]
struct RawRow {
    id: String,
    outcome: String,
    findings: Vec<RawFinding>,
}

#[derive(Deserialize)]
struct RawFinding {
    evidence: String,
    what: String,
    subject: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct RawPolicy {
    kind: String,
    enforce: Vec<String>,
    ssh: bool,
    accounts: Vec<String>,
    keys: Vec<String>,
    programs: Vec<String>,
    privileged: Vec<String>,
    noexec_mounts: Vec<String>,
    forwards: bool,
    lan_subnets_only: bool,
    multicast: bool,
    reverse_path: String,
    vpn: Vec<String>,
    vpn_to_lan: bool,
    vpn_to_wan: bool,
    wan_rules: u64,
    tcp_per_second: u32,
    udp_per_second: u32,
    icmp_per_second: u32,
    scans_per_minute: u32,
    incident_response: Vec<String>,
    service: Vec<RawService>,
    integrity: Vec<RawPath>,
}

#[derive(Deserialize)]
struct RawService {
    program: String,
    listens: String,
    reach: String,
    public: bool,
}

#[derive(Deserialize)]
struct RawPath {
    path: String,
    what: String,
    restore: bool,
}

/// Reads the reports of a file: JSON values one after the other, on a line each or not.
///
/// # Errors
/// Names the file, the line and what to do.
pub fn read(file: &str, text: &str) -> Result<Vec<DeviceReport>> {
    let mut reports = Vec::new();
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<RawReport>();
    loop {
        let began = stream.byte_offset();
        let blank = text[began..].len() - text[began..].trim_start().len();
        let line = 1 + text[..began + blank].matches('\n').count();
        let raw = match stream.next() {
            None => break,
            Some(Ok(raw)) => raw,
            Some(Err(fault)) => {
                let todo = match fault.classify() {
                    Category::Eof => "it is cut off: take the last line away, or collect it again",
                    Category::Data => "only komainu harden --json of komainu 0.2 and later can be read",
                    _ => "write only what komainu harden --json prints to standard output into it",
                };
                return Err(anyhow!("{file} line {}: {fault}; {todo}", fault.line()));
            }
        };
        let report = checked(file, raw).with_context(|| {
            format!("{file}: the report that begins at line {line} is not understood; use the komainu-maker that belongs to the komainu of the device")
        })?;
        reports.push(report);
    }
    if reports.is_empty() {
        return Err(anyhow!(
            "{file} line 1: there is no report in it; run komainu harden --json >> {file} on the device"
        ));
    }
    Ok(reports)
}

fn checked(file: &str, raw: RawReport) -> Result<DeviceReport> {
    let time = Moment::parse(&raw.time).with_context(|| format!("the time {}", raw.time))?;
    let mut rows = Vec::new();
    let mut findings = Vec::new();
    for row in raw.measures {
        let known = TABLE.iter().find(|known| known.id == row.id);
        let measure = known.with_context(|| format!("the row {}", row.id))?.measure;
        for RawFinding { evidence, what, subject } in row.findings {
            let evidence = Evidence::parse(&evidence).with_context(|| format!("the evidence {evidence}"))?;
            let subject = Subject(subject.into_iter().collect());
            findings.push(Sighting { measure, evidence, what, subject });
        }
        rows.push((measure, row.outcome));
    }
    let wan_rules = raw.policy.wan_rules;
    let policy = policy(raw.policy)?;
    Ok(DeviceReport { file: file.to_owned(), time, policy, rows, findings, wan_rules, more: raw.more })
}

fn policy(raw: RawPolicy) -> Result<Policy> {
    let enforce = raw.enforce.iter();
    let enforce = enforce.map(|word| Enforce::parse(word).with_context(|| format!("enforce {word}")));
    let mut vpn = Vpn { links: raw.vpn, to_lan: raw.vpn_to_lan, to_wan: raw.vpn_to_wan, ..Vpn::default() };
    let services = raw.service.into_iter().map(|RawService { program, listens, reach, public }| {
        let (transport, ports) =
            Service::parse_listens(&listens).with_context(|| format!("listens {listens}"))?;
        if reach == "vpn" {
            let protocol = if transport == Transport::Udp { Protocol::Udp } else { Protocol::Tcp };
            vpn.services.push((protocol, ports));
        }
        let reach = if reach == "loopback" { Reach::Loopback } else { Reach::Lan };
        Ok(Service { program, transport, ports, reach, public })
    });
    let has = |response: IncidentResponse| raw.incident_response.iter().any(|word| word == response.name());
    let services = services.collect::<Result<_>>()?;
    let reverse_path = match &*raw.reverse_path {
        "strict" => ReversePath::Strict,
        "loose" => ReversePath::Loose,
        _ => ReversePath::Off,
    };
    Ok(Policy {
        kind: raw.kind,
        services,
        enforce: enforce.collect::<Result<_>>()?,
        ssh: raw.ssh,
        accounts: raw.accounts,
        keys: raw.keys,
        programs: raw.programs,
        privileged: raw.privileged,
        integrity: raw
            .integrity
            .into_iter()
            .map(|RawPath { path, what, restore }| ProtectedPath { path, what, restore })
            .collect(),
        noexec_mounts: raw.noexec_mounts,
        traffic: Traffic {
            forwards: raw.forwards,
            lan_subnets_only: raw.lan_subnets_only,
            tcp_per_second: raw.tcp_per_second,
            udp_per_second: raw.udp_per_second,
            icmp_per_second: raw.icmp_per_second,
            scans_per_minute: raw.scans_per_minute,
            multicast: raw.multicast,
            reverse_path,
            vpn,
            ..Traffic::default()
        },
        wan_access: Vec::new(),
        automatic: Automatic {
            contain: has(IncidentResponse::Contain),
            evidence: has(IncidentResponse::Evidence),
            restart: has(IncidentResponse::Restart),
            new_password: has(IncidentResponse::NewPassword),
            update: has(IncidentResponse::Update),
            reimage: has(IncidentResponse::Reimage),
        },
    })
}
