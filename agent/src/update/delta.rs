//! Images by patches: chooses a patch of the manifest, fetches and proves it, and has the image rebuilt from the slot that runs by
//! a process without privileges. Each fault ends in the whole image, with its reason in the log. Map: `base_part` reads the slot
//! that runs, `rebuild_process` is the process, seen from here.

mod base_part;
mod rebuild_process;

use crate::update::health::available_memory_bytes;
use crate::update::source::carrier::Source;
use base_part::BasePart;
use komainu_core::fault::FetchFault;
use komainu_core::identifiers::Digest64;
use komainu_core::update::patch_choice::{ListedPatch, PATCH_BYTES_MAX, Patch, Rebuildable, choose};
use rebuild_process::RebuildProcess;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

// The process takes every patch that the planner chooses.
const _: () = assert!(PATCH_BYTES_MAX == komainu_delta::rebuild_pipe::PATCH_BYTES_MAX);

/// Bytes of a patch that are fetched at once.
const FETCH_BYTES: usize = 64 * 1024;
/// After so many failed fetches in a row the whole image is fetched: a server may be unable to give this one file.
const FETCH_FAILURES_MAX: u32 = 3;
/// Images whose patches are refused are remembered; more of them than this come of no ordinary release.
const REFUSED_MAX: usize = 16;

/// The images that are rebuilt by patches.
pub struct PatchedImages {
    settings_file: PathBuf,
    /// Images for which no patch serves, until the next start, by their hash.
    refused: Vec<[u8; 32]>,
    /// Releases of which no patch is used, until the next start.
    refused_releases: Vec<Digest64>,
    active: Option<Active>,
}

/// The image that is rebuilt now.
struct Active {
    image: [u8; 32],
    patch: ListedPatch,
    base: BasePart,
    fetched: Vec<u8>,
    failures: u32,
    process: Option<RebuildProcess>,
}

impl PatchedImages {
    /// No image yet; the process gets the same settings.
    pub fn new(settings_file: &Path) -> PatchedImages {
        PatchedImages {
            settings_file: settings_file.into(),
            refused: Vec::new(),
            refused_releases: Vec::new(),
            active: None,
        }
    }

    /// Fills the buffer with bytes of the image from `offset` on; `None`: no patch serves. `base_path` finds the part of the
    /// slot that runs.
    ///
    /// # Errors
    /// The patch cannot be fetched now.
    pub fn piece(
        &mut self,
        wanted: &Rebuildable<'_>,
        offset: u64,
        buffer: &mut [u8],
        source: &mut dyn Source,
        base_path: impl FnOnce() -> Result<PathBuf, String>,
    ) -> Result<Option<usize>, FetchFault> {
        if wanted.patches.is_empty()
            || self.refused.contains(&wanted.sha256)
            || self.refused_releases.contains(&wanted.release)
        {
            return Ok(None);
        }
        if self.active.as_ref().is_some_and(|active| active.image != wanted.sha256) {
            self.active = None;
        }
        if self.active.is_none() {
            match begin(wanted, offset, base_path) {
                Ok(active) => self.active = Some(active),
                Err(why) => return Ok(self.refuse(wanted, &why)),
            }
        }
        let Some(active) = &mut self.active else { return Ok(None) };
        if active.process.is_none() {
            match active.fetch(source) {
                Ok(()) => {}
                Err(fault) if active.failures < FETCH_FAILURES_MAX && may_pass(&fault) => return Err(fault),
                Err(fault) => {
                    let why = format!("the patch cannot be fetched: {fault}");
                    return Ok(self.refuse(wanted, &why));
                }
            }
            if let Err(why) = active.start(&self.settings_file) {
                return Ok(self.refuse(wanted, &why));
            }
        }
        let Some(Active { process: Some(process), base, .. }) = &mut self.active else { return Ok(None) };
        match process.piece(offset, buffer, base) {
            Ok(count) => Ok(Some(count)),
            Err(why) => Ok(self.refuse(wanted, &why)),
        }
    }

    fn refuse(&mut self, wanted: &Rebuildable<'_>, why: &str) -> Option<usize> {
        log::warn!("patch-not-used part={} why=\"{why}\"", wanted.part);
        self.active = None;
        if self.refused.len() >= REFUSED_MAX {
            self.refused.clear();
        }
        self.refused.push(wanted.sha256);
        None
    }

    /// No patch of this release is used any more until the next start: any of its images may have been rebuilt wrongly, also
    /// one before the last.
    pub fn refuse_release(&mut self, release: Digest64) {
        self.active = None;
        if !self.refused_releases.contains(&release) {
            self.refused_releases.push(release);
        }
    }

    /// Ends the process, and gives its memory back.
    pub fn end(&mut self) {
        self.active = None;
    }
}

