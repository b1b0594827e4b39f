//! `inspect`: describes a metadata file, a manifest, or a whole repository in words.

use super::options::repository_in;
use crate::clock;
use crate::summary;
use anyhow::Result;
use clap::Args;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Say what is in a metadata file, a manifest, or a repository. Nothing is verified; `verify` does that.
#[derive(Args)]
pub struct Inspect {
    /// A file, a repository, or a workshop
    path: PathBuf,
    /// Print JSON instead of words
    #[arg(long)]
    json: bool,
}

pub fn run(args: Inspect) -> Result<String> {
    let mut out = String::new();
    let now = clock::now();
    let summary = if args.path.is_dir() {
        summary::of_repository(&repository_in(&args.path), now)?
    } else {
        summary::of_file(&args.path, now)?
    };
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&summary)?)?;
    } else {
        write!(out, "{}", summary::in_words(&summary))?;
    }
    Ok(out)
}
