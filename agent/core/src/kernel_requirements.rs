//! The options that the kernel of a device needs: the one table, for the maker's desk and for the device. It knows nothing
//! of files: the maker reads a configuration, the device looks for the signs of each row.

pub mod requirement_table;

use core::fmt;

/// The job that lacks something without an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    Every,
    Gate,
    Wall,
    Update,
    /// The recipe for a root that is read-only.
    Root,
}

/// The devices that a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only {
    Always,
    /// The rules are put by nf_tables.
    Nftables,
    /// The rules are put by the firmware's iptables.
    Iptables,
    /// The same, on a kernel that knows IPv6.
    Iptables6,
    /// Slots on block devices.
    Block,
    /// Slots on raw flash.
    Mtd,
    /// Slots on volumes of UBI.
    Ubi,
    /// The root is squashfs, with the recipe of `read-only-root`.
    ReadOnlyRoot,
}

/// The weight of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The job cannot be done.
    Must,
    /// The job is done worse.
    Should,
}

/// Major and minor number of a kernel's version.
pub type KernelVersion = (u16, u16);

/// One option, or one of several that serve as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelOption {
    /// Any one of these is enough; without `CONFIG_`.
    pub any: &'static [&'static str],
    /// The name of the module, where the option may be one; else it must be built in.
    pub module: Option<&'static str>,
    /// The first version that knows the option.
    pub since: KernelVersion,
    /// Kernels before that one always have what it turns off; else they never have it.
    pub always_before: bool,
    /// Kernels from this version on have it always, and no option for it.
    pub until: KernelVersion,
}

/// The way to see on a running device that a row is fulfilled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// There is such a file or folder.
    Path(&'static str),
    /// This file has a line that begins so.
    Line(&'static str, &'static str),
    /// It cannot be seen beforehand, or another check sees it.
    None,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Requirement {
    pub job: Job,
    pub only: Only,
    pub need: Need,
    /// All of these.
    pub options: &'static [KernelOption],
    /// The loss where one is missing.
    pub without: &'static str,
    pub sign: Sign,
}

impl KernelOption {
    /// Whether a kernel of this version can lack it; of a version that is not known everything is asked.
    pub fn is_asked(&self, version: Option<KernelVersion>) -> bool {
        version.is_none_or(|version| version < self.until && (self.since <= version || !self.always_before))
    }

    /// Whether a kernel of this version is too old for it.
    pub fn is_too_new_for(&self, version: Option<KernelVersion>) -> bool {
        version.is_some_and(|version| version < self.since)
    }
}

impl fmt::Display for KernelOption {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, name) in self.any.iter().enumerate() {
            if place > 0 {
                to.write_str(" or ")?;
            }
            write!(to, "CONFIG_{name}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Job {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Job::Every => "every job",
            Job::Gate => "gate",
            Job::Wall => "wall",
            Job::Update => "update",
            Job::Root => "read-only root",
        })
    }
}

impl fmt::Display for Only {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Only::Always => "every device",
            Only::Nftables => "firewall by nf_tables",
            Only::Iptables => "firewall by iptables",
            Only::Iptables6 => "firewall by iptables, with IPv6",
            Only::Block => "slots on block devices",
            Only::Mtd => "slots on raw flash",
            Only::Ubi => "slots on UBI",
            Only::ReadOnlyRoot => "root on squashfs",
        })
    }
}
