//! The rows of the kernel's requirements. A new one is a row here, and docs/kernel.md shows it.

use super::{Job, KernelOption, KernelVersion, Need, Only, Requirement, Sign};

const FIRST: KernelVersion = (0, 0);
const NEVER: KernelVersion = (u16::MAX, 0);

/// An option that must be built in.
const fn built_in(any: &'static [&'static str]) -> KernelOption {
    KernelOption { any, module: None, since: FIRST, always_before: false, until: NEVER }
}

/// An option that may be a module.
const fn module(any: &'static [&'static str], module: &'static str) -> KernelOption {
    KernelOption { any, module: Some(module), since: FIRST, always_before: false, until: NEVER }
}

const fn since(since: KernelVersion, option: KernelOption) -> KernelOption {
    KernelOption { since, ..option }
}

/// An option that came to turn off what older kernels always have.
const fn always_before(since: KernelVersion, option: KernelOption) -> KernelOption {
    KernelOption { since, always_before: true, ..option }
}

const fn until(until: KernelVersion, option: KernelOption) -> KernelOption {
    KernelOption { until, ..option }
}

const fn must(
    job: Job,
    only: Only,
    options: &'static [KernelOption],
    without: &'static str,
    sign: Sign,
) -> Requirement {
    Requirement { job, only, need: Need::Must, options, without, sign }
}

const fn should(
    job: Job,
    only: Only,
    options: &'static [KernelOption],
    without: &'static str,
    sign: Sign,
) -> Requirement {
    Requirement { job, only, need: Need::Should, options, without, sign }
}

const TRACKING: KernelOption = module(&["NF_CONNTRACK"], "nf_conntrack");

