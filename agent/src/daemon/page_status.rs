//! The page's status: facts in, lines out (`ipc` in bootstrap names them). `komainu status` shows the same about the
//! gate.

use super::login_history::LoginHistory;
use super::status_model::{StatusModel, findings, firewall_word, update_findings};
use crate::config::gate_settings::GateSettings as Settings;
use komainu_bootstrap::ipc::DeviceState;
use komainu_core::firewall::count::Count;
use komainu_core::firewall::table::Counted;
use komainu_core::gate::state::{GateFacts, GateState};
use komainu_core::identifiers::ReleaseId;
use komainu_core::settings::Settings as Core;
use komainu_core::update::facts::Facts;
use komainu_core::update::offer::Offer;
use komainu_core::update::plan;
use komainu_core::update::plan::{postpone, postponed};
use komainu_core::update::record::Update;
use komainu_core::wall::answers;
use komainu_core::wall::evidence::Evidence;
use komainu_core::wall::incident_state::IncidentState;
use komainu_core::wall::measures::Survey;
use komainu_core::wall::report::{Finding, Report};

/// Longest note of a release that the page gets, in bytes.
const NOTE_BYTES_MAX: usize = 1024;
/// Most fixes that the page gets.
const FIXES_MAX: usize = 16;

/// The whole status that the page may have.
pub(crate) fn of(
    facts: &Facts,
    gate: &GateFacts,
    settings: &Settings,
    core: &Core,
    logins: &LoginHistory,
) -> DeviceState {
    let mut state = DeviceState::default();
    state.push("gate", gate.gate_state().name());
    state.push("account", &settings.account);
    if settings.code_file.is_some() {
        state.push("code", "wanted");
    }
    if settings.button {
        state.push("button", "wanted");
    }
    if let Some(lan4) = lan_address(settings) {
        state.push("lan4", lan4);
    }
    state.push("now", facts.now.0);
    state.push("name", &settings.look.name);
    state.push("rule", settings.rule.name());
    if gate.gate_state() == GateState::Closed {
        // Before the first log-in is possible, the page needs no more.
        return state;
    }
    push_pair(&mut state, facts, core);
    for finding in findings(gate, settings).into_iter().chain(update_findings(facts, core)) {
        state.push("finding", finding);
    }
    state.push("firewall", firewall_word(gate, settings));
    for login in logins.lines() {
        state.push("login", login);
    }
    state
}

fn push_pair(state: &mut DeviceState, facts: &Facts, core: &Core) {
    if let Ok(slot) = facts.booted {
        state.push("slot", slot);
    }
    let model = StatusModel::of(facts, core);
    let record = &model.record;
    if let Some(ReleaseId { number, version }) = record.confirmed.as_ref().or(core.own_release.as_ref()) {
        state.push("version", version);
        state.push("release", number);
    }
    state.push("update", model.update);
    if let Some((release, _)) = &model.under_way {
        state.push("other", release);
    }
    if let Some(seconds) = model.seconds_since_poll {
        state.push("polled", facts.now.0 - i64::try_from(seconds).unwrap_or(0));
    }
    // To the minute: a countdown by seconds is no news.
    state.push("next", (facts.now.0 + i64::try_from(model.seconds_until_poll).unwrap_or(0)) / 60 * 60);
    // The gate's part is done; the reason is the update's.
    let pair = Facts { gate: None, request: None, ..facts.clone() };
    state.push("reason", plan::plan(&pair, core).reason);
    if let Offer::Release(release) = &facts.offer {
        let manifest = &release.manifest;
        if let Some(end) = manifest.support_end {
            state.push("support_end", end.0);
        }
        if manifest.release.number > record.confirmed.as_ref().map_or(record.floor, |release| release.number)
        {
            state.push("offer", manifest.release.number);
            state.push("offer_version", &manifest.release.version);
            state.push("severity", manifest.severity.name());
            let fixes: Vec<&str> = manifest.fixes.iter().take(FIXES_MAX).map(String::as_str).collect();
            state.push("fixes", fixes.join(" "));
            for (language, note) in manifest.notes.iter().take(4) {
                let end = (0..=note.len().min(NOTE_BYTES_MAX)).rev().find(|&at| note.is_char_boundary(at));
                state.push(&format!("note.{language}"), &note[..end.unwrap_or(0)]);
            }
            if let Update::Staging { slot, .. } = &record.update {
                let done = plan::done_bytes(&record.update, release, *slot);
                let total: u64 = manifest.images.iter().map(|image| image.length).sum();
                state.push("percent", (done.saturating_mul(100)).checked_div(total).unwrap_or(0));
            }
            if let Some(postponed) = postponed(record, manifest.release.number, facts.now) {
                state.push("postponed", postponed.until.0);
            } else if postpone(record, release, facts.now, core).is_some() {
                state.push("postponable", 1);
            }
        }
    }
}

