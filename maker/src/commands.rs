//! The command line: a table of subcommands, a file for each.

mod advisory;
mod bundle;
mod ceremony;
mod demo;
mod init;
mod inspect;
mod key;
mod key_change;
mod passwords;
mod publish;
mod release;
mod serve;
mod sign;
mod verify;

use crate::passphrase::Passphrases;
use crate::progress::Progress;
use crate::workshop::Workshop;
use anyhow::{Context, Result, anyhow};
use clap::{Args, Parser, Subcommand};
use komainu_trust::Moment;
use komainu_trust::roles::Role;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Makes keys, signs releases and publishes them for Komainu devices, to any static web server.
#[derive(Parser)]
#[command(
    name = "komainu-maker",
    version,
    after_help = "Exit status: 0 done, or nothing to do; 1 refused or failed (devices go on seeing what they saw \
                  before); 2 wrong command line; 3 done, but a person is needed soon (only where it was asked for with \
                  --warn-status or --expires-within).\n\n\
                  First steps:\n  \
                  komainu-maker init my-devices\n  \
                  cd my-devices\n  \
                  komainu-maker release add --board gate-1 --channel stable --version 1.0.0 --image rootfs=rootfs.img\n  \
                  komainu-maker publish\n  \
                  komainu-maker verify .\n  \
                  komainu-maker serve ."
)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Init(init::Init),
    Key(key::KeyCommand),
    Release(release::Release),
    Advisory(advisory::Advisory),
    Publish(publish::Publish),
    Sign(sign::Sign),
    Ceremony(ceremony::CeremonyCommand),
    Bundle(bundle::Bundle),
    Inspect(inspect::Inspect),
    Verify(verify::Verify),
    Serve(serve::Serve),
    Passwords(passwords::Passwords),
    Demo(demo::Demo),
}

/// Done, but a person is needed soon. Only where a monitor asked for it.
const PERSON_NEEDED: u8 = 3;

/// What a command that did its work has to say.
struct Outcome {
    text: String,
    person_needed: bool,
}

impl From<String> for Outcome {
    fn from(text: String) -> Outcome {
        Outcome { text, person_needed: false }
    }
}

/// Runs the command line and gives the exit status. Each command gives back what there is to say.
pub fn main() -> ExitCode {
    let done = match CommandLine::parse().command {
        Command::Init(args) => init::run(args).map(Outcome::from),
        Command::Key(args) => key::run(args).map(Outcome::from),
        Command::Release(args) => release::run(args).map(Outcome::from),
        Command::Advisory(args) => advisory::run(args).map(Outcome::from),
        Command::Publish(args) => publish::run(args),
        Command::Bundle(args) => bundle::run(args).map(Outcome::from),
        Command::Sign(args) => sign::run(args).map(Outcome::from),
        Command::Ceremony(args) => ceremony::run(args).map(Outcome::from),
        Command::Inspect(args) => inspect::run(args).map(Outcome::from),
        Command::Verify(args) => verify::run(args),
        Command::Serve(args) => serve::run(args).map(Outcome::from),
        Command::Passwords(args) => passwords::run(args).map(Outcome::from),
        Command::Demo(args) => demo::run(args).map(Outcome::from),
    };
    match done.and_then(|outcome| say(&outcome.text).map(|()| outcome.person_needed)) {
        Ok(false) => ExitCode::SUCCESS,
        Ok(true) => ExitCode::from(PERSON_NEEDED),
        Err(fault) => {
            eprintln!("komainu-maker: {fault:#}");
            ExitCode::FAILURE
        }
    }
}

/// Prints. A reader that has seen enough and left (`| head`) is no fault.
fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(fault) if fault.kind() != ErrorKind::BrokenPipe => Err(fault).context("cannot print"),
        _ => Ok(()),
    }
}

/// Where the workshop is, and how its keys are opened.
#[derive(Args)]
struct Place {
    /// The workshop: the folder that `init` made
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    workshop: PathBuf,
    /// Look for private keys in this folder too, such as a medium with offline keys (repeatable)
    #[arg(long, value_name = "DIR")]
    keys: Vec<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseFile,
}

#[derive(Args)]
struct PassphraseFile {
    /// Take the passphrase of encrypted keys from the first line of this file instead of asking
    #[arg(long, value_name = "FILE", env = "KOMAINU_PASSPHRASE_FILE")]
    passphrase_file: Option<PathBuf>,
    /// Take the PIN of tokens from the first line of this file, unless a token's URI names another (pin-source)
    #[arg(long, value_name = "FILE", env = "KOMAINU_PIN_FILE")]
    pin_file: Option<PathBuf>,
}

impl Place {
    fn open(&self) -> Result<Workshop> {
        let mut workshop = Workshop::open(&self.workshop)?
            .with_passphrases(self.passphrase.passphrases()?)
            .with_progress(Progress::OnTerminal);
        for folder in &self.keys {
            workshop = workshop.with_keys(folder);
        }
        Ok(workshop)
    }
}

impl PassphraseFile {
    fn passphrases(&self) -> Result<Passphrases> {
        let passphrases = match &self.passphrase_file {
            Some(path) => Passphrases::from_file(path)?,
            None => Passphrases::ask(),
        };
        match &self.pin_file {
            Some(path) => passphrases.with_pin_file(path),
            None => Ok(passphrases),
        }
    }
}

fn read_role(text: &str) -> Result<Role> {
    [Role::Root, Role::Targets, Role::Snapshot, Role::Timestamp]
        .into_iter()
        .find(|role| role.name() == text)
        .ok_or_else(|| anyhow!("a role is root, targets, snapshot or timestamp"))
}

/// Reads a day, or a moment to the second.
fn read_moment(text: &str) -> Result<Moment> {
    Moment::parse(text)
        .or_else(|| Moment::parse(&format!("{text}T00:00:00Z")))
        .ok_or_else(|| anyhow!("a date is like 2030-01-31 or 2030-01-31T12:00:00Z"))
}

/// Reads `NAME=REST`.
fn read_pair(text: &str) -> Result<(String, String)> {
    let (name, rest) = text.split_once('=').ok_or_else(|| anyhow!("there must be a `=` in it"))?;
    Ok((name.to_owned(), rest.to_owned()))
}

fn warn(warnings: &[String]) {
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
}
