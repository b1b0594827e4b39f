//! **Poll**: asks the server for news. The trust crate decides which files to fetch and keep; this file only carries
//! them. Without news a poll is one conditional request.

use crate::advisory::{advisories_path, advisories_target};
use crate::device::{Fetched, Folder, Host, Ledger, Repository, StoredFile};
use crate::fault::{FetchFault, text};
use crate::reason::{Fault, Reason};
use crate::retry_state::{Backoff, RetryState};
use crate::settings::Settings;
use crate::update::facts::RecordSeen;
use crate::update::keep_record::keep_next;
use crate::update::manifest::{Manifest, manifest_path};
use crate::update::offer::{StoredMetadata, manifest_target};
use crate::update::record::{Record, Update};
use crate::update::schedule::full_refresh_due;
use alloc::string::String;
use alloc::vec::Vec;
use komainu_trust::delegations::Found;
use komainu_trust::limits::TIMESTAMP_BYTES_MAX;
use komainu_trust::refresh::{Answer, Ask, Keep, ROOT_STEP};
use komainu_trust::roles::Role;
use komainu_trust::trusted::Target;
use komainu_trust::{Refresh, TrustFault, Trusted, Verified};

const TIMESTAMP: &str = "timestamp.json";

/// The timestamp and its validator as a glance fetched them, for the refresh that follows.
type Glanced = Option<(Vec<u8>, Option<String>)>;

/// Refreshes metadata, manifest and advisories. Missing advisories are an event, and no error.
///
/// # Errors
/// The file that could not be fetched, was refused, or could not be kept. Files accepted before that stay.
pub fn poll(
    device: &mut (impl Host + Ledger + Repository + ?Sized),
    settings: &Settings,
    events: &mut Vec<Reason>,
) -> Result<(), Fault> {
    let Some(glanced) = glance(device, settings)? else {
        remember_poll(device, None);
        return Ok(());
    };
    if let Some((bytes, validator)) = &glanced
        && brings_no_release(device, bytes)
    {
        keep_accepted(device, Keep::Given(Role::Timestamp), bytes)?;
        let mut retry = device.retry();
        retry.validator.clone_from(validator);
        device.keep_retry(&retry);
        remember_poll(device, None);
        return Ok(());
    }
    let (mut trusted, validator) = refresh(device, glanced)?;
    fetch_manifest(device, &mut trusted, settings)?;
    let validator = match fetch_advisories(device, &mut trusted, settings) {
        Ok(()) => validator,
        Err(fault) => {
            // No update waits for them. Without a validator the next poll looks for them again.
            events.push(Reason::AdvisoriesMissed(fault));
            None
        }
    };
    forget_unused(device, &trusted)?;
    remember_poll(device, Some(validator));
    Ok(())
}

/// Asks only whether the timestamp is still the one that was accepted; `None`: it is, and nothing has expired.
///
/// A mirror that lies here could as well withhold a new root: it can delay, as always, until the timestamp
/// expires. And every `poll.full_refresh_seconds` (two days) the refresh starts at the root all the same.
fn glance(
    device: &mut (impl Host + Ledger + Repository + ?Sized),
    settings: &Settings,
) -> Result<Option<Glanced>, Fault> {
    let retry = device.retry();
    let uptime = device.uptime_seconds();
    let Some(validator) = retry.validator.as_deref() else { return Ok(Some(None)) };
    if full_refresh_due(&retry, uptime, settings) || !is_complete(device, settings) {
        return Ok(Some(None));
    }
    let fetched = device.fetch(Folder::Metadata, TIMESTAMP, TIMESTAMP_BYTES_MAX, Some(validator));
    let ask = Ask { name: TIMESTAMP.into(), bytes_max: TIMESTAMP_BYTES_MAX, step: "5.4.1" };
    match judge_fetched(fetched, &ask)? {
        Fetched::Unchanged => Ok(None),
        Fetched::Bytes(bytes, validator) => Ok(Some(Some((bytes, validator)))),
        Fetched::NotThere => Ok(Some(None)),
    }
}

