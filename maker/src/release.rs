//! Puts a release aside: its images are copied into the staging area and hashed, its manifest is written
//! and read back with the device's own reader. Nothing of it is visible before it is published.

use crate::files;
use crate::files::Fingerprint;
use crate::hash_bins;
use crate::image_file;
use crate::json_writer;
use crate::json_writer::{number, object, pretty, text};
use crate::metadata;
use crate::staged_patches::{NewImage, StagedPatch, patches_json};
use crate::staging::{listed_prints, staged, staged_file, write_staged};
use crate::target_paths::{fetch_path, is_manifest};
use crate::workshop::Workshop;
use anyhow::{Result, anyhow, bail};
use komainu_core::advisory::ADVISORIES;
use komainu_core::identifiers::Name;
use komainu_core::update::manifest::{
    IMAGE_BYTES_MAX, MANIFEST_BYTES_MAX, Manifest, Severity, Wave, manifest_path,
};
use komainu_trust::json::{Json, Object};
use komainu_trust::{Moment, hex};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// A release to be added.
#[derive(Clone, Debug)]
pub struct ReleaseDraft {
    /// The board that it is for.
    pub board: String,
    /// The channel, such as `stable`.
    pub channel: String,
    /// The version for people.
    pub version: String,
    /// The release number; without one it is the last and one more.
    pub number: Option<u64>,
    /// Part of the slot, and the file that goes there.
    pub images: Vec<(String, PathBuf)>,
    /// Part of the slot, and an older image of it that devices may still run: a patch is made from each.
    pub delta_from: Vec<(String, PathBuf)>,
    pub severity: Severity,
    /// Language and text.
    pub notes: Vec<(String, String)>,
    pub fixes: Vec<String>,
    /// When support for the board ends.
    pub support_end: Option<Moment>,
    pub waves: Vec<Wave>,
    /// Words that a device must understand.
    pub needs: Vec<String>,
    /// Take images that look packed too.
    pub raw: bool,
    /// **Dangerous.** Also accept a number that is not above the last: devices refuse such a release. For
    /// demonstrations and tests; the command line does not offer it.
    pub without_order_check: bool,
}

impl ReleaseDraft {
    /// A draft without images.
    pub fn new(board: &str, channel: &str, version: &str) -> ReleaseDraft {
        ReleaseDraft {
            board: board.into(),
            channel: channel.into(),
            version: version.into(),
            number: None,
            images: Vec::new(),
            delta_from: Vec::new(),
            severity: Severity::Normal,
            notes: Vec::new(),
            fixes: Vec::new(),
            support_end: None,
            waves: Vec::new(),
            needs: Vec::new(),
            raw: false,
            without_order_check: false,
        }
    }
}

