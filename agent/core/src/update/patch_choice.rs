//! Patches of an image, as the manifest names them, and the choice among them. A patch saves bytes and proves nothing: whatever
//! comes of it is read back and hashed as always, and the whole image is there for every device that no patch serves.

use crate::identifiers::Digest64;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Most patches of an image: older releases that devices still run.
pub const PATCHES_MAX: usize = 16;
/// Largest patch, in bytes: it is in memory while it is used.
pub const PATCH_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// Abilities that a patch may need: its format, and the packer that packs blocks bit for bit.
const ABILITIES: &[&str] = &["delta-1", "xz-5"];
/// Bytes of memory that stay free for everything else on the device.
const RESERVE_BYTES: u64 = 4 * 1024 * 1024;

/// A patch from one older image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// The TUF target.
    pub target: String,
    /// Its length in bytes.
    pub length: u64,
    pub sha256: [u8; 32],
    /// Bytes of the image that it is for.
    pub base_length: u64,
    /// The hash of that image.
    pub base_sha256: [u8; 32],
    /// Bytes of memory that rebuilding takes.
    pub memory_bytes: u64,
    /// Words that a device must understand to use it.
    pub needs: Vec<String>,
}

/// A patch that signed metadata lists, and the path to fetch it from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPatch {
    pub patch: Patch,
    pub fetch_path: String,
}

/// An image that is to be rebuilt: the part, and the signed patches that lead to it.
#[derive(Clone, Copy, Debug)]
pub struct Rebuildable<'a> {
    /// The index of the part.
    pub part: usize,
    /// Bytes of the image.
    pub length: u64,
    pub sha256: [u8; 32],
    pub patches: &'a [ListedPatch],
    /// The release, by the digest of its number and images.
    pub release: Digest64,
}

/// Why no patch serves; the whole image is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPatch {
    /// The maker made none that this agent understands.
    NoneFit,
    /// None is smaller than what is left of the image.
    NotSmaller,
    /// The smallest needs more memory than is available, in bytes.
    Memory {
        /// Its memory, with the reserve of the device.
        needs: u64,
        /// The memory that is available.
        available: u64,
    },
    /// The slot that runs holds none of the images that they are for.
    OtherBase,
}

impl fmt::Display for NoPatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoPatch::NoneFit => f.write_str("no patch is of a kind that this agent reads"),
            NoPatch::NotSmaller => f.write_str("no patch is smaller than the rest of the image"),
            NoPatch::Memory { needs, available } => {
                write!(f, "a patch needs {needs} bytes of memory, available are {available}")
            }
            NoPatch::OtherBase => f.write_str("no patch is for the image in the running slot"),
        }
    }
}

/// Chooses the smallest patch that this device can use for the image's bytes from `offset` on. The base is asked last, and
/// only for patches that fit in all else: the answer costs the reading of a slot.
///
/// # Errors
/// The reason why none serves.
pub fn choose<'a>(
    wanted: &Rebuildable<'a>,
    offset: u64,
    available_bytes: u64,
    mut is_base: impl FnMut(&Patch) -> bool,
) -> Result<&'a ListedPatch, NoPatch> {
    let understood = |listed: &&ListedPatch| {
        let mut needs = listed.patch.needs.iter();
        needs.all(|word| ABILITIES.contains(&word.as_str())) && listed.patch.length <= PATCH_BYTES_MAX
    };
    let mut fitting: Vec<&ListedPatch> = wanted.patches.iter().filter(understood).collect();
    if fitting.is_empty() {
        return Err(NoPatch::NoneFit);
    }
    fitting.retain(|listed| listed.patch.length < wanted.length.saturating_sub(offset));
    if fitting.is_empty() {
        return Err(NoPatch::NotSmaller);
    }
    let needs = |listed: &ListedPatch| listed.patch.memory_bytes.saturating_add(RESERVE_BYTES);
    let least = fitting.iter().map(|listed| needs(listed)).min().unwrap_or(u64::MAX);
    fitting.retain(|listed| needs(listed) <= available_bytes);
    if fitting.is_empty() {
        return Err(NoPatch::Memory { needs: least, available: available_bytes });
    }
    fitting.sort_by_key(|listed| listed.patch.length);
    fitting.into_iter().find(|listed| is_base(&listed.patch)).ok_or(NoPatch::OtherBase)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    const MIB: u64 = 1024 * 1024;

    fn patch(number: u8, length: u64, memory_bytes: u64, needs: &[&str]) -> ListedPatch {
        let needs = needs.iter().map(|word| (*word).into()).collect();
        let patch = Patch {
            target: String::new(),
            length,
            sha256: [number; 32],
            base_length: 9 * MIB,
            base_sha256: [number; 32],
            memory_bytes,
            needs,
        };
        ListedPatch { patch, fetch_path: String::new() }
    }

    /// The number of the chosen patch, for a device that holds the bases with these numbers.
    fn chosen(patches: &[ListedPatch], offset: u64, available: u64, holds: &[u8]) -> Result<u8, NoPatch> {
        let release = Digest64::of(b"manifest");
        let wanted = Rebuildable { part: 0, length: 10 * MIB, sha256: [0; 32], patches, release };
        let is_base = |patch: &Patch| holds.contains(&patch.base_sha256[0]);
        choose(&wanted, offset, available, is_base).map(|listed| listed.patch.sha256[0])
    }

    #[test]
    fn the_smallest_patch_that_fits_is_chosen() {
        let all = ["delta-1", "xz-5"];
        let two = [patch(1, 2 * MIB, 8 * MIB, &all), patch(2, MIB, 30 * MIB, &["delta-1"])];
        let memory = NoPatch::Memory { needs: 12 * MIB, available: 12 * MIB - 1 };
        for (offset, available, holds, expected) in [
            (0, 64 * MIB, &[1, 2][..], Ok(2)),
            (0, 64 * MIB, &[1], Ok(1)),
            (0, 12 * MIB, &[1, 2], Ok(1)),
            (0, 12 * MIB - 1, &[1, 2], Err(memory)),
            (0, 64 * MIB, &[3], Err(NoPatch::OtherBase)),
            // Bytes that are written already are not fetched again: the rest of the image may be smaller than a patch.
            (8 * MIB, 64 * MIB, &[1, 2], Ok(2)),
            (8 * MIB, 64 * MIB, &[1], Err(NoPatch::OtherBase)),
            (9 * MIB, 64 * MIB, &[1, 2], Err(NoPatch::NotSmaller)),
            (u64::MAX, 64 * MIB, &[1, 2], Err(NoPatch::NotSmaller)),
        ] {
            assert_eq!(chosen(&two, offset, available, holds), expected, "{offset} {available} {holds:?}");
        }
    }

    #[test]
    fn a_patch_that_needs_an_unknown_word_or_too_much_is_left_alone() {
        for one in [patch(1, MIB, MIB, &["delta-1", "zstd-1"]), patch(1, PATCH_BYTES_MAX + 1, MIB, &[])] {
            assert_eq!(chosen(&[one], 0, u64::MAX, &[1]), Err(NoPatch::NoneFit));
        }
        assert_eq!(chosen(&[], 0, u64::MAX, &[1]), Err(NoPatch::NoneFit));
        let greedy = vec![patch(1, MIB, u64::MAX, &[])];
        let refused = NoPatch::Memory { needs: u64::MAX, available: MIB };
        assert_eq!(chosen(&greedy, 0, MIB, &[1]), Err(refused));
    }
}
