//! A report of the wall as JSON, with what enforcing would do and the policy that judged: `harden --json` prints it, and
//! `komainu-maker policy suggest` and `check-settings` read it.

use komainu_bootstrap::json::Json;
use komainu_core::firewall::table::{Protocol, ReversePath};
use komainu_core::wall::incident_response::IncidentResponse;
use komainu_core::wall::measures::{Row, TABLE, Weight};
use komainu_core::wall::policy::{Policy, Reach, Service};
use komainu_core::wall::process_snapshot::Transport;
use komainu_core::wall::remediation::Kind;
use komainu_core::wall::report::{Finding, Judgement, Report};
use komainu_core::wall::subject::Subject;
use komainu_trust::Moment;

/// The whole report of a device with this board, at this time and second of uptime.
pub fn report_object(report: &Report, policy: &Policy, board: &str, now: Moment, uptime: u64) -> Json {
    let rows = TABLE.iter().map(|row| row_object(row, &report.judgement(row.measure), report, policy));
    Json::object([
        ("komainu", Json::text(env!("CARGO_PKG_VERSION"))),
        ("board", Json::text(board)),
        ("time", Json::text(&now)),
        ("uptime", Json::number(uptime)),
        ("policy", policy_object(policy)),
        ("measures", Json::List(rows.collect())),
        ("notes", Json::List(report.notes.iter().map(Json::text).collect())),
        ("more", Json::number(u64::from(report.more))),
    ])
}

pub(super) fn word(outcome: &Judgement) -> &'static str {
    match outcome {
        Judgement::Strong => "strong",
        Judgement::Weak => "weak",
        Judgement::CannotTell(_) => "cannot tell",
        Judgement::CannotEnforce(_) => "cannot enforce",
    }
}

pub(super) fn why(outcome: &Judgement) -> &str {
    match outcome {
        Judgement::CannotTell(why) | Judgement::CannotEnforce(why) => why,
        Judgement::Strong | Judgement::Weak => "",
    }
}

pub(super) fn doubts<'r>(row: &Row, report: &'r Report) -> impl Iterator<Item = &'r str> {
    let measure = row.measure;
    report.doubts.iter().filter(move |(doubted, _)| *doubted == measure).map(|(_, outcome)| why(outcome))
}

pub(super) fn of_row<'r>(row: &Row, report: &'r Report) -> impl Iterator<Item = &'r Finding> {
    let measure = row.measure;
    report.findings.iter().filter(move |finding| finding.measure == measure)
}

pub(super) fn finding_object(finding: &Finding) -> Json {
    Json::object([
        ("measure", Json::text(&finding.measure.row().id)),
        ("what", Json::text(&finding.what)),
        ("evidence", Json::text(&finding.evidence.name())),
    ])
}

fn row_object(row: &Row, outcome: &Judgement, report: &Report, policy: &Policy) -> Json {
    let findings = of_row(row, report).map(|finding| {
        let Json::Object(mut fields) = finding_object(finding) else { return Json::Null };
        let kind = |text: fn(&Kind) -> Json| finding.kind.map_or(Json::Null, text);
        let subject = Subject::read(&finding.subject).0.into_iter();
        fields.extend([
            ("enforced".into(), Json::Bool(policy.enforces(finding))),
            ("remediation".into(), kind(|kind| Json::text(kind.name))),
            ("would".into(), kind(|kind| Json::text(kind.does))),
            ("on_trial".into(), Json::Bool(finding.is_tried())),
            ("subject".into(), Json::Object(subject.map(|(key, value)| (key, Json::Text(value))).collect())),
        ]);
        Json::Object(fields)
    });
    Json::object([
        ("id", Json::text(&row.id)),
        ("name", Json::text(&row.name)),
        ("why", Json::text(&row.why)),
        ("seen", Json::text(&row.seen)),
        ("fixed", Json::text(&row.fixed)),
        ("level", Json::text(&if row.weight == Weight::Must { "must" } else { "should" })),
        ("survey", row.survey.map_or(Json::Null, |survey| Json::text(&survey.letter()))),
        ("on_trial", Json::Bool(row.on_trial)),
        ("enforced", Json::Bool(policy.enforces_row(row.measure))),
        ("outcome", Json::text(&word(outcome))),
        ("reason", Json::text(&doubts(row, report).next().unwrap_or_default())),
        ("findings", Json::List(findings.collect())),
    ])
}

