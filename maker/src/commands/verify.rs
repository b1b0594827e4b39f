//! `verify`: walks a repository as a device does.

use super::options::repository_in;
use super::output::Outcome;
use super::release::line;
use crate::clock;
use crate::files;
use crate::progress::Progress;
use crate::rehearsal;
use crate::rehearsal::Images;
use crate::shelf::Shelf;
use anyhow::{Context, Result, bail};
use clap::Args;
use komainu_trust::limits::ROOT_BYTES_MAX;
use komainu_trust::trusted::Stored;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Walk a repository as a device does: every signature, version, expiry, manifest and image.
///
/// Says which file, which field and which limit a device would refuse, and exits with 1.
#[derive(Args)]
#[command(
    after_help = "Exit status: 0 good; 1 a device would refuse it; 2 wrong command line; 3 good, but something expires \
                  within the days of --expires-within."
)]
pub struct Verify {
    /// A repository (with metadata/ and targets/), or a workshop
    dir: PathBuf,
    /// The root that the device has; without it: the repository's first, metadata/1.root.json
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
    /// Exit with 3 if any metadata expires within so many days; for monitoring
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(0..=100_000))]
    expires_within: Option<u32>,
    /// Print only what expires soon
    #[arg(long)]
    quiet: bool,
}

pub(super) fn run(args: Verify) -> Result<Outcome> {
    if args.dir.to_str().is_some_and(|dir| dir.contains("://")) {
        bail!(
            "{} is an address, and verify reads a folder. Fetch it first (for example `wget -r -np`), and give the \
             folder with metadata/ and targets/ in it; on a device, `komainu check` asks the server itself",
            args.dir.display()
        );
    }
    if !args.dir.is_dir() {
        bail!(
            "{} is no folder: give a repository, with metadata/ and targets/ in it, or a workshop",
            args.dir.display()
        );
    }
    let repository = repository_in(&args.dir);
    let root = args.root.unwrap_or_else(|| repository.join("metadata/1.root.json"));
    let bytes = files::read_at_most(&root, ROOT_BYTES_MAX)?.with_context(|| {
        format!("there is no {}; name the root that devices have with --root", root.display())
    })?;
    let shelf = Shelf::of(&repository);
    let now = clock::now();
    let mut stored = Stored { root: bytes, ..Stored::default() };
    let trusted = rehearsal::refresh(&shelf, &mut stored, now)?;
    let manifests = rehearsal::check_targets(&shelf, &trusted, Images::Hash, Progress::OnTerminal)?;
    let mut out = String::new();
    for manifest in manifests.iter().filter(|_| !args.quiet) {
        write!(out, "good  {}", line(manifest))?;
    }
    let soon = args.expires_within.map(|days| now.plus_seconds(i64::from(days) * 86_400));
    let mut person_needed = false;
    for (name, (version, expires)) in ["root", "timestamp", "snapshot", "targets"]
        .iter()
        .zip(trusted.versions().iter().zip(trusted.expiries()))
    {
        let expires = expires.unwrap_or_default();
        if soon.is_some_and(|soon| expires <= soon) {
            person_needed = true;
            writeln!(out, "soon  {name} {version}, until {expires}")?;
        } else if !args.quiet {
            writeln!(out, "good  {name} {version}, until {expires}")?;
        }
    }
    Ok(Outcome { text: out, person_needed })
}
