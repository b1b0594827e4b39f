//! Judges sysctls: the table of kernel settings that make a device's network harder to abuse. None of them locks the
//! owner out. `agent/src/wall/sysctl.rs` reads and sets them.

use crate::firewall::table::ReversePath;
use crate::wall::measures::Measure;
use crate::wall::remediation::Remediation;
use crate::wall::report::Report;
use alloc::string::String;
use core::fmt::Write;

/// The value that a number shall have.
pub struct Wanted {
    /// Path below `/proc/sys/`; one part may be `*`, which is every name that is there.
    pub name: &'static str,
    /// The value it is set to.
    pub value: u32,
    /// The largest that is as good; the smallest is the value itself.
    pub good_to: u32,
    /// The harm that a wrong value allows, for people.
    pub why: &'static str,
}

pub const WANTED: &[Wanted] = &[
    // Policy says which value is wanted; see [`way_back`].
    Wanted {
        name: "net/ipv4/conf/*/rp_filter",
        value: 1,
        good_to: 2,
        why: "packets with forged senders are taken",
    },
    Wanted {
        name: "net/ipv4/conf/all/accept_source_route",
        value: 0,
        good_to: 0,
        why: "senders may choose the way of a packet",
    },
    // Of hosts any of the numbers counts that allows it, of IPv6 only that of the link.
    Wanted {
        name: "net/ipv4/conf/*/accept_redirects",
        value: 0,
        good_to: 0,
        why: "neighbours may change routes",
    },
    Wanted {
        name: "net/ipv6/conf/*/accept_redirects",
        value: 0,
        good_to: 0,
        why: "neighbours may change routes",
    },
    Wanted {
        name: "net/ipv4/tcp_syncookies",
        value: 1,
        good_to: 2,
        why: "a flood of openings keeps others out",
    },
    Wanted {
        name: "net/ipv4/icmp_echo_ignore_broadcasts",
        value: 1,
        good_to: 1,
        why: "one ping to all makes many answers",
    },
];

/// A number as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number {
    /// Path below `/proc/sys/`, without `*`.
    pub name: String,
    /// Its place in [`WANTED`].
    pub wanted: usize,
    /// Its present value; `None`: this kernel has no such number, or does not tell.
    pub value: Option<u32>,
}

/// Whether a name stays below `/proc/sys/`: parts of plain letters, none of them `.` or `..`.
pub fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 128
        && name.split('/').all(|part| {
            !part.is_empty()
                && part != "."
                && part != ".."
                && part.bytes().all(|byte| byte.is_ascii_graphic())
        })
}

/// Its place in [`WANTED`].
const REVERSE_PATH: usize = 0;
/// The number of all links: of this and that of a link the larger counts.
const OF_ALL: &str = "net/ipv4/conf/all/rp_filter";
/// Names in the place of a link's that are none: of all, and of links to come; and the device itself, which sends
/// itself packets of any address.
const NO_LINKS: [&str; 3] = ["all", "default", "lo"];

/// The value of `rp_filter` that a link needs in place of its own; `None`: it is as policy wants it.
fn way_back(numbers: &[Number], name: &str, value: u32, wanted: ReversePath) -> Option<u32> {
    if NO_LINKS.iter().any(|none| name.split('/').any(|part| part == *none)) {
        return None;
    }
    let of_all = numbers.iter().find(|number| number.name == OF_ALL).and_then(|number| number.value);
    match (wanted, value.max(of_all.unwrap_or_default())) {
        (ReversePath::Off, _) | (ReversePath::Strict, 1) | (ReversePath::Loose, 1 | 2) => None,
        (ReversePath::Strict, _) => Some(1),
        (ReversePath::Loose, _) => Some(2),
    }
}

