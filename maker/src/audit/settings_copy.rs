//! Copies of settings out of an image, and of the files that they name, each at its path below a folder: the agent of this
//! machine reads them there as it would on the device.

use super::image::Image;
use super::shipped_settings::{SETTINGS_BYTES_MAX, ShippedSettings};
use crate::files;
use anyhow::{Context, Result};
use std::path::{Component, Path, PathBuf};
use tempfile::TempDir;

/// The folder; it goes with the value.
pub struct SettingsCopy {
    folder: TempDir,
}

impl SettingsCopy {
    /// Copies the file of this path, and what `settings`, which were read from it, name. What the image does not have is left
    /// out; so much of a file is copied that the agent sees it to be too large.
    ///
    /// # Errors
    /// The image is broken there, or nothing can be written.
    pub fn of(image: &Image, path: &str, settings: &ShippedSettings) -> Result<SettingsCopy> {
        let folder = tempfile::tempdir().context("cannot make a folder for the settings")?;
        for path in [path, &settings.policy, &settings.boot_profile] {
            let Some((bytes, _)) = image.read(path.as_bytes(), SETTINGS_BYTES_MAX)? else { continue };
            let copy = inside(folder.path(), path);
            let parent = copy.parent().unwrap_or(folder.path());
            files::make_folder(parent).and_then(|()| files::replace(&copy, &bytes))?;
        }
        Ok(SettingsCopy { folder })
    }

    pub fn root(&self) -> &Path {
        self.folder.path()
    }
}

/// The place of a path below a folder: nothing leads out of it.
fn inside(folder: &Path, path: &str) -> PathBuf {
    let mut place = PathBuf::new();
    for part in Path::new(path).components() {
        match part {
            Component::Normal(name) => place.push(name),
            Component::ParentDir => drop(place.pop()),
            _ => {}
        }
    }
    folder.join(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_of_an_image_leads_out_of_the_folder() {
        for (path, place) in [
            ("/etc/komainu.toml", "/tmp/x/etc/komainu.toml"),
            ("/../../etc/passwd", "/tmp/x/etc/passwd"),
            ("/a/../../b", "/tmp/x/b"),
            ("c/./d", "/tmp/x/c/d"),
        ] {
            assert_eq!(inside(Path::new("/tmp/x"), path), Path::new(place), "{path}");
        }
    }
}
