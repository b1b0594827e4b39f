//! `plan`: prints the next steps and the reason. Does nothing.

use super::call::{Call, Exit, open, print};
use super::harden;
use crate::daemon::linux_device::LinuxDevice;
use komainu_core::device::Hardening;
use komainu_core::settings::Settings;
use komainu_core::step::Next;
use komainu_core::turn::{decide, look};
use komainu_core::update::facts::Facts;
use komainu_core::wall::plan::watch::Watch;
use komainu_core::wall::plan::{Act, View, plan as decide_wall};
use komainu_core::wall::policy::Policy;

pub(super) fn plan(call: &Call) -> Result<Exit, String> {
    let mut device = open(call)?;
    let grants = device.grants_at_start();
    let facts = look(&mut device, &call.settings.core, &grants, None);
    let plan = decide(&facts, &call.settings.core);
    let mut text = format!("because {}\n", plan.reason);
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
        text.push_str(&of_wall(&mut device, &facts, &wall.policy, &call.settings.core));
    }
    print(&text)
}

/// The wall's plan.
fn of_wall(device: &mut LinuxDevice, facts: &Facts, policy: &Policy, settings: &Settings) -> String {
    let report = harden::look(device, policy, settings);
    let incident_state = device.incident_state();
    let view = View {
        report: &report,
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
