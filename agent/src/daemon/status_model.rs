//! The status model: what `komainu status` and the owner's page both show of a device, computed once from the facts.

use super::device_names::code_file_fault;
use crate::config::gate_settings::{FirewallChoice, GateSettings};
use komainu_bootstrap::credential::crypt::Method;
use komainu_core::gate::state::{FirewallStatus, GateFacts};
use komainu_core::identifiers::{ReleaseId, Slot};
use komainu_core::reason::STARTS_NOT_COUNTED;
use komainu_core::settings::{Settings, StartCount};
use komainu_core::update::facts::{Facts, RecordSeen};
use komainu_core::update::record::{Record, Update};
use komainu_core::update::schedule::until_poll;

/// The status of the update.
pub struct StatusModel {
    /// The record; where there is none, that of a device before its first start.
    pub record: Record,
    /// Whether the record is good, in words.
    pub record_word: String,
    /// The update's state: `idle`, `staging`, `staged`, `trial`, `rolling-back`.
    pub update: &'static str,
    /// The release that is under way, and its slot.
    pub under_way: Option<(ReleaseId, Slot)>,
    /// Seconds since the last poll that worked.
    pub seconds_since_poll: Option<u64>,
    /// Seconds until the next poll.
    pub seconds_until_poll: u64,
}

impl StatusModel {
    /// The status that these facts show.
    pub fn of(facts: &Facts, settings: &Settings) -> StatusModel {
        let none = || Record { floor: 0, ..Record::first(Slot::A, None) };
        let (record_word, record) = match &facts.record {
            RecordSeen::Found(record) => ("good".to_owned(), record.clone()),
            RecordSeen::Absent => ("none yet".to_owned(), none()),
            RecordSeen::Lost(why) => (format!("lost: {why}"), none()),
        };
        let (update, under_way) = match &record.update {
            Update::Idle => ("idle", None),
            Update::Staging { release, slot, .. } => ("staging", Some((release, slot))),
            Update::Staged { release, slot, .. } => ("staged", Some((release, slot))),
            Update::Trial { release, slot, .. } => ("trial", Some((release, slot))),
            Update::RollingBack { release, slot, .. } => ("rolling-back", Some((release, slot))),
        };
        StatusModel {
            under_way: under_way.map(|(release, slot)| (release.clone(), *slot)),
            update,
            record_word,
            seconds_since_poll: facts.retry.polled_uptime.map(|polled| facts.uptime.saturating_sub(polled)),
            seconds_until_poll: until_poll(&facts.retry, facts.uptime, settings),
            record,
        }
    }
}

/// Facts about the update that a person should know.
pub fn update_findings(facts: &Facts, settings: &Settings) -> Vec<String> {
    let RecordSeen::Found(record) = &facts.record else { return Vec::new() };
    match record.uncounted.filter(|_| settings.start_count == StartCount::Seen) {
        Some(_) => vec![STARTS_NOT_COUNTED.into()],
        None => Vec::new(),
    }
}

/// Facts about the gate that a person should know; `komainu status` shows the same.
pub fn findings(gate: &GateFacts, settings: &GateSettings) -> Vec<String> {
    let mut findings = Vec::new();
    if let FirewallStatus::Beyond(why) = &gate.rules {
        findings.push(format!("no packets are kept out by Komainu: {why}"));
    }
    if gate.rules == FirewallStatus::Differ {
        findings.push("the kernel does not have the gate's rules".into());
    }
    if gate.resetting {
        findings.push("the owner is being forgotten, which has not ended yet: the log says why".into());
    }
    if gate.next.is_some() {
        findings.push("a password is not set everywhere yet: the log says why".into());
    }
    findings.extend(settings.code_file.as_deref().and_then(code_file_fault));
    if settings.hash == Method::Md5 {
        findings.push(
            "the password is hashed by MD5, which is quickly guessed: the settings say hash = \"md5\"".into(),
        );
    }
    if let Err(why) = &gate.account {
        findings.push(format!("the account cannot be read: {why}"));
    }
    findings
}

/// The status of the rules in the kernel, in a few words.
pub fn firewall_word(gate: &GateFacts, settings: &GateSettings) -> &'static str {
    match (&gate.rules, settings.firewall) {
        (FirewallStatus::Hold, _) => "holds",
        (FirewallStatus::Differ, _) => "being put up",
        (FirewallStatus::Beyond(_), FirewallChoice::None) => "left to other software",
        (FirewallStatus::Beyond(_), _) => "not possible here",
    }
}