/// True if this timestamp only tells the time, and what is halted: then no root is asked for, and a fleet does not ask
/// twice each time that its maker renews a signature.
fn brings_no_release(device: &mut (impl Host + Repository + ?Sized), bytes: &[u8]) -> bool {
    let clock = device.clock();
    let kept = device.stored();
    kept.newer_shipped_root().is_none() && Refresh::is_only_timestamp(kept.under_newest_root(), clock, bytes)
}

/// True if all that is kept is in date and nothing is missing.
fn is_complete(device: &mut (impl Host + Repository + ?Sized), settings: &Settings) -> bool {
    let clock = device.clock();
    !matches!(
        crate::update::offer::read(&device.stored(), clock, settings).0,
        crate::update::offer::Offer::Unusable(_)
    )
}

fn refresh(
    device: &mut (impl Host + Ledger + Repository + ?Sized),
    mut glanced: Glanced,
) -> Result<(Trusted, Option<String>), Fault> {
    let clock = device.clock();
    let kept = device.stored();
    keep_shipped_root(device, &kept)?;
    let mut refresh = Refresh::begin(kept.under_newest_root(), clock).map_err(|fault| refused(&fault))?;
    let mut validator = None;
    while let Some(ask) = refresh.ask() {
        let fetched = match glanced.take_if(|_| ask.name == TIMESTAMP) {
            Some((bytes, validator)) => Fetched::Bytes(bytes, validator),
            None => fetch_asked(device, &ask)?,
        };
        let (bytes, answer_validator) = match fetched {
            Fetched::Bytes(bytes, validator) => (Some(bytes), validator),
            Fetched::NotThere | Fetched::Unchanged => (None, None),
        };
        if ask.name == TIMESTAMP {
            validator = answer_validator;
        }
        let answer = bytes.as_deref().map_or(Answer::NotThere, Answer::Bytes);
        let before = refresh.trusted().root().clone();
        let keep = refresh.give(answer).map_err(|fault| refused(&fault))?;
        if refresh.trusted().root().lacks_a_key_of(&before, Role::Targets) {
            forget_floor(device)?;
        }
        keep_accepted(device, keep, bytes.as_deref().unwrap_or_default())?;
    }
    Ok((refresh.into_trusted(), validator))
}

/// A targets key is gone: its holder may have numbered a release so high that no later one could pass the floor. So
/// the floor is forgotten; the remaining keys sign all later releases, and their versions go on rising (§5.3.11 does
/// the same for those). This happens before the root is kept, so that a cut in between repeats it.
fn forget_floor(device: &mut (impl Ledger + ?Sized)) -> Result<(), Fault> {
    match device.record() {
        RecordSeen::Found(record) if record.floor > 0 => keep_next(device, Record { floor: 0, ..record }),
        RecordSeen::Lost(why) => Err(Fault::Device(why)),
        RecordSeen::Found(_) | RecordSeen::Absent => Ok(()),
    }
}

/// Keeps a root that came with the firmware, once that firmware is confirmed: if an older slot starts one day, the
/// keys that this root took away must not come back. A key that is gone has the same consequences here (§5.3.11).
fn keep_shipped_root(
    device: &mut (impl Ledger + Repository + ?Sized),
    kept: &StoredMetadata,
) -> Result<(), Fault> {
    let confirmed = matches!(device.record(), RecordSeen::Found(record) if record.update == Update::Idle);
    let Some(shipped) = kept.newer_shipped_root().filter(|_| confirmed) else { return Ok(()) };
    if let Some(before) = kept.kept_root() {
        if shipped.lacks_a_key_of(&before, Role::Targets) {
            forget_floor(device)?;
        }
        let lacks = |role| shipped.lacks_a_key_of(&before, role);
        if lacks(Role::Timestamp) || lacks(Role::Snapshot) {
            return keep_accepted(device, Keep::GivenRootForgetRest, &kept.shipped_root);
        }
    }
    keep_accepted(device, Keep::Given(Role::Root), &kept.shipped_root)
}

