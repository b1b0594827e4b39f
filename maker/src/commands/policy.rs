//! `policy suggest`: a policy that would have been quiet, from what devices reported over some days.

use super::output::{Outcome, warn};
use crate::policy_suggestion::device_reports::{self, DeviceReport};
use crate::policy_suggestion::{policy_text, suggest};
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// Policies of devices: what the wall allows, and what it enforces.
#[derive(Args)]
pub struct PolicyCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Suggest(Suggest),
}

/// Print a policy that would have been quiet, from reports of your own devices over some days.
///
/// Collect the reports with `komainu harden --json >> FILE`, every hour, on devices in ordinary use. Each line says which
/// sightings it comes from. Rows without any finding are enforced; what no policy may allow is listed as to be mended first.
#[derive(Args)]
#[command(
    after_help = "Exit status: 0 done; 1 a file cannot be read; 2 wrong command line; 3 the policy was printed, but \
                        something is to be mended first, or the reports are of less than a day."
)]
struct Suggest {
    /// Take only reports of devices of this kind
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Files with what `komainu harden --json` printed, of one device or many
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) fn run(args: PolicyCommand) -> Result<Outcome> {
    let What::Suggest(Suggest { kind, files }) = args.what;
    let mut reports: Vec<DeviceReport> = Vec::new();
    for path in &files {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        reports.extend(device_reports::read(&path.display().to_string(), &text)?);
    }
    let kinds: BTreeSet<String> = reports.iter().map(|report| report.policy.kind.clone()).collect();
    let all: Vec<&str> = kinds.iter().map(String::as_str).collect();
    if kind.is_none() && all.len() > 1 {
        bail!("the reports are of devices of different kinds ({}): choose one with --kind", all.join(", "));
    }
    reports.retain(|report| kind.as_ref().is_none_or(|kind| report.policy.kind == *kind));
    let suggestion = suggest(&reports).with_context(|| {
        format!(
            "no report is of a device of the kind {}; they are: {}",
            kind.unwrap_or_default(),
            all.join(", ")
        )
    })?;
    let (text, warnings) = policy_text::write(&suggestion);
    warn(&warnings);
    Ok(Outcome { text, person_needed: !warnings.is_empty() })
}
