//! `harden`: the wall's table, measure by measure: those that hold, those that do not, and those that cannot be told
//! or enforced. `selfcheck`: the same as NICT NOTICE asks it, in four surveys. Both show the last findings of the
//! komainu that is at work; where none is, they look themselves, and change nothing. With `--json` each finding says what
//! enforcing would do, and the policy is shown that judged it: `komainu-maker policy suggest` reads that.

use super::call::{Call, Exit, at_work, open, print};
use super::report_json::{doubts, finding_object, of_row, report_object, why, word};
use crate::daemon::linux_device::LinuxDevice;
use crate::daemon::state_room::try_to_write;
use crate::daemon::wall_job::report_file;
use crate::os::clock::uptime_milliseconds;
use crate::os::files;
use komainu_bootstrap::json::Json;
use komainu_core::device::{Device, Hardening, Host, Owner};
use komainu_core::fault::text;
use komainu_core::firewall::table::FirewallGrants;
use komainu_core::firewall::wanted_table::wanted_table;
use komainu_core::gate::state::FirewallStatus;
use komainu_core::settings::Settings;
use komainu_core::turn;
use komainu_core::update::facts::Facts;
use komainu_core::wall::measures::{Measure, Row, Survey, TABLE};
use komainu_core::wall::observation::{GateContext, judge};
use komainu_core::wall::plan::leave_alone;
use komainu_core::wall::policy::Policy;
use komainu_core::wall::report::{Finding, Judgement, Report};
use komainu_core::wall::report_text;
use komainu_core::wall::report_text::LINES_BYTES_MAX;
use komainu_trust::Moment;

pub(super) fn harden(call: &Call) -> Result<Exit, String> {
    let (mut report, now) = report(call)?;
    let stored = try_to_write(&call.settings.state);
    report.notes.extend(stored.as_ref().err().map(|why| text(format_args!("{why}"))));
    let rows = TABLE.iter().map(|row| (row, report.judgement(row.measure)));
    if call.json {
        let board = call.settings.core.board.to_string();
        let all = report_object(&report, policy(call)?, &board, now, uptime_milliseconds() / 1000);
        print(&as_line(&all))?;
    } else {
        let mut said = String::new();
        for (row, outcome) in rows {
            said.push_str(&format!("{:14} {:15} {}\n", word(&outcome), row.id, row.name));
            for line in details(row, &report) {
                said.push_str(&format!("{:14} {line}\n", ""));
            }
        }
        for note in &report.notes {
            said.push_str(&format!("{:14} {note}\n", "note"));
        }
        if report.more > 0 {
            said.push_str(&format!("and {} findings more\n", report.more));
        }
        print(&said)?;
    }
    Ok(if report.findings.is_empty() && stored.is_ok() { Exit::Done } else { Exit::Failed })
}

pub(super) fn selfcheck(call: &Call) -> Result<Exit, String> {
    let (report, _) = report(call)?;
    let surveys = [
        (Survey::A, "passwords that are easily guessed"),
        (Survey::B, "firmware with known vulnerabilities"),
        (Survey::C, "infection"),
        (Survey::D, "reflectors"),
    ];
    let mut said = String::new();
    let mut all = Vec::new();
    for (survey, about) in surveys {
        let asked = |finding: &&Finding| finding.measure.row().survey == Some(survey);
        let found: Vec<&Finding> = report.findings.iter().filter(asked).collect();
        let doubts: Vec<_> =
            report.doubts.iter().filter(|(measure, _)| measure.row().survey == Some(survey)).collect();
        let word = match (found.len(), doubts.len()) {
            (0, 0) => "good",
            (0, _) => "cannot tell all",
            _ => "bad",
        };
        said.push_str(&format!("{} {:15} {about}\n", survey.letter(), word));
        found.iter().for_each(|finding| said.push_str(&format!("{:17} {}\n", "", finding.what)));
        for (_, outcome) in &doubts {
            said.push_str(&format!("{:17} {}\n", "", why(outcome)));
        }
        let list = |items: Vec<Json>| Json::List(items);
        all.push(Json::object([
            ("survey", Json::text(&survey.letter())),
            ("about", Json::text(&about)),
            ("result", Json::text(&word)),
            ("findings", list(found.iter().map(|finding| finding_object(finding)).collect())),
            ("doubts", list(doubts.iter().map(|(_, outcome)| Json::text(&why(outcome))).collect())),
        ]));
    }
    let others = report.findings.iter().filter(|finding| finding.measure.row().survey.is_none());
    let others: Vec<&Finding> = others.collect();
    if !others.is_empty() {
        said.push_str("And besides the surveys:\n");
        others.iter().for_each(|finding| said.push_str(&format!("{:17} {}\n", "", finding.what)));
    }
    let others = Json::List(others.iter().map(|finding| finding_object(finding)).collect());
    let json = Json::object([("surveys", Json::List(all)), ("others", others)]);
    print(&if call.json { as_line(&json) } else { said })?;
    Ok(if report.findings.is_empty() { Exit::Done } else { Exit::Failed })
}

