//! `publish`: makes releases that were put aside visible, or renews signatures; and uploads what is published.

use super::options::Place;
use super::output::{Outcome, say, warn};
use crate::clock;
use crate::publish::{PublishOptions, Published};
use crate::upload::check_url::check_url;
use crate::upload::destination::Destination;
use crate::upload::{upload, upload_order};
use anyhow::{Context, Result, bail};
use clap::Args;
use komainu_core::printable;

/// Sign and publish releases that were put aside; renew signatures that come to an end.
///
/// Before anything becomes visible, the result is walked through with the device's own code, as a device that is
/// up to date and as one fresh from the factory. A publication that was cut off is completed.
///
/// A list of more than some 240 boards is divided among hash bins, delegated roles that the targets keys sign too: a
/// device then fetches little more than the part with its own board.
///
/// With nothing put aside it renews snapshot and timestamp when less than half of their time is left, with
/// the online keys alone: let cron run it every night, with --online-only --quiet --warn-status.
#[derive(Args)]
#[command(
    after_help = "Exit status: 0 published, or nothing to do; 1 refused or failed, and devices go on seeing what they \
                  saw before, or root or targets metadata has expired; 2 wrong command line; 3 (with --warn-status) published, or nothing to do, but a person is \
                  needed soon: root or targets metadata expires, or a file has 80 % of the bytes that devices read.\n\n\
                  Every night, on a machine with the online keys and no person; cron mails only what is printed:\n  \
                  17 3 * * *  komainu-maker publish --online-only --quiet --warn-status --workshop DIR\n\n\
                  Destinations of --to:\n  \
                  /srv/www                      a folder of this machine\n  \
                  me@host:/srv/www              rsync over ssh; ssh://me@host:2222/srv/www names a port\n  \
                  s3://bucket/prefix            an S3-compatible store. Its address, region and keys are in\n                                \
                  AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or\n                                \
                  in ~/.aws/config and ~/.aws/credentials (AWS_PROFILE)\n\n\
                  Files that are there already are not sent again: an upload that was cut off is continued by the next one.\n\
                  With tools of your own, upload one by one in the order of --list: timestamp.json after all that it\n\
                  names, new roots last."
)]
pub struct Publish {
    /// Upload what is published, in an order that never breaks a polling device (see below)
    #[arg(long, value_name = "DESTINATION", value_parser = Destination::parse)]
    to: Option<Destination>,
    /// Then ask the web server for timestamp.json, as a device does: the address of [server] metadata_url
    #[arg(long, value_name = "URL")]
    check_url: Option<String>,
    /// Print all files that are published now on standard output, in upload order
    #[arg(long)]
    list: bool,
    /// Renew snapshot and timestamp even where they are good for long
    #[arg(long)]
    renew: bool,
    /// Renew targets metadata too, which needs the offline targets key
    #[arg(long)]
    renew_targets: bool,
    /// Leave releases that are put aside where they are: renew, with the online keys alone
    #[arg(long, conflicts_with = "renew_targets")]
    online_only: bool,
    /// Print nothing where nothing changed but snapshot and timestamp; warnings and errors are printed all the same
    #[arg(long)]
    quiet: bool,
    /// Exit with 3 instead of 0 where there are warnings
    #[arg(long)]
    warn_status: bool,
    #[command(flatten)]
    place: Place,
}

pub(super) fn run(args: Publish) -> Result<Outcome> {
    let mut workshop = args.place.open()?;
    let options = PublishOptions {
        renew: args.renew,
        renew_targets: args.renew_targets,
        online_only: args.online_only,
        ..PublishOptions::default()
    };
    let published = workshop.publish(clock::now(), &options)?;
    warn(&published.warnings);
    let silent = args.quiet && only_renewed(&published.files);
    let mut report = if silent { String::new() } else { in_words(&published) };
    if let Some(to) = &args.to {
        let uploaded = upload(&workshop, to)
            .with_context(|| format!("published in the workshop, but {to} is not up to date"))?;
        warn(&uploaded.warnings);
        if !args.quiet || !only_renewed(&uploaded.files) {
            report.push_str(&match uploaded.files.len() {
                0 => format!("Nothing to copy to {to}.\n"),
                count => format!("Copied {count} files to {to}.\n"),
            });
        }
    }
    if let Some(address) = &args.check_url {
        let checked = check_url(&workshop, address)?;
        if !args.quiet {
            report.push_str(&checked);
        }
    }
    if args.list {
        // Standard output belongs to the list.
        eprint!("{}", printable::lines(&report));
        report = upload_order(&workshop)?.join("\n") + "\n";
    }
    if !published.expired.is_empty() {
        say(&report)?;
        bail!("{}", published.expired.join("; "));
    }
    Ok(Outcome { text: report, person_needed: args.warn_status && !published.warnings.is_empty() })
}

/// True if only the files changed that the online keys sign night by night.
fn only_renewed(files: &[String]) -> bool {
    let nightly = |name: &str| name == "timestamp.json" || name.ends_with(".snapshot.json");
    files.iter().all(|file| file.strip_prefix("metadata/").is_some_and(nightly))
}

pub(super) fn in_words(published: &Published) -> String {
    let [root, timestamp, snapshot, targets] = published.versions;
    let versions = format!("root {root}, targets {targets}, snapshot {snapshot}, timestamp {timestamp}");
    let mut words = if published.files.is_empty() {
        format!("Nothing to do: {versions}.\n")
    } else {
        format!("Published: {versions}. New, in upload order:\n  {}\n", published.files.join("\n  "))
    };
    for note in &published.notes {
        words.push_str(&format!("Note: {note}.\n"));
    }
    words
}
