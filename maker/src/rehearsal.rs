//! Plays a device with the device's own code: it refreshes its metadata, reads every manifest, and proves
//! every image. A refusal stops the publication.

use crate::files;
use crate::metadata::{signed_part, take_object};
use crate::progress::Progress;
use crate::shelf::Shelf;
use crate::target_paths::{is_advisories, is_manifest};
use anyhow::{Context, Result, anyhow, bail};
use komainu_core::advisory::{ADVISORIES_BYTES_MAX, Advisories};
use komainu_core::update::manifest::{IMAGE_BYTES_MAX, MANIFEST_BYTES_MAX, Manifest, manifest_path};
use komainu_trust::json::Json;
use komainu_trust::limits::{
    PROVEN_TIMES, ROOT_BYTES_MAX, SNAPSHOT_BYTES_MAX, TARGETS_BYTES_MAX, TIMESTAMP_BYTES_MAX,
};
use komainu_trust::refresh::{Ask, Keep, drive};
use komainu_trust::roles::Role;
use komainu_trust::trusted::{Clock, Stored, Target, Trusted};
use komainu_trust::{Moment, TrustFault, Verified};

/// How closely to look at images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Images {
    /// Hash every byte, as a device does before it uses them.
    Hash,
    /// Only see that each is there and has its length; enough where no target changed.
    LengthOnly,
}

/// The reasons why a refresh ends early.
#[derive(Debug)]
pub enum Fault {
    /// The device refuses.
    Refused(TrustFault),
    /// A file could not be read; a device would try again.
    Unreadable(anyhow::Error),
}

impl From<TrustFault> for Fault {
    fn from(fault: TrustFault) -> Fault {
        Fault::Refused(fault)
    }
}

impl From<Fault> for anyhow::Error {
    fn from(fault: Fault) -> anyhow::Error {
        match fault {
            Fault::Refused(fault) => anyhow!("{fault}"),
            Fault::Unreadable(error) => error,
        }
    }
}

/// Refreshes a device's metadata from a shelf. `stored` is changed as a device's store would be, also where
/// the refresh is refused on the way.
///
/// # Errors
/// The refusal, as the device would log it.
pub fn refresh(shelf: &Shelf, stored: &mut Stored, now: Moment) -> Result<Trusted, Fault> {
    // Build time is left out: a device may have been built long ago.
    let clock = Clock { system: now, built: Moment(0) };
    let fetch = |ask: &Ask| shelf.metadata(&ask.name, ask.bytes_max).map_err(Fault::Unreadable);
    let mut trusted = drive(stored.clone(), clock, fetch, |change, bytes| {
        keep(stored, change, bytes);
        Ok(())
    })?;
    // A device fetches those that it needs; among many devices, all are needed.
    for wanted in trusted.wanted_by_top()? {
        let bytes = fetch(&wanted.ask)?;
        trusted.give_delegated(&wanted, bytes.as_deref())?;
    }
    Ok(trusted)
}

/// Changes a device's store as [`Keep`] demands.
pub fn keep(stored: &mut Stored, change: Keep, bytes: &[u8]) {
    match change {
        Keep::Nothing => {}
        Keep::Given(Role::Root) => stored.root = bytes.to_vec(),
        Keep::Given(Role::Timestamp) => stored.timestamp = Some(bytes.to_vec()),
        Keep::Given(Role::Snapshot) => stored.snapshot = Some(bytes.to_vec()),
        Keep::Given(Role::Targets) => stored.targets = Some(bytes.to_vec()),
        Keep::GivenRootForgetRest => {
            stored.root = bytes.to_vec();
            stored.timestamp = None;
            stored.snapshot = None;
        }
    }
}