/// Every requirement, in the order in which they are shown.
pub const TABLE: &[Requirement] = &[
    must(
        Job::Every,
        Only::Always,
        &[built_in(&["NET"]), built_in(&["INET"]), built_in(&["UNIX"])],
        "komainu does not start: there is no socket for its page, its server and its commands",
        Sign::Path("/proc/net/unix"),
    ),
    must(
        Job::Every,
        Only::Always,
        &[built_in(&["PROC_FS"]), built_in(&["PROC_SYSCTL"]), built_in(&["SYSFS"])],
        "the device cannot be looked at: links, mounts, parts and processes",
        Sign::Path("/proc/sys/net"),
    ),
    must(
        Job::Every,
        Only::Always,
        &[built_in(&["SIGNALFD"]), built_in(&["FUTEX"]), built_in(&["FILE_LOCKING"])],
        "komainu does not start",
        Sign::Path("/proc/locks"),
    ),
    must(
        Job::Every,
        Only::Always,
        &[built_in(&["TMPFS"])],
        "run_directory would be on flash, and wear it",
        Sign::Line("/proc/filesystems", "nodev\ttmpfs"),
    ),
    must(
        Job::Every,
        Only::Always,
        &[module(&["EXT4_FS", "UBIFS_FS", "JFFS2_FS", "F2FS_FS", "EXT3_FS"], "the one of your state folder")],
        "the state folder has no file system that survives a power cut",
        Sign::None,
    ),
    must(
        Job::Gate,
        Only::Nftables,
        &[
            built_in(&["NETFILTER"]),
            module(&["NF_TABLES"], "nf_tables"),
            module(&["NF_TABLES_INET", "NF_TABLES_IPV4"], "nf_tables_inet"),
            until((4, 18), module(&["NFT_META"], "nft_meta")),
            TRACKING,
            module(&["NFT_CT"], "nft_ct"),
        ],
        "no rules can be placed by nf_tables: the gate closes by taking the links of the WAN down",
        Sign::None,
    ),
    must(
        Job::Gate,
        Only::Iptables,
        &[
            built_in(&["NETFILTER"]),
            module(&["IP_NF_IPTABLES"], "ip_tables"),
            module(&["IP_NF_FILTER"], "iptable_filter"),
            TRACKING,
            module(&["NETFILTER_XT_MATCH_CONNTRACK"], "xt_conntrack"),
        ],
        "no rules can be placed by iptables: the gate closes by taking the links of the WAN down",
        Sign::None,
    ),
    must(
        Job::Gate,
        Only::Iptables6,
        &[module(&["IP6_NF_IPTABLES"], "ip6_tables"), module(&["IP6_NF_FILTER"], "ip6table_filter")],
        "nothing is enforced for IPv6",
        Sign::None,
    ),
    must(
        Job::Gate,
        Only::Always,
        &[always_before((4, 1), built_in(&["MULTIUSER"]))],
        "the page cannot give up the rights of root, and so there is no page",
        Sign::None,
    ),
    should(
        Job::Gate,
        Only::Nftables,
        &[module(&["NFT_REJECT"], "nft_reject"), module(&["NFT_REJECT_INET"], "nft_reject_inet")],
        "what would be refused is dropped: programs wait in place of a clear no",
        Sign::None,
    ),
    should(
        Job::Gate,
        Only::Nftables,
        &[
            module(&["NF_NAT"], "nf_nat"),
            module(&["NFT_NAT", "NFT_CHAIN_NAT_IPV4"], "nft_chain_nat"),
            module(&["NFT_REDIR"], "nft_redir"),
        ],
        "a browser is not led to the page: the owner must type its address with the port 8600",
        Sign::None,
    ),
    should(
        Job::Gate,
        Only::Iptables,
        &[module(&["IP_NF_TARGET_REJECT"], "ipt_REJECT")],
        "what would be refused is dropped: programs wait in place of a clear no",
        Sign::None,
    ),
    should(
        Job::Gate,
        Only::Iptables,
        &[
            module(&["IP_NF_NAT", "NF_NAT_IPV4"], "iptable_nat"),
            module(&["NETFILTER_XT_TARGET_REDIRECT", "IP_NF_TARGET_REDIRECT"], "xt_REDIRECT"),
        ],
        "a browser is not led to the page: the owner must type its address with the port 8600",
        Sign::None,
    ),
    should(
        Job::Gate,
        Only::Always,
        &[module(&["NF_CT_NETLINK"], "nf_conntrack_netlink")],
        "connections that an accelerator forwards past the rules go on when the gate closes",
        Sign::None,
    ),
    should(
        Job::Gate,
        Only::Always,
        &[built_in(&["SECCOMP"]), since((3, 5), built_in(&["SECCOMP_FILTER"]))],
        "the page's system calls are not filtered",
        Sign::Line("/proc/self/status", "Seccomp:"),
    ),
    should(
        Job::Gate,
        Only::Always,
        &[since((5, 13), built_in(&["SECURITY_LANDLOCK"]))],
        "the page has one wall less between itself and the files",
        Sign::None,
    ),
    should(
        Job::Wall,
        Only::Nftables,
        &[module(&["NFT_LIMIT"], "nft_limit"), until((5, 17), module(&["NFT_COUNTER"], "nft_counter"))],
        "how much the device sends is neither counted nor limited",
        Sign::None,
    ),
    should(
        Job::Wall,
        Only::Nftables,
        &[
            since((4, 10), module(&["NFT_FIB_IPV4"], "nft_fib_ipv4")),
            since((4, 10), module(&["NFT_FIB_IPV6"], "nft_fib_ipv6")),
            since((4, 10), module(&["NFT_FIB_INET"], "nft_fib_inet")),
        ],
        "what the device and the LAN send may have any source address",
        Sign::None,
    ),
    should(
        Job::Wall,
        Only::Iptables,
        &[module(&["NETFILTER_XT_MATCH_HASHLIMIT"], "xt_hashlimit")],
        "how much the device sends is not limited",
        Sign::None,
    ),
    should(
        Job::Wall,
        Only::Iptables,
        &[
            module(&["NETFILTER_XT_MATCH_ADDRTYPE"], "xt_addrtype"),
            module(&["IP_NF_MANGLE"], "iptable_mangle"),
            module(&["IP_NF_MATCH_RPFILTER"], "ipt_rpfilter"),
        ],
        "what the device and the LAN send may have any source address",
        Sign::None,
    ),
    should(
        Job::Wall,
        Only::Iptables6,
        &[
            module(&["IP6_NF_TARGET_REJECT"], "ip6t_REJECT"),
            module(&["IP6_NF_NAT", "NF_NAT_IPV6"], "ip6table_nat"),
            module(&["IP6_NF_MANGLE"], "ip6table_mangle"),
            module(&["IP6_NF_MATCH_RPFILTER"], "ip6t_rpfilter"),
        ],
        "IPv6 has the plainest rules only: drop, and no way to the page",
        Sign::None,
    ),
    should(
        Job::Update,
        Only::Always,
        &[built_in(&["PANIC_TIMEOUT"])],
        "a kernel that panics stands still, and a bad release is never given up: or put panic=10 on the command line",
        Sign::None,
    ),
    should(
        Job::Update,
        Only::Always,
        &[module(&["WATCHDOG"], "the driver of the board's watchdog")],
        "a release that hangs on trial hangs for ever",
        Sign::None,
    ),
    must(
        Job::Update,
        Only::Block,
        &[built_in(&["BLOCK"])],
        "there are no block devices",
        Sign::Path("/sys/dev/block"),
    ),
    should(
        Job::Update,
        Only::Block,
        &[built_in(&["EFI_PARTITION"])],
        "a part cannot be named by PARTLABEL",
        Sign::None,
    ),
    must(
        Job::Update,
        Only::Mtd,
        &[module(&["MTD"], "mtd")],
        "there is no raw flash",
        Sign::Path("/proc/mtd"),
    ),
    must(
        Job::Update,
        Only::Ubi,
        &[module(&["MTD"], "mtd"), module(&["MTD_UBI"], "ubi")],
        "there are no volumes of UBI",
        Sign::Path("/sys/class/ubi"),
    ),
    should(
        Job::Update,
        Only::Ubi,
        &[built_in(&["MTD_UBI_BLOCK"])],
        "a squashfs on a volume cannot be mounted",
        Sign::None,
    ),
    must(
        Job::Root,
        Only::ReadOnlyRoot,
        &[module(&["SQUASHFS"], "squashfs"), built_in(&["SQUASHFS_XZ"])],
        "a root of squashfs with xz is not mounted (as a module: only from an initramfs)",
        Sign::None,
    ),
    should(
        Job::Root,
        Only::ReadOnlyRoot,
        &[module(&["OVERLAY_FS"], "overlay")],
        "/etc is copied into RAM as a whole at each start",
        Sign::None,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_that_a_version_cannot_lack_is_not_asked() {
        let counter = until((5, 17), module(&["NFT_COUNTER"], "nft_counter"));
        for (version, asked) in
            [(None, true), (Some((5, 16)), true), (Some((5, 17)), false), (Some((6, 1)), false)]
        {
            assert_eq!(counter.is_asked(version), asked, "{version:?}");
        }
        let users = always_before((4, 1), built_in(&["MULTIUSER"]));
        assert!(!users.is_asked(Some((3, 10))) && users.is_asked(Some((4, 1))) && users.is_asked(None));
    }

    #[test]
    fn an_option_that_a_version_is_too_old_for_is_lacking() {
        let landlock = since((5, 13), built_in(&["SECURITY_LANDLOCK"]));
        assert!(landlock.is_asked(Some((5, 12))) && landlock.is_too_new_for(Some((5, 12))));
        assert!(!landlock.is_too_new_for(Some((5, 13))) && !landlock.is_too_new_for(None));
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
