//! A TUF client to be tested from outside: drives the trust and fetch code of the agent, the very same, from the
//! command line that public test suites know. Not for devices.
//!
//! ```text
//! tuf-client --metadata-dir D init ROOT
//! tuf-client --metadata-url U --metadata-dir D refresh
//! tuf-client --metadata-url U --metadata-dir D --target-name T [--target-name …] \
//!            --target-dir TD --target-base-url TU download
//! ```
//! Exit code 0: all went well; 1: something did not. Files in D are `role.json`, exactly as they were received; a
//! target that is in TD already, as it is signed now, is not fetched again.
#![forbid(unsafe_code)]

use komainu_agent::config::address::Address;
use komainu_agent::net::http::client::{Http, HttpSettings, Small};
use komainu_agent::net::tls::roots::Roots;
use komainu_agent::os::clock::system_seconds;
use komainu_agent::os::files;
use komainu_agent::os::safe_names::{escape, unescape};
use komainu_core::update::poll::is_absent;
use komainu_trust::delegations::Found;
use komainu_trust::limits::{PROVEN_TIMES, ROOT_BYTES_MAX, TARGETS_BYTES_MAX};
use komainu_trust::refresh::{Answer, Ask, Keep};
use komainu_trust::roles::Role;
use komainu_trust::trusted::{Clock, Stored};
use komainu_trust::{Moment, Refresh, Trusted};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// The words of the command line.
#[derive(Default)]
struct Call {
    metadata_dir: PathBuf,
    metadata_url: String,
    target_names: Vec<String>,
    target_dir: PathBuf,
    target_base_url: String,
    words: Vec<String>,
}

fn main() -> ExitCode {
    match read_call().and_then(|call| run(&call)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("tuf-client: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn read_call() -> Result<Call, String> {
    let mut call = Call::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--metadata-dir" => call.metadata_dir = value()?.into(),
            "--metadata-url" => call.metadata_url = value()?,
            "--target-name" => call.target_names.push(value()?),
            "--target-dir" => call.target_dir = value()?.into(),
            "--target-base-url" => call.target_base_url = value()?,
            _ => call.words.push(argument),
        }
    }
    Ok(call)
}

fn run(call: &Call) -> Result<(), String> {
    let words: Vec<&str> = call.words.iter().map(String::as_str).collect();
    match words[..] {
        ["init", root] => init(call, Path::new(root)),
        ["refresh"] => refresh(call, &mut http()?).map(|_| ()),
        ["download"] => download(call),
        _ => Err("which of init ROOT, refresh, download?".into()),
    }
}

fn init(call: &Call, root: &Path) -> Result<(), String> {
    let bytes = read(root, ROOT_BYTES_MAX)?.ok_or_else(|| format!("{} is not there", root.display()))?;
    let stored = Stored { root: bytes, ..Stored::default() };
    Trusted::load(&stored, clock()).map_err(|fault| fault.to_string())?;
    std::fs::create_dir_all(&call.metadata_dir).map_err(|error| error.to_string())?;
    keep(call, Role::Root.file(), Some(&stored.root))
}

fn refresh(call: &Call, http: &mut Http) -> Result<Trusted, String> {
    let mut refresh = Refresh::begin(stored(call)?, clock()).map_err(|fault| fault.to_string())?;
    while let Some(ask) = refresh.ask() {
        let bytes = fetch(call, http, &ask)?;
        let answer = bytes.as_deref().map_or(Answer::NotThere, Answer::Bytes);
        let change = refresh.give(answer).map_err(|fault| fault.to_string())?;
        match change {
            Keep::Nothing => {}
            Keep::Given(role) => keep(call, role.file(), bytes.as_deref())?,
            Keep::GivenRootForgetRest => {
                keep(call, Role::Timestamp.file(), None)?;
                keep(call, Role::Snapshot.file(), None)?;
                keep(call, Role::Root.file(), bytes.as_deref())?;
            }
        }
    }
    Ok(refresh.into_trusted())
}