/// The store of a device that has everything that is published now, even where that has expired since.
///
/// # Errors
/// A file is missing or cannot be read. Whether it can be believed is not looked at here.
pub fn published(shelf: &Shelf, root: Vec<u8>) -> Result<Stored> {
    let there = |name: &str, bytes_max: u64| -> Result<Vec<u8>> {
        shelf.metadata(name, bytes_max)?.with_context(|| format!("metadata/{name} is missing"))
    };
    let timestamp = there(Role::Timestamp.file(), TIMESTAMP_BYTES_MAX)?;
    let version = listed_version(Role::Timestamp.file(), &timestamp, Role::Snapshot.file())?;
    let snapshot = there(&format!("{version}.snapshot.json"), PROVEN_TIMES * SNAPSHOT_BYTES_MAX)?;
    let version = listed_version(Role::Snapshot.file(), &snapshot, Role::Targets.file())?;
    let targets = there(&format!("{version}.targets.json"), PROVEN_TIMES * TARGETS_BYTES_MAX)?;
    let mut delegated = Vec::new();
    for file in take_object(&mut signed_part(Role::Snapshot.file(), &snapshot)?, "meta")?.keys() {
        let Some(role) = file.strip_suffix(".json").filter(|_| file != Role::Targets.file()) else {
            continue;
        };
        let version = listed_version(Role::Snapshot.file(), &snapshot, file)?;
        let bytes = shelf.metadata(&format!("{version}.{file}"), PROVEN_TIMES * TARGETS_BYTES_MAX)?;
        delegated.extend(bytes.map(|bytes| (role.to_owned(), bytes)));
    }
    let (timestamp, snapshot, targets) = (Some(timestamp), Some(snapshot), Some(targets));
    Ok(Stored { root, timestamp, snapshot, targets, delegated })
}

fn listed_version(name: &str, bytes: &[u8], of: &str) -> Result<i64> {
    let mut meta = take_object(&mut signed_part(name, bytes)?, "meta")?;
    match take_object(&mut meta, of)?.get("version") {
        Some(Json::Int(version)) => Ok(*version),
        _ => bail!("{name} does not say which version of {of} is current"),
    }
}

/// Plays two devices against a publication that is not visible yet: one fresh from the factory, and one that has
/// `before`, everything that was published until now.
///
/// # Errors
/// The refusal of the first that refuses.
pub(crate) fn rehearse(
    shelf: &Shelf,
    before: Option<&Stored>,
    images: Images,
    progress: Progress,
    now: Moment,
) -> Result<()> {
    let root = shelf.metadata("1.root.json", ROOT_BYTES_MAX)?.context("metadata/1.root.json is missing")?;
    let mut new = Stored { root, ..Stored::default() };
    let trusted = refresh(shelf, &mut new, now)
        .map_err(|fault| anyhow::Error::from(fault).context("a device fresh from the factory"))?;
    check_targets(shelf, &trusted, images, progress)?;

    if let Some(before) = before {
        let followed = refresh(shelf, &mut before.clone(), now)
            .map_err(|fault| anyhow::Error::from(fault).context("a device that is up to date"))?;
        if followed.versions() != trusted.versions() {
            bail!(
                "an up-to-date device would see versions {:?} and a new one {:?} of root, timestamp, snapshot, targets",
                followed.versions(),
                trusted.versions()
            );
        }
    }
    Ok(())
}

/// Reads every manifest and all advisories, proves every target, and that manifests and targets say the same of each
/// image.
///
/// # Errors
/// The first that a device would refuse: which file, which field, which limit.
pub fn check_targets(
    shelf: &Shelf,
    trusted: &Trusted,
    images: Images,
    progress: Progress,
) -> Result<Vec<Manifest>> {
    let mut trusted = trusted.clone();
    let paths: Vec<String> = trusted.target_paths().map(Into::into).collect();
    let mut manifests = Vec::new();
    for path in &paths {
        let target = listed(&mut trusted, path)?.with_context(|| format!("{path} is not listed"))?;
        if is_manifest(path) {
            manifests.push(read_manifest(shelf, &mut trusted, target)?);
        } else if is_advisories(path) {
            read_advisories(shelf, target)?;
        } else {
            prove(shelf, &target, images, progress)?;
        }
    }
    Ok(manifests)
}

