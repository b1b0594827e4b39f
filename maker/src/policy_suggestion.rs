//! Suggests a policy that would have been quiet: pure functions from the reports of devices to additions and to rows
//! that can be enforced. [`device_reports`] reads the reports, [`policy_text`] writes the file.
//!
//! What policy has a word for is suggested, with the sightings that it comes from. An infection, telnet, a well-known
//! password and every other weakness without such a word is never allowed: it is to be mended first.

pub mod device_reports;
pub mod policy_text;
mod port_ranges;

use crate::policy_suggestion::device_reports::{DeviceReport, Sighting};
use komainu_core::wall::evidence::Evidence;
use komainu_core::wall::judge::infection::REPORT_PORT;
use komainu_core::wall::judge::services::is_ssh_server;
use komainu_core::wall::measures::Measure;
use komainu_core::wall::permits::permits;
use komainu_core::wall::policy::{ENFORCED_AS_SHIPPED, Enforce, Policy};
use komainu_core::wall::subject::Subject;
use komainu_trust::Moment;
use std::collections::{BTreeMap, BTreeSet};

/// Something that the policy would have to allow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Addition {
    /// A program, or the name of one, that listens; `at` is `tcp`, `udp`, `raw` or `packet`.
    Service {
        program: String,
        at: String,
        port: u16,
    },
    Program(String),
    Privileged(String),
    Ssh,
    Account(String),
    Key(String),
    /// A path that changes by itself, and is not guarded any more.
    Changes(String),
    /// A limit, by its key.
    Rate(String),
}

/// The reports that show something.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// By file: how often, first and last.
    pub files: BTreeMap<String, (u32, Moment, Moment)>,
    /// It was weak at least once, and not only told.
    pub weak: bool,
    /// A service was reached from the LAN.
    pub lan: bool,
    /// The largest number that was dropped.
    pub dropped: u32,
}

impl Seen {
    fn add(&mut self, report: &DeviceReport, sighting: &Sighting) {
        let entry = self.files.entry(report.file.clone()).or_insert((0, report.time, report.time));
        *entry = (entry.0 + 1, entry.1.min(report.time), entry.2.max(report.time));
        self.weak |= sighting.evidence > Evidence::Told;
        self.lan |= sighting.subject.get("reach") != "loopback";
        let dropped = sighting.subject.get("dropped").parse::<u64>().unwrap_or(0);
        self.dropped = self.dropped.max(u32::try_from(dropped).unwrap_or(u32::MAX));
    }
}

/// A row, and why it is enforced or not.
#[derive(Clone, Debug)]
pub struct RowAdvice {
    pub enforce: Enforce,
    pub enforced: bool,
    pub why: String,
}

