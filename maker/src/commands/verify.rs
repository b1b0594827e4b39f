//! `verify`: walks a repository as a device does.

use super::release::line;
use crate::clock;
use crate::files;
use crate::progress::Progress;
use crate::rehearsal::{self, Images};
use crate::shelf::Shelf;
use anyhow::{Context, Result};
use clap::Args;
use komainu_trust::limits::ROOT_BYTES_MAX;
use komainu_trust::trusted::Stored;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Walk a repository as a device does: every signature, version, expiry, manifest and image.
///
/// Says which file, which field and which limit a device would refuse, and exits with 1.
#[derive(Args)]
pub struct Verify {
    /// A repository (with metadata/ and targets/), or a workshop
    dir: PathBuf,
    /// The root that the device has; without it: the repository's first, metadata/1.root.json
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
}

pub fn run(args: Verify) -> Result<String> {
    let repository = repository_in(&args.dir);
    let root = args.root.unwrap_or_else(|| repository.join("metadata/1.root.json"));
    let bytes = files::read_at_most(&root, ROOT_BYTES_MAX)?.with_context(|| {
        format!("there is no {}; name the root that devices have with --root", root.display())
    })?;
    let shelf = Shelf::of(&repository);
    let mut stored = Stored { root: bytes, ..Stored::default() };
    let trusted = rehearsal::refresh(&shelf, &mut stored, clock::now())?;
    let manifests = rehearsal::check_targets(&shelf, &trusted, Images::Hash, Progress::OnTerminal)?;
    let mut out = String::new();
    for manifest in &manifests {
        write!(out, "good  {}", line(manifest))?;
    }
    for (name, (version, expires)) in ["root", "timestamp", "snapshot", "targets"]
        .iter()
        .zip(trusted.versions().iter().zip(trusted.expiries()))
    {
        writeln!(
            out,
            "good  {name} {version}, until {}",
            expires.map(|at| at.to_string()).unwrap_or_default()
        )?;
    }
    Ok(out)
}

/// The repository of a workshop, or the folder itself.
pub(super) fn repository_in(dir: &Path) -> PathBuf {
    if dir.join("komainu.json").is_file() { dir.join("repository") } else { dir.to_owned() }
}