fn listed(trusted: &mut Trusted, path: &str) -> Result<Option<Verified<Target>>> {
    trusted.target(path).map_err(|fault| anyhow!("{fault}"))
}

fn read_manifest(shelf: &Shelf, trusted: &mut Trusted, target: Verified<Target>) -> Result<Manifest> {
    let path = target.path.clone();
    let fetch_path = target.fetch_path();
    let file = shelf.target(&fetch_path).with_context(|| format!("targets/{fetch_path} is missing"))?;
    let bytes = files::read_at_most(&file, MANIFEST_BYTES_MAX)?.unwrap_or_default();
    let proven = target.prove(bytes).map_err(|fault| anyhow!("{fault}"))?;
    let manifest = Manifest::read(&proven).map_err(|fault| anyhow!("{path} refused: {fault}"))?;
    let wanted = manifest_path(&manifest.board, &manifest.channel);
    if wanted != path {
        bail!("{path} refused: it says that it is {wanted}");
    }
    for image in &manifest.images {
        let refused = |why: &str| anyhow!("{path} refused: image {}: {why}", image.part);
        let Some(target) = listed(trusted, &image.target)? else {
            return Err(refused(&format!("{} is not among the signed targets", image.target)));
        };
        if target.file.length != image.length {
            return Err(refused(&format!(
                "length must be {}, as the signed targets say, not {}",
                target.file.length, image.length
            )));
        }
        if target.file.hashes.sha256 != Some(image.sha256) {
            return Err(refused("sha256 is not the one of the signed targets"));
        }
        for patch in &image.patches {
            let is_same = |target: Verified<Target>| {
                target.file.length == patch.length && target.file.hashes.sha256 == Some(patch.sha256)
            };
            if !listed(trusted, &patch.target)?.is_some_and(is_same) {
                return Err(refused(&format!("{} is not as the signed targets say", patch.target)));
            }
        }
    }
    Ok(manifest)
}

fn read_advisories(shelf: &Shelf, target: Verified<Target>) -> Result<()> {
    let (path, fetch_path) = (&target.path, target.fetch_path());
    let file = shelf.target(&fetch_path).with_context(|| format!("targets/{fetch_path} is missing"))?;
    let bytes = files::read_at_most(&file, ADVISORIES_BYTES_MAX)?.unwrap_or_default();
    let proven = target.prove(bytes).map_err(|fault| anyhow!("{fault}"))?;
    Advisories::read(&proven).map_err(|why| anyhow!("{path} refused: {why}"))?;
    Ok(())
}

fn prove(shelf: &Shelf, target: &Verified<Target>, images: Images, progress: Progress) -> Result<()> {
    let fetch_path = target.fetch_path();
    let file = shelf.target(&fetch_path).with_context(|| format!("targets/{fetch_path} is missing"))?;
    let length = file.metadata().with_context(|| format!("cannot read {}", file.display()))?.len();
    let want = &target.file;
    if length != want.length || length > IMAGE_BYTES_MAX {
        bail!("{} refused: {length} bytes, signed are {}", file.display(), want.length);
    }
    if images == Images::LengthOnly {
        return Ok(());
    }
    let Some(sha256) = want.hashes.sha256 else {
        // Another tool's target, with SHA-512 only: small enough, or else it must say SHA-256 too.
        let bytes = files::read_at_most(&file, TARGETS_BYTES_MAX)?.unwrap_or_default();
        return target.clone().prove(bytes).map(|_| ()).map_err(|fault| anyhow!("{fault}"));
    };
    let bar = progress.bar(&target.path, length);
    if files::fingerprint(&file, want.length, &mut |bytes| bar.add(bytes))?.sha256 != sha256 {
        bail!("{} refused: its hash is not the signed one", file.display());
    }
    Ok(())
}
