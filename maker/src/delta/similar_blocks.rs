//! Finds the old blocks that a new one is like: those that have most runs of eight bytes in common with it.

use super::regions::Region;
use komainu_delta::REFERENCES_MAX;
use std::collections::HashMap;

/// Runs of so many bytes are compared.
const RUN_BYTES: usize = 8;
/// Of blocks larger than this every run in sixteen is looked at, chosen by its content; of others every run.
const WHOLE_BYTES: usize = 16 * 1024;
/// A run that more old blocks have says nothing.
const COMMON: usize = 8;
/// Of the runs that are looked at, the share that an old block must add to be worth its memory: one in so many.
const SHARE: usize = 50;

/// The runs of all old blocks.
pub struct SimilarBlocks {
    /// Each run, and the block that has it; in order.
    runs: Vec<(u64, u32)>,
}

impl SimilarBlocks {
    /// Looks at all blocks of the old image.
    pub fn new(regions: &[Region], image: &[u8]) -> SimilarBlocks {
        let mut runs = Vec::new();
        for (index, region) in regions.iter().enumerate() {
            runs.extend(marks(region.content(image)).into_iter().map(|mark| (mark, index as u32)));
        }
        runs.sort_unstable();
        runs.dedup();
        SimilarBlocks { runs }
    }

    /// The numbers of the old blocks that these bytes are like, in the order of the image; none: they are like nothing.
    pub fn like(&self, bytes: &[u8]) -> Vec<usize> {
        let marks = marks(bytes);
        let mut held: Vec<&[(u64, u32)]> = Vec::new();
        for mark in &marks {
            let from = self.runs.partition_point(|(run, _)| run < mark);
            let count = self.runs[from..].iter().take(COMMON + 1).take_while(|(run, _)| run == mark).count();
            if (1..=COMMON).contains(&count) {
                held.push(&self.runs[from..from + count]);
            }
        }
        let mut chosen = Vec::new();
        while chosen.len() < REFERENCES_MAX {
            let mut votes: HashMap<u32, usize> = HashMap::new();
            held.iter()
                .flat_map(|runs| runs.iter())
                .for_each(|(_, block)| *votes.entry(*block).or_default() += 1);
            // Of equal ones the first: the same images give the same patch.
            let best = votes.into_iter().max_by_key(|(block, votes)| (*votes, std::cmp::Reverse(*block)));
            let Some((block, votes)) = best else { break };
            if votes * SHARE < marks.len() {
                break;
            }
            chosen.push(block as usize);
            held.retain(|runs| runs.iter().all(|(_, other)| *other != block));
        }
        chosen.sort_unstable();
        chosen
    }
}

/// The runs of some bytes that are looked at, each once.
fn marks(bytes: &[u8]) -> Vec<u64> {
    let is_small = bytes.len() <= WHOLE_BYTES;
    let mut marks: Vec<u64> = bytes
        .windows(RUN_BYTES)
        .map(|run| run.iter().fold(0u64, |mark, byte| mark << 8 | u64::from(*byte)))
        .filter(|run| *run != 0)
        .map(|run| run.wrapping_mul(0x9e37_79b9_7f4a_7c15))
        .filter(|mark| is_small || mark >> 60 == 0)
        .collect();
    marks.sort_unstable();
    marks.dedup();
    marks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(seed: u64, length: usize) -> Vec<u8> {
        let next =
            |at: u64| (at * 8 + seed).wrapping_mul(0x2545_f491_4f6c_dd1d).rotate_left(23).to_le_bytes();
        (0..length as u64 / 8).flat_map(next).collect()
    }

    #[test]
    fn a_block_is_like_those_that_it_was_made_of() {
        let image: Vec<u8> = (0..6).flat_map(|seed| text(seed, 40_000)).collect();
        let regions: Vec<Region> = (0..6)
            .map(|number| Region { place: number * 40_000..(number + 1) * 40_000, unpacked: None })
            .collect();
        let similar = SimilarBlocks::new(&regions, &image);
        let block = |number: usize| &image[number * 40_000..(number + 1) * 40_000];
        assert_eq!(similar.like(block(2)), [2]);
        assert_eq!(similar.like(&[&block(5)[..20_000], &block(1)[9_000..]].concat()), [1, 5]);
        assert!(similar.like(&text(7, 40_000)).is_empty());
        assert!(similar.like(&[0; 40_000]).is_empty());
        assert!(similar.like(b"short").is_empty());
        assert_eq!(similar.like(&block(3)[100..2_000]), [3]);
        let all: Vec<u8> = (0..6).flat_map(|number| block(number)[..9_000].to_vec()).collect();
        assert_eq!(similar.like(&all).len(), REFERENCES_MAX);
    }
}
