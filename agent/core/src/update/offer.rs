//! The offer: the release for this board and channel in the accepted metadata. It is proven from the stored files, with
//! every signature and hash checked; [`ProvenOffer`] tells how long the answer holds while they are the same.

use crate::fault::{Text, text};
use crate::identifiers::Digest64;
use crate::settings::Settings;
use crate::update::manifest::{Image, MANIFEST_BYTES_MAX, Manifest, manifest_path};
use crate::update::patch_choice::ListedPatch;
use alloc::string::String;
use alloc::vec::Vec;
use komainu_trust::roles::Root;
use komainu_trust::trusted::{Clock, Stored, Target};
use komainu_trust::{Moment, Trusted, Verified};

/// A release that signed metadata offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    pub manifest: Manifest,
    /// For each image of the manifest, in its order, the path to fetch it from.
    pub fetch_paths: Vec<String>,
    /// For each image, its patches that signed metadata lists.
    pub patches: Vec<Vec<ListedPatch>>,
    /// The digest of its release number and images.
    pub digest: Digest64,
    /// The timestamp halts it: no device may begin to take it.
    pub halted: bool,
}

/// The offer in the stored metadata.
#[derive(Clone, Debug)]
pub enum Offer {
    /// Metadata is accepted, and lists nothing for this board and channel.
    Nothing,
    /// No metadata has been accepted yet, or it cannot be used now; the text gives the reason.
    Unusable(Text),
    Release(Verified<Release>),
}

/// The stored files, the root in the firmware, and the manifest that they lead to.
#[derive(Clone, Debug, Default)]
pub struct StoredMetadata {
    /// TUF metadata; `root` is empty where none was kept.
    pub metadata: Stored,
    /// The root in the firmware.
    pub shipped_root: Vec<u8>,
    /// The manifest last fetched.
    pub manifest: Option<Vec<u8>>,
}

impl StoredMetadata {
    /// The metadata under the newer of the two roots. A kept root that flash has spoilt counts as missing; a firmware
    /// with a newer root than the kept one is believed: it was verified before it could run.
    pub fn under_newest_root(&self) -> Stored {
        let keeps_newest =
            self.keeps_shipped_root() || self.kept_root().is_some() && self.newer_shipped_root().is_none();
        let root = if keeps_newest { &self.metadata.root } else { &self.shipped_root };
        Stored { root: root.clone(), ..self.metadata.clone() }
    }

    /// The root that is kept, if there is a good one.
    pub fn kept_root(&self) -> Option<Root> {
        read_root(&self.metadata.root)
    }

    /// The root in the firmware, if it is newer than the one that is kept.
    pub fn newer_shipped_root(&self) -> Option<Root> {
        if self.keeps_shipped_root() {
            return None;
        }
        let kept = self.kept_root().map_or(0, |root| root.common.version);
        read_root(&self.shipped_root).filter(|shipped| shipped.common.version > kept)
    }

    /// The same file, as in most devices until the first root is renewed: its signatures, slow to verify on a small
    /// processor, tell nothing more of two equal files.
    fn keeps_shipped_root(&self) -> bool {
        self.metadata.root == self.shipped_root
    }
}

fn read_root(root: &[u8]) -> Option<Root> {
    let clock = Clock { system: Moment(0), built: Moment(0) };
    let stored = Stored { root: root.to_vec(), ..Stored::default() };
    Trusted::load(&stored, clock).ok().map(|trusted| trusted.root().clone())
}

/// The manifest's target for this device, if metadata is usable and lists one.
///
/// # Errors
/// Metadata is not usable, or lists a manifest beyond its limit; in words.
pub fn manifest_target(trusted: &mut Trusted, settings: &Settings) -> Result<Option<Verified<Target>>, Text> {
    listed_target(trusted, &manifest_path(&settings.board, &settings.channel), MANIFEST_BYTES_MAX)
}

/// The target of that path, if metadata is usable and lists one.
///
/// # Errors
/// Metadata is not usable, or lists more bytes than allowed; in words.
pub(crate) fn listed_target(
    trusted: &mut Trusted,
    path: &str,
    bytes_max: u64,
) -> Result<Option<Verified<Target>>, Text> {
    let target = trusted.target(path).map_err(|fault| text(format_args!("{fault}")))?;
    if let Some(target) = target.as_ref().filter(|target| target.file.length > bytes_max) {
        let length = target.file.length;
        return Err(text(format_args!("{path}: {length} bytes, allowed are {bytes_max}")));
    }
    Ok(target)
}

