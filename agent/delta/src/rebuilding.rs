//! The new image out of the old one and a patch, from any byte on. One block is in memory at a time, with the old blocks that it
//! is made of.

use crate::operation::{CHECK_BYTES, Operation, Packing, Reference};
use crate::patch_file::PatchFile;
use crate::xz::{pack, pack_memory, unpack};
use crate::{Base, DeltaFault};
use sha2::{Digest, Sha256};

/// The beginning of the SHA-256 of a packed block.
pub fn check(bytes: &[u8]) -> [u8; CHECK_BYTES] {
    let hash: [u8; 32] = Sha256::digest(bytes).into();
    let mut check = [0; CHECK_BYTES];
    check.copy_from_slice(&hash[..CHECK_BYTES]);
    check
}

/// The bytes that one operation gives.
enum Content {
    /// Bytes of the old image, from there on.
    Old(u64),
    Made(Vec<u8>),
}

/// A rebuilding, at some place in the new image.
pub struct Rebuilding {
    patch: PatchFile,
    /// The frame whose operations are unpacked, and its operations.
    frame: Option<(usize, Vec<u8>)>,
    /// The place of the next operation among them, and the place in the new image that it gives.
    next: usize,
    next_at: u64,
    /// The last operation's content, and where it begins and ends in the new image.
    content: Option<(u64, u64, Content)>,
    /// Old blocks that the last block was made of: the next one is often made of them too.
    kept: Vec<(Reference, Vec<u8>)>,
}

impl Rebuilding {
    /// Begins at no place yet.
    pub fn new(patch: PatchFile) -> Rebuilding {
        Rebuilding { patch, frame: None, next: 0, next_at: 0, content: None, kept: Vec::new() }
    }

    /// Bytes of the new image.
    pub fn new_bytes(&self) -> u64 {
        self.patch.new_bytes()
    }

    /// Fills the buffer, or its beginning, with the new image's bytes from `offset` on; returns their number, which is 0
    /// only at the end of the image, or for an empty buffer. Going on costs nothing; going back, or far ahead, unpacks a
    /// frame anew.
    ///
    /// # Errors
    /// The patch is wrong, the old image is another one, or a block packs otherwise than at the maker's desk.
    pub fn read(&mut self, offset: u64, into: &mut [u8], base: &mut dyn Base) -> Result<usize, DeltaFault> {
        if offset >= self.patch.new_bytes() || into.is_empty() {
            return Ok(0);
        }
        if !matches!(&self.content, Some((begins, ends, _)) if (*begins..*ends).contains(&offset)) {
            self.find(offset, base)?;
        }
        let Some((begins, ends, content)) = &self.content else {
            return Err(DeltaFault::Patch("no operation gives a byte"));
        };
        let (at, left) = (offset - begins, ends - offset);
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(into.len());
        let into = &mut into[..count];
        match content {
            Content::Old(from) => {
                let from = from.checked_add(at).ok_or(DeltaFault::Patch("a copy from nowhere"))?;
                base.read(from, into).map_err(DeltaFault::Base)?;
            }
            Content::Made(bytes) => {
                let at = at as usize;
                into.copy_from_slice(&bytes[at..at + count]);
            }
        }
        Ok(count)
    }

