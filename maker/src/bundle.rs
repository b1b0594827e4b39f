//! Bundles: all files that a device of one board and channel would fetch, in one tar archive. A device is played
//! against the repository, and every file that it fetches goes in; so a bundle is complete, also from a repository of
//! another tool.

use crate::files;
use crate::progress::Progress;
use crate::rehearsal::{Fault, keep};
use crate::shelf::Shelf;
use anyhow::{Context, Result, anyhow, bail};
use komainu_core::advisory::advisories_path;
use komainu_core::identifiers::Name;
use komainu_core::update::manifest::{MANIFEST_BYTES_MAX, Manifest, manifest_path};
use komainu_trust::delegations::Found;
use komainu_trust::refresh::{Ask, drive};
use komainu_trust::trusted::{Clock, Stored, Target, Trusted};
use komainu_trust::{Moment, Verified};
use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;

/// The devices that a bundle is for.
#[derive(Clone, Debug)]
pub struct Of {
    pub board: Name,
    pub channel: Name,
}

/// The content of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Every file, as the repository names it, in order.
    pub files: Vec<String>,
    /// The release's number.
    pub release: u64,
    /// Its version, for people.
    pub version: String,
    /// When the first of its signatures expires.
    pub until: Moment,
}

/// Makes a bundle for devices that have `root` or any root after it. It appears whole or not at all.
///
/// # Errors
/// A device would refuse what is published, nothing is published for the board and channel, or a file cannot
/// be read or written.
pub fn make(
    shelf: &Shelf,
    root: Vec<u8>,
    of: &Of,
    now: Moment,
    to: &Path,
    progress: Progress,
) -> Result<Made> {
    let cannot = || format!("cannot write {}", to.display());
    // A folder that is missing is a medium that is not there.
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        bail!("there is no folder {} to write the bundle to", folder.display());
    }
    let archive = tar::Builder::new(files::unfinished(to).with_context(cannot)?);
    let bundle = RefCell::new(Bundle { archive, files: Vec::new() });

    let mut stored = Stored { root, ..Stored::default() };
    let fetch = |ask: &Ask| bundle.borrow_mut().metadata(shelf, ask).map_err(Fault::Unreadable);
    let clock = Clock { system: now, built: Moment(0) };
    let mut trusted = drive(stored.clone(), clock, fetch, |change, bytes| {
        keep(&mut stored, change, bytes);
        Ok(())
    })
    .map_err(anyhow::Error::from)?;
    let mut bundle = bundle.into_inner();

    let path = manifest_path(&of.board, &of.channel);
    let manifest = find(shelf, &mut bundle, &mut trusted, &path)?
        .with_context(|| format!("nothing is published for board {} and channel {}", of.board, of.channel))?;
    let bytes = bundle.target(shelf, &manifest, progress, MANIFEST_BYTES_MAX)?.unwrap_or_default();
    let proven = manifest.prove(bytes).map_err(|fault| anyhow!("{fault}"))?;
    let manifest = Manifest::read(&proven).map_err(|fault| anyhow!("{path} refused: {fault}"))?;
    for image in &manifest.images {
        let target = find(shelf, &mut bundle, &mut trusted, &image.target)?
            .with_context(|| format!("{path} names {}, which is not among the targets", image.target))?;
        if target.file.hashes.sha256 != Some(image.sha256) || target.file.length != image.length {
            bail!("{path} says other than the signed targets of {}", image.target);
        }
        bundle.target(shelf, &target, progress, 0)?;
    }

    let advisories = advisories_path(&of.board);
    if let Some(target) = find(shelf, &mut bundle, &mut trusted, &advisories)? {
        bundle.target(shelf, &target, progress, 0)?;
    }

    let archive = bundle.archive.into_inner().with_context(cannot)?;
    files::persist(archive, to).with_context(cannot)?;
    Ok(Made {
        files: bundle.files,
        release: manifest.release.number,
        version: manifest.release.version.to_string(),
        until: trusted.expiries().into_iter().flatten().min().unwrap_or(now),
    })
}

struct Bundle {
    archive: tar::Builder<tempfile::NamedTempFile>,
    files: Vec<String>,
}

impl Bundle {
    /// Puts a metadata file in and gives it; `None` if the repository has none of that name.
    fn metadata(&mut self, shelf: &Shelf, ask: &Ask) -> Result<Option<Vec<u8>>> {
        let Some(bytes) = shelf.metadata(&ask.name, ask.bytes_max)? else { return Ok(None) };
        self.put(format!("metadata/{}", ask.name), bytes.len() as u64, bytes.as_slice())?;
        Ok(Some(bytes))
    }

    /// Puts a target in, once; gives its bytes where it has at most so many.
    fn target(
        &mut self,
        shelf: &Shelf,
        target: &Verified<Target>,
        progress: Progress,
        bytes_max: u64,
    ) -> Result<Option<Vec<u8>>> {
        let path = target.fetch_path();
        let (name, length) = (format!("targets/{path}"), target.file.length);
        let file = shelf.target(&path).with_context(|| format!("{name} is missing"))?;
        if !self.files.contains(&name) {
            let bar = progress.bar(&target.path, length);
            let print = files::fingerprint(&file, length, &mut |bytes| bar.add(bytes))?;
            if print.length != length || target.file.hashes.sha256.is_some_and(|hash| hash != print.sha256) {
                bail!("{} refused: it is not what is signed", file.display());
            }
            let reader = File::open(&file).with_context(|| format!("cannot read {}", file.display()))?;
            self.put(name, length, reader)?;
        }
        if length <= bytes_max { files::read_at_most(&file, bytes_max) } else { Ok(None) }
    }

    fn put(&mut self, name: String, length: u64, content: impl Read) -> Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(length);
        header.set_mode(0o644);
        // The same input makes the same bundle.
        header.set_mtime(0);
        let cannot = || format!("cannot put {name} into the bundle");
        // A file that grows meanwhile would shift all that follows.
        let mut content = content.take(length);
        self.archive.append_data(&mut header, &name, &mut content).with_context(cannot)?;
        if content.limit() > 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof)).with_context(cannot);
        }
        self.files.push(name);
        Ok(())
    }
}

/// Searches a target as a device does, with every delegated role on the way.
fn find(
    shelf: &Shelf,
    bundle: &mut Bundle,
    trusted: &mut Trusted,
    path: &str,
) -> Result<Option<Verified<Target>>> {
    loop {
        match trusted.find(path).map_err(|fault| anyhow!("{fault}"))? {
            Found::Target(target) => return Ok(Some(target)),
            Found::Nothing => return Ok(None),
            Found::Wanted(wanted) => {
                let bytes = bundle.metadata(shelf, &wanted.ask)?;
                trusted.give_delegated(&wanted, bytes.as_deref()).map_err(|fault| anyhow!("{fault}"))?;
            }
        }
    }
}