/// Most of the wall's findings that the page shows; `komainu harden` shows all.
const FOUND_MAX: usize = 12;

/// Adds the wall's findings; `cut_off`: where the device is contained, nothing passes through it any more.
pub(crate) fn push_wall(
    state: &mut DeviceState,
    report: &Report,
    incident_state: &IncidentState,
    cut_off: bool,
) {
    if state.of("gate") != Some(GateState::Open.name()) {
        return;
    }
    for (letter, survey) in [("a", Survey::A), ("b", Survey::B), ("c", Survey::C), ("d", Survey::D)] {
        state.push("survey", format_args!("{letter} {}", report.survey(survey)));
    }
    if let Some(incident) = &incident_state.incident {
        state.push("incident", &incident.what);
        if incident.contained && cut_off {
            state.push("contained", 1);
        }
        if incident.password.is_some() {
            state.push("wants_password", 1);
        }
    }
    // What is only told is for the maker: `komainu harden` has it.
    let weakens = |finding: &&Finding| finding.evidence > Evidence::Told;
    for finding in report.findings.iter().filter(weakens).take(FOUND_MAX) {
        state.push("finding", &finding.what);
    }
    for note in report.notes.iter().take(FOUND_MAX) {
        state.push("open", note);
    }
}

/// Most answers of the wall that the page shows; `komainu incident` shows more.
const ANSWERS_MAX: usize = 5;

/// Adds the last answers of the wall, the newest first, each with the way to take it back.
pub(crate) fn push_answers(state: &mut DeviceState, lines: &[String]) {
    if state.of("gate") != Some(GateState::Open.name()) {
        return;
    }
    for answer in lines.iter().rev().filter_map(|line| answers::read(line)).take(ANSWERS_MAX) {
        let take_back = if answer.undone { "" } else { answer.kind.take_back };
        let before = if answer.undone { "" } else { "; to take it back: " };
        state.push("answer", format_args!("{answer}{before}{take_back}"));
    }
}

/// Adds the traffic that the firewall turned away, the most frequent first.
pub(crate) fn push_turned_away(state: &mut DeviceState, counts: &[Count]) {
    if state.of("gate") != Some(GateState::Open.name()) {
        return;
    }
    for count in turned_away(counts).iter().take(FOUND_MAX) {
        state.push("blocked", format_args!("{}: {}", count.port_name(), count.packets));
    }
}

/// The counts of strangers, the most frequent first.
pub fn turned_away(counts: &[Count]) -> Vec<Count> {
    let strangers = counts.iter().filter(|count| count.counted == Counted::Stranger && count.packets > 0);
    let mut strangers: Vec<Count> = strangers.copied().collect();
    strangers.sort_unstable_by_key(|count| std::cmp::Reverse(count.packets));
    strangers
}

/// The device's own address on the owner's side.
fn lan_address(settings: &Settings) -> Option<std::net::Ipv4Addr> {
    for entry in nix::ifaddrs::getifaddrs().ok()? {
        if settings.lan.contains(&entry.interface_name)
            && let Some(address) = entry.address.as_ref().and_then(|address| address.as_sockaddr_in())
        {
            return Some(address.ip());
        }
    }
    None
}