    /// Carries out the operation that gives the byte at `offset`, and none before it.
    fn find(&mut self, offset: u64, base: &mut dyn Base) -> Result<(), DeltaFault> {
        // Given up first: at most one made block is in memory.
        self.content = None;
        let at = self.patch.frames.partition_point(|frame| frame.ends <= offset);
        let frame = *self.patch.frames.get(at).ok_or(DeltaFault::Patch("no frame gives a byte"))?;
        if self.frame.as_ref().is_none_or(|(open, _)| *open != at) {
            self.frame = None;
            self.frame = Some((at, self.patch.unpack(&frame)?));
            (self.next, self.next_at) = (0, frame.begins);
        } else if offset < self.next_at {
            (self.next, self.next_at) = (0, frame.begins);
        }
        let Some((_, operations)) = &self.frame else { return Ok(()) };
        let mut rest = &operations[self.next..];
        loop {
            if rest.is_empty() {
                return Err(DeltaFault::Patch("a frame gives fewer bytes than it says"));
            }
            let operation = Operation::read(&mut rest)?;
            let begins = self.next_at;
            let ends = begins + u64::from(operation.new_bytes());
            if ends > frame.ends {
                return Err(DeltaFault::Patch("a frame gives more bytes than it says"));
            }
            (self.next, self.next_at) = (operations.len() - rest.len(), ends);
            if offset < ends {
                let content = content(&operation, begins, &mut self.kept, base)?;
                self.content = Some((begins, ends, content));
                return Ok(());
            }
        }
    }

    /// Bytes of memory that a rebuilding takes at most, beyond a program's own: all operations are looked at.
    ///
    /// # Errors
    /// The patch is wrong.
    pub fn memory_bytes(patch: &PatchFile, patch_bytes: u64) -> Result<u64, DeltaFault> {
        let mut blocks = 0;
        for frame in &patch.frames {
            let operations = patch.unpack(frame)?;
            let mut rest = operations.as_slice();
            while !rest.is_empty() {
                let Operation::Block { references, unpacked, packing, .. } = Operation::read(&mut rest)?
                else {
                    continue;
                };
                let old: u64 = references.iter().map(|old| u64::from(old.unpacked)).sum();
                let largest = references.iter().map(|old| u64::from(old.packed)).max().unwrap_or(0);
                let packer = packing.map_or(Ok(0), |packing| pack_memory(&packing.settings))?;
                // The old blocks are in memory twice, of this block and the last one; the new one unpacked and packed.
                blocks = blocks.max(3 * old + largest + 3 * u64::from(unpacked) + packer);
            }
        }
        const DECODER: u64 = 1024 * 1024;
        Ok(blocks + 2 * patch.frame_bytes_max() + patch_bytes + DECODER)
    }
}

fn content(
    operation: &Operation<'_>,
    begins: u64,
    kept: &mut Vec<(Reference, Vec<u8>)>,
    base: &mut dyn Base,
) -> Result<Content, DeltaFault> {
    match operation {
        Operation::Copy { from, .. } => Ok(Content::Old(*from)),
        Operation::Literal(bytes) => Ok(Content::Made(bytes.to_vec())),
        Operation::Block { references, unpacked, packing, difference } => {
            let old = old_bytes(references, kept, base)?;
            let block = patched(&old, difference, *unpacked)?;
            drop(old);
            match packing {
                Some(packing) => packed(&block, packing, begins).map(Content::Made),
                None => Ok(Content::Made(block)),
            }
        }
    }
}

/// The old blocks of a new one, unpacked and one behind the other.
fn old_bytes(
    references: &[Reference],
    kept: &mut Vec<(Reference, Vec<u8>)>,
    base: &mut dyn Base,
) -> Result<Vec<u8>, DeltaFault> {
    kept.retain(|(reference, _)| references.contains(reference));
    let mut old = Vec::new();
    for reference in references {
        if let Some((_, bytes)) = kept.iter().find(|(known, _)| known == reference) {
            old.extend_from_slice(bytes);
            continue;
        }
        let length = if reference.packed == 0 { reference.unpacked } else { reference.packed };
        let mut bytes = vec![0; length as usize];
        base.read(reference.offset, &mut bytes).map_err(DeltaFault::Base)?;
        if reference.packed != 0 {
            let (unpacked, used) = unpack(&bytes, reference.unpacked as usize)?;
            if unpacked.len() != reference.unpacked as usize || used != bytes.len() {
                return Err(DeltaFault::Packer("an old block has another length than it should"));
            }
            bytes = unpacked;
        }
        old.extend_from_slice(&bytes);
        kept.push((*reference, bytes));
    }
    Ok(old)
}

