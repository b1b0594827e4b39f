//! The abilities of a destination. Stores carry; `upload` decides which files are sent, and in which order.

use anyhow::{Error, anyhow};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A file that never changes: its name has a version or a hash in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// Its path below `repository/`.
    pub path: String,
    /// Where it lies here.
    pub from: PathBuf,
    /// Its length in bytes.
    pub length: u64,
    /// Its SHA-256, where metadata lists it.
    pub sha256: Option<[u8; 32]>,
    /// Only a part of it is at the destination, which may be replaced.
    pub is_damaged_there: bool,
}

impl Item {
    /// True for a metadata file: its version is in its name, and not its hash.
    pub fn is_metadata(&self) -> bool {
        self.path.starts_with("metadata/")
    }
}

/// `timestamp.json` as a destination shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// At most a byte more than a device reads.
    pub bytes: Vec<u8>,
    /// The store's word for exactly these bytes.
    pub tag: Option<String>,
}

/// A place where devices fetch files.
pub(crate) trait Store {
    /// Its name for people.
    fn place(&self) -> String;

    /// The lengths of those files that are there, by path.
    ///
    /// # Errors
    /// The place cannot be reached, or may not be listed.
    fn lengths(&mut self, items: &[Item]) -> anyhow::Result<BTreeMap<String, u64>>;

    /// The bytes of files, by path; of one that is longer than ours, a byte more than ours has.
    ///
    /// # Errors
    /// One cannot be read.
    fn read(&mut self, items: &[&Item]) -> anyhow::Result<BTreeMap<String, Vec<u8>>>;

    /// `timestamp.json`; `None` where there is none.
    ///
    /// # Errors
    /// It cannot be read.
    fn timestamp(&mut self) -> anyhow::Result<Option<Shown>>;

    /// Sends files in this order, each of which appears whole or not at all. One that is there already stays, unless it is
    /// damaged there. Tells how many bytes were sent.
    ///
    /// # Errors
    /// One cannot be read here or written there, or another file of that name has appeared.
    fn send(&mut self, items: &[Item], sent: &mut dyn FnMut(u64)) -> anyhow::Result<()>;

    /// Replaces `timestamp.json`, if it is still the one that was seen. `from` is the workshop's own, and has its date.
    ///
    /// # Errors
    /// It cannot be written, or is another one meanwhile.
    fn replace_timestamp(&mut self, bytes: &[u8], from: &Path, seen: Option<&Shown>) -> anyhow::Result<()>;

    /// Things that a person should know.
    fn warnings(&self) -> Vec<String>;
}

/// The fault for a versioned file whose content is not this workshop's.
pub(crate) fn another_file(place: &str, path: &str) -> Error {
    if path.ends_with(".root.json") {
        return anyhow!(
            "{path} at {place} is not this workshop's: another repository is published there. Choose another place, or \
             empty that one if no device uses it"
        );
    }
    anyhow!(
        "{path} at {place} has other content than this workshop's file of that name: two copies of one workshop have signed \
         the same version. Nothing was overwritten. Publish from one of them only: copy the one that devices have seen \
         over the other, and add what is missing there again"
    )
}

/// The fault for a timestamp that another publisher wrote while this one was at work.
pub(crate) fn overtaken(place: &str) -> Error {
    anyhow!(
        "another publisher replaced timestamp.json at {place} meanwhile, and it was not overwritten. Run this again: it says \
         then which of the two is newer"
    )
}

/// How long caches may keep a file, and its media type.
pub(crate) fn headers(path: &str) -> [(&'static str, &'static str); 2] {
    // A name that never has other content can be kept for ever; `timestamp.json` only as long as a halt may be late.
    let cached = if path.ends_with("/timestamp.json") {
        "public, max-age=60, must-revalidate"
    } else {
        "public, max-age=31536000, immutable"
    };
    let kind = if path.ends_with(".json") { "application/json" } else { "application/octet-stream" };
    [("cache-control", cached), ("content-type", kind)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_timestamp_is_asked_for_again() {
        assert_eq!(headers("metadata/timestamp.json")[0].1, "public, max-age=60, must-revalidate");
        for path in ["metadata/4.snapshot.json", "metadata/2.root.json", "targets/images/a/b/1/ab.rootfs.img"]
        {
            assert_eq!(headers(path)[0].1, "public, max-age=31536000, immutable", "{path}");
        }
        assert_eq!(headers("targets/boards/gate-1/ab.stable.json")[1].1, "application/json");
        assert_eq!(headers("targets/images/a/b/1/ab.rootfs.img")[1].1, "application/octet-stream");
    }
}
