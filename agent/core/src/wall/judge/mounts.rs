//! Mounts: places where programs could be laid and started (`/tmp`, `/var`, `/dev`). Reads the kernel's table, and
//! judges the mounts that policy names. A script that is given to a shell still runs from there; a program does not.

use crate::wall::measures::Measure;
use crate::wall::remediation::Remediation;
use crate::wall::report::Report;
use alloc::string::String;
use alloc::vec::Vec;

/// Most mounts that are looked at; the kernel's table is read to there.
pub const MOUNTS_MAX: usize = 512;
/// Longest line of the table that is read, in bytes.
pub const LINE_BYTES_MAX: usize = 8192;

/// What a mount does not allow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forbids {
    /// To write.
    pub writing: bool,
    /// To start a program.
    pub programs: bool,
    /// To become another user by starting one.
    pub set_user: bool,
    /// To open devices.
    pub devices: bool,
    /// To follow links.
    pub links: bool,
}

/// A mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where it is. What is not UTF-8 is replaced.
    pub point: String,
    /// Its file system: `tmpfs`, `squashfs`.
    pub kind: String,
    /// What it does not allow.
    pub forbids: Forbids,
    /// Its file system as a whole is read only, whatever the mount says.
    pub fixed: bool,
}

impl Mount {
    /// Whether anything can be laid there.
    pub fn writable(&self) -> bool {
        !self.fixed && !self.forbids.writing
    }

    /// What it shall not allow, where no program may be started from it: only `/dev` keeps its devices.
    pub fn without_programs(&self) -> Forbids {
        let devices = self.kind == "devtmpfs" || self.point == "/dev" || self.point.starts_with("/dev/");
        Forbids { programs: true, set_user: true, devices: self.forbids.devices || !devices, ..self.forbids }
    }
}

/// Reads `/proc/self/mountinfo`; lines that make no sense are left out.
pub fn read(table: &[u8]) -> Vec<Mount> {
    table.split(|&byte| byte == b'\n').filter_map(line).take(MOUNTS_MAX).collect()
}

fn line(line: &[u8]) -> Option<Mount> {
    if line.len() > LINE_BYTES_MAX {
        return None;
    }
    let mut words = line.split(|&byte| byte == b' ');
    let point = text_of(&unescaped(words.nth(4)?));
    let mut forbids = Forbids::default();
    for option in words.next()?.split(|&byte| byte == b',') {
        match option {
            b"ro" => forbids.writing = true,
            b"noexec" => forbids.programs = true,
            b"nosuid" => forbids.set_user = true,
            b"nodev" => forbids.devices = true,
            b"nosymfollow" => forbids.links = true,
            _ => {}
        }
    }
    // Fields that a kernel may have more or fewer of end with a dash.
    words.find(|word| *word == b"-")?;
    let kind = text_of(words.next()?);
    let fixed = words.nth(1)?.split(|&byte| byte == b',').any(|option| option == b"ro");
    point.starts_with('/').then_some(Mount { point, kind, forbids, fixed })
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a word of the table means: blanks, line ends and backslashes are written there as three octal digits.
pub fn unescaped(word: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.first_chunk::<3>().filter(|digits| first == b'\\' && octal(digits));
        rest = match digits {
            Some(&[high, middle, low]) => {
                bytes.push((high - b'0') << 6 | (middle - b'0') << 3 | (low - b'0'));
                &after[3..]
            }
            None => {
                bytes.push(first);
                after
            }
        };
    }
    bytes
}

fn octal(digits: &[u8; 3]) -> bool {
    digits[0] <= b'3' && digits.iter().all(|digit| (b'0'..=b'7').contains(digit))
}

/// The mount at this very point; where several are stacked, the one that is seen.
pub fn at<'a>(mounts: &'a [Mount], point: &str) -> Option<&'a Mount> {
    mounts.iter().rev().find(|mount| mount.point == point)
}

/// The mount that this path is part of.
fn observation<'a>(mounts: &'a [Mount], path: &str) -> Option<&'a Mount> {
    let holds = |mount: &&Mount| {
        let rest = path.strip_prefix(mount.point.trim_end_matches('/'));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    mounts.iter().rev().filter(holds).max_by_key(|mount| mount.point.len())
}

/// The number of the process that nobody sees behind this mount.
fn hides(point: &str) -> Option<u32> {
    point.strip_prefix("/proc/")?.split('/').next()?.parse().ok()
}

