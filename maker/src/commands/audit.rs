//! `audit`: says what must not ship in an image.

use super::output::{say, warn, wrong_command_line};
use crate::audit;
use crate::audit::allowance::Allowance;
use crate::audit::{AuditOptions, Audited};
use crate::desk_agent::DeskAgent;
use anyhow::{Context, Result, anyhow, bail};
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
    /// The settings in the image; without it: /etc/komainu.toml
    #[arg(long, value_name = "PATH")]
    settings: Option<String>,
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
    #[arg(long, conflicts_with_all = ["image", "allow", "allow_file", "settings", "komainu", "json", "sarif"])]
    rules: bool,
}

pub(super) fn run(args: Audit) -> Result<String> {
    let Some(image) = &args.image else { return Ok(audit::text_report::rules()) };
    let mut options = options(&args).map_err(wrong_command_line)?;
    let opened = audit::open_image(image)?;
    if let Some(path) = args.settings {
        if opened.file(path.as_bytes()).is_none() {
            return Err(wrong_command_line(anyhow!("--settings {path}: the image has no such file")));
        }
        options.settings = path;
    }
    let audited = audit::audit(image, &opened, &options)?;
    let text = match (args.json, args.sarif) {
        (true, _) => format!("{:#}\n", audit::json_report::json(&audited)),
        (_, true) => format!("{:#}\n", audit::sarif_report::sarif(&audited)),
        _ => audit::text_report::text(&audited),
    };
    refuse_or(text, &audited, args.json || args.sarif)
}

/// The options of the command line, apart from the image.
fn options(args: &Audit) -> Result<AuditOptions> {
    let mut allowances = Vec::new();
    for text in &args.allow {
        allowances.push(Allowance::parse(text, "allowed on the command line").context("--allow")?);
    }
    let mut twice = Vec::new();
    for file in &args.allow_file {
        allowances.extend(Allowance::read(file, &mut twice).context("--allow-file")?);
    }
    warn(&twice);
    if let Some(path) = args.settings.as_ref().filter(|path| !path.starts_with('/')) {
        bail!("--settings {path}: the path in the image begins with /");
    }
    let checker = match &args.komainu {
        Some(file) => Some(DeskAgent::at(file).with_context(|| format!("--komainu {}", file.display()))?),
        None => DeskAgent::beside(),
    };
    Ok(AuditOptions { settings: "/etc/komainu.toml".into(), checker, allowances })
}

/// The findings are printed even where the image is refused.
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
