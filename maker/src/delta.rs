//! Makes a patch from an old image to a new one, and proves it: every byte of the new image is rebuilt here, by the code that
//! devices have, before anything is put aside. Map: `regions` cuts an image into blocks, `similar_blocks` finds the old blocks
//! that a new one is like, `pack_settings` finds how a block was packed.

mod pack_settings;
mod regions;
mod similar_blocks;

use crate::progress::Bar;
use anyhow::{Context, Result, bail};
use komainu_delta::operation::{Operation, Packing, Reference};
use komainu_delta::patch_file::{PatchFile, PatchWriter};
use komainu_delta::rebuilding::{Rebuilding, check};
use pack_settings::SettingsFinder;
use regions::{Region, cut};
use similar_blocks::SimilarBlocks;
use std::collections::HashMap;
use std::ops::Range;

/// Largest image that patches are made of, in bytes: both are in memory, unpacked.
pub const IMAGE_BYTES_MAX: u64 = 1 << 30;
/// A gap between blocks of at most so many bytes goes into the patch as it is.
const SMALL_BYTES: usize = 64;

/// A patch that was proven.
pub struct ProvenPatch {
    /// The bytes of the patch.
    pub bytes: Vec<u8>,
    /// Bytes of memory that a device needs for it.
    pub memory_bytes: u64,
    /// The blocks of the new image.
    pub blocks: BlockCounts,
}

/// Blocks of a new image, by the way in which a patch gives them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockCounts {
    /// As they are in the old image.
    pub copied: usize,
    /// Patched, and packed again bit for bit.
    pub packed: usize,
    /// Changed bytes that were not packed.
    pub patched: usize,
    /// As they are in the patch.
    pub literal: usize,
    /// Of those, the ones that no settings of the packer reproduce.
    pub not_reproduced: usize,
}

/// Makes and proves a patch.
///
/// # Errors
/// The patch does not rebuild the new image: a fault of this program.
pub fn make(old: &[u8], new: &[u8], bar: &Bar) -> Result<ProvenPatch> {
    let old_regions = cut(old);
    let known: HashMap<&[u8], usize> =
        old_regions.iter().rev().map(|region| (&old[region.place.clone()], region.place.start)).collect();
    let mut composer = Composer {
        old,
        writer: PatchWriter::new(old.len() as u64, new.len() as u64),
        similar: SimilarBlocks::new(&old_regions, old),
        old_regions: &old_regions,
        finder: SettingsFinder::default(),
        copy: None,
        blocks: BlockCounts::default(),
    };
    for region in cut(new) {
        let bytes = &new[region.place.clone()];
        if !composer.goes_on(bytes) {
            match known.get(bytes) {
                Some(from) if bytes.len() > SMALL_BYTES => {
                    composer.end_copy()?;
                    composer.copy = Some(*from..from + bytes.len());
                    composer.blocks.copied += 1;
                }
                _ => composer.changed(bytes, region.unpacked.as_deref())?,
            }
        }
        bar.add(bytes.len() as u64);
    }
    composer.end_copy()?;
    let blocks = composer.blocks;
    let bytes = composer.writer.finish()?;
    let memory_bytes = prove(&bytes, old, new)?;
    Ok(ProvenPatch { bytes, memory_bytes, blocks })
}

/// Rebuilds the whole new image, and gives the memory that it takes.
fn prove(patch: &[u8], old: &[u8], new: &[u8]) -> Result<u64> {
    let read = PatchFile::read(patch.to_vec())?;
    let memory_bytes = Rebuilding::memory_bytes(&read, patch.len() as u64)?;
    let mut rebuilding = Rebuilding::new(read);
    let mut piece = vec![0; 128 * 1024];
    let mut at = 0;
    while at < new.len() {
        let count =
            rebuilding.read(at as u64, &mut piece, &mut { old }).context("the patch was made wrongly")?;
        if count == 0 || new.get(at..at + count) != Some(&piece[..count]) {
            bail!("the patch was made wrongly: byte {at} is rebuilt otherwise; nothing was put aside");
        }
        at += count;
    }
    Ok(memory_bytes)
}

struct Composer<'a> {
    old: &'a [u8],
    old_regions: &'a [Region],
    writer: PatchWriter,
    similar: SimilarBlocks,
    finder: SettingsFinder,
    /// The copy that the next region may go on with.
    copy: Option<Range<usize>>,
    blocks: BlockCounts,
}

