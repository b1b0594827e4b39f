//! `/proc/self/mountinfo`: whatever is mounted, every path lies on some medium, the same each time, and nothing is asked of a
//! server that may not answer.
#![no_main]

use komainu_agent::os::procfs::mountinfo::MOUNTS_MAX;
use komainu_agent::wall::scan::medium::{Files, Kind, Mounts, mount};
use komainu_core::wall::process_snapshot::Medium;

/// Files that are there by their names' length: some are, some are not.
struct Thirds<'a>(&'a Mounts);

impl Files for Thirds<'_> {
    fn is_there(&self, path: &[u8]) -> bool {
        !self.0.may_hang(path) && path.len() % 3 != 0
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut mounts = Mounts::default();
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').take(MOUNTS_MAX).collect();
    for line in &lines {
        mounts.take(line);
    }
    let points = lines.iter().filter_map(|line| mount(line)).map(|mount| mount.point);
    for path in points.chain([&b"/usr/sbin/x"[..], b"/", b"/tmp/.x"].map(<[u8]>::to_vec)) {
        let files = Thirds(&mounts);
        let medium = mounts.medium(&path, &files);
        assert_eq!(medium, mounts.medium(&path, &files));
        let _ = mounts.medium_of_lost(&path, path.len() as u64, &files);
        let Some(holding) = mounts.holding(&path) else { continue };
        assert!(path.starts_with(holding.point.strip_suffix(b"/").unwrap_or(&holding.point)));
        match holding.kind {
            _ if holding.point == b"/" => {}
            Kind::Memory => assert_eq!(medium, Medium::Memory),
            Kind::Unwritable => assert_eq!(medium, Medium::Firmware),
            Kind::Remote | Kind::Writable => assert_eq!(medium, Medium::Storage),
            Kind::Overlay => {}
        }
        assert_eq!(mounts.may_hang(&path), holding.kind == Kind::Remote);
    }
});
