//! `respond`: what is done where somebody has taken the device. Without a word it says how things stand.

use super::{Call, Exit, open, print};
use crate::daemon::linux_device::LinuxDevice;
use crate::os::clock;
use komainu_core::device::World;
use komainu_core::operator_request::OperatorRequest;
use komainu_core::wall::incident_response::IncidentResponse;
use komainu_core::wall::plan::Watch;
use komainu_core::wall::turn::{TurnContext, turn};
use komainu_trust::Moment;

pub(super) fn respond(call: &Call) -> Result<Exit, String> {
    let policy = call.settings.wall.as_ref().map(|wall| &wall.policy);
    let policy = policy.ok_or("the settings leave the wall to somebody else ([wall] keep = false)")?;
    let mut linux = open(call)?;
    let Some(word) = &call.operand else { return say(&mut linux) };
    let known = || IncidentResponse::ALL.map(IncidentResponse::name).join(", ");
    let response = word.to_str().and_then(IncidentResponse::parse);
    let response = response.ok_or_else(|| format!("{} is none of {}", word.display(), known()))?;
    match linux.lock()? {
        Ok(_lock) => {
            linux.own_request = Some(OperatorRequest::Incident(response));
            let now = Moment(clock::system_seconds());
            let rules = linux.gate().map(|gate| gate.gate_state()).map(|gate_state| linux.rules(gate_state));
            turn(&mut linux, &mut Watch::default(), &TurnContext { now, rules }, policy);
            say(&mut linux)
        }
        Err(at_work) => leave(&linux, OperatorRequest::Incident(response), at_work),
    }
}

/// `accept_changes`: guarded files are as the owner wants them.
pub(super) fn accept_changes(call: &Call) -> Result<Exit, String> {
    if call.settings.wall.is_none() {
        return Err("the settings leave the wall to somebody else ([wall] keep = false)".into());
    }
    let mut linux = open(call)?;
    match linux.lock()? {
        Ok(_lock) => {
            linux.accept_changes();
            Ok(Exit::Done)
        }
        Err(at_work) => leave(&linux, OperatorRequest::AcceptChanges, at_work),
    }
}

fn leave(linux: &LinuxDevice, request: OperatorRequest, at_work: Option<i32>) -> Result<Exit, String> {
    let left = linux.volatile().leave_wish(request, at_work);
    left.map_err(|error| format!("cannot ask: {error}"))?;
    print("asked the komainu that is at work; see komainu incident, komainu harden\n")
}

fn say(linux: &mut LinuxDevice) -> Result<Exit, String> {
    let memory = linux.incident_state();
    let Some(incident) = memory.incident else { return print("nothing: there is no incident\n") };
    let yes = |is: bool| if is { "yes" } else { "no" };
    let slot = incident.reimage.map_or_else(|| "no".to_owned(), |slot| format!("in place of slot {slot}"));
    print(&format!(
        "incident      {}\nsince         {}\ncontained     {}\nevidence      {}\nrestarts      {}\n\
         new-password  {}\nupdate        {}\nreimage       {slot}\n",
        incident.what,
        incident.since,
        yes(incident.contained),
        yes(incident.evidence),
        incident.restarts,
        yes(incident.password.is_some()),
        yes(incident.update),
    ))
}
