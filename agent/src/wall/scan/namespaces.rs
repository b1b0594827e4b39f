//! The namespaces that a process lives in: its views of mounts, processes and network.

use super::open_files::numbered;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The kernel's numbers of a process's namespaces, as far as it tells them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Namespaces {
    pub mounts: Option<u64>,
    pub processes: Option<u64>,
    pub network: Option<u64>,
}

impl Namespaces {
    /// Those of the process with this folder in `/proc`.
    pub fn of(folder: &Path) -> Namespaces {
        let number = |name: &str| {
            let target = std::fs::read_link(folder.join("ns").join(name)).ok()?;
            numbered(target.as_os_str().as_bytes(), name.as_bytes())
        };
        Namespaces { mounts: number("mnt"), processes: number("pid"), network: number("net") }
    }

    /// At least one of them is another than the first process's. A number that is not told is not another.
    pub fn differ(&self, first: &Namespaces) -> bool {
        are_others(self.mounts, first.mounts)
            || are_others(self.processes, first.processes)
            || are_others(self.network, first.network)
    }

    /// It sees other mounts than we do.
    pub fn sees_other_mounts(&self, ours: &Namespaces) -> bool {
        are_others(self.mounts, ours.mounts)
    }
}

fn are_others(one: Option<u64>, other: Option<u64>) -> bool {
    matches!((one, other), (Some(one), Some(other)) if one != other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_that_is_not_told_is_not_another() {
        let first = Namespaces { mounts: Some(1), processes: Some(2), network: Some(3) };
        for (theirs, differ, mounts) in [
            (first, false, false),
            (Namespaces { mounts: Some(9), ..first }, true, true),
            (Namespaces { processes: Some(9), ..first }, true, false),
            (Namespaces { network: Some(9), ..first }, true, false),
            (Namespaces { mounts: None, ..first }, false, false),
            (Namespaces::default(), false, false),
        ] {
            assert_eq!(
                (theirs.differ(&first), theirs.sees_other_mounts(&first)),
                (differ, mounts),
                "{theirs:?}"
            );
        }
        assert!(!first.differ(&Namespaces::default()));
    }

    #[test]
    fn our_own_are_told() {
        let ours = Namespaces::of(Path::new("/proc/self"));
        assert!(ours.mounts.is_some() && ours.processes.is_some() && ours.network.is_some(), "{ours:?}");
        assert_eq!(Namespaces::of(Path::new("/proc/nowhere")), Namespaces::default());
    }
}
