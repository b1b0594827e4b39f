//! The maker's hooks of an update, for the data that a release migrates: the programs in three folders
//! (`os/process/program_folder.rs`). Each gets the number and the version of the release as its arguments, and may run
//! again after a power cut.

use crate::os::process::program_folder;
use crate::os::process::program_folder::Answer;
use komainu_core::fault::{Text, text};
use komainu_core::identifiers::ReleaseId;
use std::path::Path;

/// Runs the programs of a folder in order, up to the first that fails. No folder, or none in it: good.
///
/// # Errors
/// The folder cannot be read, or the program that failed, and why.
pub fn run(folder: &Path, release: &ReleaseId, seconds: u32) -> Result<(), Text> {
    let hooks = program_folder::in_folder(folder)
        .map_err(|error| text(format_args!("cannot read {}: {error}", folder.display())))?;
    let arguments = [release.number.to_string(), release.version.to_string()];
    for hook in hooks {
        match program_folder::ask(&hook, &arguments, &[], seconds) {
            Answer::Good => {}
            Answer::Code(_, why) | Answer::None(why) => return Err(why),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::files;
    use komainu_core::identifiers::Version;
    use std::fs;

    #[test]
    fn hooks_run_in_order_up_to_the_first_that_fails() {
        let folder = std::env::temp_dir().join(format!("komainu-update-hooks-{}", std::process::id()));
        let release = ReleaseId { number: 42, version: Version::parse("2.1").unwrap() };
        assert_eq!(run(&folder, &release, 60), Ok(()), "there is no folder");
        fs::create_dir(&folder).unwrap();
        for (name, script) in [
            ("20-refuses", "echo 'no room' >&2; exit 1"),
            ("10-says", "echo $1 $2 > \"${0%/*}/said\""),
            ("30-never", "echo late > \"${0%/*}/said\""),
        ] {
            let script = format!("#!/bin/sh\n{script}\n");
            files::replace_as(&folder.join(name), script.as_bytes(), 0o755).unwrap();
        }
        assert_eq!(run(&folder, &release, 60), Err(text(format_args!("20-refuses: no room"))));
        assert_eq!(fs::read_to_string(folder.join("said")).unwrap(), "42 2.1\n");
        fs::remove_dir_all(folder).unwrap();
    }
}
