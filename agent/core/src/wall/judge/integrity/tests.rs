//! Tests of integrity: the baseline, and the judgement of a difference.

use super::*;
use crate::wall::report::Judgement;
use alloc::vec;
use sha2::{Digest, Sha256};

fn mark(content: &str) -> Mark {
    let hash = Sha256::digest(content.as_bytes()).into();
    Mark { kind: Kind::File, mode: 0o644, user: 0, group: 7, hash }
}

fn kept(path: &str, mark: Mark) -> Kept {
    Kept { path: path.into(), mark, copy: true }
}

fn baseline() -> Baseline {
    let folder = Mark { kind: Kind::Folder, mode: 0o755, ..Mark::ABSENT };
    Baseline {
        kept: vec![
            kept("/etc/resolv.conf", mark("nameserver 192.0.2.1\n")),
            kept("/etc/ld.so.preload", Mark::ABSENT),
            kept("/etc/cron.d", folder),
            kept("/etc/cron.d/with a blank", mark("x")),
        ],
    }
}

fn found(path: &str, below: Option<&str>, mark: Mark) -> Found {
    Found { path: path.into(), below: below.map(Into::into), mark }
}

fn policy(restore: bool) -> [ProtectedPath; 2] {
    let integrity = |path: &str, what: &str| ProtectedPath { path: path.into(), what: what.into(), restore };
    [integrity("/etc/resolv.conf", "DNS"), integrity("/etc/cron.d", "start scripts")]
}

#[test]
fn a_baseline_is_read_as_it_was_written() {
    for baseline in [baseline(), Baseline::default()] {
        assert_eq!(Baseline::read(&baseline.write()), Ok(baseline));
    }
}

#[test]
fn a_full_baseline_fits_its_limit() {
    let mut full = Baseline::default();
    let most = Mark { kind: Kind::Folder, mode: 0o7777, user: u32::MAX, group: u32::MAX, hash: [255; 32] };
    for number in 0..ITEMS_MAX {
        let path = alloc::format!("{number:0>width$}", width = PATH_BYTES_MAX);
        assert!(full.put(Kept { path, mark: most.clone(), copy: true }));
    }
    assert!(!full.put(kept("one more", mark(""))));
    assert!(full.put(kept(&full.kept[3].path.clone(), mark("other"))), "what is known is replaced");
    assert!(full.write().len() <= BASELINE_BYTES_MAX);
    assert_eq!(Baseline::read(&full.write()), Ok(full));
}

#[test]
fn a_damaged_baseline_is_not_believed() {
    let good = baseline().write();
    for at in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[at] ^= 1;
        let lines = String::from_utf8(bytes).expect("ASCII stays ASCII");
        assert!(Baseline::read(&lines).is_err(), "byte {at}");
        assert!(Baseline::read(&good[..at]).is_err(), "cut at {at}");
    }
}

#[test]
fn names_that_would_break_a_line_are_not_remembered() {
    let mut baseline = Baseline::default();
    assert!(!baseline.put(kept("/etc/cron.d/a\nfile 644", mark(""))));
    assert!(!baseline.put(kept(&"x".repeat(PATH_BYTES_MAX + 1), mark(""))));
}

#[test]
fn what_becomes_of_what_is_found() {
    use Change::{Changed, Gone, New};
    let dns = mark("nameserver 192.0.2.1\n");
    let other_mode = Mark { mode: 0o666, ..dns.clone() };
    let cron = Some("/etc/cron.d");
    for (path, below, now, alone, with_owner) in [
        ("/etc/resolv.conf", None, dns, Verdict::Same, Verdict::Same),
        (
            "/etc/resolv.conf",
            None,
            mark("nameserver 203.0.113.9\n"),
            Verdict::Differs(Changed),
            Verdict::Learn,
        ),
        ("/etc/resolv.conf", None, other_mode, Verdict::Differs(Changed), Verdict::Learn),
        ("/etc/resolv.conf", None, Mark::ABSENT, Verdict::Differs(Gone), Verdict::Learn),
        ("/etc/ld.so.preload", None, mark("/tmp/x.so"), Verdict::Differs(New), Verdict::Learn),
        ("/etc/cron.d/bot", cron, mark("x"), Verdict::Differs(New), Verdict::Learn),
        ("/etc/cron.d/with a blank", cron, Mark::ABSENT, Verdict::Differs(Gone), Verdict::Learn),
        // Policy names it for the first time.
        ("/etc/ntp.conf", None, mark("x"), Verdict::Learn, Verdict::Learn),
        ("/etc/rc.d/S10boot", Some("/etc/rc.d"), mark("x"), Verdict::Learn, Verdict::Learn),
    ] {
        let found = found(path, below, now);
        assert_eq!(verdict(&found, &baseline(), Owner::Away, false), alone, "{path}");
        assert_eq!(verdict(&found, &baseline(), Owner::Here, false), with_owner, "{path}");
    }
}