/// Chooses a patch; the bytes of the slot that runs decide.
fn begin(
    wanted: &Rebuildable<'_>,
    offset: u64,
    base_path: impl FnOnce() -> Result<PathBuf, String>,
) -> Result<Active, String> {
    let available = available_memory_bytes().map_err(|why| why.to_string())?;
    let path = base_path()?;
    let mut base =
        BasePart::open(&path).map_err(|error| format!("cannot open {}: {error}", path.display()))?;
    let is_base = |patch: &Patch| base.begins_with(patch.base_length, &patch.base_sha256);
    let patch = choose(wanted, offset, available, is_base).map_err(|why| why.to_string())?;
    log::info!(
        "patch-chosen part={} patch_bytes={} image_bytes={} memory_bytes={}",
        wanted.part,
        patch.patch.length,
        wanted.length,
        patch.patch.memory_bytes
    );
    let (image, patch) = (wanted.sha256, patch.clone());
    Ok(Active { image, patch, base, fetched: Vec::new(), failures: 0, process: None })
}

/// True if the same request may be answered otherwise later. A file that is not there stays away.
fn may_pass(fault: &FetchFault) -> bool {
    !matches!(
        fault,
        FetchFault::NotFound
            | FetchFault::Status { .. }
            | FetchFault::TooLarge { .. }
            | FetchFault::Short { .. }
    )
}

impl Active {
    /// Fetches the rest of the patch; what came before a fault is kept.
    fn fetch(&mut self, source: &mut dyn Source) -> Result<(), FetchFault> {
        let total = self.patch.patch.length;
        let mut piece = vec![0; FETCH_BYTES];
        while (self.fetched.len() as u64) < total {
            let at = self.fetched.len() as u64;
            let most = usize::try_from(total - at).unwrap_or(usize::MAX).min(FETCH_BYTES);
            match source.piece(&self.patch.fetch_path, at, total, &mut piece[..most]) {
                Ok(0) => return Err(FetchFault::Short { got_bytes: at, want_bytes: total }),
                Ok(came) => {
                    self.fetched.extend_from_slice(&piece[..came]);
                    self.failures = 0;
                }
                // A person waits: that says nothing about the server.
                Err(FetchFault::Interrupted) => return Err(FetchFault::Interrupted),
                Err(fault) => {
                    self.failures += 1;
                    return Err(fault);
                }
            }
        }
        Ok(())
    }

    /// Proves the patch, and gives it to a new process.
    fn start(&mut self, settings_file: &Path) -> Result<(), String> {
        let fetched = std::mem::take(&mut self.fetched);
        let hash: [u8; 32] = Sha256::digest(&fetched).into();
        if hash != self.patch.patch.sha256 {
            return Err("the patch that came has not the signed sha256".into());
        }
        let process = RebuildProcess::start(settings_file, &fetched, self.patch.patch.memory_bytes);
        self.process =
            Some(process.map_err(|error| format!("the rebuilding process cannot start: {error}"))?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use komainu_core::device::{Fetched, Folder};

    struct NoServer;

    impl Source for NoServer {
        fn small(&mut self, _: Folder, _: &str, _: u64, _: Option<&str>) -> Result<Fetched, FetchFault> {
            Err(FetchFault::NotFound)
        }

        fn piece(&mut self, _: &str, _: u64, _: u64, _: &mut [u8]) -> Result<usize, FetchFault> {
            Err(FetchFault::NotFound)
        }
    }

    #[test]
    fn a_wrong_image_refuses_the_patches_of_all_images_of_its_release_whichever_was_rebuilt_last() {
        let patch = Patch {
            target: String::new(),
            length: 1,
            sha256: [0; 32],
            base_length: 1,
            base_sha256: [0; 32],
            memory_bytes: 0,
            needs: Vec::new(),
        };
        let patches = [ListedPatch { patch, fetch_path: String::new() }];
        let mut images = PatchedImages::new(Path::new("/nowhere"));
        let mut asks_for_the_base = |image: u8, release| {
            let wanted = Rebuildable { part: 0, length: 9, sha256: [image; 32], patches: &patches, release };
            let mut has_asked = false;
            let base = || {
                has_asked = true;
                Err("it is unknown".into())
            };
            assert!(matches!(images.piece(&wanted, 0, &mut [0; 9], &mut NoServer, base), Ok(None)));
            if image == 2 {
                images.refuse_release(release);
            }
            has_asked
        };
        let (one, other) = (Digest64::of(b"one"), Digest64::of(b"other"));
        // The second image was refused before the whole release was: nothing is rebuilt at that moment.
        assert!(asks_for_the_base(2, one));
        assert!(!asks_for_the_base(1, one), "another image of the same release");
        assert!(asks_for_the_base(3, other));
    }
}
