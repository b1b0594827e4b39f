//! The files that a web server would offer: folders laid over each other, the first that has a file counts. So the
//! rehearsal sees the result of a publication before any device can.

use crate::files;
use anyhow::Result;
use std::path::{Component, Path, PathBuf};

/// Folders that each have `metadata/` and `targets/`.
#[derive(Clone, Debug)]
pub struct Shelf(Vec<PathBuf>);

impl Shelf {
    pub fn of(repository: &Path) -> Shelf {
        Shelf(vec![repository.to_owned()])
    }

    /// Several, the first that has a file counts.
    pub fn layers(folders: Vec<PathBuf>) -> Shelf {
        Shelf(folders)
    }

    /// A metadata file; `None` if there is none.
    ///
    /// # Errors
    /// It cannot be read, or is longer than `bytes_max`.
    pub fn metadata(&self, name: &str, bytes_max: u64) -> Result<Option<Vec<u8>>> {
        match self.find(&Path::new("metadata").join(name)) {
            Some(path) => files::read_at_most(&path, bytes_max),
            None => Ok(None),
        }
    }

    /// Where a target lies; `None` if there is none, or if its name leads out of the repository.
    pub fn target(&self, fetch_path: &str) -> Option<PathBuf> {
        self.find(&Path::new("targets").join(fetch_path))
    }

    fn find(&self, path: &Path) -> Option<PathBuf> {
        let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
        if !inside {
            return None;
        }
        self.0.iter().map(|folder| folder.join(path)).find(|path| path.is_file())
    }
}
