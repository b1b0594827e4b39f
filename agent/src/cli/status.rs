//! `status`: the running release, the offer and the state of the update; for people, or with `--json` for machines.

use super::call::{Call, Exit, open, print};
use crate::daemon::page_status::{findings, turned_away, wall};
use komainu_core::device::{Host, Repository};
use komainu_core::identifiers::Slot;
use komainu_core::turn::{decide, look};
use komainu_core::update::facts::{Facts, RecordSeen};
use komainu_core::update::offer::Offer;
use komainu_core::update::record::{Record, Update};
use komainu_core::update::schedule::{until_poll, until_stage};
use komainu_trust::json::Object;
use komainu_trust::json::{Json, canonical};
use komainu_trust::{Moment, Trusted};
use std::fmt::Display;

/// One line of the status: a name and its value.
struct Line(&'static str, Json);

pub(super) fn status(call: &Call) -> Result<Exit, String> {
    let mut device = open(call)?;
    let grants = device.grants_at_start();
    let facts = look(&mut device, &call.settings.core, &grants, None);
    let clock = device.clock();
    let mut lines = vec![
        Line("board", text(&call.settings.core.board)),
        Line("channel", text(&call.settings.core.channel)),
        Line("booted_slot", facts.booted.as_ref().map_or_else(text, text)),
    ];
    // The same lines with and without a record, so that a program that reads them need not check first.
    let none = Record { floor: 0, ..Record::first(Slot::A, None) };
    let (word, record) = match &facts.record {
        RecordSeen::Found(record) => ("good".to_owned(), Some(record)),
        RecordSeen::Absent => ("none yet".to_owned(), None),
        RecordSeen::Lost(why) => (format!("lost: {why}"), None),
    };
    lines.push(Line("record", text(&word)));
    lines.push(Line("confirmed_slot", record.map_or(Json::Null, |record| text(&record.confirmed_slot))));
    lines.extend(record_lines(record.unwrap_or(&none)));
    match &facts.boot_choice {
        Ok(choice) => {
            lines.push(Line("boot_slot", text(&choice.slot)));
            lines.push(Line(
                "boot_tries_left",
                choice.tries_left.map_or(Json::Null, |tries| Json::Int(tries.into())),
            ));
        }
        Err(why) => lines.push(Line("boot_choice", text(why))),
    }
    lines.extend(offer_lines(&facts.offer));
    lines.extend(gate_lines(&facts, call));
    let away = turned_away(&device.counts());
    let away = away.iter().map(|count| (count.port_name(), number(count.packets)));
    lines.push(Line("turned_away", object_of(&mut away.into_iter())));
    if let Ok(trusted) = Trusted::load(&device.stored().under_newest_root(), clock) {
        for (index, name) in ["root", "timestamp", "snapshot", "targets"].into_iter().enumerate() {
            lines.push(Line(name, version_and_expiry(trusted.versions()[index], trusted.expiries()[index])));
        }
    }
    let until_poll = until_poll(&facts.retry, facts.uptime, &call.settings.core);
    let since = facts.retry.polled_uptime.map(|polled| facts.uptime.saturating_sub(polled));
    lines.extend([
        Line("clock", text(&facts.now)),
        Line("system_clock", text(&clock.system)),
        Line("seconds_since_poll", since.map_or(Json::Null, number)),
        Line("seconds_until_poll", number(until_poll)),
        Line("seconds_until_stage", number(until_stage(&facts.retry, facts.uptime, &call.settings.core).0)),
        Line("poll_failures", number(facts.retry.poll.failures.into())),
        Line("now", text(&decide(&facts, &call.settings.core).reason)),
    ]);
    print(&if call.json { as_json(lines) } else { as_text(lines) })
}

fn record_lines(record: &Record) -> Vec<Line> {
    let confirmed = record.confirmed.as_ref();
    let mut lines = vec![
        Line("confirmed_release", confirmed.map_or(Json::Null, |release| number(release.number))),
        Line("confirmed_version", confirmed.map_or(Json::Null, |release| text(&release.version))),
        Line("floor", number(record.floor)),
    ];
    let (word, release, slot) = match &record.update {
        Update::Idle => ("idle", None, None),
        Update::Staging { release, slot, .. } => ("staging", Some(release), Some(slot)),
        Update::Staged { release, slot, .. } => ("staged", Some(release), Some(slot)),
        Update::Trial { release, slot, .. } => ("trial", Some(release), Some(slot)),
        Update::RollingBack { release, slot, .. } => ("rolling-back", Some(release), Some(slot)),
    };
    lines.push(Line("update", text(&word)));
    lines.push(Line("update_release", release.map_or(Json::Null, |release| number(release.number))));
    lines.push(Line("update_slot", slot.map_or(Json::Null, text)));
    let failure = |failure: &komainu_core::update::record::Failure| {
        object([("release", number(failure.release)), ("times", number(failure.times.into()))])
    };
    lines.push(Line("failed", Json::List(record.failures.iter().map(failure).collect())));
    lines
}

fn gate_lines(facts: &Facts, call: &Call) -> Vec<Line> {
    let (Some(gate), Some(settings)) = (&facts.gate, &call.settings.gate) else {
        return vec![Line("gate", text(&"left to other software"))];
    };
    let findings = findings(gate, settings).iter().map(text).collect();
    vec![
        Line("gate", text(&if gate.resetting { "being reset" } else { gate.gate_state().name() })),
        Line("wall", text(&wall(gate, settings))),
        Line("findings", Json::List(findings)),
    ]
}

fn offer_lines(offer: &Offer) -> Vec<Line> {
    let release = match offer {
        Offer::Nothing => return vec![Line("offer", text(&"nothing for this board and channel"))],
        Offer::Unusable(why) => return vec![Line("offer", text(why))],
        Offer::Release(release) => release,
    };
    let manifest = &release.manifest;
    let mut notes = manifest.notes.iter().map(|(language, note)| (language.clone(), text(&printable(note))));
    vec![
        Line("offer_release", number(manifest.release.number)),
        Line("offer_version", text(&manifest.release.version)),
        Line("offer_severity", text(&manifest.severity.name())),
        Line("offer_bytes", number(manifest.images.iter().map(|image| image.length).sum())),
        Line("offer_notes", object_of(&mut notes)),
        Line("offer_fixes", Json::List(manifest.fixes.iter().map(|fix| text(&printable(fix))).collect())),
        Line("support_end", manifest.support_end.map_or(Json::Null, |end| text(&end))),
    ]
}

/// The canonical writer escapes two characters; control characters must not get as far as that.
fn printable(words: &str) -> String {
    words.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

fn version_and_expiry(version: u64, expires: Option<Moment>) -> Json {
    object([("version", number(version)), ("expires", expires.map_or(Json::Null, |expires| text(&expires)))])
}

pub(super) fn text<T: Display + ?Sized>(value: &T) -> Json {
    Json::Text(value.to_string())
}

fn number(value: u64) -> Json {
    Json::Int(i64::try_from(value).unwrap_or(i64::MAX))
}

pub(super) fn object<const N: usize>(fields: [(&str, Json); N]) -> Json {
    object_of(&mut fields.into_iter().map(|(name, value)| (name.to_owned(), value)))
}

/// One by one and not with `collect`, which sorts first: 3 KB of code on a device.
fn object_of(fields: &mut dyn Iterator<Item = (String, Json)>) -> Json {
    let mut object = Object::new();
    for (name, value) in fields {
        object.insert(name, value);
    }
    Json::Object(object)
}

fn as_json(lines: Vec<Line>) -> String {
    let object = object_of(&mut lines.into_iter().map(|Line(name, value)| (name.into(), value)));
    let mut text = String::from_utf8_lossy(&canonical(&object)).into_owned();
    text.push('\n');
    text
}

fn as_text(lines: Vec<Line>) -> String {
    let mut out = String::new();
    for Line(name, value) in lines {
        let value = match value {
            Json::Text(text) => text,
            Json::Null => "-".into(),
            other => String::from_utf8_lossy(&canonical(&other)).into_owned(),
        };
        out.push_str(&format!("{:20} {value}\n", name.replace('_', " ")));
    }
    out
}
