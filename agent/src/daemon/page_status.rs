//! The page's status: facts in, lines out (`ipc` in bootstrap names them). `komainu status` shows the same about the
//! gate.

use super::login_history::LoginHistory;
use super::status_model::{StatusModel, findings, firewall_word, update_findings};
use crate::config::gate_settings::GateSettings as Settings;
use komainu_bootstrap::ipc::DeviceState;
use komainu_core::firewall::count::Count;
use komainu_core::firewall::table::Counted;
use komainu_core::gate::state::{GateFacts, GateState};
use komainu_core::identifiers::{Digest64, ReleaseId};
use komainu_core::local_time::TimeZone;
use komainu_core::printable;
use komainu_core::settings::Settings as Core;
use komainu_core::update::facts::Facts;
use komainu_core::update::offer::Offer;
use komainu_core::update::plan;
use komainu_core::update::plan::start_time::{postpone, postponed};
use komainu_core::update::record::Update;
use komainu_core::wall::answers;
use komainu_core::wall::evidence::Evidence;
use komainu_core::wall::incident_state::IncidentState;
use komainu_core::wall::measures::{Survey, TABLE};
use komainu_core::wall::remediation::KINDS;
use komainu_core::wall::report::{Finding, Judgement, Report};
use komainu_trust::Moment;

/// Longest note of a release that the page gets, in bytes.
const NOTE_BYTES_MAX: usize = 1024;
/// Most fixes that the page gets.
const FIXES_MAX: usize = 16;

/// The beginning of a status: the gate's state, on which all else depends. A line that does not fit is left out, so that
/// the lines stand in the order of their weight.
pub(crate) fn begin(gate: &GateFacts) -> DeviceState {
    let mut state = DeviceState::default();
    state.push("gate", gate.gate_state().name());
    state
}

/// Adds an incident; `cut_off`: where the device is contained, nothing passes through it any more. It comes before all that
/// strangers can make long.
pub(crate) fn push_incident(
    state: &mut DeviceState,
    incident_state: &IncidentState,
    cut_off: bool,
    kept: Option<Digest64>,
) {
    let Some(incident) = incident_state.incident.as_ref().filter(|_| is_open(state)) else { return };
    state.push("incident", &incident.what);
    if incident.contained && cut_off {
        state.push("contained", 1);
    }
    // Until the owner has set another one.
    if incident.password.is_some() && incident.password == kept {
        state.push("wants_password", 1);
    }
}

/// Most changed files that the page lists, and the longest name of one, in letters; `komainu harden` lists all.
const CHANGED_MAX: usize = 8;
const CHANGED_LETTERS_MAX: usize = 120;

/// Adds the protected files that differ from the accepted ones: the owner sees them before accepting them.
pub(crate) fn push_changed(state: &mut DeviceState, differ: &[String]) {
    if !is_open(state) {
        return;
    }
    for path in differ.iter().take(CHANGED_MAX) {
        let shown: String = printable::line(path).chars().take(CHANGED_LETTERS_MAX).collect();
        state.push("changed", shown);
    }
    if differ.len() > CHANGED_MAX {
        state.push("changed_more", differ.len() - CHANGED_MAX);
    }
}

fn is_open(state: &DeviceState) -> bool {
    state.of("gate") == Some(GateState::Open.name())
}

/// Adds what the device is and does.
pub(crate) fn push_device(
    state: &mut DeviceState,
    facts: &Facts,
    gate: &GateFacts,
    settings: &Settings,
    core: &Core,
    logins: &LoginHistory,
) {
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
    push_identity(state, settings);
    if gate.gate_state() == GateState::Closed {
        // Before the first log-in is possible, the page needs no more.
        return;
    }
    push_pair(state, facts, core);
    for finding in findings(gate, settings).into_iter().chain(update_findings(facts, core)) {
        state.push("finding", finding);
    }
    state.push("firewall", firewall_word(gate, settings));
    for login in logins.lines() {
        state.push("login", login);
    }
}

