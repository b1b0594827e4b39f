//! `install`: one round with a bundle in the server's place.

use super::decide::refuse_before_restart;
use super::{Call, Exit, open, print, run};
use crate::update::source::bundle::Bundle;
use std::path::Path;

pub(super) fn install(call: &Call) -> Result<Exit, String> {
    let path = call.operand.as_deref().unwrap_or(Path::new(""));
    let mut linux = open(call)?;
    refuse_before_restart(&mut linux)?;
    // Opened here too where another komainu will do it: whoever asks should hear what is wrong.
    let bundle = Bundle::open(path)?;
    match linux.lock()? {
        Ok(_lock) => {
            // An older wish for another bundle is over.
            linux.volatile().request_answered();
            linux.install(bundle);
            let exit = run::round(&mut linux, call)?;
            // What went wrong first is about the bundle; what was said last, about the device.
            let (bad, note) = linux.what_mattered();
            print(&format!("{note}\n"))?;
            Ok(if bad && exit == Exit::Done { Exit::Failed } else { exit })
        }
        Err(at_work) => {
            let cannot = |error| format!("cannot ask: {error}");
            if !path.is_absolute() {
                return Err(format!("another komainu is at work: give the whole path of {}", path.display()));
            }
            linux.volatile().leave_bundle(path, at_work).map_err(cannot)?;
            print("asked the komainu that is at work; see komainu status\n")
        }
    }
}
