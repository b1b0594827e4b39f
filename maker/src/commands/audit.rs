//! `audit`: says what must not ship in an image.

use super::output::{say, warn};
use crate::audit;
use crate::audit::allowance::Allowance;
use crate::audit::{AuditOptions, Audited};
use anyhow::{Result, bail};
use clap::Args;
use std::path::PathBuf;

/// Look for what must not ship in an image: a squashfs file, an ext4 image, or a folder.
///
/// The image is neither mounted nor changed, and root is not needed. Each finding has its rule, its reason, its mend and
/// the norm that it serves; docs/audit.md has the table.
#[derive(Args)]
#[command(
    after_help = "Exit status: 0 nothing that must not ship (there may be warnings); 1 refused, or the image cannot be read; \
                  2 wrong command line.\n\nFor example:\n  \
                  komainu-maker audit rootfs.squashfs\n  \
                  komainu-maker audit --allow debug-tool:/usr/bin/strace output/target\n  \
                  komainu-maker audit --allow-file audit.allow --sarif rootfs.ext4 > audit.sarif\n\n\
                  A line of audit.allow:\n  \
                  setuid-surprise:/usr/bin/helper  the helper drops its rights first, reviewed 2026-05"
)]
pub struct Audit {
    /// The image: a squashfs file, an ext4 image, or a folder with the files
    #[arg(required_unless_present = "rules")]
    image: Option<PathBuf>,
    /// Allow what this rule finds, everywhere or at one path; a path that ends with / means all below it (repeatable)
    #[arg(long, value_name = "RULE[:PATH]")]
    allow: Vec<String>,
    /// Allow what the lines of this file name, each with its reason: RULE[:PATH] REASON (repeatable)
    #[arg(long, value_name = "FILE")]
    allow_file: Vec<PathBuf>,
    /// The settings in the image
    #[arg(long, value_name = "PATH", default_value = "/etc/komainu.toml")]
    settings: String,
    /// The agent built for this machine, which checks the settings; without it: the one beside this program
    #[arg(long, value_name = "FILE")]
    komainu: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long, conflicts_with = "sarif")]
    json: bool,
    /// Print SARIF 2.1.0, which CI services show
    #[arg(long)]
    sarif: bool,
    /// List the rules
    #[arg(long)]
    rules: bool,
}

pub(super) fn run(args: Audit) -> Result<String> {
    let Some(image) = &args.image else { return Ok(audit::text_report::rules()) };
    let mut allowances = Vec::new();
    for text in &args.allow {
        allowances.push(Allowance::parse(text, "allowed on the command line")?);
    }
    for file in &args.allow_file {
        allowances.extend(Allowance::read(file)?);
    }
    if !args.settings.starts_with('/') {
        bail!("--settings {}: the path in the image begins with /", args.settings);
    }
    let checker = match &args.komainu {
        Some(file) if !file.is_file() => bail!("--komainu {}: there is no such program", file.display()),
        Some(file) => Some(file.clone()),
        None => beside(),
    };
    let audited = audit::audit(image, &AuditOptions { settings: args.settings, checker, allowances })?;
    let text = match (args.json, args.sarif) {
        (true, _) => format!("{:#}\n", audit::json_report::json(&audited)),
        (_, true) => format!("{:#}\n", audit::sarif_report::sarif(&audited)),
        _ => audit::text_report::text(&audited),
    };
    refuse_or(text, &audited, args.json || args.sarif)
}

/// What was found is printed even where the image is refused.
fn refuse_or(text: String, audited: &Audited, for_programs: bool) -> Result<String> {
    if for_programs && !audited.unneeded.is_empty() {
        let words = |allowance: &String| format!("nothing needs the allowance {allowance} any more");
        warn(&audited.unneeded.iter().map(words).collect::<Vec<_>>());
    }
    if !audited.is_refused() {
        return Ok(text);
    }
    say(&text)?;
    bail!("refused: {} must not ship", audited.image);
}

/// The agent beside this program.
fn beside() -> Option<PathBuf> {
    let beside = std::env::current_exe().ok()?.parent()?.join("komainu");
    beside.is_file().then_some(beside)
}
