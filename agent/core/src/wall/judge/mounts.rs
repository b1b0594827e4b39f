//! Mounts: places where programs could be laid and started (`/tmp`, `/var`, `/dev`). Judges the
//! mounts that policy names. A script that is given to a shell still runs from there; a program does not.

use crate::wall::evidence::Sign;
use crate::wall::measures::Measure;
use crate::wall::remediation::Remediation;
use crate::wall::report::Report;
use crate::wall::subject::Value;
use alloc::string::String;

/// The things that a mount does not allow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forbids {
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

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Its place. Bytes that are not UTF-8 are replaced.
    pub point: String,
    /// Its file system: `tmpfs`, `squashfs`.
    pub kind: String,
    /// The things it does not allow.
    pub forbids: Forbids,
    /// Its file system as a whole is read only, whatever the mount says.
    pub fixed: bool,
}

impl Mount {
    /// Whether anything can be laid there.
    pub fn writable(&self) -> bool {
        !self.fixed && !self.forbids.writing
    }

    /// The things it shall not allow, where no program may be started from it: only `/dev` keeps its devices.
    pub fn without_programs(&self) -> Forbids {
        let devices = self.kind == "devtmpfs" || self.point == "/dev" || self.point.starts_with("/dev/");
        Forbids { programs: true, set_user: true, devices: self.forbids.devices || !devices, ..self.forbids }
    }
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

/// The number of the process that this mount hides.
fn hides(point: &str) -> Option<u32> {
    point.strip_prefix("/proc/")?.split('/').next()?.parse().ok()
}

/// Judges the mounts that policy lets no program be started from.
pub fn judge(mounts: &[Mount], noexec_mounts: &[String], report: &mut Report) {
    let measure = Measure::Mounts;
    for mount in mounts {
        if let Some(pid) = hides(&mount.point) {
            let what = format_args!("something is mounted over /proc/{pid}, which hides a process");
            report.weighed(Measure::Programs, Sign::MountedOver.row().alone, None, what);
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
            let subject = format_args!("mount={}", Value(point));
            report.about(subject).weak(measure, Some(remediation), what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wall::report::Judgement;
    use alloc::vec::Vec;

    /// A mount point, its file system, and the options of the mount and of the file system.
    type Line = (&'static str, &'static str, &'static str, &'static str);

    const TABLE: &[Line] = &[
        ("/", "squashfs", "rw,relatime", "ro"),
        ("/dev", "devtmpfs", "rw,nosuid", "rw,mode=755"),
        ("/tmp", "ext4", "rw", "rw"),
        ("/tmp", "tmpfs", "rw,nosuid,nodev", "rw"),
        ("/var", "tmpfs", "rw,noexec", "rw"),
        ("/mnt/a b\n", "vfat", "ro,nosymfollow", "rw"),
        ("/overlay", "ubifs", "rw", "rw"),
    ];

    fn read(lines: &[Line]) -> Vec<Mount> {
        let mount = |&(point, kind, options, whole): &Line| {
            let has = |wanted: &str| options.split(',').any(|option| option == wanted);
            let forbids = Forbids {
                writing: has("ro"),
                programs: has("noexec"),
                set_user: has("nosuid"),
                devices: has("nodev"),
                links: has("nosymfollow"),
            };
            Mount { point: point.into(), kind: kind.into(), forbids, fixed: whole == "ro" }
        };
        lines.iter().map(mount).collect()
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
                &[("/", "ubifs", "rw", "rw")],
                "/tmp",
                None,
                "/tmp is part of the root file system, and has no mount of its own",
            ),
            (&[], "/tmp", None, "the kernel lists no mount for /tmp"),
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
        for (point, kind, expected) in [
            ("/proc/1234", "tmpfs", 1),
            ("/proc/1234/fd", "tmpfs", 1),
            ("/proc/sys/fs/binfmt_misc", "autofs", 0),
            ("/proc/bus/usb", "usbfs", 0),
            ("/proc", "proc", 0),
        ] {
            let mut report = Report::default();
            judge(&read(&[(point, kind, "rw", "rw")]), &[], &mut report);
            assert_eq!(report.findings.iter().filter(|one| one.is_infection()).count(), expected);
        }
    }
}
