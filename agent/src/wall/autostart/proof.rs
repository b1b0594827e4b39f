//! The device's own shell reads a changed script without running it (`sh -n`): what it cannot read is not kept.

use crate::os::foreign_file::Foreign;
use crate::os::process::spawn::{Ended, Outputs, Program};
use komainu_core::fault::{Text, text};
use komainu_core::wall::judge::autostart::edit::{Edit, without};
use komainu_core::wall::judge::autostart::entry::Kind;
use std::path::{Path, PathBuf};

/// Time for the shell to read a script.
const SECONDS: u32 = 5;

/// Has the script's own shell read it before and after. A device without a shell runs no scripts, and has nothing to read
/// them with.
///
/// # Errors
/// The shell cannot read it as it was, or as it would be.
pub fn reads(kind: Kind, before: &[u8], after: &[u8]) -> Result<(), Text> {
    if !kind.is_script() {
        return Ok(());
    }
    let Some(shell) = shell_of(before) else { return Ok(()) };
    let name = shell.display();
    if !is_read(&shell, before) {
        return Err(text(format_args!("{name} -n cannot read it even now")));
    }
    if !is_read(&shell, after) {
        return Err(text(format_args!("{name} -n could not read it any more")));
    }
    Ok(())
}

fn is_read(shell: &Path, script: &[u8]) -> bool {
    let run = Program::run(shell.as_os_str(), &["-n".into()], script, Outputs::Errors, SECONDS);
    run.is_ok_and(|run| run.ended == Some(Ended::Code(0)))
}

/// The shell of the script's first line, if it is there, or else the device's.
fn shell_of(script: &[u8]) -> Option<PathBuf> {
    let first = script.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let named = first.strip_prefix(b"#!").map(|line| String::from_utf8_lossy(line).into_owned());
    let named = named.as_deref().and_then(|line| line.split_ascii_whitespace().next());
    let is_shell = |path: &&str| path.starts_with('/') && path.ends_with("sh") && Path::new(path).is_file();
    let shell = named.filter(is_shell).unwrap_or("/bin/sh");
    Path::new(shell).is_file().then(|| shell.into())
}

/// The edit of a line, proven.
pub(super) fn proven(kind: Kind, foreign: &Foreign, line: u32, says: &str) -> Result<Option<Edit>, Text> {
    if !foreign.whole {
        return Err(text(format_args!("it is larger than what is read of it")));
    }
    let edit = without(kind, &foreign.bytes, line, says).map_err(|why| text(format_args!("{why}")))?;
    if let Some(edit) = &edit {
        if matches!(kind, Kind::Unit | Kind::Udev) && !Path::new("/bin/true").exists() {
            return Err(text(format_args!("the device has no /bin/true to stand in its place")));
        }
        reads(kind, &foreign.bytes, &edit.bytes)?;
    }
    Ok(edit)
}
