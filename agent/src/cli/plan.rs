//! `plan`: prints the next steps and the reason. Does nothing. Beside a komainu that is at work the wall's part is made
//! from the last report of that one: only it knows which processes are its own, and what it holds.

use super::call::{Call, Exit, open, print};
use super::harden;
use crate::daemon::linux_device::LinuxDevice;
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
    let grants = device.grants_at_start();
    let facts = look(&mut device, &call.settings.core, &grants, None);
    let plan = decide(&facts, &call.settings.core);
    let at_work = device.lock()?.err();
    let mut text = match at_work {
        Some(process) => {
            let process = process.map(|process| format!(" (process {process})")).unwrap_or_default();
            format!("beside  the komainu that is at work{process}; the wall is shown by its last report\n")
        }
        None => "alone   no komainu is at work: this one looks for itself\n".to_owned(),
    };
    text.push_str(&format!("because {}\n", plan.reason));
    if plan.steps.is_empty() {
        text.push_str("do      nothing\n");
    }
    for step in &plan.steps {
        text.push_str(&format!("do      {}\n", step.name()));
    }
    text.push_str(&match plan.next {
        Next::Now => "then    look again at once\n".to_owned(),
        Next::Seconds(seconds) => format!("then    look again in {seconds} s\n"),
        Next::Restart => "then    restart\n".to_owned(),
    });
    if let Some(wall) = &call.settings.wall {
        match harden::report_of(&mut device, call) {
            Ok(report) => text.push_str(&of_wall(&mut device, &facts, &report, &wall.policy)),
            Err(why) => text.push_str(&format!("wall    {why}\n")),
        }
    }
    print(&text)
}

/// The wall's plan.
fn of_wall(device: &mut LinuxDevice, facts: &Facts, report: &Report, policy: &Policy) -> String {
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
    let mut text = String::new();
    for act in decide_wall(&view, &mut Watch::default(), policy) {
        let line = match act {
            Act::Remember(_) => continue,
            Act::Evidence => "keep evidence".to_owned(),
            Act::Remediate { finding, remediation } => {
                format!("{}, because {}", remediation.name(), finding.what)
            }
            Act::Undo { remediation, what } => format!("undo {}: {what}", remediation.name()),
            Act::Poll => "poll".to_owned(),
            Act::Restart => "restart".to_owned(),
        };
        text.push_str(&format!("wall    {line}\n"));
    }
    let left = report.findings.iter().filter(|finding| finding.remediation.is_none());
    for finding in left {
        text.push_str(&format!("wall    nothing can be done: {}\n", finding.what));
    }
    text
}
