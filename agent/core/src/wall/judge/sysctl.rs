//! Judges sysctls: the table of kernel settings that make a device's network harder to abuse. None of them locks the
//! owner out. `agent/src/wall/sysctl.rs` reads and sets them.

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
    // Of this and the number of each link the larger counts. 2 (loose) is for several ways out at once.
    Wanted {
        name: "net/ipv4/conf/all/rp_filter",
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

/// Judges the numbers.
pub fn judge(numbers: &[Number], report: &mut Report) {
    let mut lacking = String::new();
    for Number { name, wanted, value } in numbers {
        let Some(row) = WANTED.get(*wanted) else { continue };
        match value {
            None if lacking.is_empty() => lacking.push_str(name),
            // Writing to a string does not fail.
            None => drop(write!(lacking, ", {name}")),
            Some(value) if (row.value..=row.good_to).contains(value) => {}
            Some(value) => {
                let remediation = Remediation::Tune { name: name.clone(), value: row.value };
                report.weak(
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
        for (wanted, value, remediation) in [
            (0, 0, Some(1)),
            (0, 1, None),
            (0, 2, None),
            (0, 3, Some(1)),
            (1, 1, Some(0)),
            (1, 0, None),
            (4, 2, None),
        ] {
            let name = WANTED[wanted].name.to_string();
            let mut report = Report::default();
            judge(&[Number { name: name.clone(), wanted, value: Some(value) }], &mut report);
            let remediation = remediation.map(|value| Remediation::Tune { name, value });
            assert_eq!(report.remediations().first().copied(), remediation.as_ref(), "{wanted} {value}");
        }
    }

    #[test]
    fn a_kernel_without_a_number_is_told_so() {
        let number = |wanted: usize| Number { name: WANTED[wanted].name.into(), wanted, value: None };
        let mut report = Report::default();
        judge(&[number(4), number(5)], &mut report);
        let Judgement::CannotEnforce(why) = report.judgement(Measure::Egress) else {
            panic!("strong or weak")
        };
        assert_eq!(&*why, "this kernel has no net/ipv4/tcp_syncookies, net/ipv4/icmp_echo_ignore_broadcasts");
    }
}
