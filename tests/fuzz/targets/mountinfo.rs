//! The kernel's table of mounts, in which whoever may mount chooses the names.
#![no_main]

use komainu_agent::wall::remount::mount_of;
use komainu_core::wall::judge::mounts::{Mount, at, judge};
use komainu_core::wall::remediation::Remediation;
use komainu_core::wall::report::Report;

libfuzzer_sys::fuzz_target!(|table: &[u8]| {
    let mounts: Vec<Mount> = table.split(|byte| *byte == b'\n').filter_map(mount_of).collect();
    let mut points: Vec<String> = vec!["/tmp".into(), "/".into(), "/tmp/a".into()];
    for mount in &mounts {
        assert!(mount.point.starts_with('/'));
        let wanted = mount.without_programs();
        assert!(wanted.programs && wanted.set_user);
        assert!(wanted.writing == mount.forbids.writing && wanted.devices >= mount.forbids.devices);
        points.push(mount.point.clone());
    }
    let mut report = Report::default();
    judge(&mounts, &points, &mut report);
    for remediation in report.findings.iter().filter_map(|finding| finding.remediation.as_ref()) {
        let Remediation::NoPrograms { mount } = remediation else { panic!("another fix") };
        let mount = at(&mounts, mount).expect("what is mended is mounted");
        assert!(mount.writable() && !mount.forbids.programs);
    }
});
