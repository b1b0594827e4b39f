//! Accounts that may log in, passwords that everybody knows, and keys: NOTICE's survey A, on the device itself.
//!
//! The owner's account is the gate's: it is judged here like every other one, but nothing here locks it.

#[cfg(test)]
mod tests;

use crate::fault::Text;
use crate::identifiers::Digest64;
use crate::wall::measures::Measure;
use crate::wall::policy::Policy;
use crate::wall::remediation::Remediation;
use crate::wall::report::Report;
use crate::wall::subject::Value;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

/// The password that opens an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordSeen {
    /// Nothing is asked for.
    Empty,
    /// No password opens it.
    Locked,
    /// One that is hashed in a way that is not computed here: the kind of its hash.
    Untried(&'static str),
    /// One with this fingerprint, of its crypt string.
    Set(Digest64),
}

/// The system that the account is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// The device's: `/etc/passwd` and `/etc/shadow`.
    Device,
    /// A web server's, in a file that can hold an account without a password (htpasswd).
    Web,
    /// A web server's, where nothing can be locked: a file of passwords in clear, or one that others than root can write.
    WebInFixed,
}

/// The person to whom an account belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The owner, whose password the gate keeps.
    Owner,
    /// The owner; but `/etc/passwd` holds a password that counts instead of the one that the gate keeps elsewhere.
    OwnerBypassed,
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountSeen {
    /// The file that holds its password.
    pub file: String,
    /// The system that it is for.
    pub of: Of,
    pub name: String,
    /// Its number; `None` where the file has none that can be read, which may be taken for 0, and for the web's.
    pub user: Option<u32>,
    /// Its shell lets it log in.
    pub shell: bool,
    /// The password that opens it.
    pub password: PasswordSeen,
    /// Everybody knows its password; `None`: not tried yet.
    pub known: Option<bool>,
    /// The person to whom it belongs.
    pub whose: Whose,
}

/// A key that may log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySeen {
    /// The file that holds it.
    pub file: String,
    pub line: u32,
    /// Its fingerprint, as `ssh-keygen -l` shows it.
    pub fingerprint: String,
    /// No one but root has power over the file; else nothing changes it here.
    pub is_roots: bool,
}

/// The accounts and keys that one look saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountsSeen {
    pub accounts: Vec<AccountSeen>,
    /// The keys, those of one file together.
    pub keys: Vec<KeySeen>,
    /// The number of further accounts: lighter ones than these.
    pub left_out: usize,
    /// Why not everything could be read.
    pub unread: Option<Text>,
}

/// Judges accounts, passwords and keys.
pub fn judge(seen: &AccountsSeen, policy: &Policy, report: &mut Report) {
    // Without an owner no one could log in after the last account is locked.
    let is_owners = |account: &AccountSeen| account.of == Of::Device && account.whose != Whose::Other;
    let has_owner = seen.accounts.iter().any(is_owners);
    for account in &seen.accounts {
        match account.of {
            Of::Device => device(account, has_owner, policy, report),
            Of::Web | Of::WebInFixed => web(account, report),
        }
    }
    judge_untried(&seen.accounts, report);
    for key in &seen.keys {
        judge_key(key, &seen.keys, policy, report);
    }
    if seen.left_out > 0 {
        let count = seen.left_out;
        report
            .cannot_tell(Measure::Accounts, format_args!("{count} accounts more than can be listed at once"));
    }
    if let Some(why) = &seen.unread {
        report.cannot_tell(Measure::Accounts, format_args!("{}", &**why));
        report.cannot_tell(Measure::Keys, format_args!("{}", &**why));
    }
}

/// A measure has one doubt: that of the passwords names all that nothing is known of.
fn judge_untried(accounts: &[AccountSeen], report: &mut Report) {
    let mut why = String::new();
    let not_yet =
        |account: &&AccountSeen| matches!(account.password, PasswordSeen::Set(_)) && account.known.is_none();
    let count = accounts.iter().filter(not_yet).count();
    // Writing into a string cannot fail.
    if count > 0 {
        let _ = write!(why, "{count} passwords are not tried yet; ");
    }
    for AccountSeen { file, name, password, .. } in accounts {
        if let PasswordSeen::Untried(kind) = password {
            let _ = write!(why, "no password is tried on {name} in {file}: {kind}; ");
        }
    }
    if let Some(why) = why.strip_suffix("; ") {
        report.cannot_tell(Measure::Passwords, format_args!("{why}"));
    }
}