impl Workshop {
    /// Puts a release aside for the next publication, and gives its manifest as a device reads it.
    ///
    /// # Errors
    /// A device would refuse it; its number is not above the last; a file cannot be read or written.
    pub fn add_release(&mut self, draft: &ReleaseDraft) -> Result<Manifest> {
        let _lock = self.lock()?;
        self.refuse_if_cut_off()?;
        let name = |what: &str, name: &str| {
            Name::parse(name).ok_or_else(|| anyhow!("{what} `{name}` must be 1 to 32 of a-z 0-9 . _ -"))
        };
        let (board, channel) = (name("the board", &draft.board)?, name("the channel", &draft.channel)?);
        if channel.as_str() == ADVISORIES {
            bail!("no channel can be called {ADVISORIES}: the advisories for the board are in its place");
        }
        let path = manifest_path(&board, &channel);
        let last = self.last_release(&path)?;
        let number = draft.number.unwrap_or(last + 1);
        if number <= last && !draft.without_order_check {
            bail!(
                "release {number} of {board}/{channel} is not above {last}, the last one: devices never go back. \
                 Leave --release out to get {}",
                last + 1
            );
        }

        let mut list = self.current()?.targets;
        list.extend(staged(&self.dir)?.iter().map(|(path, print)| (path.clone(), metadata::target(print))));
        let with_manifest = hash_bins::number_for(&list, self.current()?.bins()) > 0;
        let with_manifest = with_manifest.then_some(path.as_str());
        let folder = format!("images/{board}/{channel}/{number}");

        // Once with lengths only, so that a manifest that no device reads costs no copying.
        let mut images = Vec::new();
        for (part, file) in &draft.images {
            let part = name("the part", part)?;
            let length = image_file::length(file, draft.raw)?;
            let target = hash_bins::target_path(&folder, part.as_str(), "img", with_manifest);
            let print = Fingerprint { length, sha256: [0; 32] };
            images.push(ListedImage { part, file, target, print, patches: Vec::new() });
        }
        for (part, file) in &draft.delta_from {
            if !images.iter().any(|image| image.part.as_str() == part) {
                bail!("--delta-from {part}={}: the release has no image for {part}", file.display());
            }
        }
        read_back(&compose(draft, number, listed(&images)))?;

        let staging = self.dir.join("staging/targets");
        let mut staged = staged(&self.dir)?;
        for ListedImage { part, file, target, print, patches } in &mut images {
            let bar = self.progress.bar(part.as_str(), print.length);
            let (folder, name) = target.rsplit_once('/').unwrap_or(("", target));
            let hashed_name = |print: &Fingerprint| format!("{}.{name}", hex::encode(&print.sha256));
            *print = files::copy_into(
                &staging.join(folder),
                file,
                IMAGE_BYTES_MAX,
                &mut |bytes| bar.add(bytes),
                hashed_name,
            )?;
            staged.insert(target.clone(), *print);
            let old = draft.delta_from.iter().filter(|(of, _)| of == part.as_str());
            let old: Vec<&PathBuf> = old.map(|(_, file)| file).collect();
            let new = NewImage { part, file, print: *print, folder, with_manifest };
            *patches = new.stage_patches(&old, &staging, self.progress)?;
            staged.extend(patches.iter().map(|patch| (patch.target.clone(), patch.print)));
        }
        let bytes = compose(draft, number, listed(&images));
        let manifest = read_back(&bytes)?;
        let print = Fingerprint { length: bytes.len() as u64, sha256: Sha256::digest(&bytes).into() };
        files::replace(&staging.join(fetch_path(&path, &print.sha256)), &bytes)?;
        staged.insert(path, print);
        // Last: only what is written down here is published.
        write_staged(&self.dir, &staged)?;
        Ok(manifest)
    }

    /// Forgets every release, and all advisories, that were added and not yet published.
    ///
    /// # Errors
    /// A publication was cut off and must be completed first, or files cannot be removed.
    pub fn drop_staged(&mut self) -> Result<()> {
        let _lock = self.lock()?;
        self.refuse_if_cut_off()?;
        files::remove(&staged_file(&self.dir))?;
        files::remove(&self.dir.join("staging"))
    }

    /// The manifests that are published, and those that are put aside.
    ///
    /// # Errors
    /// One cannot be read.
    pub fn releases(&self) -> Result<(Vec<Manifest>, Vec<Manifest>)> {
        let published = listed_prints(&self.current()?.targets);
        let read = |prints: &BTreeMap<String, Fingerprint>| -> Result<Vec<Manifest>> {
            let manifests = prints.iter().filter(|(path, _)| is_manifest(path));
            manifests.map(|(path, print)| self.read_manifest(path, print)).collect()
        };
        Ok((read(&published)?, read(&staged(&self.dir)?)?))
    }

    pub(crate) fn refuse_if_cut_off(&self) -> Result<()> {
        if self.dir.join("next/order").exists() {
            bail!("a publication was cut off; complete it first with `komainu-maker publish`");
        }
        Ok(())
    }

    fn last_release(&self, path: &str) -> Result<u64> {
        let mut last = 0;
        for prints in [listed_prints(&self.current()?.targets), staged(&self.dir)?] {
            if let Some(print) = prints.get(path) {
                last = last.max(self.read_manifest(path, print)?.release.number);
            }
        }
        Ok(last)
    }

    pub(crate) fn read_manifest(&self, path: &str, print: &Fingerprint) -> Result<Manifest> {
        let bytes = self.read_target(path, print, MANIFEST_BYTES_MAX)?;
        Manifest::read(&bytes)
            .map_err(|fault| anyhow!("targets/{}: {fault}", fetch_path(path, &print.sha256)))
    }

