//! Patches of a release: made from the older images that the maker names, proven, and put aside beside the image.

use crate::delta;
use crate::files;
use crate::files::Fingerprint;
use crate::hash_bins;
use crate::json_writer::{number, object, text};
use crate::progress::Progress;
use crate::target_paths::fetch_path;
use anyhow::{Context, Result, bail};
use komainu_core::identifiers::Name;
use komainu_core::update::patch_choice::{PATCH_BYTES_MAX, PATCHES_MAX};
use komainu_delta::{FORMAT_WORD, PACKER_WORD};
use komainu_trust::hex;
use komainu_trust::json::Json;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// A patch that was put aside.
pub(crate) struct StagedPatch {
    pub(crate) target: String,
    pub(crate) print: Fingerprint,
    base: Fingerprint,
    memory_bytes: u64,
}

/// An image that patches lead to.
pub(crate) struct NewImage<'a> {
    pub(crate) part: &'a Name,
    pub(crate) file: &'a Path,
    pub(crate) print: Fingerprint,
    /// The folder of the release's targets.
    pub(crate) folder: &'a str,
    /// The manifest's path, where the list of targets is divided.
    pub(crate) with_manifest: Option<&'a str>,
}

impl NewImage<'_> {
    /// Makes a patch from each older image, and writes it into the folder of targets that are put aside.
    ///
    /// # Errors
    /// An image is too large for patches, is the new one itself, or a patch would save nothing; a file cannot be read or
    /// written.
    pub(crate) fn stage_patches(
        &self,
        old_files: &[&PathBuf],
        targets: &Path,
        progress: Progress,
    ) -> Result<Vec<StagedPatch>> {
        if old_files.is_empty() {
            return Ok(Vec::new());
        }
        if old_files.len() > PATCHES_MAX {
            bail!("{} patches for {}: a device reads at most {PATCHES_MAX}", old_files.len(), self.part);
        }
        let new = read(self.file)?;
        if fingerprint(&new) != self.print {
            bail!("{} was changed while it was copied", self.file.display());
        }
        old_files.iter().map(|old| self.stage_patch(old, &new, targets, progress)).collect()
    }

    fn stage_patch(
        &self,
        file: &Path,
        new: &[u8],
        targets: &Path,
        progress: Progress,
    ) -> Result<StagedPatch> {
        let old = read(file)?;
        let base = fingerprint(&old);
        if base == self.print {
            bail!("--delta-from {}: it is the new image itself", file.display());
        }
        let bar = progress.bar(&format!("{} from {}", self.part, file.display()), new.len() as u64);
        let patch = delta::make(&old, new, &bar)?;
        let (length, most) = (patch.bytes.len() as u64, self.print.length.min(PATCH_BYTES_MAX + 1));
        if length >= most {
            bail!(
                "--delta-from {}: the patch would have {length} bytes, and the image has {}; \
                 leave this one out: devices take the whole image",
                file.display(),
                self.print.length
            );
        }
        let print = fingerprint(&patch.bytes);
        let name = format!("{}.from-{}", self.part, &hex::encode(&base.sha256)[..16]);
        let target = hash_bins::target_path(self.folder, &name, "patch", self.with_manifest);
        files::replace(&targets.join(fetch_path(&target, &print.sha256)), &patch.bytes)?;
        Ok(StagedPatch { target, print, base, memory_bytes: patch.memory_bytes })
    }
}

/// The patches of an image, as its manifest names them.
pub(crate) fn patches_json(patches: &[StagedPatch]) -> Json {
    let patch = |patch: &StagedPatch| {
        object([
            ("target", text(&patch.target)),
            ("length", number(patch.print.length)),
            ("sha256", text(&hex::encode(&patch.print.sha256))),
            ("base_length", number(patch.base.length)),
            ("base_sha256", text(&hex::encode(&patch.base.sha256))),
            ("memory", number(patch.memory_bytes)),
            ("needs", Json::List(vec![text(FORMAT_WORD), text(PACKER_WORD)])),
        ])
    };
    Json::List(patches.iter().map(patch).collect())
}

fn read(file: &Path) -> Result<Vec<u8>> {
    let bytes = files::read_at_most(file, delta::IMAGE_BYTES_MAX);
    let bytes = bytes
        .with_context(|| format!("patches are made of images of at most {} bytes", delta::IMAGE_BYTES_MAX))?;
    bytes.with_context(|| format!("there is no file {}", file.display()))
}

fn fingerprint(bytes: &[u8]) -> Fingerprint {
    Fingerprint { length: bytes.len() as u64, sha256: Sha256::digest(bytes).into() }
}