fn lock(account: &AccountSeen) -> Option<Remediation> {
    let can_be = account.whose != Whose::Owner && account.of != Of::WebInFixed;
    (can_be && account.password != PasswordSeen::Locked)
        .then(|| Remediation::LockAccount { file: account.file.clone(), account: account.name.clone() })
}

fn device(account: &AccountSeen, has_owner: bool, policy: &Policy, report: &mut Report) {
    let AccountSeen { file, name, password, .. } = account;
    let allowed = account.whose != Whose::Other || policy.accounts.iter().any(|allowed| allowed == name);
    let careful = |remediation: Option<Remediation>| remediation.filter(|_| has_owner);
    if account.whose == Whose::OwnerBypassed && *password != PasswordSeen::Locked {
        report.about(format_args!("account={} file={} fault=bypass", Value(name), Value(file))).weak(
            Measure::Accounts,
            lock(account),
            format_args!("{file} holds a password of {name} that counts instead of the owner's"),
        );
    } else if *password == PasswordSeen::Empty && account.whose == Whose::Other {
        report.about(format_args!("account={} file={} fault=empty", Value(name), Value(file))).weak(
            Measure::Accounts,
            lock(account),
            format_args!("the account {name} in {file} has no password: whoever knows its name is in"),
        );
    }
    if !allowed && name != "root" && account.user.unwrap_or(0) == 0 {
        report.about(format_args!("account={} file={} fault=all-rights", Value(name), Value(file))).weak(
            Measure::Accounts,
            careful(lock(account)),
            format_args!("the account {name} has all rights, like root (number 0), and nobody allowed it"),
        );
    }
    let opens = matches!(password, PasswordSeen::Set(_) | PasswordSeen::Untried(_));
    if !allowed && opens && account.shell {
        report.about(format_args!("account={} file={} fault=login", Value(name), Value(file))).weak(
            Measure::Accounts,
            careful(lock(account)),
            format_args!("the account {name} in {file} can log in with a password, and nobody allowed it"),
        );
    }
    known(account, careful(lock(account)), report);
}

fn web(account: &AccountSeen, report: &mut Report) {
    let AccountSeen { file, name, password, .. } = account;
    if *password == PasswordSeen::Empty {
        let what = format_args!("the web account {name} in {file} has no password");
        let subject = format_args!("account={} file={} fault=empty", Value(name), Value(file));
        report.about(subject).weak(Measure::Accounts, lock(account), what);
    }
    known(account, lock(account), report);
}

fn known(account: &AccountSeen, remediation: Option<Remediation>, report: &mut Report) {
    let AccountSeen { file, name, .. } = account;
    if account.known == Some(true) {
        let what = format_args!("the password of {name} in {file} is one that malware tries");
        let subject = format_args!("account={} file={} fault=known", Value(name), Value(file));
        report.about(subject).weak(Measure::Passwords, remediation, what);
    }
}

fn judge_key(key: &KeySeen, all: &[KeySeen], policy: &Policy, report: &mut Report) {
    let allowed = |key: &KeySeen| policy.keys.contains(&key.fingerprint);
    if allowed(key) {
        return;
    }
    let KeySeen { file, line, fingerprint, is_roots } = key;
    // A file without a single key that is allowed is kept as evidence, whole.
    let mixed = all.iter().any(|other| other.file == *file && allowed(other));
    let remediation = match mixed {
        true => Remediation::RemoveKey { file: file.clone(), fingerprint: fingerprint.clone() },
        false => Remediation::Quarantine { file: file.clone() },
    };
    let by_hand = if *is_roots { "" } else { "; remove it by hand: others than root can change the file" };
    report.about(format_args!("key={} file={} line={line}", Value(fingerprint), Value(file))).weak(
        Measure::Keys,
        is_roots.then_some(remediation),
        format_args!("{file} line {line}: nobody allowed the key {fingerprint}{by_hand}"),
    );
}
