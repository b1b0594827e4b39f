//! Opens an image of any of the three kinds.

use super::image::Image;
use super::image::ext4_image;
use super::image::folder;
use super::image::foreign_kind;
use super::image::squashfs;
use crate::files;
use anyhow::{Context, Result, bail};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Reads the tree of a folder, a squashfs file or an ext4 image.
///
/// # Errors
/// It cannot be read, is of another kind, or is broken; the sentence names the place.
pub fn open_image(path: &Path) -> Result<Image> {
    let file = files::open_at_once(path)?;
    let metadata = file.metadata().with_context(|| format!("cannot read {}", path.display()))?;
    if metadata.is_dir() {
        return folder::read(path);
    }
    if !metadata.is_file() {
        bail!("{} is neither a folder nor a file: give a copy of it", path.display());
    }
    let mut head = vec![0; 2048];
    let mut filled = 0;
    while filled < head.len() {
        match file.read_at(&mut head[filled..], filled as u64)? {
            0 => break,
            count => filled += count,
        }
    }
    head.truncate(filled);
    let read = match foreign_kind::kind_of(&head) {
        foreign_kind::Kind::Squashfs => squashfs::read(Box::new(file)),
        foreign_kind::Kind::Ext4 => ext4_image::read(file),
        foreign_kind::Kind::Other(what) => bail!("{} {what}", path.display()),
    };
    read.with_context(|| path.display().to_string())
}
