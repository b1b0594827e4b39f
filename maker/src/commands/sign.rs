//! `sign`: signing in two steps, for keys that never meet a network.

use super::key_change;
use super::key_change::{Revoke, Rotate};
use super::options::{PassphraseFile, Place};
use super::output::{say, warn};
use super::publish::in_words;
use crate::clock;
use crate::files;
use crate::keyring::KeyRing;
use crate::sign::judged::Judged;
use crate::sign::signer_state::{SEEN_FILE, Seen};
use crate::sign::signing_request::{REQUEST_BYTES_MAX, Request};
use crate::workshop::read_root;
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use komainu_trust::limits::ROOT_BYTES_MAX;
use komainu_trust::roles::Root;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::path::{Path, PathBuf};

/// Sign in two steps: ask here, sign where the keys are, publish here.
///
/// A request is one file to carry. `sign request` writes it at the workshop; `sign add` shows what it would change
/// and adds signatures, on a machine that needs no workshop and no network, for one person after the other or for
/// several at once; `sign publish` publishes it when there are enough. A nightly `publish` in between harms nothing.
#[derive(Args)]
pub struct Sign {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    Request(Ask),
    Show(Show),
    Add(Add),
    Publish(Finish),
    Drop(Drop),
}

/// Write a signing request. Nothing is signed or published.
#[derive(Args)]
struct Ask {
    /// The file to make; an existing one is never overwritten
    file: PathBuf,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Rotate(Rotate),
    Revoke(Revoke),
    Targets(Targets),
}

/// For the releases that are put aside; without any, to renew targets metadata.
#[derive(Args)]
struct Targets {
    #[command(flatten)]
    place: Place,
}

/// Say what a request would change, and which keys have signed it. Nothing is signed.
#[derive(Args)]
struct Show {
    /// The file of the request
    file: PathBuf,
    #[command(flatten)]
    trust: Trust,
}

/// Add a signature by every key within reach that counts.
///
/// Shows the changes first, and asks, if it runs at a terminal. The changes can only be told by a root
/// that you trust yourself, not one that comes with the request: any root of this repository, however old, that was
/// kept with the keys. That is why one must be there. Beside it, in seen.json, `sign add` keeps what it signed last:
/// the next request is compared with that.
#[derive(Args)]
struct Add {
    /// The file of the request
    file: PathBuf,
    /// Look for private keys, and a root.json, in this folder, or take this key file (repeatable)
    #[arg(long, value_name = "DIR|FILE")]
    keys: Vec<PathBuf>,
    /// Take over the signatures of another copy of the request (repeatable)
    #[arg(long, value_name = "FILE")]
    from: Vec<PathBuf>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    trust: Trust,
    #[command(flatten)]
    passphrase: PassphraseFile,
}

#[derive(Args)]
struct Trust {
    /// A root of this repository that you trust; without it: root.json in a folder of --keys
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
    /// **Dangerous.** Accept a request that goes back behind what was signed here: to an older release or version
    #[arg(long)]
    allow_older: bool,
}

/// A request that was judged, and the root and memory that it was judged by.
struct Opinion {
    judged: Judged,
    root: Root,
    seen: Seen,
    seen_file: PathBuf,
}

/// Publish a request that has enough signatures.
///
/// The online keys sign their part now, old and new ones where they change. The result is
/// rehearsed with the device's own code, as `publish` does.
#[derive(Args)]
struct Finish {
    /// The file of the request
    file: PathBuf,
    #[command(flatten)]
    place: Place,
}

/// Give up a request: releases stay put aside, `publish` treats them as before.
#[derive(Args)]
struct Drop {
    /// Its identifier, or the first letters; without it: list the requests that wait
    id: Option<String>,
    #[command(flatten)]
    place: Place,
}

pub fn run(args: Sign) -> Result<String> {
    match args.action {
        Action::Request(args) => request(args),
        Action::Show(args) => show(&args),
        Action::Add(args) => add(&args),
        Action::Publish(args) => publish(&args),
        Action::Drop(args) => drop_request(&args),
    }
}

fn request(args: Ask) -> Result<String> {
    if args.file.exists() {
        bail!("{} exists already and is never overwritten; choose another name", args.file.display());
    }
    let now = clock::now();
    let mut consequences = String::new();
    let (mut workshop, change) = match args.what {
        What::Rotate(args) => args.open().map(|(workshop, change)| (workshop, Some(change)))?,
        What::Revoke(args) => args.open().map(|(workshop, change)| (workshop, Some(change)))?,
        What::Targets(args) => (args.place.open()?, None),
    };
    let request = match &change {
        Some(change) => {
            consequences = key_change::consequences(&workshop, change)?;
            workshop.request_keys(change, now)?
        }
        None => workshop.request_targets(now)?,
    };
    let id = request.id();
    if let Err(fault) = files::create_public(&args.file, &request.to_bytes()) {
        workshop.drop_request(&id)?;
        return Err(fault);
    }
    let trusted = files::read_at_most(&workshop.root_file(), ROOT_BYTES_MAX)?.unwrap_or_default();
    let root = request.root_in_force(&trusted)?;
    let judged = request.judge_after(&root, &Seen::published_here(&request), now)?;
    let mut out = report(&request, &judged, &root);
    write!(
        out,
        "\nCarry {file} to the keys: komainu-maker sign add {file} --keys DIR --root ROOT\nThen, here:           komainu-maker \
         sign publish {file}\n{consequences}",
        file = args.file.display()
    )?;
    Ok(out)
}

fn show(args: &Show) -> Result<String> {
    let request = read(&args.file)?;
    let opinion = judge(&request, &args.file, &args.trust, &[])?;
    Ok(report(&request, &opinion.judged, &opinion.root))
}

