//! The mounts of this device: what the kernel lists, and letting no program be started from one. The table is read by
//! `komainu_core::wall::judge::mounts`.

use crate::os::files;
use komainu_core::fault::{Text, text};
use komainu_core::wall::judge::mounts::{Forbids, Mount, at, read};
use nix::mount::{MsFlags, mount};
use std::path::Path;

/// The table of our own namespace; `/proc/mounts` does not tell stacked mounts apart.
const TABLE: &str = "/proc/self/mountinfo";
/// The table is read to here, in bytes.
const TABLE_BYTES_MAX: u64 = 1024 * 1024;

/// The mounts, as this process sees them.
///
/// # Errors
/// Path and cause.
pub fn mounts() -> Result<Vec<Mount>, Text> {
    match files::read(Path::new(TABLE), TABLE_BYTES_MAX) {
        Ok(Some(table)) => Ok(read(&table)),
        Ok(None) => Err(text(format_args!("there is no {TABLE}: is /proc mounted?"))),
        Err(error) => Err(text(format_args!("cannot read {TABLE}: {error}"))),
    }
}

/// Lets no program be started from this mount, and gives what it forbade before, so that it can be put back.
///
/// # Errors
/// Nothing is mounted there, or the kernel's cause.
pub fn forbid_programs(point: &str) -> Result<Forbids, Text> {
    let mounts = mounts()?;
    let mount = at(&mounts, point).ok_or_else(|| text(format_args!("nothing is mounted on {point}")))?;
    set(point, mount.without_programs())?;
    Ok(mount.forbids)
}

/// Undoes [`forbid_programs`]: as it was before, or, where that is not known any more, with programs allowed.
///
/// # Errors
/// Nothing is mounted there, or the kernel's cause.
pub fn allow_programs(point: &str, before: Option<Forbids>) -> Result<(), Text> {
    let mounts = mounts()?;
    let mount = at(&mounts, point).ok_or_else(|| text(format_args!("nothing is mounted on {point}")))?;
    set(point, before.unwrap_or(Forbids { programs: false, ..mount.forbids }))
}

/// Gives a mount new options; the file system behind it, and its other mounts, stay as they are.
fn set(point: &str, forbids: Forbids) -> Result<(), Text> {
    // Without a word about access times the kernel leaves them as they are.
    let mut flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND;
    for (is_set, flag) in [
        (forbids.writing, MsFlags::MS_RDONLY),
        (forbids.programs, MsFlags::MS_NOEXEC),
        (forbids.set_user, MsFlags::MS_NOSUID),
        (forbids.devices, MsFlags::MS_NODEV),
        (forbids.links, NO_LINKS),
    ] {
        if is_set {
            flags |= flag;
        }
    }
    mount(None::<&str>, point, None::<&str>, flags, None::<&str>).map_err(|error| {
        let error = std::io::Error::from(error);
        text(format_args!("cannot change the options of the mount {point}: {error}"))
    })
}

/// `MS_NOSYMFOLLOW`, which nix does not name.
const NO_LINKS: MsFlags = MsFlags::from_bits_retain(256);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::test_namespace::apart;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    #[test]
    fn no_program_is_started_from_a_mount_that_forbids_it() {
        apart("wall::remount::tests::no_program_is_started_from_a_mount_that_forbids_it", || {
            let point = std::env::temp_dir().join(format!("komainu mounts-{}", std::process::id()));
            fs::create_dir_all(&point).unwrap();
            let point = point.to_str().unwrap();
            let tmpfs = Some("tmpfs");
            mount(tmpfs, point, tmpfs, MsFlags::MS_NODEV | MsFlags::MS_NOATIME, None::<&str>).unwrap();
            let program = format!("{point}/program");
            fs::copy("/bin/true", &program).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
            let starts = || Command::new(&program).status().is_ok_and(|status| status.success());
            let forbids = || at(&mounts().unwrap(), point).unwrap().forbids;
            let first = forbids();
            assert!(starts() && first.devices && !first.programs);

            assert_eq!(forbid_programs(point), Ok(first));
            assert!(!starts() && forbids().programs && forbids().set_user);
            let table = fs::read_to_string(TABLE).unwrap();
            let line = table.lines().find(|line| line.contains("040mounts-")).unwrap();
            assert!(line.contains("noatime") && line.contains("rw"), "what else it had stays: {line}");

            allow_programs(point, Some(first)).unwrap();
            assert!(starts());
            assert_eq!(forbids(), first);
            forbid_programs(point).unwrap();
            allow_programs(point, None).unwrap();
            assert!(starts() && forbids().set_user);
            nix::mount::umount(point).unwrap();
            fs::remove_dir(point).unwrap();
        });
    }

    #[test]
    fn what_is_no_mount_is_said_to_be_none() {
        let why = forbid_programs("/no such mount").unwrap_err();
        assert_eq!(&*why, "nothing is mounted on /no such mount");
    }
}
