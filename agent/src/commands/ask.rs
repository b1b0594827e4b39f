//! `confirm` and `revert`: a person, or the firmware, decides. Asks the komainu that is at work, or does it itself.

use super::{Call, Exit, open, print, run};
use komainu_core::facts::Wish;

pub(super) fn confirm(call: &Call) -> Result<Exit, String> {
    ask(call, Wish::Confirm)
}

pub(super) fn revert(call: &Call) -> Result<Exit, String> {
    ask(call, Wish::Revert)
}

fn ask(call: &Call, wish: Wish) -> Result<Exit, String> {
    let mut linux = open(call)?;
    match linux.volatile().lock().map_err(|error| format!("cannot lock: {error}"))? {
        Ok(_lock) => {
            linux.own_wish = Some(wish);
            run::round(&mut linux, call)
        }
        Err(at_work) => {
            linux.volatile().leave_wish(wish, at_work).map_err(|error| format!("cannot ask: {error}"))?;
            print("asked the komainu that is at work; see komainu status\n")
        }
    }
}
