//! `key`: makes keys, in files and on tokens, and shows them. Which ones are trusted: `key_change`.

use super::key_change;
use super::key_change::{Revoke, Rotate};
use super::options::PassphraseFile;
use crate::files;
use crate::keys;
use crate::keys::PrivateKey;
use crate::metadata::signed_part;
use crate::public_key;
use crate::public_key::KeyType;
use crate::token;
use crate::token::pkcs11_uri::TokenUri;
use crate::workshop::read_root;
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use komainu_trust::keys::Key;
use komainu_trust::limits::ROOT_BYTES_MAX;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Make, show and change keys.
#[derive(Args)]
pub struct KeyCommand {
    #[command(subcommand)]
    action: Action,
}

const TOKEN_HELP: &str = "A token's URI: pkcs11:token=LABEL;object=LABEL;id=%01?module-path=FILE&pin-source=FILE. The token \
is named by token and serial, the key by object and id. module-path is the library that talks to the token; without it \
KOMAINU_PKCS11_MODULE names one. The PIN is the first line of the file pin-source, or of --pin-file, or is asked for; it \
is never an argument, and tried once, because tokens lock.";

#[derive(Subcommand)]
enum Action {
    New(New),
    Link(Link),
    Show(Show),
    Rotate(Rotate),
    Revoke(Revoke),
}

/// Make a private key (PKCS#8 PEM, readable by you only) and its public half (.pub).
///
/// With --token the key is made on a token (PKCS#11): it signs there and never leaves it. FILE, which ends in
/// .token, is then only a reference to it.
#[derive(Args)]
#[command(after_help = TOKEN_HELP)]
struct New {
    /// The file to make; an existing one is never overwritten
    file: PathBuf,
    /// The algorithm; without it ed25519 in files, and ecdsa on tokens, because that is what most of them can
    #[arg(long = "type", value_enum)]
    key_type: Option<KeyType>,
    /// Encrypt it with a passphrase
    #[arg(long, conflicts_with = "token")]
    encrypt: bool,
    /// Make it on this token: pkcs11:token=LABEL;object=LABEL (RFC 7512)
    #[arg(long, value_name = "URI", value_parser = TokenUri::parse)]
    token: Option<TokenUri>,
    #[command(flatten)]
    passphrase: PassphraseFile,
}

/// Take a key that is on a token already into use: makes a reference to it (.token) and its public half (.pub).
#[derive(Args)]
#[command(after_help = TOKEN_HELP)]
struct Link {
    /// The reference to make; it ends in .token
    file: PathBuf,
    /// The key: pkcs11:token=LABEL;object=LABEL;id=%01 (RFC 7512)
    #[arg(value_parser = TokenUri::parse)]
    uri: TokenUri,
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

pub fn run(args: KeyCommand) -> Result<String> {
    match args.action {
        Action::New(args) => new(args),
        Action::Show(args) => show(args),
        Action::Link(args) => link(args),
        Action::Rotate(args) => key_change::rotate(args),
        Action::Revoke(args) => key_change::revoke(args),
    }
}

fn new(args: New) -> Result<String> {
    let mut out = String::new();
    if let Some(uri) = &args.token {
        let key_type = args.key_type.unwrap_or(KeyType::Ecdsa);
        let key = token::generate(&args.file, uri, key_type, &mut args.passphrase.passphrases()?)?;
        writeln!(out, "{}, on the {}", args.file.display(), uri.token_name())?;
        describe_key(&mut out, &public_key::key_id(&key), &key)?;
        return Ok(out);
    }
    if token::is_reference(&args.file) {
        bail!("a file that ends in .token refers to a key on a token: say which with --token URI");
    }
    let passphrase = if args.encrypt { Some(args.passphrase.passphrases()?.for_new_keys()?) } else { None };
    let key = PrivateKey::generate(args.key_type.unwrap_or(KeyType::Ed25519))?;
    key.save(&args.file, passphrase.as_ref().map(|text| text.as_str()))?;
    writeln!(out, "{}", args.file.display())?;
    describe_key(&mut out, &key.key_id(), &key.public())?;
    Ok(out)
}

fn link(args: Link) -> Result<String> {
    let mut out = String::new();
    let key = token::link(&args.file, &args.uri)?;
    writeln!(out, "{}, on the {}", args.file.display(), args.uri.token_name())?;
    describe_key(&mut out, &public_key::key_id(&key), &key)?;
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
            describe_key(&mut out, &public_key::key_id(&key), &key)?;
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
