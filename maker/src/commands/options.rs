//! Options that several subcommands have, and the readers of their values.

use crate::passphrase::Passphrases;
use crate::progress::Progress;
use crate::workshop::Workshop;
use anyhow::{Result, anyhow};
use clap::Args;
use komainu_trust::Moment;
use komainu_trust::roles::Role;
use std::path::{Path, PathBuf};

/// Where the workshop is, and how its keys are opened.
#[derive(Args)]
pub(super) struct Place {
    /// The workshop: the folder that `init` made
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    workshop: PathBuf,
    /// Look for private keys in this folder too, such as a medium with offline keys (repeatable)
    #[arg(long, value_name = "DIR")]
    keys: Vec<PathBuf>,
    #[command(flatten)]
    pub passphrase: PassphraseFile,
}

#[derive(Args)]
pub(super) struct PassphraseFile {
    /// Take the passphrase of encrypted keys from the first line of this file instead of asking
    #[arg(long, value_name = "FILE", env = "KOMAINU_PASSPHRASE_FILE")]
    passphrase_file: Option<PathBuf>,
    /// Take the PIN of tokens from the first line of this file, unless a token's URI names another (pin-source)
    #[arg(long, value_name = "FILE", env = "KOMAINU_PIN_FILE")]
    pin_file: Option<PathBuf>,
}

impl Place {
    pub fn open(&self) -> Result<Workshop> {
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
    pub fn passphrases(&self) -> Result<Passphrases> {
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

pub(super) fn read_role(text: &str) -> Result<Role> {
    [Role::Root, Role::Targets, Role::Snapshot, Role::Timestamp]
        .into_iter()
        .find(|role| role.name() == text)
        .ok_or_else(|| anyhow!("a role is root, targets, snapshot or timestamp"))
}

/// Reads a day, or a moment to the second.
pub(super) fn read_moment(text: &str) -> Result<Moment> {
    Moment::parse(text)
        .or_else(|| Moment::parse(&format!("{text}T00:00:00Z")))
        .ok_or_else(|| anyhow!("a date is like 2030-01-31 or 2030-01-31T12:00:00Z"))
}

/// Reads a name and a value out of `NAME=REST`.
pub(super) fn read_pair(text: &str) -> Result<(String, String)> {
    let (name, rest) = text.split_once('=').ok_or_else(|| anyhow!("there must be a `=` in it"))?;
    Ok((name.to_owned(), rest.to_owned()))
}

/// The repository of a workshop, or the folder itself.
pub(super) fn repository_in(dir: &Path) -> PathBuf {
    if dir.join("komainu.json").is_file() { dir.join("repository") } else { dir.to_owned() }
}