fn download(call: &Call) -> Result<(), String> {
    let mut http = http()?;
    let mut trusted = refresh(call, &mut http)?;
    for name in &call.target_names {
        let target = loop {
            match trusted.find(name).map_err(|fault| fault.to_string())? {
                Found::Target(target) => break target,
                Found::Nothing => return Err(format!("{name}: no role that may speak for it lists it")),
                Found::Wanted(wanted) => {
                    let bytes = fetch(call, &mut http, &wanted.ask)?;
                    trusted.give_delegated(&wanted, bytes.as_deref()).map_err(|fault| fault.to_string())?;
                    keep(call, &format!("{}.json", escape(&wanted.role)), bytes.as_deref())?;
                }
            }
        };
        let place = call.target_dir.join(escape(name));
        // Fetched before, and still as it is signed: not fetched again.
        let before = files::read(&place, target.file.length).ok().flatten();
        if before.is_some_and(|bytes| target.prove(bytes).is_ok()) {
            continue;
        }
        let path: Vec<String> = target.fetch_path().split('/').map(escape).collect();
        let url = address(&format!("{}/{}", call.target_base_url.trim_end_matches('/'), path.join("/")))?;
        let fetched =
            http.small(&url, target.file.length, None).map_err(|fault| format!("{name}: {fault}"))?;
        let Small::Bytes { bytes, .. } = fetched else { return Err(format!("{name}: not there")) };
        let proven = target.prove(bytes).map_err(|fault| fault.to_string())?;
        files::replace(&place, &proven).map_err(|error| format!("{}: {error}", place.display()))?;
    }
    Ok(())
}

fn http() -> Result<Http, String> {
    let none: &[&Path] = &[];
    // Fetched before, and still as it is signed now: not fetched again.
    let bundle = Path::new("/etc/ssl/certs/ca-certificates.crt");
    let roots = if bundle.exists() { Roots::from_files(&[bundle]) } else { Roots::from_files(none) };
    let roots = roots.map_err(|fault| fault.to_string())?;
    let settings =
        HttpSettings { slow_bytes_per_second: 1, ..HttpSettings::plain(20, 20, roots, "komainu-tuf-client") };
    Http::new(settings, Arc::new(system_seconds)).map_err(|fault| fault.to_string())
}

fn fetch(call: &Call, http: &mut Http, ask: &Ask) -> Result<Option<Vec<u8>>, String> {
    let url = address(&format!("{}/{}", call.metadata_url.trim_end_matches('/'), escape(&ask.name)))?;
    match http.small(&url, ask.bytes_max, None) {
        Ok(Small::Bytes { bytes, .. }) => Ok(Some(bytes)),
        Ok(Small::NotThere | Small::Unchanged) => Ok(None),
        Err(fault) if is_absent(&fault, ask) => Ok(None),
        Err(fault) => Err(format!("{}: {fault}", ask.name)),
    }
}

fn address(url: &str) -> Result<Address, String> {
    Address::parse(url).map_err(|why| format!("the address {url} {why}"))
}

/// No build time here: a suite may play in any year.
fn clock() -> Clock {
    Clock { system: Moment(system_seconds()), built: Moment(0) }
}

fn stored(call: &Call) -> Result<Stored, String> {
    let file = |name: &str| read(&call.metadata_dir.join(name), PROVEN_TIMES * TARGETS_BYTES_MAX);
    let root = file(Role::Root.file())?.ok_or("no root: start with init")?;
    let mut stored = Stored { root, ..Stored::default() };
    stored.timestamp = file(Role::Timestamp.file())?;
    stored.snapshot = file(Role::Snapshot.file())?;
    stored.targets = file(Role::Targets.file())?;
    let entries = std::fs::read_dir(&call.metadata_dir).map_err(|error| error.to_string())?;
    for entry in entries.flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let role = name.strip_suffix(".json").and_then(unescape);
        if let Some(role) =
            role.filter(|role| !["root", "timestamp", "snapshot", "targets"].contains(&role.as_str()))
            && let Some(bytes) = file(&name)?
        {
            stored.delegated.push((role, bytes));
        }
    }
    Ok(stored)
}

fn read(path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>, String> {
    files::read(path, bytes_max).map_err(|error| format!("{}: {error}", path.display()))
}

fn keep(call: &Call, name: &str, bytes: Option<&[u8]>) -> Result<(), String> {
    let path = call.metadata_dir.join(name);
    let done = match bytes {
        Some(bytes) => files::replace(&path, bytes),
        None => files::remove(&path),
    };
    done.map_err(|error| format!("{}: {error}", path.display()))
}