#[test]
fn an_owner_who_comes_later_does_not_make_a_strangers_change_good() {
    let changed = found("/etc/resolv.conf", None, mark("nameserver 203.0.113.9\n"));
    assert_eq!(verdict(&changed, &baseline(), Owner::Here, true), Verdict::Differs(Change::Changed));
}

#[test]
fn a_difference_is_mended_where_policy_says_so() {
    let different = |path: &str, listed: &str, change, can_restore| Different {
        path: path.into(),
        listed: listed.into(),
        change,
        can_restore,
    };
    let (dns, cron) = ("/etc/resolv.conf", "/etc/cron.d");
    let restore = |file: &str| Some(Remediation::Restore { file: file.into() });
    let bot = "/etc/cron.d/bot";
    for (different, remediation, words) in [
        (different(dns, dns, Change::Changed, true), restore(dns), "(DNS) was changed, and not by the owner"),
        (different(dns, dns, Change::Gone, true), restore(dns), "(DNS) was taken away"),
        (different(dns, dns, Change::Changed, false), None, "no copy of it is kept"),
        (
            different(bot, cron, Change::New, false),
            Some(Remediation::Quarantine { file: bot.into() }),
            "/etc/cron.d/bot (start scripts) is new",
        ),
    ] {
        let seen = IntegrityFacts { different: vec![different], ..IntegrityFacts::default() };
        let mut report = Report::default();
        judge(&seen, &policy(true), &mut report);
        assert_eq!(report.findings[0].remediation, remediation);
        assert!(report.findings[0].what.contains(words), "{}", report.findings[0].what);
        let mut told = Report::default();
        judge(&seen, &policy(false), &mut told);
        assert_eq!(told.findings[0].remediation, None);
        assert!(!told.findings[0].what.contains("no copy"));
    }
}

#[test]
fn a_lost_baseline_and_a_file_that_cannot_be_read_are_told() {
    let mut report = Report::default();
    judge(&IntegrityFacts::default(), &policy(true), &mut report);
    assert_eq!(report.judgement(Measure::Configuration), Judgement::Strong);
    let why = fault::text(format_args!("cannot read /etc/x: is a pipe"));
    judge(
        &IntegrityFacts { doubt: Some(why.clone()), ..IntegrityFacts::default() },
        &policy(true),
        &mut report,
    );
    assert_eq!(report.judgement(Measure::Configuration), Judgement::CannotTell(why.clone()));
    judge(&IntegrityFacts { damaged: Some(why), ..IntegrityFacts::default() }, &policy(true), &mut report);
    assert_eq!(report.judgement(Measure::Configuration), Judgement::Weak);
}

#[test]
fn a_changed_file_is_told() {
    let different = Different {
        path: "/etc/resolv.conf".into(),
        listed: "/etc/resolv.conf".into(),
        change: Change::Changed,
        can_restore: true,
    };
    let seen = IntegrityFacts { different: vec![different], ..IntegrityFacts::default() };
    let mut report = Report::default();
    judge(&seen, &policy(true), &mut report);
    assert_eq!(report.findings[0].evidence, crate::wall::evidence::Evidence::Told);
    assert_eq!(report.judgement(Measure::Configuration), Judgement::Strong);
}
