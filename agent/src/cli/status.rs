//! `status`: the running release, the offer and the state of the update; with `--json` for machines, else for people
//! (`status_text`).

use super::call::{Call, Exit, open_without_updates, print};
use super::harden;
use super::status_text::Seen;
use crate::daemon::linux_device::LinuxDevice;
use crate::daemon::page_status::turned_away;
use crate::daemon::status_model::{StatusModel, findings, firewall_word, update_findings};
use komainu_bootstrap::json::Json;
use komainu_core::device::{Host, Repository};
use komainu_core::turn::{decide_unless_off, look};
use komainu_core::update::facts::{Facts, RecordSeen};
use komainu_core::update::offer::Offer;
use komainu_core::update::schedule::until_stage;
use komainu_trust::{Moment, Trusted};

/// One line of the status: a name and its value.
struct Line(&'static str, Json);

pub(super) fn status(call: &Call) -> Result<Exit, String> {
    let mut device = open_without_updates(call);
    // The first start makes the folder: that there is none yet is no news.
    if call.settings.state.exists() {
        device.room.look();
    }
    let at_work = device.runtime().at_work().ok().flatten();
    let grants = device.grants_at_start();
    let mut facts = look(&mut device, &call.settings.core, &grants, None);
    if at_work.is_some()
        && call.settings.wall.is_some()
        && let Ok(report) = harden::report_of(&mut device, call)
    {
        harden::take_rules_of(&mut facts, &report);
    }
    let model = StatusModel::of(&facts, &call.settings.core);
    let stored = device.stored();
    let never_polled = stored.metadata.timestamp.is_none();
    let turned_away: Vec<_> =
        turned_away(&device.counts()).iter().map(|count| (count.port_name(), count.packets)).collect();
    let reason = decide_unless_off(&facts, &call.settings.core, device.update_off()).reason;
    let findings = all_findings(&facts, call, &device);
    if !call.json {
        let poll_fault = device.poll_fault();
        let (call, facts, model) = (call, &facts, &model);
        let seen =
            Seen { call, facts, model, at_work, never_polled, poll_fault, findings, turned_away, reason };
        print(&seen.text())?;
        return Ok(call.exit_by_settings());
    }
    let clock = device.clock();
    let mut lines = vec![
        Line("board", Json::text(&call.settings.core.board)),
        Line("channel", Json::text(&call.settings.core.channel)),
        Line("at_work", Json::Bool(at_work.is_some())),
        Line("booted_slot", facts.booted.as_ref().map_or_else(Json::text, Json::text)),
    ];
    let found = matches!(facts.record, RecordSeen::Found(_));
    lines.push(Line("record", Json::text(&model.record_word)));
    let confirmed_slot = Json::text(&model.record.confirmed_slot);
    lines.push(Line("confirmed_slot", if found { confirmed_slot } else { Json::Null }));
    lines.extend(record_lines(&model));
    match &facts.boot_choice {
        Ok(choice) => {
            lines.push(Line("boot_slot", Json::text(&choice.slot)));
            lines.push(Line(
                "boot_tries_left",
                choice.tries_left.map_or(Json::Null, |tries| Json::Number(tries.into())),
            ));
        }
        Err(why) => lines.push(Line("boot_choice", Json::text(why))),
    }
    if never_polled {
        lines.push(Line("offer", Json::text(&"not known yet: no poll was completed so far")));
    } else {
        lines.extend(offer_lines(&facts.offer));
    }
    lines.extend(gate_lines(&facts, call, &findings, device.poll_fault()));
    let away = turned_away.into_iter().map(|(port, packets)| (port, Json::number(packets)));
    lines.push(Line("turned_away", Json::Object(away.collect())));
    if let Ok(trusted) = Trusted::load(&stored.under_newest_root(), clock) {
        for (index, name) in ["root", "timestamp", "snapshot", "targets"].into_iter().enumerate() {
            lines.push(Line(name, version_and_expiry(trusted.versions()[index], trusted.expiries()[index])));
        }
    }
    lines.extend([
        Line("clock", Json::text(&facts.now)),
        Line("system_clock", Json::text(&clock.system)),
        Line("seconds_since_poll", model.seconds_since_poll.map_or(Json::Null, Json::number)),
        Line("seconds_until_poll", Json::number(model.seconds_until_poll)),
        Line(
            "seconds_until_stage",
            Json::number(until_stage(&facts.retry, facts.uptime, &call.settings.core).0),
        ),
        Line("poll_failures", Json::number(facts.retry.poll.failures.into())),
        Line("now", Json::text(&reason)),
    ]);
    print(&as_json(lines))?;
    Ok(call.exit_by_settings())
}

/// The same lines with and without a record, so that a program that reads them need not check first.
fn record_lines(model: &StatusModel) -> Vec<Line> {
    let record = &model.record;
    let confirmed = record.confirmed.as_ref();
    let under_way = model.under_way.as_ref();
    let mut lines = vec![
        Line("confirmed_release", confirmed.map_or(Json::Null, |release| Json::number(release.number))),
        Line("confirmed_version", confirmed.map_or(Json::Null, |release| Json::text(&release.version))),
        Line("floor", Json::number(record.floor)),
        Line("update", Json::text(&model.update)),
        Line("update_release", under_way.map_or(Json::Null, |(release, _)| Json::number(release.number))),
        Line("update_slot", under_way.map_or(Json::Null, |(_, slot)| Json::text(slot))),
    ];
    let failure = |failure: &komainu_core::update::record::Failure| {
        Json::object([
            ("release", Json::number(failure.release)),
            ("times", Json::number(failure.times.into())),
        ])
    };
    lines.push(Line("failed", Json::List(record.failures.iter().map(failure).collect())));
    lines
}

/// The findings for a person, in sentences; the gate's only where the settings keep it.
fn all_findings(facts: &Facts, call: &Call, device: &LinuxDevice) -> Vec<String> {
    let of_gate = match (&facts.gate, &call.settings.gate) {
        (Some(gate), Some(settings)) => findings(gate, settings),
        _ => Vec::new(),
    };
    let of_device = device.findings().into_iter().chain(update_findings(facts, &call.settings.core));
    of_gate.into_iter().chain(of_device).collect()
}

fn gate_lines(
    facts: &Facts,
    call: &Call,
    device_findings: &[String],
    poll_fault: Option<String>,
) -> Vec<Line> {
    let (Some(gate), Some(settings)) = (&facts.gate, &call.settings.gate) else {
        return vec![Line("gate", Json::text(&"left to other software"))];
    };
    let findings = device_findings.iter().chain(&poll_fault).map(Json::text).collect();
    vec![
        Line("gate", Json::text(&if gate.resetting { "being reset" } else { gate.gate_state().name() })),
        Line("firewall", Json::text(&firewall_word(gate, settings))),
        Line("findings", Json::List(findings)),
    ]
}

fn offer_lines(offer: &Offer) -> Vec<Line> {
    let release = match offer {
        Offer::Nothing => return vec![Line("offer", Json::text(&"nothing for this board and channel"))],
        Offer::Unusable(why) => return vec![Line("offer", Json::text(why))],
        Offer::Release(release) => release,
    };
    let manifest = &release.manifest;
    let notes = manifest.notes.iter().map(|(language, note)| (language.clone(), Json::text(note)));
    vec![
        Line("offer_release", Json::number(manifest.release.number)),
        Line("offer_version", Json::text(&manifest.release.version)),
        Line("offer_severity", Json::text(&manifest.severity.name())),
        Line("offer_bytes", Json::number(manifest.images.iter().map(|image| image.length).sum())),
        Line("offer_notes", Json::Object(notes.collect())),
        Line("offer_fixes", Json::List(manifest.fixes.iter().map(Json::text).collect())),
        Line("support_end", manifest.support_end.map_or(Json::Null, |end| Json::text(&end))),
    ]
}

fn version_and_expiry(version: u64, expires: Option<Moment>) -> Json {
    if version == 0 {
        return Json::Null;
    }
    Json::object([
        ("version", Json::number(version)),
        ("expires", expires.map_or(Json::Null, |expires| Json::text(&expires))),
    ])
}

fn as_json(lines: Vec<Line>) -> String {
    format!("{}\n", Json::Object(lines.into_iter().map(|Line(name, value)| (name.into(), value)).collect()))
}