/// The policy, with the keys of its file.
fn policy_object(policy: &Policy) -> Json {
    let list = |words: &[String]| Json::List(words.iter().map(Json::text).collect());
    let number = |number: u32| Json::number(u64::from(number));
    let services = policy.services.iter().map(|service| {
        Json::object([
            ("program", Json::text(&service.program)),
            ("listens", Json::text(&service.listens())),
            ("reach", Json::text(reach(policy, service))),
            ("public", Json::Bool(service.public)),
        ])
    });
    let integrity = policy.integrity.iter().map(|one| {
        Json::object([
            ("path", Json::text(&one.path)),
            ("what", Json::text(&one.what)),
            ("restore", Json::Bool(one.restore)),
        ])
    });
    let traffic = &policy.traffic;
    let way = match traffic.reverse_path {
        ReversePath::Off => "off",
        ReversePath::Loose => "loose",
        ReversePath::Strict => "strict",
    };
    let automatic = policy.automatic;
    let responses = [
        (automatic.contain, IncidentResponse::Contain),
        (automatic.evidence, IncidentResponse::Evidence),
        (automatic.restart, IncidentResponse::Restart),
        (automatic.new_password, IncidentResponse::NewPassword),
        (automatic.update, IncidentResponse::Update),
        (automatic.reimage, IncidentResponse::Reimage),
    ];
    let responses = responses.iter().filter(|(is_set, _)| *is_set).map(|(_, one)| Json::text(one.name()));
    Json::object([
        ("kind", Json::text(&policy.kind)),
        ("enforce", Json::List(policy.enforce.iter().map(|one| Json::text(one.name())).collect())),
        ("ssh", Json::Bool(policy.ssh)),
        ("accounts", list(&policy.accounts)),
        ("keys", list(&policy.keys)),
        ("programs", list(&policy.programs)),
        ("privileged", list(&policy.privileged)),
        ("noexec_mounts", list(&policy.noexec_mounts)),
        ("forwards", Json::Bool(traffic.forwards)),
        ("lan_subnets_only", Json::Bool(traffic.lan_subnets_only)),
        ("multicast", Json::Bool(traffic.multicast)),
        ("reverse_path", Json::text(way)),
        ("vpn", list(&traffic.vpn.links)),
        ("vpn_to_lan", Json::Bool(traffic.vpn.to_lan)),
        ("vpn_to_wan", Json::Bool(traffic.vpn.to_wan)),
        ("wan_rules", Json::number(policy.wan_access.len() as u64)),
        ("tcp_per_second", number(traffic.tcp_per_second)),
        ("udp_per_second", number(traffic.udp_per_second)),
        ("icmp_per_second", number(traffic.icmp_per_second)),
        ("scans_per_minute", number(traffic.scans_per_minute)),
        ("incident_response", Json::List(responses.collect())),
        ("service", Json::List(services.collect())),
        ("integrity", Json::List(integrity.collect())),
    ])
}

/// The networks that reach a service, as policies write it.
fn reach(policy: &Policy, service: &Service) -> &'static str {
    let protocol = match service.transport {
        Transport::Udp => Protocol::Udp,
        _ => Protocol::Tcp,
    };
    match service.reach {
        Reach::Loopback => "loopback",
        Reach::Lan if policy.traffic.vpn.services.contains(&(protocol, service.ports)) => "vpn",
        Reach::Lan => "lan",
    }
}
