//! `release`: puts releases aside for the next publication, and lists them.

use super::options::{Place, read_moment, read_pair};
use super::output::warn;
use crate::release::ReleaseDraft;
use anyhow::{Context, Result, anyhow};
use clap::{Args, Subcommand, ValueEnum};
use komainu_core::update::manifest::{MANIFEST_BYTES_MAX, Manifest, Severity, Wave};
use komainu_trust::Moment;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Add, list and drop releases.
#[derive(Args)]
pub struct Release {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    Add(Box<Add>),
    List(List),
    Drop(Drop),
}

/// Put a release aside; devices see it after `publish`.
///
/// Images are copied and hashed. A release that a device would refuse is refused here already.
#[derive(Args)]
struct Add {
    /// The board that it is for: 1 to 32 of a-z 0-9 . _ -
    #[arg(long)]
    board: String,
    /// The channel, such as stable or beta
    #[arg(long)]
    channel: String,
    /// The version for people, such as 2.1.0
    #[arg(long = "version", value_name = "VERSION")]
    version_text: String,
    /// The release number, above the last one; without it: the last and one more
    #[arg(long, value_name = "N")]
    release: Option<u64>,
    /// An image, and the part of the slot that it goes into (repeatable)
    #[arg(long, value_name = "PART=FILE", value_parser = read_pair, required = true)]
    image: Vec<(String, String)>,
    /// An older image of the part, which devices may still run: they get a patch from it, inside xz-packed squashfs too
    /// (repeatable)
    #[arg(long, value_name = "PART=FILE", value_parser = read_pair)]
    delta_from: Vec<(String, String)>,
    /// How urgent it is
    #[arg(long, value_enum, default_value_t = Urgency::Normal)]
    severity: Urgency,
    /// The news, by language: en=TEXT, or en=@FILE (repeatable)
    #[arg(long, value_name = "LANG=TEXT|LANG=@FILE", value_parser = read_pair)]
    note: Vec<(String, String)>,
    /// The vulnerabilities that it fixes (repeatable, or separated by commas)
    #[arg(long, value_name = "CVE", value_delimiter = ',')]
    fixes: Vec<String>,
    /// When support for the board ends
    #[arg(long, value_name = "DATE", value_parser = read_moment)]
    support_end: Option<Moment>,
    /// From when on how many percent of all devices may take it (repeatable); without any: all at once
    #[arg(long, value_name = "DATE=PERCENT", value_parser = read_wave)]
    wave: Vec<Wave>,
    /// Take an image that looks packed as it is: the boot loader unpacks it
    #[arg(long)]
    raw: bool,
    /// A word that a device must understand to take it (repeatable)
    #[arg(long, value_name = "WORD")]
    needs: Vec<String>,
    #[command(flatten)]
    place: Place,
}

/// List the published releases, and those that are put aside.
#[derive(Args)]
struct List {
    #[command(flatten)]
    place: Place,
}

/// Forget every release, and all advisories, that were put aside and not yet published.
#[derive(Args)]
struct Drop {
    #[command(flatten)]
    place: Place,
}

#[derive(Clone, Copy, ValueEnum)]
enum Urgency {
    /// New functions, small corrections
    Normal,
    /// Closes holes or mends what matters
    Important,
    /// Attacks are under way
    Critical,
}

pub fn run(args: Release) -> Result<String> {
    match args.action {
        Action::Add(args) => add(*args),
        Action::List(args) => list(&args),
        Action::Drop(args) => args.place.open()?.drop_staged().map(|()| String::new()),
    }
}

fn add(args: Add) -> Result<String> {
    let mut out = String::new();
    let severity = match args.severity {
        Urgency::Normal => Severity::Normal,
        Urgency::Important => Severity::Important,
        Urgency::Critical => Severity::Critical,
    };
    let draft = ReleaseDraft {
        number: args.release,
        images: args.image.into_iter().map(|(part, file)| (part, PathBuf::from(file))).collect(),
        delta_from: args.delta_from.into_iter().map(|(part, file)| (part, PathBuf::from(file))).collect(),
        severity,
        notes: args.note.into_iter().map(read_note).collect::<Result<_>>()?,
        fixes: args.fixes,
        support_end: args.support_end,
        waves: args.wave,
        needs: args.needs,
        raw: args.raw,
        ..ReleaseDraft::new(&args.board, &args.channel, &args.version_text)
    };
    let manifest = args.place.open()?.add_release(&draft)?;
    if !manifest.unknown_needs.is_empty() {
        warn(&[format!(
            "devices with the software of this tool's version refuse it: they do not know {}",
            manifest.unknown_needs.join(", ")
        )]);
    }
    write!(out, "put aside  {}", line(&manifest))?;
    writeln!(out, "Devices see it after `komainu-maker publish`.")?;
    Ok(out)
}

fn list(args: &List) -> Result<String> {
    let mut out = String::new();
    let (published, staged) = args.place.open()?.releases()?;
    for (state, manifests) in [("published", published), ("put aside", staged)] {
        for manifest in &manifests {
            write!(out, "{state}  {}", line(manifest))?;
        }
    }
    Ok(out)
}

/// A release in a line, and a line for each image.
pub(super) fn line(manifest: &Manifest) -> String {
    let Manifest { board, channel, release, severity, images, .. } = manifest;
    let mut text = format!("{board}/{channel} release {release} {}\n", severity.name());
    for image in images {
        let (hash, length) = (komainu_trust::hex::encode(&image.sha256), image.length);
        text.push_str(&format!("    {}  {length} bytes  sha256 {hash}\n", image.part));
        for patch in &image.patches {
            let (base, percent) = (komainu_trust::hex::encode(&patch.base_sha256), 100.0 / length as f64);
            text.push_str(&format!(
                "        patch from {}  {} bytes, {:.2} %  memory {} KiB\n",
                &base[..16],
                patch.length,
                patch.length as f64 * percent,
                patch.memory_bytes / 1024
            ));
        }
    }
    text
}

fn read_note((language, note): (String, String)) -> Result<(String, String)> {
    let Some(file) = note.strip_prefix('@') else { return Ok((language, note)) };
    let bytes = crate::files::read_at_most(Path::new(file), MANIFEST_BYTES_MAX)?;
    let bytes = bytes.with_context(|| format!("there is no file {file} for the note in {language}"))?;
    let text = String::from_utf8(bytes).ok().with_context(|| format!("{file} is not UTF-8"))?;
    Ok((language, text.trim_end().to_owned()))
}

fn read_wave(text: &str) -> Result<Wave> {
    let (from, percent) = read_pair(text)?;
    let percent = percent.trim_end_matches('%').parse().ok().filter(|percent| *percent <= 100);
    let percent = percent.ok_or_else(|| anyhow!("the share must be 0 to 100 percent"))?;
    Ok(Wave { from: read_moment(&from)?, percent })
}
