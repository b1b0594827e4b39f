//! `status`: what is published, what expires, and where each roll-out stands.

use super::options::Place;
use crate::clock;
use anyhow::Result;
use clap::Args;

/// Show what is published, what expires, and how far each release is rolled out.
#[derive(Args)]
pub struct Status {
    #[command(flatten)]
    place: Place,
}

pub(super) fn run(args: &Status) -> Result<String> {
    let workshop = args.place.open()?;
    let now = clock::now();
    Ok(workshop.ends(now)? + &workshop.rollouts(now)?)
}