/// Adds what the device is and whom to call, for every visitor. A page without links of the LAN listens everywhere, and the
/// WAN must not read it.
fn push_identity(state: &mut DeviceState, settings: &Settings) {
    if !settings.lan.is_empty() {
        settings.identity.rows().for_each(|(key, value)| state.push(key, value));
    }
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
                match core.restart_window {
                    Some(_) => state.push("planned", planned(facts.now, postponed.until, &core.time_zone)),
                    None => state.push("postponed", postponed.until.0),
                }
            }
            if postpone(record, release, facts.now, core).is_some() {
                state.push("postponable", 1);
            }
        }
    }
}

/// When a release starts, on the clock on the wall: `tonight 03:30`, `today 14:00` or `on 2026-12-01 03:30`.
fn planned(now: Moment, at: Moment, zone: &TimeZone) -> String {
    let (now_shown, shown) = (zone.shown(now), zone.shown(at));
    let (day, time) = shown.split_once(' ').unwrap_or((&shown, ""));
    let is_night = !("06:00".."22:00").contains(&time);
    if is_night && at.0 - now.0 < 18 * 3600 {
        format!("tonight {time}")
    } else if now_shown.starts_with(day) {
        format!("today {time}")
    } else {
        format!("on {shown}")
    }
}

/// Most of the wall's findings that the page shows; `komainu harden` shows all.
const FOUND_MAX: usize = 12;

