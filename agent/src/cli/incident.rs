//! `incident`: the answers to an infection. Without a word it prints the state of the incident, and the last answers of the
//! wall: what was seen, why it matters, what was done, and how it is taken back.

use super::call::{Call, Exit, open, print};
use crate::daemon::event_log::EventLog;
use crate::daemon::linux_device::LinuxDevice;
use crate::firewall::conntrack;
use crate::os::clock;
use komainu_core::device::{Device, Hardening};
use komainu_core::operator_request::OperatorRequest;
use komainu_core::wall::answers;
use komainu_core::wall::incident_response::IncidentResponse;
use komainu_core::wall::incident_state::Incident;
use komainu_core::wall::plan::watch::Watch;
use komainu_core::wall::turn::{TurnContext, decide, execute};
use komainu_trust::Moment;

pub(super) fn incident(call: &Call) -> Result<Exit, String> {
    let policy = call.settings.wall.as_ref().map(|wall| &wall.policy);
    let policy = policy.ok_or("the settings leave the wall to other software ([wall] keep = false)")?;
    let mut device = open(call)?;
    let Some(word) = &call.operand else { return say(&mut device) };
    let known = || IncidentResponse::ALL.map(IncidentResponse::name).join(", ");
    let response = word.to_str().and_then(IncidentResponse::parse);
    let response = response.ok_or_else(|| format!("{} is none of {}", word.display(), known()))?;
    match device.lock()? {
        Ok(_lock) => {
            let request = OperatorRequest::Incident(response);
            let grants = device.grants_at_start();
            let known = super::harden::firewall_status(&mut device, &call.settings.core, &grants);
            let context = TurnContext {
                now: Moment(clock::system_seconds()),
                rules: known,
                firewall: &call.settings.core.firewall,
                grants: &grants,
                request: Some(&request),
            };
            let (mut log, mut watch) = (EventLog::default(), Watch::default());
            let decision = decide(&mut device as &mut dyn Device, &mut watch, &context, policy);
            log.log_all(&mut device, &decision.events);
            let outcome = execute(&mut device as &mut dyn Device, &mut watch, &context, &decision);
            log.log_all(&mut device, &outcome.events);
            say(&mut device)
        }
        Err(at_work) => leave(&device, OperatorRequest::Incident(response), at_work),
    }
}

/// `accept-changes`: accepts the protected files as they are.
pub(super) fn accept_changes(call: &Call) -> Result<Exit, String> {
    if call.settings.wall.is_none() {
        return Err("the settings leave the wall to other software ([wall] keep = false)".into());
    }
    let mut device = open(call)?;
    match device.lock()? {
        Ok(_lock) => {
            device.accept_changes();
            Ok(Exit::Done)
        }
        Err(at_work) => leave(&device, OperatorRequest::AcceptChanges, at_work),
    }
}

fn leave(device: &LinuxDevice, request: OperatorRequest, at_work: Option<i32>) -> Result<Exit, String> {
    let left = device.runtime().leave_request(&request, at_work);
    left.map_err(|error| format!("cannot ask: {error}"))?;
    print("asked the komainu that is at work; see komainu incident, komainu harden\n")
}

/// Whether the device is cut off, by its rules and by what passes through it all the same.
fn contained(wanted: bool) -> &'static str {
    if !wanted {
        return "no";
    }
    // A device that forwards nothing has nothing to end.
    let goes_on = conntrack::kernel_forwards() && conntrack::passes() != Ok(false);
    if goes_on { "not wholly: connections through the device go on" } else { "yes" }
}

fn say(device: &mut LinuxDevice) -> Result<Exit, String> {
    let state = device.incident_state();
    let mut said = match state.incident {
        Some(incident) => words_of(&incident),
        None => "nothing: there is no incident\n".to_owned(),
    };
    let answers = device.wall().map(|wall| wall.answers().to_vec()).unwrap_or_default();
    for answer in answers.iter().filter_map(|line| answers::read(line)) {
        said.push_str(&format!("\n{answer}\n"));
        if let Some(row) = answer.row {
            said.push_str(&format!("    why        {}\n", row.why));
        }
        if !answer.undone {
            said.push_str(&format!("    take back  {}\n", answer.kind.take_back));
        }
    }
    print(&said)
}

/// The state of an incident, for people.
fn words_of(incident: &Incident) -> String {
    let yes = |is: bool| if is { "yes" } else { "no" };
    let slot = incident.reimage.map_or_else(|| "no".to_owned(), |slot| format!("in place of slot {slot}"));
    format!(
        "incident      {}\nsince         {}\ncontained     {}\nevidence      {}\nrestarts      {}\n\
         new-password  {}\nupdate        {}\nreimage       {slot}\n",
        incident.what,
        incident.since,
        contained(incident.contained),
        yes(incident.evidence),
        incident.restarts,
        yes(incident.password.is_some()),
        yes(incident.update),
    )
}