fn fetch_asked(device: &mut (impl Repository + ?Sized), ask: &Ask) -> Result<Fetched, Fault> {
    let fetched = device.fetch(Folder::Metadata, &ask.name, ask.bytes_max, None);
    judge_fetched(fetched, ask)
}

/// True if a server says with this that it does not have the file: 404 or 410, and for the next root, which need not
/// be there, 403 too. Object stores answer so for a missing file, to clients that may not list files.
pub fn is_absent(fault: &FetchFault, ask: &Ask) -> bool {
    match fault {
        FetchFault::NotFound => true,
        FetchFault::Status { code: 403, .. } => ask.step == ROOT_STEP,
        _ => false,
    }
}

fn judge_fetched(fetched: Result<Fetched, FetchFault>, ask: &Ask) -> Result<Fetched, Fault> {
    match fetched {
        Ok(fetched) => Ok(fetched),
        Err(fault) if is_absent(&fault, ask) => Ok(Fetched::NotThere),
        Err(FetchFault::TooLarge { .. }) => Err(refused(&ask.too_large())),
        Err(fault) => Err(Fault::Fetch(text(format_args!("{}", ask.name)), fault)),
    }
}

fn keep_accepted(device: &mut (impl Repository + ?Sized), keep: Keep, bytes: &[u8]) -> Result<(), Fault> {
    let mut change = |file, bytes| device.store(file, bytes).map_err(Fault::Device);
    match keep {
        Keep::Nothing => Ok(()),
        Keep::Given(role) => change(stored_file(role), Some(bytes)),
        Keep::GivenRootForgetRest => {
            // Forgotten first: after a cut in between the old root is still there, and leads to the new one
            // again; the other way round, versions counted up by a stolen key would stay.
            change(StoredFile::Timestamp, None)?;
            change(StoredFile::Snapshot, None)?;
            change(StoredFile::Root, Some(bytes))
        }
    }
}

fn stored_file(role: Role) -> StoredFile<'static> {
    match role {
        Role::Root => StoredFile::Root,
        Role::Timestamp => StoredFile::Timestamp,
        Role::Snapshot => StoredFile::Snapshot,
        Role::Targets => StoredFile::Targets,
    }
}

/// Fetches the manifest, if it has changed, and every delegated role on the way to it and to its images: with these,
/// the offer can be read from the stored files.
fn fetch_manifest(
    device: &mut (impl Ledger + Repository + ?Sized),
    trusted: &mut Trusted,
    settings: &Settings,
) -> Result<(), Fault> {
    let kept = device.stored().manifest;
    let path = manifest_path(&settings.board, &settings.channel);
    if find(device, trusted, &path)?.is_none() {
        return if kept.is_some() { forget(device, StoredFile::Manifest) } else { Ok(()) };
    }
    let Some(target) = manifest_target(trusted, settings).map_err(Fault::Trust)? else { return Ok(()) };
    let manifest = match kept.and_then(|bytes| target.prove(bytes).ok()) {
        Some(manifest) => manifest,
        None => fetch_new_manifest(device, &target)?,
    };
    // A faulty manifest is reported when it is read as an offer.
    for image in Manifest::read(&manifest).map_or(Vec::new(), |manifest| manifest.images) {
        find(device, trusted, &image.target)?;
    }
    Ok(())
}

fn fetch_new_manifest(
    device: &mut (impl Ledger + Repository + ?Sized),
    target: &Verified<Target>,
) -> Result<Verified<Vec<u8>>, Fault> {
    let proven = fetch_target(device, target, StoredFile::Manifest)?;
    // Failures with the images of another manifest say nothing about this one's.
    let none = Backoff::default();
    let retry = device.retry();
    device.keep_retry(&RetryState { stage: none, proof: none, ..retry });
    Ok(proven)
}

