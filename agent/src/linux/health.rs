//! Health checks: the programs in a folder, see `programs.rs`.
//!
//! What a check's exit code says: 0 good; 2 it will not get better, go back now; anything else, or no answer in
//! time, not yet: it is asked again until the trial's deadline. Its first line of standard error is the reason.

use super::programs::{self, Answer};
use komainu_core::facts::Health;
use komainu_core::fault::text;
use std::path::Path;

/// The exit code of a check that will not get better.
const FAILING: i32 = 2;

/// Runs every check of the folder; the first that is not good decides. No folder, or none in it: good.
pub fn ask(folder: &Path, check_seconds: u32) -> Health {
    let checks = match programs::in_folder(folder) {
        Ok(checks) => checks,
        Err(error) => return Health::NotYet(text(format_args!("cannot read {}: {error}", folder.display()))),
    };
    for check in checks {
        match programs::ask(&check, &[], &[], check_seconds) {
            Answer::Good => {}
            Answer::Code(FAILING, why) => return Health::Failing(why),
            Answer::Code(_, why) | Answer::None(why) => return Health::NotYet(why),
        }
    }
    Health::Good
}
