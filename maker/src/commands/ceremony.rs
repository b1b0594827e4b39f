//! `ceremony`: prints a checklist for people who come together with keys.

use super::output::warn;
use crate::ceremony::{Ceremony, Kind};
use crate::workshop::Workshop;
use anyhow::{Result, bail};
use clap::Args;
use std::path::PathBuf;

/// Print a checklist for people who come together with keys, to be ticked and signed with a pen.
///
/// It is plain text (Markdown), with every command filled in. Medium or token `root-1` has the first root key of the
/// list, and so on.
#[derive(Args)]
pub struct CeremonyCommand {
    /// The reason for the ceremony
    #[arg(value_enum)]
    kind: Kind,
    /// The workshop; one that exists fills in its root keys and dates
    #[arg(short, long, value_name = "DIR")]
    workshop: Option<PathBuf>,
    /// The key that goes: its identifier, or the first letters (not for `first`)
    #[arg(long, value_name = "KEYID")]
    key: Option<String>,
    /// How many root keys there are
    #[arg(long, value_name = "N", default_value_t = 3)]
    root_keys: u32,
    /// How many of them must sign
    #[arg(long, value_name = "N", default_value_t = 2)]
    threshold: u32,
    /// Offline keys are on tokens (PKCS#11) instead of encrypted files
    #[arg(long)]
    tokens: bool,
    /// Where media appear on both machines
    #[arg(long, value_name = "DIR", default_value = "/media")]
    media: String,
}

pub fn run(args: CeremonyCommand) -> Result<String> {
    let mut ceremony = Ceremony {
        root_keys: args.root_keys,
        threshold: args.threshold,
        tokens: args.tokens,
        media: args.media,
        ..Ceremony::new(args.kind)
    };
    if let Some(workshop) = &args.workshop {
        ceremony.workshop = workshop.display().to_string();
        if args.kind != Kind::First {
            ceremony = ceremony.at(&Workshop::open(workshop)?, args.key.as_deref())?;
        }
    }
    if args.key.is_some() && (args.workshop.is_none() || args.kind == Kind::First) {
        bail!(
            "--key is looked up in a workshop: name it with --workshop (a first ceremony has no key that goes)"
        );
    }
    let sheet = ceremony.sheet()?;
    if args.key.is_none() && args.kind != Kind::First {
        warn(&["no --key: the sheet supposes that root key 1 goes, and has KEYID in its commands, which must be \
                       filled in. Better name the key and print it again: --workshop DIR --key KEYID"
            .to_owned()]);
    }
    Ok(sheet)
}
