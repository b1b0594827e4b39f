//! `key`: makes keys, shows them, and changes which ones are trusted.

use super::{PassphraseFile, Place, read_role, warn};
use crate::clock;
use crate::files;
use crate::keys::{self, KeyType, PrivateKey};
use crate::metadata::signed_part;
use crate::rotate::Rotation;
use crate::workshop::read_root;
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use komainu_trust::keys::Key;
use komainu_trust::limits::ROOT_BYTES_MAX;
use komainu_trust::roles::Role;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Make, show and change keys.
#[derive(Args)]
pub struct KeyCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    New(New),
    Show(Show),
    Rotate(Rotate),
}

/// Make a private key (PKCS#8 PEM, readable by you only) and its public half (.pub).
#[derive(Args)]
struct New {
    /// The file to make; an existing one is never overwritten
    file: PathBuf,
    /// The algorithm
    #[arg(long = "type", value_enum, default_value_t = KeyType::Ed25519)]
    key_type: KeyType,
    /// Encrypt it with a passphrase
    #[arg(long)]
    encrypt: bool,
    #[command(flatten)]
    passphrase: PassphraseFile,
}

/// Show identifier, type and public half of keys, or every key of a root.json.
#[derive(Args)]
struct Show {
    /// Private keys, public keys, or root metadata
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseFile,
}

/// Publish a new root in which a role has other keys.
///
/// The new root is signed by the old root keys and the new ones. What the changed keys sign is signed by the
/// old and the new ones, and appears before the root: there is no moment at which a device would refuse
/// anything. Copy the result to every mirror before the next rotation or release.
///
/// `key rotate root` without a change renews root's expiry.
#[derive(Args)]
struct Rotate {
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

pub fn run(args: KeyCommand) -> Result<String> {
    match args.action {
        Action::New(args) => new(args),
        Action::Show(args) => show(args),
        Action::Rotate(args) => rotate(args),
    }
}

fn new(args: New) -> Result<String> {
    let mut out = String::new();
    let passphrase = if args.encrypt { Some(args.passphrase.passphrases()?.for_new_keys()?) } else { None };
    let key = PrivateKey::generate(args.key_type)?;
    key.save(&args.file, passphrase.as_ref().map(|text| text.as_str()))?;
    writeln!(out, "{}", args.file.display())?;
    describe_key(&mut out, &key.key_id(), &key.public())?;
    Ok(out)
}

fn show(args: Show) -> Result<String> {
    let mut out = String::new();
    let mut passphrases = args.passphrase.passphrases()?;
    for file in &args.files {
        writeln!(out, "{}", file.display())?;
        if let Some(bytes) = metadata_bytes(file) {
            let root = read_root(&file.display().to_string(), &bytes)
                .with_context(|| format!("{} is not root metadata, and has no keys in it", file.display()))?;
            for (role, keys) in &root.roles {
                writeln!(out, "  {}: {} of {} must sign", role.name(), keys.threshold, keys.key_ids.len())?;
                for (id, key) in keys.key_ids.iter().filter_map(|id| Some((id, root.keys.get(id)?))) {
                    describe_key(&mut out, id, key)?;
                }
            }
        } else {
            let key = keys::read_public(file, &mut passphrases)?;
            describe_key(&mut out, &keys::key_id(&key), &key)?;
        }
    }
    Ok(out)
}

fn metadata_bytes(file: &Path) -> Option<Vec<u8>> {
    let bytes = files::read_at_most(file, ROOT_BYTES_MAX).ok()??;
    signed_part("", &bytes).is_ok().then_some(bytes)
}

fn describe_key(out: &mut String, id: &str, key: &Key) -> Result<()> {
    writeln!(out, "    id      {id}")?;
    writeln!(out, "    type    {} ({})", key.keytype, key.scheme)?;
    let public: String = key.public.lines().filter(|line| !line.starts_with("-----")).collect();
    writeln!(out, "    public  {public}")?;
    Ok(())
}

fn rotate(args: Rotate) -> Result<String> {
    let mut out = String::new();
    let mut passphrases = args.place.passphrase.passphrases()?;
    let add = args.add.iter().map(|file| keys::read_public(file, &mut passphrases)).collect::<Result<_>>()?;
    let mut workshop = args.place.open()?;
    // A key that comes in signs at once.
    for file in &args.add {
        workshop = workshop.with_keys(file);
    }
    let rotation = Rotation {
        role: args.role,
        add,
        remove: args.remove,
        threshold: args.threshold,
        old_keys_are_lost: args.old_keys_are_lost,
    };
    let published = workshop.rotate(&rotation, clock::now())?;
    warn(&published.warnings);
    writeln!(out, "root is version {} now. New, in upload order:", published.versions[0])?;
    for file in &published.files {
        writeln!(out, "  {file}")?;
    }
    writeln!(out, "Build the new {} into the next firmware.", workshop.root_file().display())?;
    Ok(out)
}
