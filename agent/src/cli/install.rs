//! `install`: one round with a bundle in the server's place.

use super::call::{Call, Exit, open, print};
use super::decide::refuse_before_restart;
use super::run;
use crate::update::source::bundle::Bundle;
use komainu_core::operator_request::OperatorRequest;
use komainu_core::reason::Reason;
use komainu_core::settings::Settings;
use std::path::Path;

pub(super) fn install(call: &Call) -> Result<Exit, String> {
    let path = call.operand.as_deref().unwrap_or(Path::new(""));
    let mut device = open(call)?;
    refuse_before_restart(&mut device)?;
    // Opened here even if another komainu installs it: the caller should see the error.
    let bundle = Bundle::open(path)?;
    match device.lock()? {
        Ok(_lock) => {
            // An older request for another bundle is over.
            device.runtime().request_answered();
            device.install(bundle);
            // The first fault is about the bundle; the last event is about the device.
            let round = run::round(&mut device, call, OperatorRequest::Poll)?;
            round.told()?;
            if let Some(Reason::OfferNothing) = round.event {
                let Settings { board, channel, .. } = &call.settings.core;
                let path = path.display();
                return Err(format!(
                    "{path} has nothing for board {board} and channel {channel}: nothing is installed"
                ));
            }
            let bad = round.event.as_ref().is_some_and(run::is_worth_an_exit_code);
            Ok(if bad && round.exit == Exit::Done { Exit::Failed } else { round.exit })
        }
        Err(at_work) => {
            let cannot = |error| format!("cannot ask: {error}");
            if !path.is_absolute() {
                return Err(format!("another komainu is at work: give the whole path of {}", path.display()));
            }
            device.runtime().leave_bundle(path, at_work).map_err(cannot)?;
            print("asked the komainu that is at work; see komainu status\n")
        }
    }
}
