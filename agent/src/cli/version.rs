//! `version`: the version of this komainu. Needs no settings.

use super::call::{Call, Exit, print};
use crate::os::clock::built;

pub(super) fn version(_: &Call) -> Result<Exit, String> {
    print(&text())
}

pub(super) fn show() -> Result<Exit, (Exit, String)> {
    print(&text()).map_err(|sentence| (Exit::Failed, sentence))
}

fn text() -> String {
    format!("komainu {} (clock floor {})\n", env!("CARGO_PKG_VERSION"), built())
}