/// Judges the numbers.
pub fn judge(numbers: &[Number], reverse_path: ReversePath, report: &mut Report) {
    let mut lacking = String::new();
    for Number { name, wanted, value } in numbers {
        let Some(row) = WANTED.get(*wanted) else { continue };
        let mut better = row.value;
        match value {
            Some(value) if *wanted == REVERSE_PATH => match way_back(numbers, name, *value, reverse_path) {
                Some(needed) => better = needed,
                None => continue,
            },
            None if *wanted == REVERSE_PATH && reverse_path == ReversePath::Off => continue,
            Some(value) if (row.value..=row.good_to).contains(value) => continue,
            _ => {}
        }
        match value {
            None if lacking.is_empty() => lacking.push_str(name),
            // Writing to a string does not fail.
            None => drop(write!(lacking, ", {name}")),
            Some(value) => {
                let remediation = Remediation::Tune { name: name.clone(), value: better };
                report.about(format_args!("sysctl={name}")).weak(
                    Measure::Egress,
                    Some(remediation),
                    format_args!("{}: {name} is {value}", row.why),
                );
            }
        }
    }
    if !lacking.is_empty() {
        report.cannot_enforce(Measure::Egress, format_args!("this kernel has no {lacking}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wall::report::Judgement;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    #[test]
    fn a_name_stays_below_its_folder() {
        for name in ["net/ipv4/tcp_syncookies", "net/ipv6/conf/eth0.2/accept_redirects", "a"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "..", "../x", "net/../../x", "/etc/passwd", "a//b", "a/", "a/.", "a b", "a\n"] {
            assert!(!is_name(name), "{name}");
        }
        assert!(!is_name(&"x".repeat(129)));
    }

    #[test]
    fn numbers_are_judged_by_their_row() {
        for (wanted, value, remediation) in [(1, 1, Some(0)), (1, 0, None), (4, 2, None)] {
            let name = WANTED[wanted].name.to_string();
            let mut report = Report::default();
            judge(
                &[Number { name: name.clone(), wanted, value: Some(value) }],
                ReversePath::Strict,
                &mut report,
            );
            let remediation = remediation.map(|value| Remediation::Tune { name, value });
            assert_eq!(report.remediations().first().copied(), remediation.as_ref(), "{wanted} {value}");
        }
    }

    #[test]
    fn the_way_back_is_asked_for_as_policy_wants_it() {
        use ReversePath::{Loose, Off, Strict};
        for (of_all, of_link, wanted, expected) in [
            // An asymmetric device as shipped stays as it is, whatever its firmware has set.
            (0, 0, Off, None),
            (1, 1, Off, None),
            // What is stricter than loose is the firmware's own choice.
            (0, 0, Loose, Some(2)),
            (0, 1, Loose, None),
            (2, 0, Loose, None),
            (0, 0, Strict, Some(1)),
            (0, 1, Strict, None),
            (1, 0, Strict, None),
            (1, 2, Strict, Some(1)),
            (2, 1, Strict, Some(1)),
        ] {
            let number = |link: &str, value| Number {
                name: alloc::format!("net/ipv4/conf/{link}/rp_filter"),
                wanted: REVERSE_PATH,
                value: Some(value),
            };
            let mut report = Report::default();
            let numbers =
                [number("all", of_all), number("default", 0), number("eth1", of_link), number("lo", 0)];
            judge(&numbers, wanted, &mut report);
            let tuned: Vec<_> =
                report.findings.iter().filter_map(|finding| finding.remediation.clone()).collect();
            let name = number("eth1", 0).name;
            let expected = expected.map(|value| Remediation::Tune { name, value });
            assert_eq!(tuned, Vec::from_iter(expected), "{of_all} {of_link} {wanted:?}");
        }
    }

    #[test]
    fn a_kernel_without_a_number_is_told_so() {
        let number = |wanted: usize| Number { name: WANTED[wanted].name.into(), wanted, value: None };
        let mut report = Report::default();
        judge(&[number(4), number(5)], ReversePath::Off, &mut report);
        let Judgement::CannotEnforce(why) = report.judgement(Measure::Egress) else {
            panic!("strong or weak")
        };
        assert_eq!(&*why, "this kernel has no net/ipv4/tcp_syncookies, net/ipv4/icmp_echo_ignore_broadcasts");
    }
}