fn add(args: &Add) -> Result<String> {
    let mut request = read(&args.file)?;
    for other in &args.from {
        let theirs = read(other)?;
        // Each by itself first: a bad copy must not spoil a good one.
        judge(&theirs, other, &args.trust, &args.keys)?;
        request.merge(&theirs)?;
    }
    let Opinion { judged, root, mut seen, seen_file } = judge(&request, &args.file, &args.trust, &args.keys)?;
    let mut out = request.in_words(&judged, &root);
    if !args.yes && std::io::stdin().is_terminal() {
        say(&out)?;
        out.clear();
        ask()?;
    }
    let mut ring = KeyRing::look(&args.keys, args.passphrase.passphrases()?)?;
    let added = request.sign(&judged, &mut ring)?;
    let Opinion { judged, .. } = judge(&request, &args.file, &args.trust, &args.keys)?;
    if added.is_empty() && args.from.is_empty() {
        let mut ids = judged.needs.iter().flat_map(|need| &need.role.key_ids);
        if !ids.any(|id| ring.find(id).is_ok_and(|key| key.is_some())) {
            bail!("nothing was signed: no private key in {} has a say in this request", ring.folders());
        }
        let folders = ring.folders();
        writeln!(
            out,
            "\nNo key within reach adds a signature (looked in {folders}): all have signed already."
        )?;
    } else {
        if !added.is_empty() {
            seen.remember(&request, &judged)?;
            // First: a later request could hide a release that was signed and not remembered.
            match seen.save(&seen_file) {
                Err(fault) if request.changes_targets() => return Err(fault.context(
                    "the signature could not be remembered, so nothing was signed; keep root.json where files can be written",
                )),
                Err(fault) => warn(&[format!("the signature is not remembered: {fault:#}")]),
                Ok(()) => {}
            }
        }
        files::replace(&args.file, &request.to_bytes())?;
        out.push('\n');
    }
    for (file, key_id) in &added {
        writeln!(out, "Signed {file} with {key_id}.")?;
    }
    out.push_str(&judged.count_in_words());
    if judged.is_complete() {
        writeln!(out, "That is enough: komainu-maker sign publish {}", args.file.display())?;
    }
    Ok(out)
}

fn publish(args: &Finish) -> Result<String> {
    let request = read(&args.file)?;
    let mut workshop = args.place.open()?;
    let published = workshop
        .publish_request(&request, clock::now())
        .with_context(|| format!("{} is not published", args.file.display()))?;
    warn(&published.warnings);
    if request.changes_root() {
        return key_change::in_words(&published, &workshop);
    }
    Ok(in_words(&published))
}

fn drop_request(args: &Drop) -> Result<String> {
    let mut workshop = args.place.open()?;
    if let Some(id) = &args.id {
        let id = workshop.drop_request(id)?;
        return Ok(format!("Request {id} is given up.\n"));
    }
    let mut out = String::new();
    for request in workshop.requests_waiting()? {
        writeln!(out, "{}  {}", request.id(), request.files().join(", "))?;
    }
    if out.is_empty() {
        out.push_str("No request waits.\n");
    }
    Ok(out)
}

fn read(file: &Path) -> Result<Request> {
    let bytes = files::read_at_most(file, REQUEST_BYTES_MAX)?
        .with_context(|| format!("there is no file {}", file.display()))?;
    Request::read(&bytes).with_context(|| format!("cannot read {}", file.display()))
}

fn judge(request: &Request, file: &Path, trust: &Trust, keys: &[PathBuf]) -> Result<Opinion> {
    let beside_keys = || keys.iter().map(|folder| folder.join("root.json")).find(|path| path.is_file());
    let path = trust.root.clone().or_else(beside_keys).context(
        "a root that you trust is needed to tell the changes: name one with --root, or keep root.json in the \
         folder of the keys",
    )?;
    if trust.root.is_none() && came_with(&path, file) {
        bail!(
            "{} lies where the request lies, and may have come with it: name the root that you trust with --root",
            path.display()
        );
    }
    let trusted = files::read_at_most(&path, ROOT_BYTES_MAX)?
        .with_context(|| format!("there is no file {}", path.display()))?;
    let refused = || format!("{} is refused", file.display());
    let seen_file = path.with_file_name(SEEN_FILE);
    let mut seen = Seen::load(&seen_file)?;
    seen.allow_older = trust.allow_older;
    let root = request.root_in_force(&trusted).with_context(refused)?;
    let root = match seen.root() {
        // It followed from the trusted root once; a root that follows from that one must follow from this too.
        Some(newest) if version(newest)? > version(&trusted)? => {
            request.root_in_force(newest).with_context(refused)?
        }
        _ => root,
    };
    let judged = request.judge_after(&root, &seen, clock::now()).with_context(refused)?;
    Ok(Opinion { judged, root, seen, seen_file })
}

/// True if a root lies in the folder of the request, or below it.
fn came_with(root: &Path, request: &Path) -> bool {
    let (Ok(root), Ok(request)) = (root.canonicalize(), request.canonicalize()) else { return true };
    request.parent().is_none_or(|folder| root.starts_with(folder))
}

fn version(root: &[u8]) -> Result<u64> {
    Ok(read_root("root.json", root)?.common.version)
}

fn report(request: &Request, judged: &Judged, root: &Root) -> String {
    format!("{}\n{}", request.in_words(judged, root), judged.count_in_words())
}

fn ask() -> Result<()> {
    let mut terminal = std::io::stderr();
    write!(terminal, "\nSign that? Type yes: ")?;
    terminal.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("cannot read the answer")?;
    if answer.trim() != "yes" {
        bail!("nothing was signed");
    }
    Ok(())
}