/// An offer, and how long the same stored files prove the same one.
#[derive(Clone, Debug)]
pub struct ProvenOffer {
    pub offer: Offer,
    /// The time by the best clock at which it was proven.
    pub now: Moment,
    /// The earliest time that it can be; see SECURITY.md.
    floor: Moment,
    /// The next expiry of anything that it was proven from; `None`: it does not depend on the time.
    expiry: Option<Moment>,
}

impl ProvenOffer {
    /// The time by the best clock, if a proof from the same files would give the same offer then: no expiry has come
    /// since, and the clock was not set back behind one. `None`: it must be proven again.
    pub fn now_if_it_holds(&self, clock: Clock) -> Option<Moment> {
        let now = clock.system.max(self.floor);
        let holds = now >= self.now && self.expiry.is_none_or(|expiry| now < expiry);
        holds.then_some(now)
    }
}

/// The offer in the stored files, and the time by the best clock.
pub fn read(kept: &StoredMetadata, clock: Clock, settings: &Settings) -> (Offer, Moment) {
    let proven = prove(kept, clock, settings);
    (proven.offer, proven.now)
}

/// Proves the offer in the stored files: checks every signature and every hash.
pub fn prove(kept: &StoredMetadata, clock: Clock, settings: &Settings) -> ProvenOffer {
    let mut trusted = match Trusted::load(&kept.under_newest_root(), clock) {
        Ok(trusted) => trusted,
        Err(fault) => {
            let offer = Offer::Unusable(text(format_args!("{fault}")));
            let now = clock.system.max(clock.built);
            return ProvenOffer { offer, now, floor: clock.built, expiry: None };
        }
    };
    let offer = read_offer(&mut trusted, kept.manifest.as_deref(), settings).unwrap_or_else(Offer::Unusable);
    // Asked last: the search for the targets accepts delegated roles, and each of them expires as well.
    ProvenOffer { offer, now: trusted.now(), floor: trusted.clock_floor(), expiry: trusted.next_expiry() }
}

fn read_offer(trusted: &mut Trusted, manifest: Option<&[u8]>, settings: &Settings) -> Result<Offer, Text> {
    let Some(target) = manifest_target(trusted, settings)? else { return Ok(Offer::Nothing) };
    let Some(bytes) = manifest else { return Err(text(format_args!("{}: not fetched yet", target.path))) };
    let proven = target.prove(bytes.to_vec()).map_err(|fault| text(format_args!("{fault}")))?;
    let release = proven.map(|bytes| read_release(trusted, &target.path, &bytes))?;
    Ok(Offer::Release(release))
}

fn read_release(trusted: &mut Trusted, path: &str, bytes: &[u8]) -> Result<Release, Text> {
    let manifest = Manifest::read(bytes).map_err(|fault| text(format_args!("{path}: {fault}")))?;
    let (mut fetch_paths, mut patches) = (Vec::new(), Vec::new());
    for image in &manifest.images {
        let name = &image.target;
        let target = trusted.target(name).map_err(|fault| text(format_args!("{fault}")))?;
        let Some(target) = target else {
            return Err(text(format_args!("{path}: image {name} is not among the signed targets")));
        };
        // Signed twice by the same keys: if the two differ, the maker made a mistake, and the device does not guess.
        if target.file.length != image.length || target.file.hashes.sha256 != Some(image.sha256) {
            return Err(text(format_args!(
                "{path}: image {name} differs from the signed target in length or sha256"
            )));
        }
        fetch_paths.push(target.fetch_path());
        patches.push(listed_patches(trusted, image));
    }
    let (board, channel) = (manifest.board.as_str(), manifest.channel.as_str());
    let halted = trusted.is_halted(board, channel, manifest.release.number);
    Ok(Release { digest: manifest.digest(), manifest, fetch_paths, patches, halted })
}

/// The patches that the signed targets list as the manifest does. Another one is left out: the whole image is there.
fn listed_patches(trusted: &mut Trusted, image: &Image) -> Vec<ListedPatch> {
    let mut listed = Vec::new();
    for patch in &image.patches {
        let Ok(Some(target)) = trusted.target(&patch.target) else { continue };
        if target.file.length == patch.length && target.file.hashes.sha256 == Some(patch.sha256) {
            listed.push(ListedPatch { patch: patch.clone(), fetch_path: target.fetch_path() });
        }
    }
    listed
}
