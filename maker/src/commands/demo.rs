//! `demo`: plays updates, power cuts and attacks with a device, on this machine.

use crate::demo;
use crate::demo::Options;
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;

/// Show what a device does, on this machine: updates, power cuts, bad releases, attacks.
///
/// Runs the real agent with two slots of plain files, a web server on 127.0.0.1 and a simulated boot loader, in a
/// temporary folder; nothing else on this machine is touched, and no rights are needed. Ends with status 0 only if
/// the device did all that it should.
#[derive(Args)]
pub struct Demo {
    /// Also write it down as a page to look at in a browser
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Make the firmware of this file instead of programs of this machine
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    /// Play in this new folder and leave everything there to look at
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// The agent to run, instead of the `komainu` beside this program
    #[arg(long, value_name = "PATH")]
    komainu: Option<PathBuf>,
}

pub fn run(args: Demo) -> Result<String> {
    let Demo { report, image, keep, komainu } = args;
    demo::play(&Options { report, image, keep, komainu })
}
