//! Digests by which a finding is recognised in the next look, and its remediation in a trial.

use crate::identifiers::Digest64;
use crate::wall::remediation::Remediation;
use crate::wall::report::Finding;
use alloc::format;
use alloc::string::String;

/// The digest of a finding: its measure and its text, without the numbers of processes. It recognises the finding in
/// the next look.
pub fn digest_of(finding: &Finding) -> Digest64 {
    digest_of_text(finding.measure.row().id, &finding.what)
}

/// The same of any event: its name and its text, without the numbers of processes.
pub fn digest_of_text(name: &str, what: &str) -> Digest64 {
    let mut words = String::from(name);
    for part in what.split(PROCESS) {
        words.push_str(part.trim_start_matches(|letter: char| letter.is_ascii_digit()));
    }
    Digest64::of(words.as_bytes())
}

/// Stands before the number of a process in every text.
const PROCESS: &str = "process ";

/// The words that stand for all numbers of the kernel's: a device has dozens, and each would take a trial from the others.
const TUNED: &[u8] = b"numbers of the kernel's";

/// The digest that recognises the trial of a finding's remediation. For a program that is suspended this covers the
/// program alone: its number, and often its port, change with each start, and it would be tried again and again.
pub fn trial_of(finding: &Finding) -> Digest64 {
    let what: &str = &finding.what;
    if let Some(Remediation::Tune { .. }) = &finding.remediation {
        return Digest64::of(TUNED);
    }
    let Some(Remediation::Suspend { id, .. }) = &finding.remediation else { return digest_of(finding) };
    let number = format!("process {} ", id.pid);
    let Some(at) = what.find(&number) else { return digest_of(finding) };
    Digest64::of([finding.measure.row().id, " ", &what[at + number.len()..]].concat().as_bytes())
}

/// The digest that counts the failures of a finding's remediation: a program that cannot be ended must not protect
/// other processes of the same program.
pub fn failure_of(finding: &Finding) -> Digest64 {
    Digest64::of(finding.what.as_bytes())
}