fn patched(old: &[u8], mut difference: &[u8], length: u32) -> Result<Vec<u8>, DeltaFault> {
    let mut block = Vec::with_capacity(length as usize);
    // The difference gives no byte that it does not have itself, so that its own limit is the block's.
    let patched = bsdiff::patch(old, &mut difference, &mut block);
    if patched.is_err() || block.len() != length as usize {
        return Err(DeltaFault::Patch("a difference that does not fit its old bytes"));
    }
    Ok(block)
}

fn packed(block: &[u8], packing: &Packing, begins: u64) -> Result<Vec<u8>, DeltaFault> {
    let packed = pack(block, &packing.settings, block.len())?;
    let is_right =
        |packed: &Vec<u8>| packed.len() == packing.length as usize && check(packed) == packing.check;
    packed.filter(is_right).ok_or(DeltaFault::OtherBlock { at: begins })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patch_file::PatchWriter;
    use crate::xz::PackSettings;

    const SETTINGS: PackSettings =
        PackSettings { dictionary_bytes: 65536, preset: 6, extreme: false, bits: [3, 0, 2], filter: 0 };

    /// Two packed blocks with a gap between them.
    struct Images {
        old: Vec<u8>,
        new: Vec<u8>,
        patch: Vec<u8>,
    }

    fn block(seed: u32) -> Vec<u8> {
        let next = |state: &mut u32| {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Some((*state >> 24) as u8 & 0x1f)
        };
        std::iter::repeat(()).scan(seed, |state, ()| next(state)).take(40_000).collect()
    }

    fn images() -> Images {
        images_with(|_| {})
    }

    fn images_with(change: impl Fn(&mut Vec<Operation<'_>>)) -> Images {
        let packed = |bytes: &[u8]| pack(bytes, &SETTINGS, bytes.len()).unwrap().unwrap();
        let (old_block, mut new_block) = (block(1), block(1));
        new_block[20_000] ^= 0xff;
        new_block.truncate(39_000);
        let (old_packed, new_packed) = (packed(&old_block), packed(&new_block));
        let same = packed(&block(2));
        let old = [b"head", old_packed.as_slice(), &same].concat();
        let new = [b"HEAD!", new_packed.as_slice(), &same, b"tail"].concat();
        let mut difference = Vec::new();
        bsdiff::diff(&old_block, &new_block, &mut difference).unwrap();
        let reference =
            Reference { offset: 4, packed: old_packed.len() as u32, unpacked: old_block.len() as u32 };
        let packing =
            Packing { settings: SETTINGS, length: new_packed.len() as u32, check: check(&new_packed) };
        let mut operations = vec![
            Operation::Literal(b"HEAD!"),
            Operation::Block {
                references: vec![reference],
                unpacked: new_block.len() as u32,
                packing: Some(packing),
                difference: &difference,
            },
            Operation::Copy { from: 4 + old_packed.len() as u64, length: same.len() as u32 },
            Operation::Literal(b"tail"),
        ];
        change(&mut operations);
        let mut writer = PatchWriter::new(old.len() as u64, new.len() as u64);
        operations.iter().for_each(|operation| writer.add(operation).unwrap());
        Images { patch: writer.finish().unwrap(), old, new }
    }

    fn rebuild(images: &Images, piece: usize) -> Result<Vec<u8>, DeltaFault> {
        let mut rebuilding = Rebuilding::new(PatchFile::read(images.patch.clone())?);
        let mut new = Vec::new();
        let mut buffer = vec![0; piece];
        loop {
            let count = rebuilding.read(new.len() as u64, &mut buffer, &mut images.old.as_slice())?;
            if count == 0 {
                return Ok(new);
            }
            new.extend_from_slice(&buffer[..count]);
        }
    }

    #[test]
    fn the_new_image_is_rebuilt_bit_for_bit_in_pieces_of_any_size() {
        let images = images();
        for piece in [1, 7, 4096, 1 << 20] {
            assert!(rebuild(&images, piece).unwrap() == images.new, "{piece}");
        }
        let patch = PatchFile::read(images.patch.clone()).unwrap();
        let memory = Rebuilding::memory_bytes(&patch, images.patch.len() as u64).unwrap();
        assert!((1 << 20..8 << 20).contains(&memory), "{memory}");
    }

    #[test]
    fn a_rebuilding_goes_on_at_any_byte_and_goes_back() {
        let images = images();
        let mut rebuilding = Rebuilding::new(PatchFile::read(images.patch.clone()).unwrap());
        let end = images.new.len();
        for from in [end - 1, 0, 4, 5, 9_000, 100, end - 5, end - 4, 6, 5] {
            let mut buffer = [0; 3];
            let count = rebuilding.read(from as u64, &mut buffer, &mut images.old.as_slice()).unwrap();
            assert!(count > 0);
            assert_eq!(buffer[..count], images.new[from..from + count], "{from}");
        }
        assert_eq!(rebuilding.read(end as u64, &mut [0; 9], &mut images.old.as_slice()), Ok(0));
        assert_eq!(rebuilding.read(u64::MAX, &mut [0; 9], &mut images.old.as_slice()), Ok(0));
    }

    #[test]
    fn another_base_is_found_out() {
        let mut images = images();
        let whole = images.old.clone();
        images.old[3_000] ^= 1;
        assert!(matches!(rebuild(&images, 4096), Err(DeltaFault::Packer(_))));
        images.old = whole[..3_000].to_vec();
        assert!(matches!(rebuild(&images, 4096), Err(DeltaFault::Base(_))));
    }

    #[test]
    fn operations_that_lie_are_refused() {
        type Change = fn(&mut Vec<Operation<'_>>);
        fn block_of<'a, 'b>(
            operations: &'b mut [Operation<'a>],
        ) -> (&'b mut Vec<Reference>, &'b mut u32, &'b mut Packing, &'b mut &'a [u8]) {
            let Operation::Block { references, unpacked, packing: Some(packing), difference } =
                &mut operations[1]
            else {
                panic!("the second is a block")
            };
            (references, unpacked, packing, difference)
        }
        let cases: [(Change, &str); 10] = [
            (|all| block_of(all).2.check[0] ^= 1, "other bytes"),
            (|all| block_of(all).2.settings.preset = 0, "other bytes"),
            (|all| *block_of(all).1 += 1, "does not fit"),
            (|all| block_of(all).0[0].unpacked += 1, "another length"),
            (|all| block_of(all).0[0].unpacked -= 1, "longer"),
            (|all| block_of(all).0[0].packed += 1, "another length"),
            (|all| block_of(all).0[0].offset = u64::MAX, "the old image"),
            (|all| block_of(all).0.clear(), "does not fit"),
            (|all| *block_of(all).3 = b"", "does not fit"),
            (|all| all[2] = Operation::Copy { from: u64::MAX - 3, length: all[2].new_bytes() }, "old image"),
        ];
        for (number, (change, says)) in cases.into_iter().enumerate() {
            let fault = rebuild(&images_with(change), 4096).unwrap_err().to_string();
            assert!(fault.contains(says), "case {number}: {fault}, not {says}");
        }
    }

    #[test]
    fn a_frame_that_gives_another_number_of_bytes_is_refused() {
        let images = images();
        for change in [-1i64, 1] {
            let mut patch = images.patch.clone();
            for at in [16, 32] {
                let number = u64::from_le_bytes(patch[at..at + 8].try_into().unwrap());
                patch[at..at + 8].copy_from_slice(&number.wrapping_add_signed(change).to_le_bytes());
            }
            let fault = rebuild(&Images { patch, ..images_with(|_| {}) }, 4096).unwrap_err().to_string();
            assert!(fault.contains("bytes than it says"), "{fault}");
        }
    }
}
