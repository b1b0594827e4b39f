//! `check-settings`: reads settings, a policy file or the profile of a boot loader, and says in sentences what the wall
//! would do: what is enforced, what only tells, what does not go together; with `--reports` also what enforcing would have
//! done. It touches no device, and works on the maker's machine as well: `komainu-maker check-settings` runs it.

use super::call::{Call, Exit, print};
#[cfg(feature = "profiles")]
use crate::config::profile_reader;
use crate::config::settings::DeviceSettings;
use crate::config::settings_file::Tree;
use crate::config::toml::table::SettingsFault;
use crate::config::wall_settings::read_policy_file;
use crate::os::files;
use komainu_core::wall::contradictions::contradictions;
use komainu_core::wall::evidence::Evidence;
use komainu_core::wall::measures::TABLE;
use komainu_core::wall::permits::permits;
use komainu_core::wall::policy::{Enforce, Policy};
use komainu_core::wall::remediation::{KINDS, kind};
use komainu_core::wall::report::Report;
use komainu_core::wall::subject::Subject;
use komainu_trust::json::{Json, Object, parse};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Largest file of reports, in bytes.
const REPORTS_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Something that enforcing would have done, and how often.
struct Done {
    done: &'static str,
    row: &'static str,
    to: String,
    times: u32,
}

/// Checks the settings that were read for a call.
pub(super) fn alone(call: &Call) -> Result<Exit, String> {
    check_settings(&call.settings_file, Tree::default(), &[])
}

/// Checks a file of a tree, and the files of the tree that it names.
pub(super) fn check_settings(file: &Path, tree: Tree<'_>, reports: &[PathBuf]) -> Result<Exit, String> {
    let wrong = |why: &dyn std::fmt::Display| format!("settings {}: {why}", file.display());
    let text = tree.read(file).map_err(|unread| wrong(&unread))?;
    if is_profile(&text) {
        check_profile(&text).map_err(|fault| wrong(&fault))?;
        return print(&format!("{}: can be read, the profile of a boot loader\n", file.display()));
    }
    let policy = match read(file, &text, tree).map_err(|fault| wrong(&fault))? {
        Some(policy) => policy,
        None if reports.is_empty() => {
            return print(&format!("{}: can be read; {WITHOUT_WALL}\n", file.display()));
        }
        None => return Err(wrong(&format!("no policy judges reports here: {WITHOUT_WALL}"))),
    };
    let mut said = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(said, "{}: can be read, a policy of the kind {}", file.display(), policy.kind);
    for row in TABLE {
        let word = if policy.enforces_row(row.measure) { "enforced" } else { "only told" };
        let _ = writeln!(said, "{word:10} {:15} {}", row.id, row.name);
    }
    for kind in KINDS.iter().filter(|kind| policy.enforce.contains(&Enforce::Kind(kind.name))) {
        let _ = writeln!(said, "{:10} {:15} in every row: {}", "enforced", kind.name, kind.does);
    }
    let word = if policy.answers_infections() { "enforced" } else { "only told" };
    let _ = writeln!(said, "{word:10} {:15} an infection is answered", "infection");
    for sentence in contradictions(&policy) {
        let _ = writeln!(said, "{:10} {sentence}", "note");
    }
    for path in reports {
        judge_reports(path, &policy, &mut said)?;
    }
    print(&said)
}

const WITHOUT_WALL: &str = "the wall is left to other software ([wall] keep = false)";

/// Reads settings, or a policy file; `None`: the settings want no wall.
fn read(file: &Path, text: &str, tree: Tree<'_>) -> Result<Option<Policy>, SettingsFault> {
    if text.lines().any(|line| line.trim_start().starts_with("[device]")) {
        return DeviceSettings::read_of(text, tree).map(|settings| settings.wall.map(|wall| wall.policy));
    }
    let kind = file.file_stem().unwrap_or_default().to_string_lossy();
    read_policy_file(text, &kind).map(Some)
}

/// Keys that stand in every profile, one of them at least, and in no other file.
const OF_PROFILES: &[&str] = &["medium", "fallback", "on_trial", "when_good"];