impl Composer<'_> {
    /// True if these bytes follow in the old image too: the copy becomes longer.
    fn goes_on(&mut self, bytes: &[u8]) -> bool {
        let Some(copy) = &mut self.copy else { return false };
        let end = copy.end + bytes.len();
        let fits = u32::try_from(end - copy.start).is_ok();
        if !fits || self.old.get(copy.end..end) != Some(bytes) {
            return false;
        }
        copy.end = end;
        self.blocks.copied += usize::from(bytes.len() > SMALL_BYTES);
        true
    }

    fn end_copy(&mut self) -> Result<()> {
        if let Some(copy) = self.copy.take() {
            self.writer.add(&Operation::Copy { from: copy.start as u64, length: copy.len() as u32 })?;
        }
        Ok(())
    }

    fn changed(&mut self, bytes: &[u8], unpacked: Option<&[u8]>) -> Result<()> {
        self.end_copy()?;
        if bytes.len() <= SMALL_BYTES {
            return self.literal(bytes);
        }
        let like = self.similar.like(unpacked.unwrap_or(bytes));
        if like.is_empty() {
            self.blocks.literal += 1;
            return self.literal(bytes);
        }
        let packing = match unpacked {
            Some(unpacked) => match self.finder.find(bytes, unpacked)? {
                Some(settings) => Some(Packing { settings, length: bytes.len() as u32, check: check(bytes) }),
                None => {
                    self.blocks.literal += 1;
                    self.blocks.not_reproduced += 1;
                    return self.literal(bytes);
                }
            },
            None => None,
        };
        let (mut references, mut old) = (Vec::new(), Vec::new());
        for index in like {
            let region = &self.old_regions[index];
            let content = region.content(self.old);
            references.push(Reference {
                offset: region.place.start as u64,
                packed: if region.unpacked.is_some() { region.place.len() as u32 } else { 0 },
                unpacked: content.len() as u32,
            });
            old.extend_from_slice(content);
        }
        let block = unpacked.unwrap_or(bytes);
        let mut difference = Vec::new();
        bsdiff::diff(&old, block, &mut difference).context("two blocks cannot be compared")?;
        match packing {
            Some(_) => self.blocks.packed += 1,
            None => self.blocks.patched += 1,
        }
        let unpacked = block.len() as u32;
        Ok(self.writer.add(&Operation::Block { references, unpacked, packing, difference: &difference })?)
    }

    fn literal(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.writer.add(&Operation::Literal(bytes))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Progress;
    use komainu_delta::xz::{PackSettings, pack};

    const SETTINGS: PackSettings =
        PackSettings { dictionary_bytes: 1 << 17, preset: 6, extreme: false, bits: [3, 0, 2], filter: 0 };

    fn text(seed: u32, length: usize) -> Vec<u8> {
        let next = |state: &mut u32| {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Some((*state >> 24) as u8 & 0x3f)
        };
        std::iter::repeat(()).scan(seed, |state, ()| next(state)).take(length).collect()
    }

    fn packed(bytes: &[u8]) -> Vec<u8> {
        pack(bytes, &SETTINGS, bytes.len()).unwrap().unwrap()
    }

    fn made(old: &[u8], new: &[u8]) -> ProvenPatch {
        make(old, new, &Progress::Hidden.bar("", 0)).unwrap()
    }

    #[test]
    fn a_changed_block_costs_what_changed_in_it() {
        let blocks: Vec<Vec<u8>> = (0..6).map(|seed| text(seed, 100_000)).collect();
        let image = |blocks: &[Vec<u8>]| -> Vec<u8> {
            blocks.iter().flat_map(|block| [packed(block), b"gap".to_vec()].concat()).collect()
        };
        let old = image(&blocks);
        let mut changed = blocks.clone();
        changed[3][50_000..50_010].copy_from_slice(b"corrected.");
        let new = image(&changed);
        let patch = made(&old, &new);
        assert_eq!(patch.blocks, BlockCounts { copied: 5, packed: 1, ..BlockCounts::default() });
        assert!(patch.bytes.len() < 500, "{} bytes", patch.bytes.len());
        assert!(patch.memory_bytes < 8 << 20, "{} bytes", patch.memory_bytes);
    }

    #[test]
    fn bytes_that_are_not_packed_are_patched_as_they_are() {
        let old = text(1, 700_000);
        let mut new = old.clone();
        new.splice(300_000..300_004, *b"inserted here");
        let patch = made(&old, &new);
        assert!(patch.blocks.copied > 0 && patch.blocks.patched > 0, "{:?}", patch.blocks);
        assert!(patch.bytes.len() < 1_500, "{} bytes", patch.bytes.len());
    }

    #[test]
    fn a_block_that_no_settings_reproduce_goes_into_the_patch() {
        let old = packed(&text(1, 100_000));
        // Of another packer: squashfs has CRC-32.
        let mut other = liblzma::write::XzEncoder::new(Vec::new(), 0);
        std::io::Write::write_all(&mut other, &text(1, 100_001)).unwrap();
        let other = other.finish().unwrap();
        let patch = made(&old, &other);
        assert_eq!((patch.blocks.literal, patch.blocks.not_reproduced), (1, 1), "{:?}", patch.blocks);
    }

    #[test]
    fn nothing_in_common_and_nothing_old_are_no_faults() {
        for (old, new) in
            [(text(1, 5_000), text(2, 90_000)), (Vec::new(), text(3, 70)), (text(4, 9), text(4, 9))]
        {
            let patch = made(&old, &new);
            assert!(patch.bytes.len() < new.len() + 500);
        }
    }
}