/// Adds the wall's measures and findings.
pub(crate) fn push_wall(state: &mut DeviceState, report: &Report) {
    if !is_open(state) {
        return;
    }
    for row in TABLE {
        let word = match report.judgement(row.measure) {
            Judgement::Strong => "strong",
            Judgement::Weak => "weak",
            Judgement::CannotTell(_) => "cannot-tell",
            Judgement::CannotEnforce(_) => "cannot-enforce",
        };
        state.push("measure", format_args!("{} {word}", row.id));
    }
    for (letter, survey) in [("a", Survey::A), ("b", Survey::B), ("c", Survey::C), ("d", Survey::D)] {
        state.push("survey", format_args!("{letter} {}", report.survey(survey)));
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

/// Adds the last answers of the wall, the newest first; the page knows how each is taken back.
pub(crate) fn push_answers(state: &mut DeviceState, lines: &[String]) {
    if !is_open(state) {
        return;
    }
    for answer in lines.iter().rev().filter_map(|line| answers::read(line)).take(ANSWERS_MAX) {
        let event = if answer.undone { "undone" } else { "mended" };
        let (row, evidence) =
            (answer.row.map_or("-", |row| row.id), answer.evidence.map_or("-", Evidence::name));
        let (time, kind, seen) = (answer.time, answer.kind.name, answer.seen);
        state.push("answer", format_args!("{time} {event} {kind} {row} {evidence} {seen}"));
    }
}

/// Adds the traffic that the firewall turned away, the most frequent first.
pub(crate) fn push_turned_away(state: &mut DeviceState, counts: &[Count]) {
    if !is_open(state) {
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

/// The words for the wall, in English; another language of the page has its own.
pub fn wall_texts() -> Vec<(String, &'static str)> {
    let measures = TABLE.iter().map(|row| (["measure-", row.id].concat(), row.name));
    let does = KINDS.iter().map(|kind| (["does-", kind.name].concat(), kind.does));
    let back = KINDS.iter().map(|kind| (["back-", kind.name].concat(), kind.take_back));
    measures.chain(does).chain(back).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::DeviceSettings;
    use komainu_bootstrap::page::translations::Texts;
    use komainu_core::gate::state::FirewallStatus;
    use komainu_core::wall::incident_state::Incident;
    use komainu_core::wall::measures::Measure;
    use komainu_trust::Moment;

    #[test]
    fn what_the_device_is_is_told_on_links_of_the_lan_alone() {
        let identity = "[identity]\nmodel = \"FM-200\"\ncontact = \"a=b\"\n[gate]\n";
        for (gate, told) in
            [("lan = [\"br-lan\"]", "model=FM-200\ncontact=a=b\n"), ("firewall = \"none\"", "")]
        {
            let settings = DeviceSettings::read_what_is_whole(&format!("{identity}{gate}\n"));
            let mut state = DeviceState::default();
            push_identity(&mut state, &settings.gate.unwrap());
            assert_eq!(state.0, told, "{gate}");
        }
    }

    fn gate(is_open: bool) -> GateFacts {
        let kept = Some(Digest64::of(b"known"));
        let account = Ok(kept.filter(|_| is_open));
        GateFacts { resetting: false, kept, next: None, account, rules: FirewallStatus::Hold }
    }

    fn incident(contained: bool) -> Incident {
        Incident {
            since: Moment(0),
            what: komainu_core::fault::text(format_args!("a program hides")),
            contained,
            evidence: false,
            restarts: 0,
            password: Some(Digest64::of(b"known")),
            update: false,
            reimage: None,
            reimaged: false,
        }
    }

    /// A page has room for 8 KiB, and whoever floods the device with findings must not push the incident out of it.
    #[test]
    fn an_incident_and_the_changed_files_are_told_beside_thousands_of_findings() {
        let mut state = begin(&gate(true));
        assert_eq!(state.of("gate"), Some("open"));
        let incident = IncidentState { incident: Some(incident(true)), ..IncidentState::default() };
        push_incident(&mut state, &incident, true, Some(Digest64::of(b"known")));
        let differ: Vec<String> =
            (0..3000).map(|number| format!("/etc/{number}\n{}", "x".repeat(4000))).collect();
        push_changed(&mut state, &differ);
        let mut report = Report::default();
        for number in 0..5000 {
            state.push("finding", format_args!("a finding of the gate, {number}"));
            report.weak(Measure::Programs, None, format_args!("a program, {number}"));
        }
        push_wall(&mut state, &report);
        for (key, value) in [
            ("incident", "a program hides"),
            ("contained", "1"),
            ("wants_password", "1"),
            ("changed_more", "2992"),
            ("finding", "a finding of the gate, 0"),
        ] {
            assert_eq!(state.of(key), Some(value), "{key}");
        }
        let listed: Vec<&str> = state.all("changed").collect();
        assert_eq!(listed.len(), CHANGED_MAX);
        assert!(
            listed[7].starts_with("/etc/7\\u000axxx") && listed[7].len() == CHANGED_LETTERS_MAX,
            "{}",
            listed[7]
        );
    }

    #[test]
    fn a_closed_device_tells_strangers_of_no_incident_and_of_no_file() {
        let mut state = begin(&gate(false));
        assert_eq!(state.of("gate"), Some("closed"));
        let incident = IncidentState { incident: Some(incident(true)), ..IncidentState::default() };
        push_incident(&mut state, &incident, true, None);
        push_changed(&mut state, &["/etc/passwd".into()]);
        assert_eq!(state.0, "gate=closed\n");
    }

    #[test]
    fn a_device_whose_connections_go_on_is_not_said_to_be_contained() {
        for (contained, cut_off, said) in
            [(true, true, Some("1")), (true, false, None), (false, true, None), (false, false, None)]
        {
            let mut state = DeviceState::default();
            state.push("gate", GateState::Open.name());
            let incident = IncidentState { incident: Some(incident(contained)), ..IncidentState::default() };
            push_incident(&mut state, &incident, cut_off, None);
            assert_eq!(state.of("contained"), said, "{contained} {cut_off}");
            assert_eq!(state.of("incident"), Some("a program hides"));
        }
    }

    #[test]
    fn every_language_but_english_has_its_own_words_for_the_wall() {
        for texts in Texts::all().filter(|texts| texts.tag != "en") {
            for (key, english) in wall_texts() {
                let own = texts.find(&key).unwrap_or_else(|| panic!("{} has no {key}: {english}", texts.tag));
                assert_ne!(own, english, "{} {key}", texts.tag);
            }
        }
    }
}
