//! `version`: which komainu this is. Needs no settings.

use super::{Call, Exit};
use crate::os::clock::built;

pub(super) fn version(_: &Call) -> Result<Exit, String> {
    super::print(&text())
}

pub(super) fn print() -> Result<Exit, (Exit, String)> {
    super::print(&text()).map_err(|sentence| (Exit::Failed, sentence))
}

fn text() -> String {
    format!("komainu {} (clock floor {})\n", env!("CARGO_PKG_VERSION"), built())
}