/// A suggested policy.
pub struct Suggestion {
    /// The policy of the last report, to which the additions belong.
    pub base: Policy,
    pub additions: BTreeMap<Addition, Seen>,
    /// Mounts from which programs run, with the program.
    pub mounts_with_programs: BTreeMap<String, (String, Seen)>,
    /// What policy must not allow: row and sentence.
    pub to_mend: BTreeMap<(&'static str, String), Seen>,
    /// What is told, and policy has no word for.
    pub told: BTreeMap<(&'static str, String), Seen>,
    pub rows: Vec<RowAdvice>,
    /// Ways in from the WAN that the policy has and this does not repeat.
    pub wan_rules: u64,
    pub reports: usize,
    pub first: Moment,
    pub last: Moment,
    /// Reports that had no room for all findings.
    pub cut_short: usize,
}

/// The rows that have an answer to enforce; the others can only be told.
const ANSWERED: [Measure; 12] = [
    Measure::Egress,
    Measure::Respawn,
    Measure::Ssh,
    Measure::Services,
    Measure::Accounts,
    Measure::Keys,
    Measure::Programs,
    Measure::RawSockets,
    Measure::Flash,
    Measure::Watchdog,
    Measure::Mounts,
    Measure::Configuration,
];

/// A file that no device changes by itself.
const PRELOAD: &str = "/etc/ld.so.preload";

/// Suggests a policy; `None` without a report.
pub fn suggest(reports: &[DeviceReport]) -> Option<Suggestion> {
    let newest = reports.iter().max_by_key(|report| report.time)?;
    let base = newest.policy.clone();
    let mut suggestion = Suggestion {
        additions: BTreeMap::new(),
        mounts_with_programs: BTreeMap::new(),
        to_mend: BTreeMap::new(),
        told: BTreeMap::new(),
        rows: Vec::new(),
        wan_rules: newest.wan_rules,
        reports: reports.len(),
        first: reports.iter().map(|report| report.time).min()?,
        last: newest.time,
        cut_short: reports.iter().filter(|report| report.more > 0).count(),
        base,
    };
    let all = || reports.iter().flat_map(|report| &report.findings);
    let condemned = Condemned {
        all: all().filter_map(condemns).collect(),
        // A row for Mirai's port would take its sign away from every program.
        report_port: all().any(|one| one.evidence == Evidence::Infection && holds_report_port(one)),
    };
    for report in reports {
        for sighting in &report.findings {
            suggestion.add(report, sighting, &condemned);
        }
    }
    suggestion.listed_programs();
    suggestion.rows = rows(&suggestion, reports);
    Some(suggestion)
}

impl Suggestion {
    fn add(&mut self, report: &DeviceReport, sighting: &Sighting, condemned: &Condemned) {
        let Sighting { measure, evidence, subject, .. } = sighting;
        self.note_mounts(report, sighting);
        // An infection is none of the device's own doing, whatever the policy says of the program now.
        if *evidence != Evidence::Infection && permits(&self.base, *measure, subject) {
            return;
        }
        let mounts = *measure == Measure::Mounts && !subject.get("mount").is_empty();
        let none = condemned.report_port && holds_report_port(sighting);
        if *evidence == Evidence::Infection
            || whose(subject).is_some_and(|whose| condemned.all.contains(&whose))
        {
            self.to_mend.entry(key(sighting)).or_default().add(report, sighting);
        } else if let Some(addition) = addition(*measure, subject).filter(|_| !none) {
            // A port in the list is no more than a port: for a server of SSH the policy has a word of its own.
            if matches!(&addition, Addition::Service { at, .. } if at == "tcp")
                && is_ssh_server(subject.called())
            {
                self.additions.entry(Addition::Ssh).or_default().add(report, sighting);
            }
            self.additions.entry(addition).or_default().add(report, sighting);
        } else if mounts {
            // The row itself mends it.
        } else if *evidence == Evidence::Weak {
            self.to_mend.entry(key(sighting)).or_default().add(report, sighting);
        } else {
            self.told.entry(key(sighting)).or_default().add(report, sighting);
        }
    }

    fn note_mounts(&mut self, report: &DeviceReport, sighting: &Sighting) {
        let path = sighting.subject.get("program");
        if sighting.subject.get("place") == "firmware" || sighting.subject.get("view") == "own" {
            return;
        }
        for point in self.base.noexec_mounts.iter().filter(|point| is_below(path, point)) {
            let entry = self.mounts_with_programs.entry(point.clone());
            entry.or_insert_with(|| (path.to_owned(), Seen::default())).1.add(report, sighting);
        }
    }

    /// Programs that the policy lists already are not found, and run all the same.
    fn listed_programs(&mut self) {
        for point in &self.base.noexec_mounts {
            if let Some(listed) = self.base.programs.iter().find(|listed| is_below(listed, point)) {
                let entry = self.mounts_with_programs.entry(point.clone());
                entry.or_insert_with(|| (listed.clone(), Seen::default()));
            }
        }
    }
}

/// Nothing may be allowed for these.
struct Condemned {
    /// Programs and accounts.
    all: BTreeSet<(String, String)>,
    report_port: bool,
}

fn holds_report_port(sighting: &Sighting) -> bool {
    sighting.subject.listens() == Some(("tcp", REPORT_PORT))
}

/// The program, or the account, that nothing may be allowed for: it infects, is telnet, or everybody can log in by it.
fn condemns(sighting: &Sighting) -> Option<(String, String)> {
    let open = matches!(sighting.subject.get("fault"), "empty" | "bypass" | "known");
    let bad = sighting.evidence == Evidence::Infection || sighting.measure == Measure::Telnet || open;
    whose(&sighting.subject).filter(|_| bad)
}

/// The program and its name as an applet, or the file and the account.
fn whose(subject: &Subject) -> Option<(String, String)> {
    let two = |one: &str, other: &str| (subject.get(one).to_owned(), subject.get(other).to_owned());
    let all = [two("program", "called"), two("memfd", "called"), two("file", "account")];
    all.into_iter()
        .enumerate()
        .find(|(at, (one, other))| !one.is_empty() && (*at < 2 || !other.is_empty()))
        .map(|(_, two)| two)
}

fn is_below(path: &str, point: &str) -> bool {
    path.strip_prefix(point.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'))
}

/// The row, and the sentence without the number of the process.
fn key(sighting: &Sighting) -> (&'static str, String) {
    let mut parts = sighting.what.split("process ");
    let mut what = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        what.push_str("process");
        what.push_str(part.trim_start_matches(|letter: char| letter.is_ascii_digit()));
    }
    (sighting.measure.row().id, what)
}

/// The word of a policy that allows this; `None` where there is none, or there must be none.
fn addition(measure: Measure, subject: &Subject) -> Option<Addition> {
    let given = |key: &str| Some(subject.get(key).to_owned()).filter(|value| !value.is_empty());
    let program =
        || Some(subject.program().to_owned()).filter(|name| !name.is_empty() && subject.is_in_view());
    match measure {
        Measure::Ssh if is_ssh_server(subject.called()) => program().map(|_| Addition::Ssh),
        Measure::Respawn if subject.get("does") == "ssh" => Some(Addition::Ssh),
        Measure::Ssh | Measure::Services | Measure::Reflectors | Measure::RawSockets => {
            // A program without a file has no name that a row could have.
            given("program")?;
            let (at, port) = subject.listens()?;
            Some(Addition::Service { program: program()?, at: at.to_owned(), port })
        }
        Measure::Flash => {
            given("program")?;
            program().map(|_| Addition::Privileged(subject.called().to_owned()))
        }
        Measure::Programs if subject.get("first") == "yes" => None,
        Measure::Programs => match subject.get("sign") {
            "stored" | "upgraded" | "unknown-place" | "in-memory" | "hidden-folder" | "nameless" => {
                program()?;
                given("memfd").or_else(|| given("program")).map(Addition::Program)
            }
            // A new version of what is not the firmware's is there, under the same path.
            "" if subject.get("gone") == "replaced"
                && matches!(subject.get("place"), "storage" | "memory" | "unknown") =>
            {
                program()?;
                given("program").map(Addition::Program)
            }
            _ => None,
        },
        Measure::Accounts if matches!(subject.get("fault"), "login" | "all-rights") => {
            given("account").map(Addition::Account)
        }
        Measure::Keys => given("key").map(Addition::Key),
        Measure::Configuration if subject.get("listed") == PRELOAD => None,
        Measure::Configuration => given("listed").map(Addition::Changes),
        Measure::Egress => given("rate").map(Addition::Rate),
        _ => None,
    }
}

/// What to enforce: as before, and the rows that were strong in every report.
fn rows(suggestion: &Suggestion, reports: &[DeviceReport]) -> Vec<RowAdvice> {
    let all = format!("{} reports", reports.len());
    let mut rows = Vec::new();
    let mut add = |enforce, enforced, why: String| {
        if !rows.iter().any(|row: &RowAdvice| row.enforce == enforce) {
            rows.push(RowAdvice { enforce, enforced, why });
        }
    };
    for enforce in ENFORCED_AS_SHIPPED {
        add(enforce, true, "as shipped".into());
    }
    for enforce in &suggestion.base.enforce {
        add(*enforce, true, "in the policy already".into());
    }
    for measure in ANSWERED {
        let found =
            reports.iter().filter(|one| one.findings.iter().any(|seen| seen.measure == measure)).count();
        let outcome = |word: &str| {
            let has = |report: &&DeviceReport| {
                report.rows.iter().any(|(row, said)| *row == measure && said == word)
            };
            reports.iter().filter(has).count()
        };
        let strong = outcome("strong");
        let mounts = measure == Measure::Mounts && found > 0 && suggestion.mounts_are_free();
        // Once SSH is allowed, what else holds its port is judged by the row of services.
        let ssh_left = suggestion.to_mend.keys().chain(suggestion.told.keys()).any(|(row, _)| *row == "ssh");
        let (enforced, why) = if measure == Measure::Services && ssh_left && found == 0 {
            (false, "something else holds the port of SSH".into())
        } else if found > 0 && !mounts {
            (false, format!("it had findings in {found} of {all}"))
        } else if mounts && outcome("cannot tell") == 0 {
            (true, format!("no program ran from these mounts in {all}"))
        } else if strong == reports.len() {
            (true, format!("no finding in {all}"))
        } else {
            (
                false,
                format!("it could not be told, or not be enforced, in {} of {all}", reports.len() - strong),
            )
        };
        add(Enforce::Row(measure), enforced, why);
    }
    let infected =
        |report: &&DeviceReport| report.findings.iter().any(|one| one.evidence == Evidence::Infection);
    let infected = reports.iter().filter(infected).count();
    match infected {
        0 => add(Enforce::Infection, true, format!("no infection in {all}")),
        some => add(Enforce::Infection, false, format!("an infection in {some} of {all}")),
    }
    rows
}

impl Suggestion {
    /// Some mount of the policy is left from which no program ran.
    fn mounts_are_free(&self) -> bool {
        self.base.noexec_mounts.iter().any(|point| !self.mounts_with_programs.contains_key(point))
    }
}