fn as_line(json: &Json) -> String {
    format!("{json}\n")
}

fn policy(call: &Call) -> Result<&Policy, String> {
    let policy = call.settings.wall.as_ref().map(|wall| &wall.policy);
    policy.ok_or_else(|| "the settings leave the wall to other software ([wall] keep = false)".into())
}

/// The last report of the komainu at work, without one a new report; and the time by the best clock.
fn report(call: &Call) -> Result<(Report, Moment), String> {
    let mut device = open(call)?;
    let clock = device.clock();
    let now = clock.system.max(clock.built);
    report_of(&mut device, call).map(|report| (report, now))
}

/// The last report of the komainu at work; where none is, a new one.
///
/// # Errors
/// The settings leave the wall to other software, or the report cannot be read; in words.
pub(super) fn report_of(device: &mut LinuxDevice, call: &Call) -> Result<Report, String> {
    let policy = policy(call)?;
    if at_work(device)?.is_none() {
        return Ok(look(device, policy, &call.settings.core));
    }
    let path = report_file(&call.settings);
    match files::read(&path, LINES_BYTES_MAX) {
        Ok(Some(bytes)) => Ok(report_text::read(&String::from_utf8_lossy(&bytes))),
        Ok(None) => Err("the komainu that is at work has not looked yet; ask again in a moment".into()),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    }
}

/// Takes the status of the firewall from the last report of the komainu at work. Only that one knows the ways in that it
/// has granted: compared without them, its rules would differ from the wanted ones.
pub(super) fn take_rules_of(facts: &mut Facts, report: &Report) {
    let Some(gate) = &mut facts.gate else { return };
    gate.rules = match report.judgement(Measure::Firewall) {
        Judgement::Strong => FirewallStatus::Hold,
        Judgement::Weak => FirewallStatus::Differ,
        Judgement::CannotTell(why) | Judgement::CannotEnforce(why) => FirewallStatus::Beyond(why),
    };
}

/// Looks, and changes nothing.
fn look(device: &mut LinuxDevice, policy: &Policy, settings: &Settings) -> Report {
    let gate_state = device.gate().map(|gate| gate.gate_state());
    let grants = device.grants_at_start();
    let rules = firewall_status(device, settings, &grants);
    if let Some(wall) = device.wall() {
        wall.look_thoroughly();
    }
    let facts = turn::look(device, settings, &grants, None);
    device.compare_firmware(&facts);
    let observation = device.observe();
    let clock = device.clock();
    let now = clock.system.max(clock.built);
    let mut report = judge(&observation, &GateContext { gate_state, rules, now }, policy).0;
    leave_alone(&mut report, &device.incident_state());
    report
}

/// The status of the firewall in the kernel; `None`: the settings leave the gate to other software.
pub(super) fn firewall_status(
    device: &mut LinuxDevice,
    settings: &Settings,
    grants: &FirewallGrants,
) -> Option<FirewallStatus> {
    let gate_state = device.gate()?.gate_state();
    let device: &mut dyn Device = device;
    let table = wanted_table(device, gate_state, &settings.firewall, grants);
    Some(device.firewall_status(&table))
}

fn details<'r>(row: &Row, report: &'r Report) -> Vec<&'r str> {
    let mut details: Vec<&str> = of_row(row, report).map(|finding| &*finding.what).collect();
    // A weakness must not hide what could not be told beside it.
    details.extend(doubts(row, report));
    details
}
