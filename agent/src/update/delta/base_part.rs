//! The part of the slot that runs, opened to be read. It may be mounted; nothing here writes.

#[cfg(feature = "mtd")]
use crate::update::storage::locate::open_mtd_to_read;
use crate::update::storage::locate::{Kind, kind};
#[cfg(feature = "mtd")]
use crate::update::storage::slot_storage::SlotStorage;
use komainu_delta::Base;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes that are hashed at once.
const STEP_BYTES: usize = 64 * 1024;

/// A part that is read.
pub struct BasePart {
    bytes: Bytes,
    /// The hashes of its beginnings, by their length: patches of one release are often for images of one length.
    hashed: Vec<(u64, Option<[u8; 32]>)>,
}

enum Bytes {
    /// A block device, a file, or a UBI volume.
    File(File),
    /// Flash, of which bad blocks are no bytes.
    #[cfg(feature = "mtd")]
    Flash(Box<dyn SlotStorage>),
}

impl BasePart {
    /// Opens the device behind a path.
    ///
    /// # Errors
    /// It is of no kind that is known or built in here, or those of the system.
    pub fn open(path: &Path) -> io::Result<BasePart> {
        let bytes = match kind(path)? {
            #[cfg(feature = "mtd")]
            Kind::Mtd => Bytes::Flash(open_mtd_to_read(path)?),
            #[cfg(not(feature = "mtd"))]
            Kind::Mtd => return Err(io::ErrorKind::Unsupported.into()),
            Kind::Block | Kind::Volume => Bytes::File(File::open(path)?),
        };
        Ok(BasePart { bytes, hashed: Vec::new() })
    }

    /// True if its first bytes, so many, have this hash. What cannot be read has not.
    pub fn begins_with(&mut self, length: u64, sha256: &[u8; 32]) -> bool {
        if let Some((_, hash)) = self.hashed.iter().find(|(hashed, _)| *hashed == length) {
            return hash.as_ref() == Some(sha256);
        }
        let hash = self.hash(length).ok();
        self.hashed.push((length, hash));
        hash.as_ref() == Some(sha256)
    }

    fn hash(&mut self, length: u64) -> io::Result<[u8; 32]> {
        let mut hash = Sha256::new();
        let mut step = vec![0; STEP_BYTES];
        let mut at = 0;
        while at < length {
            let most = usize::try_from(length - at).unwrap_or(usize::MAX).min(STEP_BYTES);
            self.read_at(at, &mut step[..most])?;
            hash.update(&step[..most]);
            at += most as u64;
        }
        Ok(hash.finalize().into())
    }

    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        match &mut self.bytes {
            Bytes::File(file) => file.read_exact_at(into, offset),
            #[cfg(feature = "mtd")]
            Bytes::Flash(flash) => flash.read_back(offset, into),
        }
    }
}

impl Base for BasePart {
    fn read(&mut self, offset: u64, into: &mut [u8]) -> Result<(), String> {
        self.read_at(offset, into).map_err(|error| format!("cannot be read at {offset}: {error}"))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "files of a test may be torn")]

    use super::*;

    #[test]
    fn a_part_is_known_by_its_beginning() {
        let path = std::env::temp_dir().join(format!("komainu-base-{}", std::process::id()));
        let bytes: Vec<u8> = (0..200_000u32).map(|at| (at / 7) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let mut base = BasePart::open(&path).unwrap();
        let hash = |length: usize| -> [u8; 32] { Sha256::digest(&bytes[..length]).into() };
        assert!(base.begins_with(150_000, &hash(150_000)));
        assert!(base.begins_with(150_000, &hash(150_000)));
        assert!(!base.begins_with(150_000, &hash(149_999)));
        assert!(base.begins_with(200_000, &hash(200_000)));
        // Longer than the part: it holds no such image.
        assert!(!base.begins_with(200_001, &hash(200_000)));
        let mut read = [0; 3];
        base.read(7_000, &mut read).unwrap();
        assert_eq!(read, bytes[7_000..7_003]);
        assert!(base.read(199_999, &mut read).unwrap_err().contains("at 199999"));
        std::fs::remove_file(&path).unwrap();
    }
}
