//! A table of accounts, each with what is found wrong with it.

use super::*;
use crate::wall::policy::tests::bare;
use crate::wall::report::Judgement;
use alloc::vec;
use alloc::vec::Vec;

use Measure::{Accounts, Passwords};
use PasswordSeen::{Empty, Locked, Set, Untried};

fn print() -> PasswordSeen {
    Set(Digest64::of(b"x"))
}

fn account(name: &str, user: u32, password: PasswordSeen, known: Option<bool>) -> AccountSeen {
    AccountSeen {
        file: "/etc/shadow".into(),
        of: Of::Device,
        name: name.into(),
        user: Some(user),
        shell: true,
        password,
        known,
        whose: if name == "admin" { Whose::Owner } else { Whose::Other },
    }
}

fn judged(accounts: &[AccountSeen], keys: &[(&str, &str)]) -> Report {
    let mut report = Report::default();
    let keys = keys.iter().zip(1..);
    let keys = keys.map(|((file, fingerprint), line)| KeySeen {
        file: (*file).into(),
        line,
        fingerprint: (*fingerprint).into(),
        is_roots: !file.starts_with("/home"),
    });
    let seen = AccountsSeen { accounts: accounts.to_vec(), keys: keys.collect(), ..AccountsSeen::default() };
    judge(&seen, &policy(), &mut report);
    report
}

#[test]
fn every_account_is_judged_by_what_it_opens() {
    let no = Some(false);
    let shell_less = AccountSeen { shell: false, ..account("www", 33, print(), no) };
    let nameless = account("", 0, Empty, None);
    let numberless = AccountSeen { user: None, ..account("odd", 7, print(), no) };
    let web = |of, password, known| AccountSeen { of, user: None, ..account("guest", 0, password, known) };
    let bypassed =
        |password| AccountSeen { whose: Whose::OwnerBypassed, ..account("admin", 0, password, no) };
    for (seen, expected, locks) in [
        (bypassed(Empty), &[Accounts][..], true),
        (bypassed(print()), &[Accounts], true),
        (bypassed(Locked), &[], false),
        (account("admin", 1000, print(), no), &[][..], false),
        (account("admin", 1000, print(), Some(true)), &[Passwords][..], false),
        (account("admin", 0, Empty, None), &[], false),
        (account("root", 0, Locked, None), &[], false),
        (account("root", 0, print(), no), &[Accounts], true),
        (account("service", 500, print(), no), &[], false),
        (account("service", 500, print(), Some(true)), &[Passwords], true),
        (account("service", 0, print(), no), &[], false),
        (account("guest", 500, Empty, None), &[Accounts], true),
        (account("guest", 500, print(), Some(true)), &[Accounts, Passwords], true),
        (account("guest", 500, Untried("bcrypt"), None), &[Accounts], true),
        (account("guest", 500, Locked, None), &[], false),
        (account("toor", 0, print(), no), &[Accounts, Accounts], true),
        (account("toor", 0, Locked, None), &[Accounts], false),
        (numberless, &[Accounts, Accounts], true),
        (shell_less, &[], false),
        (nameless, &[Accounts, Accounts], true),
        (web(Of::Web, print(), no), &[], false),
        (web(Of::Web, print(), Some(true)), &[Passwords], true),
        (web(Of::WebInFixed, print(), Some(true)), &[Passwords], false),
        (web(Of::Web, Empty, None), &[Accounts], true),
    ] {
        let owner = account("admin", 1000, print(), no);
        let mut accounts = vec![seen.clone()];
        if seen.whose != Whose::Owner {
            accounts.push(owner);
        }
        let report = judged(&accounts, &[]);
        let found: Vec<Measure> = report.findings.iter().map(|finding| finding.measure).collect();
        assert_eq!(found, expected, "{seen:?}");
        let lock = Remediation::LockAccount { file: "/etc/shadow".into(), account: seen.name.clone() };
        assert_eq!(report.remediations(), if locks { vec![&lock] } else { vec![] }, "{seen:?}");
    }
}

#[test]
fn what_was_not_tried_or_cannot_be_is_said() {
    let report = judged(&[account("admin", 0, print(), None)], &[]);
    let Judgement::CannotTell(why) = report.judgement(Passwords) else { panic!("{report:?}") };
    assert_eq!(&*why, "1 passwords are not tried yet");
    let report = judged(&[account("admin", 0, Untried("bcrypt"), None)], &[]);
    assert!(matches!(report.judgement(Passwords), Judgement::CannotTell(_)));
    assert_eq!(report.judgement(Accounts), Judgement::Strong);
}

#[test]
fn a_doubt_stays_beside_a_weakness_and_names_each_hash_that_is_not_tried() {
    let report = judged(
        &[
            account("admin", 1000, print(), Some(true)),
            account("root", 0, Untried("bcrypt"), None),
            account("guest", 500, Untried("yescrypt"), None),
            account("late", 501, print(), None),
        ],
        &[],
    );
    assert_eq!(report.judgement(Passwords), Judgement::Weak);
    let why = "1 passwords are not tried yet; no password is tried on root in /etc/shadow: bcrypt; no password is \
               tried on guest in /etc/shadow: yescrypt";
    let doubt = Judgement::CannotTell(crate::fault::text(format_args!("{why}")));
    assert_eq!(report.doubts, [(Passwords, doubt)]);
}

#[test]
fn accounts_that_were_left_out_are_said() {
    let mut report = Report::default();
    judge(&AccountsSeen { left_out: 44, ..AccountsSeen::default() }, &policy(), &mut report);
    let Judgement::CannotTell(why) = report.judgement(Accounts) else { panic!("{report:?}") };
    assert_eq!(&*why, "44 accounts more than can be listed at once");
}

#[test]
fn without_an_owner_nobody_who_has_a_password_is_locked_out() {
    let report = judged(&[account("root", 0, print(), Some(true)), account("guest", 5, Empty, None)], &[]);
    assert_eq!(
        report.remediations(),
        [&Remediation::LockAccount { file: "/etc/shadow".into(), account: "guest".into() }]
    );
    assert_eq!(report.judgement(Passwords), Judgement::Weak);
}

#[test]
fn keys_that_nobody_allowed_go_and_others_stay() {
    let report =
        judged(&[], &[("/a", "SHA256:good"), ("/a", "SHA256:bad"), ("/b", "SHA256:bad"), ("/b", "SHA256:x")]);
    let remove = Remediation::RemoveKey { file: "/a".into(), fingerprint: "SHA256:bad".into() };
    assert_eq!(report.remediations(), [&remove, &Remediation::Quarantine { file: "/b".into() }]);
    assert_eq!(&*report.findings[0].what, "/a line 2: nobody allowed the key SHA256:bad");
    assert_eq!(judged(&[], &[("/a", "SHA256:good")]), Report::default());
    let report = judged(&[], &[("/home/x", "SHA256:bad")]);
    assert!(report.remediations().is_empty());
    assert!(report.findings[0].what.ends_with("remove it by hand: others than root can change the file"));
}

fn policy() -> Policy {
    let (accounts, keys) = (vec!["service".into()], vec!["SHA256:good".into()]);
    Policy { accounts, keys, ..bare() }
}
