//! `bundle`: a release as one file, for devices that no network reaches.

use super::options::repository_in;
use crate::bundle;
use crate::clock;
use crate::files;
use crate::progress::Progress;
use crate::shelf::Shelf;
use anyhow::{Context, Result};
use clap::Args;
use komainu_core::identifiers::Name;
use komainu_trust::limits::ROOT_BYTES_MAX;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Put what a device would fetch into one file, for `komainu install FILE` from a USB stick or an upload.
///
/// A device checks it as closely as a server's answers: signatures, versions, expiry. So a bundle is good until
/// the first of its signatures expires, which is printed; a new one costs nothing.
#[derive(Args)]
pub struct Bundle {
    /// A repository (with metadata/ and targets/), or a workshop
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// The board that it is for
    #[arg(long)]
    board: String,
    /// The channel to take the release from
    #[arg(long, default_value = "stable")]
    channel: String,
    /// The file to make; an existing one is replaced
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// The oldest root that a device may have; without it: the repository's first, metadata/1.root.json
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
}

pub fn run(args: Bundle) -> Result<String> {
    let repository = repository_in(&args.dir);
    let root = args.root.unwrap_or_else(|| repository.join("metadata/1.root.json"));
    let root = files::read_at_most(&root, ROOT_BYTES_MAX)?
        .with_context(|| format!("there is no {}; name one with --root", root.display()))?;
    let name = |what: &str, text: &str| {
        Name::parse(text).with_context(|| format!("--{what} {text}: a name has 1 to 32 of a-z 0-9 . _ -"))
    };
    let of = bundle::Of { board: name("board", &args.board)?, channel: name("channel", &args.channel)? };
    let shelf = Shelf::of(&repository);
    let made = bundle::make(&shelf, root, &of, clock::now(), &args.output, Progress::OnTerminal)?;
    let mut out = String::new();
    writeln!(out, "{}: release {} version {}", args.output.display(), made.release, made.version)?;
    writeln!(out, "{} files; devices take it until {}", made.files.len(), made.until)?;
    Ok(out)
}
