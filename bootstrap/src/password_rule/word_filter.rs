//! A word filter: a list of words as sorted hashes, of which only the distances are kept, in Rice code. The filter finds
//! every word of the list, and one of `2^f` words that are not in it. `komainu-maker passwords` makes it.
//!
//! ```text
//! 0     version, 1
//! 1     f: one of 2^f words that are not in the list is found nevertheless
//! 2     b: there are 2^b buckets
//! 3     k: low bits of a distance that are written as they are
//! 4     count of words, 4 bytes, big-endian
//! 8     where each bucket begins, counted from the end of this table, 2 bytes each, big-endian; and the end
//! then  buckets: for each word in the order of its place its distance from the one before (the first: from
//!       the bucket's beginning): distance >> k as so many ones, a nought, and k bits, most significant first.
//!       Ones fill the last byte.
//! ```
//!
//! The place of a word is `(first 4 bytes of its SHA-256 * range) >> 32`, where `range` is `count << f`, at most
//! `2^32 - 1`; a bucket is `range / 2^b + 1` wide.

use sha2::{Digest, Sha256};

/// A word filter whose header is checked.
#[derive(Clone, Copy, Debug)]
pub struct WordFilter<'a> {
    range: u32,
    width: u32,
    low_bits: u32,
    starts: &'a [u8],
    buckets: &'a [u8],
}

/// First byte of a filter.
pub const VERSION: u8 = 1;
/// Bytes before the table of buckets.
pub const HEADER: usize = 8;

impl<'a> WordFilter<'a> {
    /// A filter without words.
    pub const EMPTY: WordFilter<'static> =
        WordFilter { range: 0, width: 1, low_bits: 0, starts: &[], buckets: &[] };

    /// Opens a filter; `None`: the bytes are none. A damaged filter finds wrong words and does no other harm.
    pub const fn open(bytes: &'a [u8]) -> Option<WordFilter<'a>> {
        let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else { return None };
        let [version, false_bits, bucket_bits, low_bits, a, b, c, d] = *header;
        let count = u32::from_be_bytes([a, b, c, d]);
        if version != VERSION || false_bits > 31 || bucket_bits > 12 || low_bits > 31 {
            return None;
        }
        let table = 2 * ((1usize << bucket_bits) + 1);
        if rest.len() < table || count > u32::MAX >> false_bits {
            return None;
        }
        let (starts, buckets) = rest.split_at(table);
        let range = count << false_bits;
        Some(WordFilter {
            range,
            width: (range >> bucket_bits) + 1,
            low_bits: low_bits as u32,
            starts,
            buckets,
        })
    }

    /// Whether the filter finds the word with this [`head`].
    pub fn has(&self, head: u32) -> bool {
        if self.range == 0 {
            return false;
        }
        let wanted = place(head, self.range);
        let bucket = (wanted / self.width) as usize;
        let wanted = wanted % self.width;
        let start = |number: usize| {
            let two = self.starts.get(2 * number..2 * number + 2)?;
            Some(usize::from(u16::from_be_bytes([two[0], two[1]])))
        };
        let (Some(from), Some(to)) = (start(bucket), start(bucket + 1)) else { return false };
        let mut bits = Bits { bytes: self.buckets.get(from..to).unwrap_or_default(), at: 0 };
        let mut at = 0u32;
        loop {
            let Some(distance) = bits.distance(self.low_bits) else { return false };
            at = at.saturating_add(distance);
            if at >= wanted {
                return at == wanted;
            }
        }
    }
}

/// The first four bytes of the SHA-256 of a folded word.
pub fn head(folded: &str) -> u32 {
    let sum: [u8; 32] = Sha256::digest(folded.as_bytes()).into();
    u32::from_be_bytes([sum[0], sum[1], sum[2], sum[3]])
}

/// The place of a word in the order of the filter.
pub fn place(head: u32, range: u32) -> u32 {
    ((u64::from(head) * u64::from(range)) >> 32) as u32
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> Option<u32> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(u32::from(bit))
    }

    fn distance(&mut self, low_bits: u32) -> Option<u32> {
        let mut distance = 0u32;
        while self.bit()? == 1 {
            distance += 1;
        }
        for _ in 0..low_bits {
            distance = distance << 1 | self.bit()?;
        }
        Some(distance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_list_is_refused() {
        let good = [1, 12, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0];
        assert!(WordFilter::open(&good).is_some());
        assert!(WordFilter::open(&good[..11]).is_none());
        for (index, wrong) in [(0, 2), (1, 32), (2, 13), (2, 1), (3, 32), (4, 1)] {
            let mut bad = good;
            bad[index] = wrong;
            assert!(WordFilter::open(&bad).is_none(), "{index}");
        }
    }

    #[test]
    fn a_damaged_list_does_no_harm() {
        let mut bytes: Vec<u8> = crate::password_rule::strength::WordLists::COMMON_BYTES.to_vec();
        for (number, byte) in bytes.iter_mut().enumerate().skip(HEADER) {
            *byte = (number * 7919 % 251) as u8;
        }
        let set = WordFilter::open(&bytes).unwrap();
        for number in 0..1000 {
            set.has(head(&number.to_string()));
        }
    }
}