fn is_profile(text: &str) -> bool {
    let mut keys = text.lines().filter_map(|line| line.split_once('=').map(|(key, _)| key.trim()));
    keys.any(|key| OF_PROFILES.contains(&key))
}

#[cfg(feature = "profiles")]
fn check_profile(text: &str) -> Result<(), SettingsFault> {
    profile_reader::read(text).map(drop)
}

#[cfg(not(feature = "profiles"))]
fn check_profile(_: &str) -> Result<(), &'static str> {
    Err("is the profile of a boot loader, and this komainu was built without them: build it with `profiles`")
}

/// Says what this policy would have done to the devices of these reports.
fn judge_reports(path: &Path, policy: &Policy, said: &mut String) -> Result<(), String> {
    let wrong = |why: &dyn std::fmt::Display| format!("reports {}: {why}", path.display());
    let bytes = files::read(path, REPORTS_BYTES_MAX).map_err(|error| wrong(&error))?;
    let bytes = bytes.ok_or_else(|| wrong(&"there is no such file"))?;
    let (mut all, mut reports) = (Vec::new(), 0);
    for (line, number) in bytes.split(|byte| *byte == b'\n').zip(1..) {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let refuse = |why: &str| {
            wrong(&format!(
                "line {number}: {why}; write only what komainu harden --json prints into it, a line each"
            ))
        };
        let report = parse(line).map_err(|fault| refuse(&fault))?;
        count(&report, policy, &mut all).ok_or_else(|| refuse("it is no report of this komainu"))?;
        reports += 1;
    }
    // Writing to a String cannot fail.
    let _ = writeln!(said, "{}: {reports} reports", path.display());
    if all.is_empty() {
        let _ = writeln!(said, "{:10} nothing would have been done", "");
    }
    for Done { done, row, to, times } in &all {
        let _ = writeln!(said, "{:10} would have {done} {to} {times} times ({row})", "");
    }
    Ok(())
}

/// Adds what would have been done about one report; `None` if it is none.
fn count(report: &Json, policy: &Policy, all: &mut Vec<Done>) -> Option<()> {
    for row in list(report, "measures")? {
        let row_id = text(row, "id")?;
        let known = TABLE.iter().find(|known| known.id == row_id)?;
        for finding in list(row, "findings")? {
            let evidence = Evidence::parse(text(finding, "evidence")?)?;
            let Some(Json::Object(subject)) = field(finding, "subject") else { return None };
            let subject = read_subject(subject)?;
            let what = text(finding, "what")?;
            let mut one = Report::default();
            one.weighed(known.measure, evidence, None, format_args!("{what}"));
            let mut finding_seen = one.findings.pop()?;
            finding_seen.kind = text(finding, "remediation").and_then(kind);
            // The policy may allow by now what was found under another one.
            let permitted = evidence < Evidence::Infection && permits(policy, known.measure, &subject);
            if permitted || !policy.enforces(&finding_seen) {
                continue;
            }
            let done = done(finding_seen.kind?.name);
            let to = target(&subject).unwrap_or(what).to_owned();
            match all.iter_mut().find(|one| one.done == done && one.row == known.id && one.to == to) {
                Some(one) => one.times = one.times.saturating_add(1),
                None => all.push(Done { done, row: known.id, to, times: 1 }),
            }
        }
    }
    Some(())
}

/// What the subject is about, in one word.
fn target(subject: &Subject) -> Option<&str> {
    let keys = ["program", "memfd", "account", "key", "mount", "file", "sysctl"];
    keys.iter().map(|key| subject.get(key)).find(|value| !value.is_empty())
}

fn read_subject(object: &Object) -> Option<Subject> {
    let pair = |(key, value): (&String, &Json)| match value {
        Json::Text(text) => Some((key.clone(), text.clone())),
        _ => None,
    };
    object.iter().map(pair).collect::<Option<Vec<_>>>().map(Subject)
}

fn field<'a>(value: &'a Json, name: &str) -> Option<&'a Json> {
    match value {
        Json::Object(object) => object.get(name),
        _ => None,
    }
}

