//! The places that an update must never write: the medium of the state folder, and those where the boot loader keeps its
//! choice. A slot part that is, or holds, one of them is refused by `check`, and again before the first write.

use crate::config::boot_profile::Medium;
use crate::config::boot_settings::Boot;
use crate::os::procfs::mountinfo::{Mount, TABLE, holding, mounts};
use crate::update::boot::uboot::env_config::Config;
use crate::update::storage::identity::{identity_of, identity_of_mounted, identity_of_range};
use komainu_core::fault::{Text, text};
use komainu_core::update::part_identity::{NamedPart, PartIdentity, contradiction_with};
use std::fmt::Display;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

#[cfg(test)]
mod tests;

const STATE: &str = "the state folder's medium";
const ENVIRONMENT: &str = "the boot environment";
const FLAGS: &str = "the boot loader's flags";
/// Overlays that lie on one another before that is given up.
const LAYERS_MAX: u8 = 4;

/// The settings that name the places.
pub struct KeptPlaces {
    state: PathBuf,
    boot: Boot,
}

impl KeptPlaces {
    /// The places of these settings; nothing is looked at yet.
    pub fn new(state: &Path, boot: &Boot) -> KeptPlaces {
        KeptPlaces { state: state.to_owned(), boot: boot.clone() }
    }

    /// Refuses parts of which one is, or holds, such a place.
    ///
    /// # Errors
    /// The part, the place, and the bytes that they share; or it cannot be found out what a place is.
    pub fn refuse(&self, parts: &[NamedPart]) -> Result<(), Text> {
        let refuse = |place: &str, identity: &PartIdentity| {
            contradiction_with(parts, place, identity).map_or(Ok(()), Err)
        };
        let state = self.state_identity().map_err(|why| unknown(STATE, &self.state, &why))?;
        state.map_or(Ok(()), |identity| refuse(STATE, &identity))?;
        let (place, choice) = self.choice_places();
        let log = self.boot.profile.count_log.as_ref().map(|part| flash_part(Path::new(part)));
        let log = log.map(|path| (FLAGS, path.clone(), identity_of(&path)));
        for (place, path, identity) in choice.into_iter().map(|(path, found)| (place, path, found)).chain(log)
        {
            refuse(place, &identity.map_err(|why| unknown(place, &path, &why))?)?;
        }
        Ok(())
    }

    /// The storage below the state folder; `None`: it is in memory, or on something that is no storage of this device.
    fn state_identity(&self) -> io::Result<Option<PartIdentity>> {
        let mounts = mounts(Path::new(TABLE))?;
        let folder = self.state.ancestors().find_map(|path| path.canonicalize().ok());
        let mount = folder.and_then(|path| below_overlays(&mounts, path.as_os_str().as_bytes(), LAYERS_MAX));
        mount.map_or(Ok(None), |mount| identity_of_mounted(mount.device, &mount.source))
    }

    /// The places of the boot choice, by their paths, and their word.
    fn choice_places(&self) -> (&'static str, Vec<(PathBuf, io::Result<PartIdentity>)>) {
        #[cfg(feature = "profiles")]
        let flags = |paths: &[&Path]| {
            let named = paths.iter().map(|path| flash_part(path));
            (FLAGS, named.map(|path| (path.clone(), identity_of(&path))).collect())
        };
        match &self.boot.profile.medium {
            #[cfg(feature = "profiles")]
            Medium::Fields { part, .. } => flags(&[part]),
            #[cfg(feature = "profiles")]
            Medium::Bootconfig { part, mirror } => flags(&[part, mirror]),
            #[cfg(feature = "profiles")]
            // Names of volumes have no bytes of their own, and a program tells none.
            Medium::UbiNames { .. } | Medium::Command { .. } => (FLAGS, Vec::new()),
            Medium::Environment => {
                let copies = match Config::load(&self.boot.environment) {
                    Ok(Config::Single(only)) => vec![only],
                    Ok(Config::Redundant(both)) => both.into(),
                    // Then the boot choice is unknown, and nothing is written.
                    Err(_) => Vec::new(),
                };
                let place = copies.into_iter().map(|copy| {
                    // Where blocks are bad, the copy lies in a later sector of its own.
                    let sectors = copy.sector_bytes.zip(copy.sectors);
                    let reach = sectors.map_or(0, |(bytes, count)| u64::from(bytes) * u64::from(count));
                    let bytes = reach.max(copy.size_bytes.into());
                    let identity = identity_of_range(&copy.path, copy.offset, bytes);
                    (copy.path, identity)
                });
                (ENVIRONMENT, place.collect())
            }
        }
    }
}

/// The path of a part that a profile names: itself, or the name of an MTD part.
fn flash_part(path: &Path) -> PathBuf {
    if path.is_absolute() { path.to_path_buf() } else { format!("mtd:{}", path.display()).into() }
}

/// The mount that takes what is written below a path.
fn below_overlays<'m>(mounts: &'m [Mount], path: &[u8], layers: u8) -> Option<&'m Mount> {
    let mount = holding(mounts, path)?;
    match &mount.upper {
        Some(upper) if layers > 0 => below_overlays(mounts, upper, layers - 1),
        _ => Some(mount),
    }
}

fn unknown(place: &str, path: &Path, why: &dyn Display) -> Text {
    text(format_args!("cannot find out whether a part is {place} {}: {why}", path.display()))
}
