//! The options that the kernel of a device needs: the one table, for the maker's desk and for the device. It knows nothing
//! of files: the maker reads a configuration, the device looks for the signs of each row.

mod requirement_table;

use core::fmt;

pub use requirement_table::TABLE;

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
    /// Kernels before this version have no such option, and miss nothing.
    pub since: KernelVersion,
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

/// One row.
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
    /// Whether kernels of this version have the option; a version that is not known has every option.
    pub fn is_in(&self, version: Option<KernelVersion>) -> bool {
        version.is_none_or(|version| self.since <= version && version < self.until)
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

#[cfg(test)]
mod tests {
    use super::requirement_table::{built_in, module, since, until};
    use super::*;

    #[test]
    fn an_option_that_a_version_does_not_have_is_not_missed() {
        let counter = until((5, 17), module(&["NFT_COUNTER"], "nft_counter"));
        for (version, is_in) in
            [(None, true), (Some((5, 16)), true), (Some((5, 17)), false), (Some((6, 1)), false)]
        {
            assert_eq!(counter.is_in(version), is_in, "{version:?}");
        }
        let landlock = since((5, 13), built_in(&["SECURITY_LANDLOCK"]));
        assert!(!landlock.is_in(Some((5, 12))) && landlock.is_in(Some((5, 13))));
    }

    #[test]
    fn every_row_says_what_is_lost_and_names_options_without_their_prefix() {
        for row in TABLE {
            assert!(
                !row.options.is_empty() && !row.without.is_empty() && !row.without.ends_with('.'),
                "{row:?}"
            );
            for option in row.options {
                assert!(!option.any.is_empty() && option.since < option.until, "{row:?}");
                for name in option.any {
                    let known = |letter: char| {
                        letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_'
                    };
                    assert!(name.chars().all(known) && !name.starts_with("CONFIG_"), "{name}");
                }
            }
        }
    }
}