/// Fetches the advisories, if the signed targets list any, and these have changed.
fn fetch_advisories(
    device: &mut (impl Repository + ?Sized),
    trusted: &mut Trusted,
    settings: &Settings,
) -> Result<(), Fault> {
    let kept = device.advisories();
    if find(device, trusted, &advisories_path(&settings.board))?.is_none() {
        return if kept.is_some() { forget(device, StoredFile::Advisories) } else { Ok(()) };
    }
    let target = advisories_target(trusted, &settings.board).map_err(Fault::Trust)?;
    match target {
        Some(target) if kept.is_none_or(|bytes| target.prove(bytes).is_err()) => {
            fetch_target(device, &target, StoredFile::Advisories).map(|_| ())
        }
        _ => Ok(()),
    }
}

/// Fetches a small target, proves it, and keeps it.
fn fetch_target(
    device: &mut (impl Repository + ?Sized),
    target: &Verified<Target>,
    file: StoredFile<'_>,
) -> Result<Verified<Vec<u8>>, Fault> {
    let name = || text(format_args!("{}", target.path));
    let fetched = device.fetch(Folder::Targets, &target.fetch_path(), target.file.length, None);
    let Fetched::Bytes(bytes, _) = fetched.map_err(|fault| Fault::Fetch(name(), fault))? else {
        return Err(Fault::Fetch(name(), FetchFault::NotFound));
    };
    let proven = target.prove(bytes).map_err(|fault| refused(&fault))?;
    device.store(file, Some(&proven)).map_err(Fault::Device)?;
    Ok(proven)
}

/// Searches a target, and fetches the delegated roles that the search needs.
fn find(
    device: &mut (impl Repository + ?Sized),
    trusted: &mut Trusted,
    path: &str,
) -> Result<Option<Verified<Target>>, Fault> {
    loop {
        let wanted = match trusted.find(path).map_err(|fault| refused(&fault))? {
            Found::Target(target) => return Ok(Some(target)),
            Found::Nothing => return Ok(None),
            Found::Wanted(wanted) => wanted,
        };
        let bytes = match fetch_asked(device, &wanted.ask)? {
            Fetched::Bytes(bytes, _) => Some(bytes),
            Fetched::NotThere | Fetched::Unchanged => None,
        };
        trusted.give_delegated(&wanted, bytes.as_deref()).map_err(|fault| refused(&fault))?;
        device.store(StoredFile::Delegated(&wanted.role), bytes.as_deref()).map_err(Fault::Device)?;
    }
}

/// Removes kept delegated roles that no search used: their number must not grow with the years.
fn forget_unused(device: &mut (impl Repository + ?Sized), trusted: &Trusted) -> Result<(), Fault> {
    let kept = device.stored().metadata.delegated;
    for (role, _) in kept.iter().filter(|(role, _)| trusted.delegated_in_use().all(|used| used != role)) {
        device.store(StoredFile::Delegated(role), None).map_err(Fault::Device)?;
    }
    Ok(())
}

fn forget(device: &mut (impl Repository + ?Sized), file: StoredFile<'_>) -> Result<(), Fault> {
    device.store(file, None).map_err(Fault::Device)
}

/// Remembers a poll that worked; with a validator if it was a full refresh.
fn remember_poll(device: &mut (impl Host + Ledger + ?Sized), full: Option<Option<String>>) {
    let uptime = device.uptime_seconds();
    let mut retry = device.retry();
    retry.polled_uptime = Some(uptime);
    if let Some(validator) = full {
        retry.refreshed_uptime = Some(uptime);
        retry.validator = validator;
    }
    device.keep_retry(&retry);
}

fn refused(fault: &TrustFault) -> Fault {
    Fault::Trust(text(format_args!("{fault}")))
}
