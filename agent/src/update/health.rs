//! Health checks: the programs in a folder (`os/process/program_folder.rs`).
//!
//! Exit codes of a check: 0 good; 2 it will not get better, roll back now; any other, or no answer in
//! time, not yet: it is asked again until the trial's deadline. Its first line of standard error is the reason.

use crate::os::process::program_folder;
use crate::os::process::program_folder::Answer;
use komainu_core::fault::text;
use komainu_core::update::facts::Health;
use std::path::Path;

/// The exit code of a check that will not get better.
const FAILING: i32 = 2;

/// Runs every check of the folder; the first that is not good decides. No folder, or none in it: good.
pub fn ask(folder: &Path, check_seconds: u32) -> Health {
    let checks = match program_folder::in_folder(folder) {
        Ok(checks) => checks,
        Err(error) => return Health::NotYet(text(format_args!("cannot read {}: {error}", folder.display()))),
    };
    for check in checks {
        match program_folder::ask(&check, &[], &[], check_seconds) {
            Answer::Good => {}
            Answer::Code(FAILING, why) => return Health::Failing(why),
            Answer::Code(_, why) | Answer::None(why) => return Health::NotYet(why),
        }
    }
    Health::Good
}
