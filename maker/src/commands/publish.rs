//! `publish`: makes visible what was put aside, or renews signatures; and copies it to a mirror.

use super::{Place, warn};
use crate::clock;
use crate::mirror::mirror;
use crate::publish::{PublishOptions, Published, upload_order};
use anyhow::{Context, Result};
use clap::Args;
use std::path::PathBuf;

/// Sign and publish what was put aside; renew signatures that come to an end.
///
/// Before anything becomes visible, the result is walked through with the device's own code, as a device that is
/// up to date and as one fresh from the factory. A publication that was cut off is completed.
///
/// With nothing put aside it renews snapshot and timestamp when less than half of their time is left, with
/// the online keys alone: let cron run it every night.
#[derive(Args)]
#[command(
    after_help = "Exit status: 0 published, or nothing to do; 1 refused or failed, and devices go on seeing what they \
                  saw before; 2 wrong command line.\n\n\
                  Upload in the order of --list and one by one, for example:\n  \
                  komainu-maker publish --list | while read -r f; do \
                  aws s3 cp \"repository/$f\" \"s3://bucket/$f\" || break; done\n\
                  (rsync sorts by itself: send targets/ first, then metadata/ in this order.)"
)]
pub struct Publish {
    /// Copy what is published to this folder too, in an order that never breaks a polling device
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Print all files that are published now on standard output, in upload order
    #[arg(long)]
    list: bool,
    /// Renew snapshot and timestamp even where they are good for long
    #[arg(long)]
    renew: bool,
    /// Renew targets metadata too, which needs the offline targets key
    #[arg(long)]
    renew_targets: bool,
    #[command(flatten)]
    place: Place,
}

pub fn run(args: Publish) -> Result<String> {
    let mut workshop = args.place.open()?;
    let options =
        PublishOptions { renew: args.renew, renew_targets: args.renew_targets, without_rehearsal: false };
    let published = workshop.publish(clock::now(), &options)?;
    warn(&published.warnings);
    let mut report = in_words(&published);
    if let Some(to) = &args.to {
        let copied = mirror(&workshop, to)
            .with_context(|| format!("published, but {} is not up to date: run this again", to.display()))?;
        report.push_str(&format!("Copied {} files to {}.\n", copied.len(), to.display()));
    }
    if args.list {
        // Standard output belongs to the list.
        eprint!("{report}");
        return Ok(upload_order(&workshop)?.join("\n") + "\n");
    }
    Ok(report)
}

fn in_words(published: &Published) -> String {
    let [root, timestamp, snapshot, targets] = published.versions;
    let versions = format!("root {root}, targets {targets}, snapshot {snapshot}, timestamp {timestamp}");
    if published.files.is_empty() {
        return format!("Nothing to do: {versions}.\n");
    }
    format!("Published: {versions}. New, in upload order:\n  {}\n", published.files.join("\n  "))
}
