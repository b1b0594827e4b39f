//! The firmware's components, seen: the SBOM in the image, compared with the advisories that are kept. Both are read
//! and compared again only when one of them, or the running firmware, is another than before.

use crate::os::files;
use komainu_core::advisory;
use komainu_core::advisory::Advisories;
use komainu_core::advisory::matching::{Checked, Firmware};
use komainu_core::advisory::sbom;
use komainu_core::advisory::sbom::SBOM_BYTES_MAX;
use komainu_core::fault::{Text, text};
use komainu_core::identifiers::Digest64;
use komainu_core::identifiers::{Name, ReleaseId};
use komainu_trust::Verified;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The maker's advisories, proven: `Ok(None)` where it publishes none; else the reason why they cannot be used.
pub type Proven = Result<Option<Verified<Vec<u8>>>, Text>;

/// A file as it was: another length, time or inode is another file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    seconds: i64,
    nanoseconds: i64,
    inode: u64,
}

/// A comparison, and its inputs.
struct Compared {
    sbom: Stamp,
    advisories: Digest64,
    running: Option<ReleaseId>,
    checked: Result<Checked, Text>,
}

/// The SBOM, and the last comparison.
pub struct FirmwareInventory {
    sbom: PathBuf,
    last: Option<Compared>,
}

impl FirmwareInventory {
    /// Scanner on the SBOM of that path; nothing is read yet.
    pub fn new(sbom: &Path) -> FirmwareInventory {
        FirmwareInventory { sbom: sbom.into(), last: None }
    }

    /// Compares the SBOM with the advisories, as proven by [`advisory::prove`]. `running` is the release that runs,
    /// where that is known.
    ///
    /// # Errors
    /// There is no SBOM, or there are no advisories, or one of them cannot be used; in words.
    pub fn compare(
        &mut self,
        advisories: &Proven,
        board: &Name,
        running: Option<&ReleaseId>,
    ) -> Result<Checked, Text> {
        let stamp = self.stamp()?;
        let advisories = match advisories {
            Ok(Some(advisories)) => advisories,
            Ok(None) => return Err(text(format_args!("the maker publishes no advisories for {board}"))),
            Err(why) => return Err(unusable(why)),
        };
        let digest = Digest64::of(advisories);
        let same = |last: &&Compared| {
            (last.sbom, last.advisories, last.running.as_ref()) == (stamp, digest, running)
        };
        if let Some(last) = self.last.as_ref().filter(same) {
            return last.checked.clone();
        }
        let sbom = self.read()?;
        let checked = self.judge(&sbom, advisories, board, running);
        let running = running.cloned();
        self.last = Some(Compared { sbom: stamp, advisories: digest, running, checked: checked.clone() });
        checked
    }

    fn stamp(&self) -> Result<Stamp, Text> {
        let path = self.sbom.display();
        match std::fs::metadata(&self.sbom) {
            Ok(seen) => Ok(Stamp {
                bytes: seen.len(),
                seconds: seen.mtime(),
                nanoseconds: seen.mtime_nsec(),
                inode: seen.ino(),
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(text(format_args!("the image has no SBOM at {path}")))
            }
            Err(error) => Err(text(format_args!("cannot read the SBOM {path}: {error}"))),
        }
    }

    fn read(&self) -> Result<Vec<u8>, Text> {
        let bytes = files::read(&self.sbom, SBOM_BYTES_MAX);
        let bytes = bytes
            .map_err(|error| text(format_args!("cannot read the SBOM {}: {error}", self.sbom.display())))?;
        Ok(bytes.unwrap_or_default())
    }

    fn judge(
        &self,
        sbom: &[u8],
        advisories: &[u8],
        board: &Name,
        running: Option<&ReleaseId>,
    ) -> Result<Checked, Text> {
        let components = sbom::read(sbom)
            .map_err(|why| text(format_args!("the SBOM {} cannot be used: {why}", self.sbom.display())))?;
        let advisories = Advisories::read(advisories).map_err(|why| unusable(&why))?;
        let version = running.map(|release| release.version.as_str());
        let firmware = Firmware { board: board.as_str(), version };
        Ok(advisory::matching::matches(&components, &advisories, &firmware))
    }
}

fn unusable(why: &Text) -> Text {
    text(format_args!("the maker's advisories cannot be used: {why}"))
}
