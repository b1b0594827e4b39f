//! `plan`: prints the next steps and the reason. Does nothing. Beside a komainu that is at work the wall's part is made
//! from the last report of that one: only it knows which processes are its own, and what it holds.

use super::call::{Call, Exit, at_work, open, print};
use super::harden;
use crate::daemon::linux_device::LinuxDevice;
use komainu_bootstrap::json::Json;
use komainu_core::device::Hardening;
use komainu_core::step::Next;
use komainu_core::turn::{decide, look};
use komainu_core::update::facts::Facts;
use komainu_core::wall::plan::watch::Watch;
use komainu_core::wall::plan::{Act, View, plan as decide_wall};
use komainu_core::wall::policy::Policy;
use komainu_core::wall::report::Report;

pub(super) fn plan(call: &Call) -> Result<Exit, String> {
    let mut device = open(call)?;
    let at_work = at_work(&device)?;
    let grants = device.grants_at_start();
    let mut facts = look(&mut device, &call.settings.core, &grants, None);
    let report = call.settings.wall.as_ref().map(|_| harden::report_of(&mut device, call));
    if let (Some(_), Some(Ok(report))) = (at_work, &report) {
        harden::take_rules_of(&mut facts, report);
    }
    let plan = decide(&facts, &call.settings.core);
    let steps: Vec<&str> = plan.steps.iter().map(|step| step.name()).collect();
    let wall = match (&call.settings.wall, &report) {
        (Some(wall), Some(Ok(report))) => of_wall(&mut device, &facts, report, &wall.policy),
        (_, Some(Err(why))) => vec![why.clone()],
        _ => Vec::new(),
    };
    if call.json {
        let list = |texts: &[String]| Json::List(texts.iter().map(Json::text).collect());
        let said = Json::object([
            ("at_work", Json::Bool(at_work.is_some())),
            ("reason", Json::text(&plan.reason)),
            ("steps", Json::List(steps.iter().map(Json::text).collect())),
            ("restart", Json::Bool(plan.next == Next::Restart)),
            (
                "seconds",
                if let Next::Seconds(seconds) = plan.next {
                    Json::number(seconds.into())
                } else {
                    Json::Null
                },
            ),
            ("wall", list(&wall)),
        ]);
        return print(&format!("{said}\n"));
    }
    let mut text = match at_work {
        Some(at_work) => {
            format!("beside  the komainu that is at work{at_work}; the wall is shown by its last report\n")
        }
        None => "alone   no komainu is at work: this one looks for itself\n".to_owned(),
    };
    text.push_str(&format!("because {}\n", plan.reason));
    if steps.is_empty() {
        text.push_str("do      nothing\n");
    }
    for step in steps {
        text.push_str(&format!("do      {step}\n"));
    }
    text.push_str(&match plan.next {
        Next::Now => "then    look again at once\n".to_owned(),
        Next::Seconds(seconds) => format!("then    look again in {seconds} s\n"),
        Next::Restart => "then    restart\n".to_owned(),
    });
    for line in wall {
        text.push_str(&format!("wall    {line}\n"));
    }
    print(&text)
}

/// The wall's plan, a line for each act.
fn of_wall(device: &mut LinuxDevice, facts: &Facts, report: &Report, policy: &Policy) -> Vec<String> {
    let incident_state = device.incident_state();
    let view = View {
        report,
        incident_state: &incident_state,
        undo: &[],
        asked: None,
        owner: facts.gate.as_ref().and_then(|gate| gate.kept),
        polled: facts.retry.polled_uptime,
        booted: facts.booted.clone().ok(),
        health: None,
        now: facts.now,
        uptime: facts.uptime,
    };
    let mut lines = Vec::new();
    for act in decide_wall(&view, &mut Watch::default(), policy) {
        lines.push(match act {
            Act::Remember(_) => continue,
            Act::Evidence => "keep evidence".to_owned(),
            Act::Remediate { finding, remediation } => {
                format!("{}, because {}", remediation.name(), finding.what)
            }
            Act::Undo { remediation, what } => format!("undo {}: {what}", remediation.name()),
            Act::Poll => "poll".to_owned(),
            Act::Restart => "restart".to_owned(),
        });
    }
    for finding in &report.findings {
        let what = &finding.what;
        match (finding.kind, &finding.remediation) {
            (None, _) => lines.push(format!("nothing can be done: {what}")),
            (Some(kind), _) if !policy.enforces(finding) => {
                lines.push(format!("only told, would {}: {what}", kind.does))
            }
            // A report of the komainu at work has the kind alone.
            (Some(kind), None) => lines.push(format!("{}, because {what}", kind.name)),
            (Some(_), Some(_)) => {}
        }
    }
    lines
}
