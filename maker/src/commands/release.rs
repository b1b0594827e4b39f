//! `release`: puts releases aside for the next publication, and lists them.

use super::options::{Place, read_moment, read_pair};
use super::output::warn;
use super::publish::in_words;
use crate::clock;
use crate::halt::{HaltChange, Halted};
use crate::release::ReleaseDraft;
use crate::rollout::{RolloutChange, read_percent};
use anyhow::{Context, Result, anyhow, bail};
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
    Change(Change),
    Halt(Halt),
    GoOn(Halt),
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

/// Change the waves or the urgency of a release, and no image; devices see it after `publish`.
///
/// It is the release that is put aside, or else the published one. Devices that have begun to fetch it go on.
#[derive(Args)]
struct Change {
    /// The board that it is for
    #[arg(long)]
    board: String,
    /// The channel, such as stable or beta
    #[arg(long)]
    channel: String,
    /// From when on how many percent of all devices may take it, in the place of the waves before (repeatable)
    #[arg(long, value_name = "DATE=PERCENT", value_parser = read_wave)]
    wave: Vec<Wave>,
    /// No waves any more: every device may take it
    #[arg(long, conflicts_with = "wave")]
    everybody: bool,
    /// How urgent it is; a critical release waits for no window and hardly for its owner
    #[arg(long, value_enum)]
    severity: Option<Urgency>,
    #[command(flatten)]
    place: Place,
}

/// Halt or let go on the published release of a board and channel: at once, with the timestamp key alone.
///
/// No device begins to take a halted release, whatever its waves say, and one that waits with it does not start it. Every
/// device sees that with its next poll. A later release ends the halt.
#[derive(Args)]
struct Halt {
    /// The board of the release
    #[arg(long, required_unless_present = "all", requires = "channel")]
    board: Option<String>,
    /// The channel of the release
    #[arg(long, required_unless_present = "all", requires = "board")]
    channel: Option<String>,
    /// Every release of every board
    #[arg(long, conflicts_with_all = ["board", "channel"])]
    all: bool,
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

impl Urgency {
    fn severity(self) -> Severity {
        match self {
            Urgency::Normal => Severity::Normal,
            Urgency::Important => Severity::Important,
            Urgency::Critical => Severity::Critical,
        }
    }
}

pub fn run(args: Release) -> Result<String> {
    match args.action {
        Action::Add(args) => add(*args),
        Action::List(args) => list(&args),
        Action::Change(args) => change(&args),
        Action::Halt(args) => halt(args, HaltChange::Halt),
        Action::GoOn(args) => halt(args, HaltChange::GoOn),
        Action::Drop(args) => args.place.open()?.drop_staged().map(|()| String::new()),
    }
}

fn add(args: Add) -> Result<String> {
    let mut out = String::new();
    let draft = ReleaseDraft {
        number: args.release,
        images: args.image.into_iter().map(|(part, file)| (part, PathBuf::from(file))).collect(),
        delta_from: args.delta_from.into_iter().map(|(part, file)| (part, PathBuf::from(file))).collect(),
        severity: args.severity.severity(),
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

fn change(args: &Change) -> Result<String> {
    let waves = (args.everybody || !args.wave.is_empty()).then(|| args.wave.clone());
    let severity = args.severity.map(Urgency::severity);
    if waves.is_none() && severity.is_none() {
        bail!("say what changes: --wave, --everybody or --severity");
    }
    let change = RolloutChange { waves, severity };
    let manifest = args.place.open()?.change_rollout(&args.board, &args.channel, &change)?;
    Ok(format!("put aside  {}Devices see it after `komainu-maker publish`.\n", line(&manifest)))
}

fn halt(args: Halt, change: HaltChange) -> Result<String> {
    let halted = match (args.board, args.channel) {
        (Some(board), Some(channel)) => Halted::Release { board, channel },
        _ => Halted::Everything,
    };
    let published = args.place.open()?.change_halt(&halted, change, clock::now())?;
    warn(&published.warnings);
    Ok(in_words(&published))
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
    let permille = read_percent(&percent);
    let permille =
        permille.ok_or_else(|| anyhow!("the share must be 0 to 100 percent, such as 0.5 or 10%"))?;
    Ok(Wave { from: read_moment(&from)?, permille })
}
