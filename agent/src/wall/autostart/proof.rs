//! The device's own shell reads a changed script without running it (`sh -n`): what it cannot read is not kept. The script
//! names the shell, and whoever wrote it may have named anything: no other program is started, and none that others than
//! root can change.

use crate::os::foreign_file::{Foreign, Tree};
use crate::os::process::spawn::{Ended, Outputs, Program};
use komainu_core::fault::{Text, text};
use komainu_core::wall::judge::autostart::edit::{Edit, without};
use komainu_core::wall::judge::autostart::entry::Kind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Time for the shell to read a script.
const SECONDS: u32 = 5;
/// The shells of the field, by the names of their programs.
const SHELLS: [&str; 8] = ["sh", "ash", "bash", "dash", "hush", "ksh", "mksh", "zsh"];
/// A shell that runs this, instead of reading it only, ends with another code than 0.
const NOT_TO_RUN: &[u8] = b"exit 3\n";

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
    is_roots(&shell)?;
    if !is_read(&shell, NOT_TO_RUN) {
        return Err(text(format_args!("{name} does not know -n: it would run what it is to read")));
    }
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
    let is_shell = |path: &&str| {
        let name = path.rsplit_once('/').filter(|_| path.starts_with('/')).map_or("", |(_, name)| name);
        SHELLS.contains(&name) && Path::new(path).is_file()
    };
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

/// No one but root can change this shell. A second name (busybox has many) gives nobody power over it.
fn is_roots(shell: &Path) -> Result<(), Text> {
    let tree = Tree::device()?;
    let name = shell.display();
    let not_there = || text(format_args!("{name} is not there any more"));
    let place = tree.find(shell)?.ok_or_else(not_there)?;
    tree.is_roots(place.real().parent().unwrap_or(Path::new("/")))?;
    match place.metadata() {
        Some(seen) if seen.uid() == 0 && seen.mode() & 0o022 == 0 => Ok(()),
        _ => Err(text(format_args!("others than root can change {name}, which is not started for that"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    /// Of these programs each tells that it was run.
    #[test]
    fn no_program_that_a_script_names_is_run_to_read_it() {
        let folder = std::env::temp_dir().join(format!("komainu-proof-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let folder = fs::canonicalize(folder).unwrap();
        let told = folder.join("run");
        for (name, mode, is_read) in [("sh", 0o755, false), ("flash", 0o755, true), ("sh", 0o777, false)] {
            let program = folder.join(name);
            let script = format!("#!/bin/sh\necho ran > {}\ncat > /dev/null\n", told.display());
            crate::os::files::replace(&program, script.as_bytes()).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(mode)).unwrap();
            // Where the folder is root's alone, others than root can write the file; where the file is, the folder.
            let of_folder = if mode == 0o755 { 0o777 } else { 0o755 };
            fs::set_permissions(&folder, fs::Permissions::from_mode(of_folder)).unwrap();
            let script = format!("#!{}\necho telnetd\n", program.display());
            let read = reads(Kind::Script, script.as_bytes(), script.as_bytes());
            assert_eq!(read.is_ok(), is_read, "{name} {mode:o}: {read:?}");
            assert!(!told.exists(), "{name} {mode:o}");
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_devices_shell_reads_and_does_not_run() {
        let folder = std::env::temp_dir().join(format!("komainu-proof-run-{}", std::process::id()));
        let script = format!("mkdir {}\nexit 3\n", folder.display());
        reads(Kind::Script, script.as_bytes(), script.as_bytes()).unwrap();
        assert!(!folder.exists());
        assert!(reads(Kind::Script, script.as_bytes(), b"if true\n").is_err());
    }
}
