//! Kernels that lack one thing each, and the words for it.

use super::*;

const ANY: Target = Target { firewall: None, slots: Vec::new(), read_only_root: false };

/// A kernel that has every option of the table but these.
fn kernel(version: &str, without: &[&str], module: &[&str]) -> KernelConfig {
    let mut config = format!("# Linux/mips {version} Kernel Configuration\nCONFIG_IPV6=y\n");
    for name in TABLE.iter().flat_map(|row| row.options).flat_map(|option| option.any) {
        let line = match (without.contains(name), module.contains(name)) {
            (true, _) => format!("# CONFIG_{name} is not set\n"),
            (_, true) => format!("CONFIG_{name}=m\n"),
            _ => format!("CONFIG_{name}=y\n"),
        };
        config.push_str(&line);
    }
    KernelConfig::read(&config).unwrap()
}

fn names(verdict: &Verdict) -> Vec<&'static str> {
    verdict.missing.iter().map(|one| one.option.any[0]).collect()
}

#[test]
fn a_kernel_that_has_everything_misses_nothing() {
    let slots = vec![Medium::Block, Medium::Mtd, Medium::Ubi];
    for firewall in [None, Some(FirewallWay::Nft), Some(FirewallWay::Iptables)] {
        let target = Target { firewall, slots: slots.clone(), read_only_root: true };
        let verdict = judge(&kernel("6.1.0", &[], &[]), &target);
        assert!(verdict.missing.is_empty() && verdict.modules.is_empty(), "{}", for_people(&verdict));
    }
}

#[test]
fn each_option_that_is_missing_is_named_with_its_loss_and_its_mend() {
    for row in TABLE {
        for option in row.options {
            let way = match row.only {
                Only::Iptables | Only::Iptables6 => FirewallWay::Iptables,
                _ => FirewallWay::Nft,
            };
            let slots = vec![Medium::Block, Medium::Mtd, Medium::Ubi];
            let target = Target { firewall: Some(way), slots, read_only_root: true };
            let verdict = judge(&kernel("4.15.0", option.any, &[]), &target);
            let said = for_people(&verdict);
            if !option.is_asked(Some((4, 15))) {
                assert!(!said.contains(option.any[0]), "{said}");
                continue;
            }
            assert!(
                said.contains(&format!("CONFIG_{}", option.any[0])) && said.contains(row.without),
                "{said}"
            );
            let mend = if option.is_too_new_for(Some((4, 15))) {
                "Mend: a kernel from Linux "
            } else {
                "Mend: CONFIG_"
            };
            assert!(said.contains(mend), "{said}");
        }
    }
}

#[test]
fn a_kernel_without_nf_tables_is_judged_for_iptables_and_one_without_both_is_refused() {
    let verdict = judge(&kernel("4.14.90", &["NF_TABLES"], &[]), &ANY);
    assert!(verdict.firewall == FirewallWay::Iptables && verdict.is_good(), "{}", for_people(&verdict));
    let verdict = judge(&kernel("4.14.90", &["NF_TABLES", "IP_NF_FILTER", "IP_NF_IPTABLES"], &[]), &ANY);
    assert_eq!((verdict.firewall, names(&verdict)), (FirewallWay::Nft, vec!["NF_TABLES"]));
    assert!(!verdict.is_good());
    let by_choice = Target { firewall: Some(FirewallWay::Nft), ..ANY };
    assert!(!judge(&kernel("4.14.90", &["NF_TABLES"], &[]), &by_choice).is_good());
}

#[test]
fn rules_for_ipv6_are_missed_only_where_the_kernel_knows_it() {
    let target = Target { firewall: Some(FirewallWay::Iptables), ..ANY };
    assert_eq!(names(&judge(&kernel("6.1.0", &["IP6_NF_FILTER"], &[]), &target)), ["IP6_NF_FILTER"]);
    let text = "# Linux/mips 6.1.0 Kernel Configuration\n# CONFIG_IPV6 is not set\n";
    let verdict = judge(&KernelConfig::read(text).unwrap(), &target);
    assert!(!names(&verdict).contains(&"IP6_NF_FILTER"));
}

#[test]
fn a_module_is_told_where_it_may_be_one_and_missing_where_not() {
    let target = Target { read_only_root: true, ..ANY };
    let verdict = judge(&kernel("6.1.0", &[], &["NF_TABLES", "NFT_CT", "SQUASHFS", "TMPFS"]), &target);
    let modules: Vec<_> = verdict.modules.iter().filter_map(|option| option.module).collect();
    assert_eq!(modules, ["nf_tables", "nft_ct", "squashfs"]);
    assert_eq!(names(&verdict), ["TMPFS"]);
    let said = for_people(&verdict);
    assert!(said.contains("MISSING CONFIG_TMPFS (is a module, and must be built in)"), "{said}");
    assert!(said.contains("Mend: CONFIG_TMPFS=y in place of m"), "{said}");
}

#[test]
fn media_that_the_device_does_not_have_are_not_asked_for() {
    let without = ["MTD", "MTD_UBI", "SQUASHFS", "OVERLAY_FS", "BLOCK"];
    assert!(judge(&kernel("6.1.0", &without, &[]), &ANY).missing.is_empty());
    let target = Target { slots: vec![Medium::Ubi], ..ANY };
    assert_eq!(names(&judge(&kernel("6.1.0", &without, &[]), &target)), ["MTD", "MTD_UBI"]);
}

#[test]
fn a_kernel_with_the_fragment_misses_nothing() {
    for firewall in [FirewallWay::Nft, FirewallWay::Iptables] {
        let slots = vec![Medium::Block, Medium::Mtd, Medium::Ubi];
        let target = Target { firewall: Some(firewall), slots, read_only_root: true };
        for version in ["3.10.14", "5.15.0", "6.18.0"] {
            let text = format!("# Linux/mips {version} Kernel Configuration\n{}", fragment(&target));
            let verdict = judge(&KernelConfig::read(&text).unwrap(), &target);
            assert!(verdict.missing.is_empty(), "{}", for_people(&verdict));
        }
    }
}

#[test]
fn the_page_of_the_kernel_shows_the_table_as_it_is() {
    let page = include_str!("../../../docs/kernel.md");
    assert!(
        page.contains(&table()),
        "docs/kernel.md is not what `komainu-maker kernel-check --table` prints"
    );
}

#[test]
fn programs_get_the_same_as_people() {
    let verdict = judge(&kernel("6.1.0", &["NF_CT_NETLINK", "TMPFS"], &["NF_TABLES"]), &ANY);
    let json = crate::json_writer::to_value(&for_programs(&verdict));
    assert_eq!(json["good"], false);
    assert_eq!(json["modules"][0], "nf_tables");
    assert_eq!(json["missing"][0]["options"][0], "CONFIG_TMPFS");
    assert_eq!(
        (&json["missing"][0]["need"], &json["missing"][1]["need"]),
        (&"must".into(), &"should".into())
    );
    assert_eq!(verdict.missing_musts(), 1);
}
