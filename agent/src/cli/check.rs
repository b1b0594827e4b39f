//! `check`: tests beforehand whether everything is in place, a line for each thing that a maker can have got wrong; with
//! `--json` for machines. It changes nothing, starts no program of the maker's, and polls the server without keeping
//! anything. It names what it did not look at, because silence would be a promise. Only what is wrong makes it fail: a
//! warning never stands in the way of a repair.

mod findings;
mod gate;
mod places;
mod reachability;
mod slots;
mod system;
mod updates;

use super::call::{Call, Exit, open_without_updates, print};
use crate::daemon::linux_device::LinuxDevice;
use findings::{Findings, Verdict};
use komainu_bootstrap::json::Json;
use std::fmt::Write;

/// One check: its name, and its function.
type Check = (&'static str, fn(&mut LinuxDevice, &Call, &mut Findings));

const CHECKS: &[Check] = &[
    ("settings", updates::settings),
    ("device id", updates::id),
    ("state folder", places::state),
    ("files", places::files),
    ("restart", places::restart),
    ("updates", updates::updates),
    ("trusted root", updates::root),
    ("record", updates::record),
    ("running slot", slots::running),
    ("boot environment", slots::boot),
    ("slots", slots::slots),
    ("health checks", places::health_checks),
    ("update hooks", places::update_hooks),
    ("clock", system::clock),
    ("memory", system::memory),
    ("watchdog", system::watchdog),
    ("kernel", system::kernel),
    ("gate", gate::gate),
    ("page", gate::page),
    ("server", reachability::server),
];

/// Things that a check can never know beforehand.
const NOT_LOOKED_AT: &[&str] = &[
    "whether the boot loader counts the starts of a trial and goes back: start a bad release once",
    "whether the boot loader refuses to have its variables written: only a trial changes them",
    "whether health checks and hooks do what they should: none was started",
    "whether the slots' media hold what is written: staging reads it back",
    "the options that the kernel was built with, where they leave no sign: komainu-maker kernel-check reads its .config",
];

pub(super) fn check(call: &Call) -> Result<Exit, String> {
    let mut device = open_without_updates(call);
    let mut findings = Findings::default();
    for (name, look) in CHECKS {
        findings.check = name;
        look(&mut device, call, &mut findings);
    }
    print(&if call.json { as_json(&findings) } else { as_text(&findings) })?;
    let failed = findings.lines.iter().any(|(_, verdict, _)| *verdict == Verdict::Fail);
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

fn as_text(findings: &Findings) -> String {
    let mut text = String::new();
    for (name, verdict, sentence) in &findings.lines {
        let word = match verdict {
            Verdict::Ok => "ok  ",
            Verdict::Warn => "warn",
            Verdict::Fail => "FAIL",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{word} {name}: {sentence}");
    }
    for what in NOT_LOOKED_AT {
        let _ = writeln!(text, "     not looked at: {what}");
    }
    text
}

fn as_json(findings: &Findings) -> String {
    let line = |(name, verdict, sentence): &(&str, Verdict, String)| {
        let verdict = match verdict {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "fail",
        };
        Json::object([
            ("name", Json::text(name)),
            ("verdict", Json::text(verdict)),
            ("sentence", Json::text(sentence)),
        ])
    };
    let all = Json::object([
        ("checks", Json::List(findings.lines.iter().map(line).collect())),
        ("not_looked_at", Json::List(NOT_LOOKED_AT.iter().map(Json::text).collect())),
    ]);
    format!("{all}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_check_verdict_and_sentence_for_people_and_machines() {
        let mut findings = Findings { check: "slots", lines: Vec::new() };
        findings.ok("kernel".into());
        assert!(findings.is_clean());
        findings.warn("small \"rootfs\"".into());
        findings.take(Err("one place".into()));
        assert!(!findings.is_clean());
        let text = as_text(&findings);
        assert!(
            text.starts_with("ok   slots: kernel\nwarn slots: small \"rootfs\"\nFAIL slots: one place\n")
        );
        assert_eq!(text.matches("     not looked at: ").count(), NOT_LOOKED_AT.len());
        let json = as_json(&findings);
        assert!(
            json.contains(r#"{"name":"slots","verdict":"warn","sentence":"small \"rootfs\""}"#),
            "{json}"
        );
        assert!(json.contains(r#""not_looked_at":["whether"#), "{json}");
    }
}
