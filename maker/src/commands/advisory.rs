//! `advisory`: tells devices which vulnerabilities their firmware has, and which it has not.

use super::options::Place;
use super::output::warn;
use crate::advisory;
use crate::advisory::PutAside;
use crate::advisory::osv::Choice;
use crate::clock;
use anyhow::Result;
use clap::{Args, Subcommand};
use komainu_core::advisory::Rating;
use komainu_core::advisory::matching::{Firmware, matches};
use komainu_core::wall::judge::vulnerabilities::{FirmwareSeen, judge};
use komainu_core::wall::measures::Measure;
use komainu_core::wall::report::{Judgement, Report};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Tell devices which vulnerabilities their firmware has, and which it has not.
///
/// A device compares the SBOM in its image (CycloneDX) with the advisories of its board and shows its owner what it
/// finds. They are published, and signed, as everything else.
#[derive(Args)]
#[command(after_help = "For example:\n  \
    curl -O https://api.osv.dev/v1/vulns/CVE-2020-36254\n  \
    komainu-maker advisory add --board gate-1 --purl pkg:generic/dropbear CVE-2020-36254\n  \
    komainu-maker advisory vex --board gate-1 not-in-our-build.openvex.json\n  \
    komainu-maker advisory check --board gate-1 --sbom sbom.json\n  \
    komainu-maker publish\n\n\
    In OpenVEX a firmware is the product pkg:generic/BOARD@VERSION, or pkg:generic/BOARD for all its versions; its \
    parts are subcomponents.")]
pub struct Advisory {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    Add(Add),
    Vex(Vex),
    Remove(Remove),
    List(List),
    Check(Check),
}

/// Put vulnerabilities aside, from files of OSV as osv.dev and others offer them; devices see them after `publish`.
#[derive(Args)]
struct Add {
    /// Files of OSV: one entry, a list of them, or an answer of the API
    #[arg(required = true, value_name = "OSV")]
    files: Vec<PathBuf>,
    /// The package URL of packages for which an entry has none (those that CVEs were made into)
    #[arg(long, value_name = "PURL")]
    purl: Option<String>,
    /// Take packages of this ecosystem only, such as Debian:12
    #[arg(long, value_name = "NAME")]
    ecosystem: Option<String>,
    #[command(flatten)]
    about: About,
}

/// Put the maker's word on vulnerabilities aside, from OpenVEX documents; devices see it after `publish`.
#[derive(Args)]
struct Vex {
    /// Files of OpenVEX documents
    #[arg(required = true, value_name = "VEX")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    about: About,
}

/// Take vulnerabilities out, with all that was said of them.
#[derive(Args)]
struct Remove {
    /// Identifiers of the vulnerabilities
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    about: About,
}

/// List what devices are told, or will be after `publish`.
#[derive(Args)]
struct List {
    #[command(flatten)]
    about: About,
}

/// Say what a device with this SBOM would show its owner.
#[derive(Args)]
struct Check {
    /// The version of the firmware that has it, as statements name it
    #[arg(long = "version", value_name = "VERSION")]
    version_text: Option<String>,
    #[command(flatten)]
    about: About,
}

#[derive(Args)]
struct About {
    /// The board that they are for
    #[arg(long)]
    board: String,
    /// An SBOM of a release: names that none of them knows are warned of (repeatable)
    #[arg(long, value_name = "SBOM")]
    sbom: Vec<PathBuf>,
    #[command(flatten)]
    place: Place,
}

pub fn run(args: Advisory) -> Result<String> {
    match args.action {
        Action::Add(args) => {
            let choice = Choice { ecosystem: args.ecosystem, purl: args.purl };
            let done = args.about.place.open()?.add_osv(&args.about.board, &args.files, &choice)?;
            put_aside(&done, &args.about)
        }
        Action::Vex(args) => {
            let done = args.about.place.open()?.add_vex(&args.about.board, &args.files)?;
            put_aside(&done, &args.about)
        }
        Action::Remove(args) => {
            let done = args.about.place.open()?.remove_advisories(&args.about.board, &args.ids)?;
            put_aside(&done, &args.about)
        }
        Action::List(args) => list(&args.about),
        Action::Check(args) => check(&args),
    }
}

fn put_aside(done: &PutAside, about: &About) -> Result<String> {
    if !about.sbom.is_empty() {
        let mut components = Vec::new();
        for sbom in &about.sbom {
            components.extend(advisory::read_sbom(sbom)?);
        }
        let strangers = advisory::strangers(&done.advisories, &about.board, &components);
        let words = |purl: &String| format!("no SBOM given here has {purl}: no device will find it");
        warn(&strangers.iter().map(words).collect::<Vec<_>>());
    }
    Ok(format!(
        "put aside  advisories for {}: {} vulnerabilities, {} statements, {} bytes\n\
         Devices see them after `komainu-maker publish`.\n",
        about.board,
        done.advisories.osv.len(),
        done.advisories.vex.len(),
        done.bytes
    ))
}

fn list(about: &About) -> Result<String> {
    let advisories = about.place.open()?.advisories(&about.board)?;
    let mut out = String::new();
    for entry in &advisories.osv {
        let rating = entry.rating.map_or("unrated", Rating::name);
        let summary = entry.summary.as_deref().unwrap_or_default().escape_debug();
        writeln!(out, "{}  {rating}  {summary}", entry.known_as().escape_debug())?;
        for affected in &entry.affected {
            writeln!(out, "    {}", affected.purl.escape_debug())?;
        }
    }
    for statement in &advisories.vex {
        writeln!(out, "{}  {}", statement.vulnerability.escape_debug(), statement.status.name())?;
        for product in &statement.products {
            let within: Vec<String> =
                product.subcomponents.iter().map(|one| one.escape_debug().to_string()).collect();
            let within = if within.is_empty() { String::new() } else { format!(": {}", within.join(", ")) };
            writeln!(out, "    {}{within}", product.id.escape_debug())?;
        }
    }
    Ok(out)
}

fn check(args: &Check) -> Result<String> {
    let about = &args.about;
    let advisories = about.place.open()?.advisories(&about.board)?;
    if about.sbom.is_empty() {
        anyhow::bail!("name the SBOM with --sbom");
    }
    let mut out = String::new();
    for sbom in &about.sbom {
        let firmware = Firmware { board: &about.board, version: args.version_text.as_deref() };
        let components = advisory::read_sbom(sbom)?;
        out.push_str(&shown(sbom, &matches(&components, &advisories, &firmware)));
    }
    Ok(out)
}

/// The lines that a device shows, by the device's own judge.
fn shown(sbom: &Path, checked: &komainu_core::advisory::matching::Checked) -> String {
    let mut report = Report::default();
    judge(&FirmwareSeen { checked: Ok(checked.clone()), support_end: None, now: clock::now() }, &mut report);
    let mut out = format!("{}: {} components\n", sbom.display(), checked.components);
    let told = report.findings.iter().filter(|finding| finding.measure == Measure::Vulnerabilities);
    for finding in told {
        out.push_str(&format!("  {}\n", finding.what));
    }
    for (measure, outcome) in &report.doubts {
        if let (Measure::Vulnerabilities, Judgement::CannotTell(why)) = (measure, outcome) {
            out.push_str(&format!("  cannot tell: {why}\n"));
        }
    }
    if report.judgement(Measure::Vulnerabilities) == Judgement::Strong {
        out.push_str("  nothing known\n");
    }
    out
}
