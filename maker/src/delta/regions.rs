//! Cuts an image into regions: each xz stream of at most a block's size is one, and what is between them is cut where its
//! content says so, so that an insertion moves no cut behind it. Nothing is asked of the format around the streams: squashfs is
//! found wherever it lies in an image.

use fastcdc::v2020::FastCDC;
use komainu_delta::BLOCK_BYTES_MAX;
use komainu_delta::xz::unpack;
use std::ops::Range;

const STREAM_MARK: &[u8] = b"\xfd7zXZ\0";
/// Smallest, usual and largest length of a region that is no stream, in bytes.
const CUTS: (usize, usize, usize) = (4 * 1024, 32 * 1024, 128 * 1024);

/// A part of an image.
#[derive(Debug, PartialEq, Eq)]
pub struct Region {
    /// Its place in the image.
    pub place: Range<usize>,
    /// The content of a packed block.
    pub unpacked: Option<Vec<u8>>,
}

impl Region {
    /// The bytes that comparisons look at.
    pub fn content<'a>(&'a self, image: &'a [u8]) -> &'a [u8] {
        self.unpacked.as_deref().unwrap_or(&image[self.place.clone()])
    }
}

/// All regions of an image, in order and without a gap.
pub fn cut(image: &[u8]) -> Vec<Region> {
    let mut regions = Vec::new();
    let (mut cut_to, mut at) = (0, 0);
    while let Some(found) = find(&image[at..]) {
        let start = at + found;
        let most = (start + BLOCK_BYTES_MAX).min(image.len());
        match unpack(&image[start..most], BLOCK_BYTES_MAX) {
            Ok((mut content, length)) if !content.is_empty() => {
                content.shrink_to_fit();
                cut_gap(image, cut_to..start, &mut regions);
                regions.push(Region { place: start..start + length, unpacked: Some(content) });
                cut_to = start + length;
                at = cut_to;
            }
            _ => at = start + 1,
        }
    }
    cut_gap(image, cut_to..image.len(), &mut regions);
    regions
}

fn find(bytes: &[u8]) -> Option<usize> {
    bytes.windows(STREAM_MARK.len()).position(|window| window == STREAM_MARK)
}

fn cut_gap(image: &[u8], gap: Range<usize>, regions: &mut Vec<Region>) {
    let (least, usual, most) = CUTS;
    let gap_bytes = &image[gap.clone()];
    if gap_bytes.len() <= least {
        if !gap.is_empty() {
            regions.push(Region { place: gap, unpacked: None });
        }
        return;
    }
    for chunk in FastCDC::new(gap_bytes, least, usual, most) {
        let start = gap.start + chunk.offset;
        regions.push(Region { place: start..start + chunk.length, unpacked: None });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use komainu_delta::xz::{PackSettings, pack};

    #[test]
    fn streams_are_found_wherever_they_lie_and_every_byte_is_in_one_region() {
        let settings =
            PackSettings { dictionary_bytes: 8192, preset: 6, extreme: false, bits: [3, 0, 2], filter: 0 };
        let content = b"some words, and again some words ".repeat(99);
        let stream = pack(&content, &settings, content.len()).unwrap().unwrap();
        let broken = &stream[..stream.len() - 3];
        let large = vec![7; 300_000];
        let image = [b"head", stream.as_slice(), &stream, broken, STREAM_MARK, &large, &stream].concat();
        let regions = cut(&image);
        let mut end = 0;
        for region in &regions {
            assert_eq!(region.place.start, end);
            end = region.place.end;
            assert!(!region.place.is_empty() && region.place.len() <= 128 * 1024);
        }
        assert_eq!(end, image.len());
        let found: Vec<_> = regions.iter().filter(|region| region.unpacked.is_some()).collect();
        assert_eq!(found.len(), 3);
        assert!(found.iter().all(|region| region.content(&image) == content));
        assert_eq!(cut(&[]), []);
    }
}