fn text<'a>(value: &'a Json, name: &str) -> Option<&'a str> {
    match field(value, name) {
        Some(Json::Text(text)) => Some(text),
        _ => None,
    }
}

fn list<'a>(value: &'a Json, name: &str) -> Option<&'a [Json]> {
    match field(value, name) {
        Some(Json::List(items)) => Some(items),
        _ => None,
    }
}

/// What was done, after "would have".
fn done(kind: &str) -> &'static str {
    let words = [
        ("end", "ended"),
        ("suspend", "suspended"),
        ("stop-starting", "taken out the line that starts"),
        ("lock-account", "locked"),
        ("quarantine", "taken away"),
        ("remove-key", "removed"),
        ("restore", "put back"),
        ("no-programs", "mounted without programs"),
        ("hold-watchdog", "opened the watchdog because of"),
        ("tune", "set"),
    ];
    words.iter().find(|(name, _)| *name == kind).map_or("acted on", |(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::report_json::report_object;
    use komainu_core::wall::measures::Measure;
    use komainu_core::wall::remediation::{ProcessId, Remediation};
    use komainu_trust::Moment;

    fn policy(text: &str) -> Policy {
        read_policy_file(text, "router").unwrap()
    }

    /// A report with a listener, a server of SSH and an infection, as one komainu prints it and another reads it.
    fn report() -> Json {
        let mut report = Report::default();
        let id = ProcessId { pid: 9, started: 7 };
        let suspend = Some(Remediation::Suspend { id, done: false });
        report.about(format_args!("program=/usr/sbin/lldpd place=firmware listens=udp/5000 reach=lan")).told(
            Measure::Services,
            suspend,
            format_args!("port 5000"),
        );
        report
            .about(format_args!("program=/usr/sbin/dropbear place=firmware listens=tcp/22 reach=lan"))
            .weak(Measure::Ssh, Some(Remediation::End(id)), format_args!("SSH at port 22"));
        report.about(format_args!("program=/tmp/bot place=memory")).weighed(
            Measure::Programs,
            Evidence::Infection,
            Some(Remediation::End(id)),
            format_args!("a bot"),
        );
        report.weak(Measure::Links, None, format_args!("no remediation"));
        let text = report_object(&report, &policy(""), "gate-1", Moment(1_790_000_000), 60).to_string();
        parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn what_enforcing_would_have_done_is_counted() {
        for (text, expected) in [
            ("", &[][..]),
            ("[wall]\nenforce = [\"services\"]\n", &["suspended /usr/sbin/lldpd 2"]),
            ("[wall]\nenforce = [\"infection\"]\n", &["ended /tmp/bot 2"]),
            ("[wall]\nenforce = [\"end\"]\n", &["ended /usr/sbin/dropbear 2", "ended /tmp/bot 2"]),
            ("[wall]\nenforce = [\"end\"]\nssh = true\nprograms = [\"/tmp/\"]\n", &["ended /tmp/bot 2"]),
            (
                "[wall]\nenforce = [\"all\"]\nssh = true\n[[service]]\nprogram = \"lldpd\"\nlistens = [\"udp/5000\"]\n",
                &["ended /tmp/bot 2"],
            ),
        ] {
            let (policy, mut all) = (policy(text), Vec::new());
            for _ in 0..2 {
                count(&report(), &policy, &mut all).unwrap();
            }
            let mut said: Vec<String> =
                all.iter().map(|Done { done, to, times, .. }| format!("{done} {to} {times}")).collect();
            let mut expected: Vec<String> = expected.iter().map(|&one| one.to_owned()).collect();
            said.sort();
            expected.sort();
            assert_eq!(said, expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_report_is_refused() {
        for text in ["[]", "{}", "1", "{\"measures\":1}", "{\"measures\":[{\"id\":\"tea\",\"findings\":[]}]}"]
        {
            let json = parse(text.as_bytes()).unwrap();
            assert!(count(&json, &policy(""), &mut Vec::new()).is_none(), "{text}");
        }
    }

    #[test]
    fn every_kind_of_remediation_has_a_word_for_what_was_done() {
        for kind in KINDS {
            assert_ne!(done(kind.name), "acted on", "{}", kind.name);
        }
    }
}
