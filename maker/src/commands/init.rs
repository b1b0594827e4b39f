//! `init`: makes a workshop, its keys, and a first publication without any release.

use super::options::{PassphraseFile, read_pair, read_role};
use crate::clock;
use crate::init::InitOptions;
use crate::public_key::KeyType;
use crate::workshop::{Config, Workshop};
use anyhow::{Context, Result, anyhow};
use clap::Args;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Make a workshop: keys, settings and an empty repository.
///
/// The root keys say who may sign what; more than one must sign, so that losing or leaking one is no
/// catastrophe. Root and targets keys belong on media that are not connected; snapshot and timestamp keys stay
/// here, because `publish` renews their signatures day by day.
///
/// Keys that exist already are named with --root-key and --targets-key. As many of their private halves as must
/// sign have to be within reach, so make the workshop on the machine that is not connected, and carry the folder
/// to the one that is. `komainu-maker ceremony first` prints the whole way.
#[derive(Args)]
pub struct Init {
    /// The folder to make
    dir: PathBuf,
    /// How many root keys to make
    #[arg(long, value_name = "N", default_value_t = 3)]
    root_keys: u32,
    /// A root key that exists: a private or public key, or a reference to a token; none is made then (repeatable)
    #[arg(long, value_name = "FILE", conflicts_with = "root_keys")]
    root_key: Vec<PathBuf>,
    /// How many of them must sign a new root
    #[arg(long, value_name = "N", default_value_t = 2)]
    root_threshold: u32,
    /// How many targets keys to make
    #[arg(long, value_name = "N", default_value_t = 1)]
    targets_keys: u32,
    /// A targets key that exists, likewise (repeatable)
    #[arg(long, value_name = "FILE", conflicts_with = "targets_keys")]
    targets_key: Vec<PathBuf>,
    /// Look for the private halves of existing keys in this folder too (repeatable)
    #[arg(long, value_name = "DIR")]
    keys: Vec<PathBuf>,
    /// How many of them must sign a release
    #[arg(long, value_name = "N", default_value_t = 1)]
    targets_threshold: u32,
    /// The algorithm of the keys
    #[arg(long, value_enum, default_value_t = KeyType::Ed25519)]
    key_type: KeyType,
    /// Encrypt the offline keys with a passphrase; the online ones must work without a person
    #[arg(long)]
    encrypt: bool,
    /// For how many days a role's signature is good, such as timestamp=7 (repeatable)
    #[arg(long, value_name = "ROLE=DAYS", value_parser = read_pair)]
    expiry: Vec<(String, String)>,
    #[command(flatten)]
    passphrase: PassphraseFile,
}

pub fn run(args: Init) -> Result<String> {
    let mut config = Config::default();
    for (role, days) in &args.expiry {
        let number = days.parse().ok().filter(|days| (1..=100_000).contains(days));
        *config.expiry_days.of(read_role(role)?) =
            number.ok_or_else(|| anyhow!("--expiry {role}={days}: days are a number from 1 to 100000"))?;
    }
    let (made_root, made_targets) = (args.root_key.is_empty(), args.targets_key.is_empty());
    let options = InitOptions {
        root_keys: args.root_keys,
        root_threshold: args.root_threshold,
        targets_keys: args.targets_keys,
        targets_threshold: args.targets_threshold,
        key_type: args.key_type,
        existing_root_keys: args.root_key,
        existing_targets_keys: args.targets_key,
        key_folders: args.keys,
        passphrases: args.passphrase.passphrases()?,
        passphrase: if args.encrypt { Some(args.passphrase.passphrases()?.for_new_keys()?) } else { None },
        config,
    };
    let workshop = Workshop::init(&args.dir, &options, clock::now())
        .with_context(|| format!("cannot make a workshop in {}", args.dir.display()))?;
    let mut out = String::new();
    let dir = workshop.dir().display();
    writeln!(out, "{dir} is ready.\n")?;
    writeln!(out, "  {dir}/root.json        build this into the firmware: it is what a device trusts first")?;
    writeln!(out, "  {dir}/repository       what the web server shows; everything in it is public")?;
    if made_root || made_targets {
        writeln!(out, "  {dir}/keys/offline     move these away, now:")?;
    }
    if made_root {
        writeln!(
            out,
            "    root-*.pem       each to another medium in another place; {} of {} must come together to",
            args.root_threshold, args.root_keys
        )?;
        writeln!(out, "                     change keys. They are not needed day by day.")?;
    }
    if made_targets {
        writeln!(
            out,
            "    targets-*.pem    to a medium that is connected to publish a release, and only then:"
        )?;
        writeln!(out, "                     komainu-maker publish --keys /media/targets")?;
    }
    writeln!(out, "  {dir}/keys/online      stay here: a nightly `komainu-maker publish` renews with them")?;
    if !args.encrypt && (made_root || made_targets) {
        writeln!(out, "\nThe keys are not encrypted. For more than trying out, use --encrypt.")?;
    }
    writeln!(
        out,
        "\nNext: komainu-maker release add --workshop {dir} --board … --channel … --version … --image PART=FILE"
    )?;
    Ok(out)
}
