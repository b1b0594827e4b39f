//! `key rotate` and `key revoke`: which keys are trusted from now on. `sign request` takes the same words, and asks
//! for signatures instead of signing at once.

use super::options::{Place, read_role};
use super::output::warn;
use crate::clock;
use crate::key_change::KeyChange;
use crate::keys;
use crate::publish::Published;
use crate::revoke::Revocation;
use crate::rotate::Rotation;
use crate::workshop::Workshop;
use anyhow::Result;
use clap::Args;
use komainu_trust::roles::Role;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Publish a new root in which a role has other keys.
///
/// The new root is signed by the old root keys and the new ones. The files of the changed keys are signed by the
/// old and the new ones, and appears before the root: there is no moment at which a device would refuse
/// anything. Copy the result to every mirror before the next rotation or release.
///
/// `key rotate root` without a change renews root's expiry.
#[derive(Args)]
pub(super) struct Rotate {
    /// root, targets, snapshot or timestamp
    #[arg(value_parser = read_role)]
    role: Role,
    /// A key that comes in: a private or public key file (repeatable)
    #[arg(long, value_name = "FILE")]
    add: Vec<PathBuf>,
    /// The identifier of a key that goes, or its first letters (repeatable)
    #[arg(long, value_name = "KEYID")]
    remove: Vec<String>,
    /// How many of the role's keys must sign from now on
    #[arg(long, value_name = "N")]
    threshold: Option<u32>,
    /// The old private keys are lost: devices refuse the repository while it is being copied to a mirror
    #[arg(long)]
    old_keys_are_lost: bool,
    #[command(flatten)]
    place: Place,
}

/// Publish a new root in which a key is trusted with nothing any more.
///
/// For a key that was stolen or lost. It goes out of every role that has it. Prints the damage that a thief of the key
/// could have done, and the other keys that must be replaced so that devices forget it.
#[derive(Args)]
pub(super) struct Revoke {
    /// The identifier of the key, or its first letters
    key_id: String,
    /// The key that takes its place: a private or public key file, or a reference to a token
    #[arg(long, value_name = "FILE")]
    replace_with: Option<PathBuf>,
    /// The old private key is lost: devices refuse the repository while it is being copied to a mirror
    #[arg(long)]
    old_keys_are_lost: bool,
    #[command(flatten)]
    place: Place,
}

impl Rotate {
    /// The workshop, with the keys that come in, and the change.
    pub(super) fn open(self) -> Result<(Workshop, KeyChange)> {
        let mut passphrases = self.place.passphrase.passphrases()?;
        let add =
            self.add.iter().map(|file| keys::read_public(file, &mut passphrases)).collect::<Result<_>>()?;
        let mut workshop = self.place.open()?;
        // A key that comes in signs at once.
        for file in &self.add {
            workshop = workshop.with_keys(file);
        }
        let rotation = Rotation {
            role: self.role,
            add,
            remove: self.remove,
            threshold: self.threshold,
            old_keys_are_lost: self.old_keys_are_lost,
        };
        Ok((workshop, KeyChange::Rotate(rotation)))
    }
}

impl Revoke {
    /// The workshop, with the key that comes in, and the change.
    pub(super) fn open(self) -> Result<(Workshop, KeyChange)> {
        let mut passphrases = self.place.passphrase.passphrases()?;
        let mut workshop = self.place.open()?;
        let mut replace_with = None;
        if let Some(file) = &self.replace_with {
            replace_with = Some(keys::read_public(file, &mut passphrases)?);
            workshop = workshop.with_keys(file);
        }
        let revocation =
            Revocation { key_id: self.key_id, replace_with, old_keys_are_lost: self.old_keys_are_lost };
        Ok((workshop, KeyChange::Revoke(revocation)))
    }
}

pub(super) fn rotate(args: Rotate) -> Result<String> {
    let (workshop, change) = args.open()?;
    publish(workshop, &change)
}

pub(super) fn revoke(args: Revoke) -> Result<String> {
    let (workshop, change) = args.open()?;
    let consequences = consequences(&workshop, &change)?;
    Ok(publish(workshop, &change)? + &consequences)
}

fn publish(mut workshop: Workshop, change: &KeyChange) -> Result<String> {
    let published = workshop.change_keys(change, clock::now())?;
    warn(&published.warnings);
    in_words(&published, &workshop)
}

/// The new files, in upload order.
pub(super) fn in_words(published: &Published, workshop: &Workshop) -> Result<String> {
    let mut out = String::new();
    writeln!(out, "root is version {} now. New, in upload order:", published.versions[0])?;
    for file in &published.files {
        writeln!(out, "  {file}")?;
    }
    writeln!(out, "Build the new {} into the next firmware.", workshop.root_file().display())?;
    Ok(out)
}

/// The consequences of a revocation; none of a rotation.
pub(super) fn consequences(workshop: &Workshop, change: &KeyChange) -> Result<String> {
    let KeyChange::Revoke(revocation) = change else { return Ok(String::new()) };
    let mut out = String::from("\nIf that key was stolen:\n");
    for sentence in workshop.consequences(&revocation.key_id)? {
        writeln!(out, "  - {sentence}.")?;
    }
    Ok(out)
}