    /// A small target, put aside or published.
    pub(crate) fn read_target(&self, path: &str, print: &Fingerprint, bytes_max: u64) -> Result<Vec<u8>> {
        let fetch_path = fetch_path(path, &print.sha256);
        for folder in ["staging/targets", "repository/targets"] {
            let file = self.dir.join(folder).join(&fetch_path);
            let Some(bytes) = files::read_at_most(&file, bytes_max)? else { continue };
            if Sha256::digest(&bytes).as_slice() != print.sha256 {
                bail!("{} was changed since it was signed or added", file.display());
            }
            return Ok(bytes);
        }
        bail!("targets/{fetch_path} is missing")
    }
}

/// Takes images out of the list that no manifest names any more. The files stay: devices may be fetching them.
pub(crate) fn drop_unused_images(
    workshop: &Workshop,
    targets: &mut Object,
    keep: &BTreeSet<&str>,
) -> Result<()> {
    let mut used = BTreeSet::new();
    for (path, print) in listed_prints(targets).iter().filter(|(path, _)| is_manifest(path)) {
        let manifest = workshop.read_manifest(path, print)?;
        for image in manifest.images {
            used.insert(image.target);
            used.extend(image.patches.into_iter().map(|patch| patch.target));
        }
    }
    targets.retain(|path, _| {
        !path.starts_with("images/") || used.contains(path) || keep.contains(path.as_str())
    });
    Ok(())
}

/// An image of a draft, as the manifest lists it.
struct ListedImage<'a> {
    part: Name,
    file: &'a PathBuf,
    target: String,
    print: Fingerprint,
    patches: Vec<StagedPatch>,
}

fn listed(images: &[ListedImage<'_>]) -> Json {
    let image = |image: &ListedImage<'_>| {
        let Json::Object(mut fields) = object([
            ("part", text(image.part.as_str())),
            ("target", text(&image.target)),
            ("length", json_writer::number(image.print.length)),
            ("sha256", text(&hex::encode(&image.print.sha256))),
        ]) else {
            unreachable!("object makes an object")
        };
        if !image.patches.is_empty() {
            fields.insert("patches".into(), patches_json(&image.patches));
        }
        Json::Object(fields)
    };
    Json::List(images.iter().map(image).collect())
}

pub(crate) fn read_back(bytes: &[u8]) -> Result<Manifest> {
    if bytes.len() as u64 > MANIFEST_BYTES_MAX {
        bail!(
            "the manifest has {} bytes, devices read at most {MANIFEST_BYTES_MAX}: shorten the notes",
            bytes.len()
        );
    }
    Manifest::read(bytes).map_err(|fault| anyhow!("a device would refuse this manifest: {fault}"))
}

fn compose(draft: &ReleaseDraft, release: u64, images: Json) -> Vec<u8> {
    let words = |words: &[String]| Json::List(words.iter().map(|word| text(word)).collect());
    let notes = draft.notes.iter().map(|(language, note)| (language.clone(), text(note))).collect();
    let Json::Object(mut manifest) = object([
        ("format", number(1)),
        ("board", text(&draft.board)),
        ("channel", text(&draft.channel)),
        ("release", number(release)),
        ("version", text(&draft.version)),
        ("severity", text(draft.severity.name())),
        ("images", images),
        ("waves", waves_json(&draft.waves)),
        ("notes", Json::Object(notes)),
        ("fixes", words(&draft.fixes)),
        ("needs", words(&draft.needs)),
    ]) else {
        unreachable!("object makes an object")
    };
    if let Some(end) = draft.support_end {
        manifest.insert("support_end".into(), text(&end.to_string()));
    }
    pretty(&Json::Object(manifest))
}

/// Waves as a manifest writes them.
pub(crate) fn waves_json(waves: &[Wave]) -> Json {
    let wave = |wave: &Wave| {
        object([("from", text(&wave.from.to_string())), ("permille", number(u64::from(wave.permille)))])
    };
    Json::List(waves.iter().map(wave).collect())
}
