//! `version`: the version of this komainu, and the features that it was built with. Needs no settings.

use super::call::{Call, Exit, print};
use crate::os::clock::built;

pub(super) fn version(_: &Call) -> Result<Exit, String> {
    print(&text())
}

pub(super) fn show() -> Result<Exit, (Exit, String)> {
    print(&text()).map_err(|sentence| (Exit::Failed, sentence))
}

/// The features that a maker chooses at the build, and whether they are in.
const FEATURES: [(&str, bool); 6] = [
    ("mtd", cfg!(feature = "mtd")),
    ("ubi", cfg!(feature = "ubi")),
    ("profiles", cfg!(feature = "profiles")),
    ("ddi", cfg!(feature = "ddi")),
    ("rsa", cfg!(feature = "rsa")),
    ("public-roots", cfg!(feature = "public-roots")),
];

fn text() -> String {
    let mut text = format!("komainu {} (clock floor {})\nfeatures:", env!("CARGO_PKG_VERSION"), built());
    for (name, _) in FEATURES.iter().filter(|(_, is_in)| *is_in) {
        text += " ";
        text += name;
    }
    text + "\n"
}
