//! Remounts: the mounts of this device, and letting no program be started from one (`noexec`).

use crate::os::procfs::mountinfo;
use crate::os::procfs::mountinfo::{MOUNTS_MAX, TABLE, options};
use crate::os::procfs::text_reader::{BUFFER_BYTES, Go, read_lines};
use komainu_core::fault::{Text, text};
use komainu_core::wall::judge::mounts::{Forbids, Mount, at};
use nix::mount::{MsFlags, mount};

/// The mounts, as this process sees them.
///
/// # Errors
/// Path and cause.
pub fn mounts() -> Result<Vec<Mount>, Text> {
    mounts_of(TABLE)
}

fn mounts_of(table: &str) -> Result<Vec<Mount>, Text> {
    let (mut mounts, mut buffer) = (Vec::new(), vec![0; BUFFER_BYTES]);
    read_lines(table, &mut buffer, &mut |line| {
        mounts.extend(mount_of(line));
        if mounts.len() < MOUNTS_MAX { Go::On } else { Go::Stop }
    })?;
    Ok(mounts)
}

/// The mount of a line of the kernel's table; `None` for a line that makes no sense.
pub fn mount_of(bytes: &[u8]) -> Option<Mount> {
    let line = mountinfo::line(bytes)?;
    let mut forbids = Forbids::default();
    for option in options(line.options) {
        match option {
            b"ro" => forbids.writing = true,
            b"noexec" => forbids.programs = true,
            b"nosuid" => forbids.set_user = true,
            b"nodev" => forbids.devices = true,
            b"nosymfollow" => forbids.links = true,
            _ => {}
        }
    }
    let text_of = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let fixed = options(line.super_options).any(|option| option == b"ro");
    Some(Mount { point: text_of(&line.point), kind: text_of(line.filesystem), forbids, fixed })
}

/// Lets no program be started from this mount, and gives the former flags, so that they can be put back.
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

    const LINES: &[u8] = b"\
22 1 254:0 / / rw,relatime - squashfs /dev/root ro
23 22 0:5 / /dev rw,nosuid - devtmpfs dev rw,mode=755
24 22 0:20 / /tmp rw - ext4 /dev/sda1 rw
25 24 0:21 / /tmp rw,nosuid,nodev shared:1 master:2 - tmpfs tmpfs rw
26 22 0:22 / /var rw,noexec - tmpfs tmpfs rw
27 22 0:23 /a /mnt/a\\040b\\012 ro,nosymfollow - vfat /dev/sdb1 rw
28 22 0:24 / /overlay rw - ubifs /dev/ubi0_1 rw
29 22 0:25 / torn
30 22 0:26 / /x rw - tmpfs
31 22 0:27 / relative rw - tmpfs tmpfs rw
";

    fn read(table: &[u8]) -> Vec<Mount> {
        table.split(|byte| *byte == b'\n').filter_map(mount_of).collect()
    }

    #[test]
    fn the_table_is_read_with_its_escapes_and_optional_fields() {
        let mounts = read(LINES);
        assert_eq!(mounts.len(), 7);
        assert_eq!(mounts[5].point, "/mnt/a b\n");
        assert_eq!(mounts[5].forbids, Forbids { writing: true, links: true, ..Forbids::default() });
        assert!(mounts[0].fixed && !mounts[0].writable());
        let tmp = at(&mounts, "/tmp").expect("it is mounted");
        assert_eq!((tmp.kind.as_str(), tmp.writable(), tmp.forbids.set_user), ("tmpfs", true, true));
    }

    #[test]
    fn a_table_without_end_is_read_to_its_limit() {
        let path = std::env::temp_dir().join(format!("komainu-mountinfo-{}", std::process::id()));
        crate::os::files::replace(&path, &b"22 1 254:0 / /x rw - tmpfs tmpfs rw\n".repeat(MOUNTS_MAX + 5))
            .unwrap();
        let mounts = mounts_of(path.to_str().unwrap()).unwrap();
        fs::remove_file(path).unwrap();
        assert_eq!(mounts.len(), MOUNTS_MAX);
    }

    #[test]
    fn a_line_that_is_longer_than_is_read_of_it_is_no_mount() {
        let line = [&b"22 1 0:1 / /"[..], &[b'x'; BUFFER_BYTES], b" rw - tmpfs t rw"].concat();
        assert_eq!(mount_of(&line[..BUFFER_BYTES]), None);
    }

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