/// Judges the mounts that policy lets no program be started from.
pub fn judge(mounts: &[Mount], noexec_mounts: &[String], report: &mut Report) {
    let measure = Measure::Mounts;
    for mount in mounts {
        if let Some(pid) = hides(&mount.point) {
            let what = format_args!("something is mounted over /proc/{pid}, which hides a process");
            report.infected(Measure::Programs, None, what);
        }
    }
    for point in noexec_mounts {
        let Some(mount) = at(mounts, point) else {
            match observation(mounts, point) {
                Some(mount) if mount.forbids.programs || !mount.writable() => {}
                Some(mount) if mount.point == "/" => report.cannot_enforce(
                    measure,
                    format_args!("{point} is part of the root file system, and has no mount of its own"),
                ),
                Some(mount) => report.cannot_enforce(
                    measure,
                    format_args!("{point} is part of {}, and has no mount of its own", mount.point),
                ),
                None => report.cannot_tell(measure, format_args!("the kernel lists no mount for {point}")),
            }
            continue;
        };
        if mount.writable() && !mount.forbids.programs {
            let remediation = Remediation::NoPrograms { mount: point.clone() };
            let kind = &mount.kind;
            let what = format_args!("programs can be laid into {point} ({kind}) and started from there");
            report.weak(measure, Some(remediation), what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wall::report::Judgement;

    const TABLE: &[u8] = b"\
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

    #[test]
    fn the_table_is_read_with_its_escapes_and_optional_fields() {
        let mounts = read(TABLE);
        assert_eq!(mounts.len(), 7);
        assert_eq!(mounts[5].point, "/mnt/a b\n");
        assert_eq!(mounts[5].forbids, Forbids { writing: true, links: true, ..Forbids::default() });
        assert!(mounts[0].fixed && !mounts[0].writable());
        let tmp = at(&mounts, "/tmp").expect("it is mounted");
        assert_eq!((tmp.kind.as_str(), tmp.writable(), tmp.forbids.set_user), ("tmpfs", true, true));
    }

    #[test]
    fn a_table_without_end_is_read_to_its_limit() {
        let line = b"22 1 254:0 / /x rw - tmpfs tmpfs rw\n";
        assert_eq!(read(&line.repeat(MOUNTS_MAX + 5)).len(), MOUNTS_MAX);
        assert_eq!(read(&[&b"22 1 0:1 / /"[..], &[b'x'; LINE_BYTES_MAX], b" rw - tmpfs t rw"].concat()), []);
    }

    #[test]
    fn only_dev_keeps_its_devices() {
        let mounts = read(TABLE);
        for (point, devices) in [("/dev", false), ("/tmp", true), ("/var", true)] {
            let wanted = at(&mounts, point).expect("it is mounted").without_programs();
            assert!(wanted.programs && wanted.set_user && !wanted.writing, "{point}");
            assert_eq!(wanted.devices, devices, "{point}");
        }
    }

    #[test]
    fn mounts_that_policy_names_are_judged() {
        let weak = |mount: &str| Some(Remediation::NoPrograms { mount: mount.into() });
        for (table, point, fix, outcome) in [
            (TABLE, "/tmp", weak("/tmp"), "weak"),
            (TABLE, "/dev", weak("/dev"), "weak"),
            (TABLE, "/var", None, "strong"),
            (TABLE, "/var/run", None, "strong"),
            (TABLE, "/etc", None, "strong"),
            (TABLE, "/overlay/tmp", None, "/overlay/tmp is part of /overlay, and has no mount of its own"),
            (TABLE, "/tmpfiles", None, "strong"),
            (
                b"1 1 0:1 / / rw - ubifs ubi rw",
                "/tmp",
                None,
                "/tmp is part of the root file system, and has no mount of its own",
            ),
            (b"", "/tmp", None, "the kernel lists no mount for /tmp"),
        ] {
            let mut report = Report::default();
            judge(&read(table), &[point.into()], &mut report);
            assert_eq!(report.remediations().first().copied(), fix.as_ref(), "{point}");
            match report.judgement(Measure::Mounts) {
                Judgement::Weak => assert_eq!(outcome, "weak", "{point}"),
                Judgement::Strong => assert_eq!(outcome, "strong", "{point}"),
                Judgement::CannotTell(why) | Judgement::CannotEnforce(why) => assert_eq!(&*why, outcome),
            }
        }
    }

    #[test]
    fn what_hides_a_process_is_a_sign() {
        for (line, expected) in [
            (&b"9 1 0:9 / /proc/1234 rw - tmpfs tmpfs rw\n"[..], 1),
            (b"9 1 0:9 / /proc/1234/fd rw - tmpfs tmpfs rw\n", 1),
            (b"9 1 0:9 / /proc/sys/fs/binfmt_misc rw - autofs systemd-1 rw\n", 0),
            (b"9 1 0:9 / /proc/bus/usb rw - usbfs none rw\n", 0),
            (b"9 1 0:9 / /proc rw - proc proc rw\n", 0),
        ] {
            let mut report = Report::default();
            judge(&read(line), &[], &mut report);
            assert_eq!(report.findings.iter().filter(|one| one.infection).count(), expected);
        }
    }
}
