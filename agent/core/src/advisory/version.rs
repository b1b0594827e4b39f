//! Decides which of two versions is later for ranges of advisories. One plain order for all ecosystems; where it is not
//! enough, advisories list exact versions, which are compared as they are.
//!
//! The order: a number and a colon in front are an epoch (dpkg, rpm), 0 where there is none; a `v` before a digit
//! is dropped. The rest is cut into runs of digits and runs of letters, which other characters separate and
//! otherwise mean nothing, but for `~`. Run by run: numbers by their value, of any length; letters by their
//! bytes, in lower case; a number is later than letters. Where one version ends first, it is the earlier one
//! (`1.0` < `1.0.1`, `1.1.1` < `1.1.1a`, `2019.78` < `2019.78-2`); but for what comes before a release: `~`, and then
//! the words `alpha`, `beta`, `dev`, `pre`, `preview`, `rc` (`1.0-rc1` < `1.0`). In ranges of type `SEMVER` what
//! follows a `+` does not count.

use core::cmp::Ordering;

/// Words that stand before a release, not after it.
const BEFORE_RELEASE: [&str; 6] = ["alpha", "beta", "dev", "pre", "preview", "rc"];

/// A piece of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run<'a> {
    /// `~`
    Tilde,
    /// A word of [`BEFORE_RELEASE`].
    Before(&'a str),
    End,
    Letters(&'a str),
    /// Digits, without zeros in front.
    Number(&'a str),
}

/// True if the order says something about this text: it begins like a version, and is no hash of a commit.
pub fn is_comparable(version: &str) -> bool {
    let (_, rest) = epoch(version);
    let hash = rest.len() >= 40 && rest.bytes().all(|byte| byte.is_ascii_hexdigit());
    rest.starts_with(|first: char| first.is_ascii_digit()) && !hash
}

/// The order of one version to another.
pub fn compare(one: &str, other: &str) -> Ordering {
    let ((one_epoch, mut one), (other_epoch, mut other)) = (epoch(one), epoch(other));
    let epochs = compare_numbers(one_epoch, other_epoch);
    if epochs != Ordering::Equal {
        return epochs;
    }
    loop {
        let (first, second) = (next_run(&mut one), next_run(&mut other));
        let order = compare_runs(first, second);
        if order != Ordering::Equal || first == Run::End {
            return order;
        }
    }
}

/// The part of a version that counts in ranges of type `SEMVER`.
pub fn without_build(version: &str) -> &str {
    version.split('+').next().unwrap_or(version)
}

fn epoch(version: &str) -> (&str, &str) {
    let (epoch, rest) = match version.split_once(':') {
        Some((epoch, rest)) if !epoch.is_empty() && epoch.bytes().all(|byte| byte.is_ascii_digit()) => {
            (epoch.trim_start_matches('0'), rest)
        }
        _ => ("", version),
    };
    match rest.strip_prefix(['v', 'V']) {
        Some(number) if number.starts_with(|first: char| first.is_ascii_digit()) => (epoch, number),
        _ => (epoch, rest),
    }
}

fn next_run<'a>(rest: &mut &'a str) -> Run<'a> {
    *rest = rest.trim_start_matches(|letter: char| letter != '~' && !letter.is_ascii_alphanumeric());
    let Some(first) = rest.chars().next() else { return Run::End };
    let same = |letter: char| match first {
        '~' => false,
        _ if first.is_ascii_digit() => letter.is_ascii_digit(),
        _ => letter.is_ascii_alphabetic(),
    };
    let end = rest[1..].find(|letter| !same(letter)).map_or(rest.len(), |at| at + 1);
    let (run, after) = rest.split_at(end);
    *rest = after;
    if first.is_ascii_digit() {
        return Run::Number(run.trim_start_matches('0'));
    }
    let before = BEFORE_RELEASE.iter().any(|word| word.eq_ignore_ascii_case(run));
    match first {
        '~' => Run::Tilde,
        _ if before => Run::Before(run),
        _ => Run::Letters(run),
    }
}

fn compare_runs(one: Run<'_>, other: Run<'_>) -> Ordering {
    let rank = |run| match run {
        Run::Tilde => 0,
        Run::Before(_) => 1,
        Run::End => 2,
        Run::Letters(_) => 3,
        Run::Number(_) => 4,
    };
    match (one, other) {
        (Run::Number(one), Run::Number(other)) => compare_numbers(one, other),
        (Run::Letters(one), Run::Letters(other)) | (Run::Before(one), Run::Before(other)) => {
            let lower = |byte: u8| byte.to_ascii_lowercase();
            one.bytes().map(lower).cmp(other.bytes().map(lower))
        }
        _ => rank(one).cmp(&rank(other)),
    }
}

/// By value: without zeros in front, the longer one is the larger.
fn compare_numbers(one: &str, other: &str) -> Ordering {
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_in_order() {
        // Each line from the earliest to the latest.
        for line in [
            "0 0.1 0.9 0.10 1 1.0.1 1.1 1.10 2 10 99999999999999999998 99999999999999999999",
            "1.0~rc1 1.0-alpha 1.0-alpha.2 1.0-beta 1.0rc1 1.0-rc2 1.0 1.0a 1.0.1",
            "1.1.1 1.1.1a 1.1.1k 1.1.2",
            "2019.78 2019.78-2 2019.78-2+deb10u1 2019.78-3 2020.79",
            "1.36 1:1.0 2:0.1",
            "5.10.0-rc7 5.10.0 5.10.1",
            "8.9p1 8.9p2 9.0p1",
        ] {
            let versions: alloc::vec::Vec<&str> = line.split(' ').collect();
            for (at, one) in versions.iter().enumerate() {
                for (place, other) in versions.iter().enumerate() {
                    assert_eq!(compare(one, other), at.cmp(&place), "{one} {other}");
                }
            }
        }
    }

    #[test]
    fn the_same_version_is_written_in_several_ways() {
        for (one, other) in [
            ("1.0", "v1.0"),
            ("1.0", "01.00"),
            ("1.0", "0:1.0"),
            ("1.0-rc1", "1.0.RC1"),
            ("1_36_1", "1.36.1"),
            ("1.0", "1.0."),
        ] {
            assert_eq!(compare(one, other), Ordering::Equal, "{one} {other}");
        }
        assert_eq!(compare(without_build("1.2.3+build.7"), "1.2.3"), Ordering::Equal);
    }

    #[test]
    fn what_is_no_version_is_not_compared() {
        for version in
            ["", "unknown", "master", "v", ":", "1:", "e4b0c44298fc1c149afbf4c8996fb92427ae41e4", "é"]
        {
            assert!(!is_comparable(version), "{version}");
        }
        assert!(!is_comparable(&"3f".repeat(20)));
        for version in ["0", "v2", "1:2", "2019.78", "20240115"] {
            assert!(is_comparable(version), "{version}");
        }
    }
}
