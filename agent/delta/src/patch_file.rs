//! The container of a patch: a head with the lengths of both images, and frames. A frame is an xz stream of operations, and
//! says how many bytes of the new image they give, so that a rebuilding that goes on in the middle skips the frames before.
//!
//! ```text
//! "KOMADLT1"  base bytes u64  new bytes u64
//! packed bytes u32  unpacked bytes u32  new bytes u64  xz stream      as often as there are frames
//! ```

use crate::operation::{Operation, long, slice, take, word};
use crate::xz::{PackSettings, pack, unpack};
use crate::{DeltaFault, FRAME_BYTES_MAX};

const MAGIC: &[u8; 8] = b"KOMADLT1";
/// A frame is closed when its operations have so many bytes.
const FRAME_BYTES: usize = 1024 * 1024;
/// Most operations of a frame, in bytes: a block's difference may be three times the block.
const ROOM_BYTES: usize = FRAME_BYTES_MAX - FRAME_BYTES;

/// Most bytes by which a stream is longer than incompressible bytes in it.
const STREAM_BYTES: usize = 4096;

/// One frame: its place in the patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    from: usize,
    packed: u32,
    unpacked: u32,
    /// The place in the new image of the first byte that it gives.
    pub(crate) begins: u64,
    /// The place behind the last.
    pub(crate) ends: u64,
}

/// A patch, whose head and frames were walked through.
#[derive(Clone, Debug)]
pub struct PatchFile {
    bytes: Vec<u8>,
    base_bytes: u64,
    new_bytes: u64,
    pub(crate) frames: Vec<Frame>,
}

impl PatchFile {
    /// Reads the head and the places of all frames; unpacks nothing.
    ///
    /// # Errors
    /// It is cut short or has more behind it; a frame is too large; or the frames give another number of bytes than
    /// the head says.
    pub fn read(bytes: Vec<u8>) -> Result<PatchFile, DeltaFault> {
        let mut rest = bytes.as_slice();
        if take(&mut rest)? != MAGIC {
            return Err(DeltaFault::Patch("it is no patch"));
        }
        let (base_bytes, new_bytes) = (long(&mut rest)?, long(&mut rest)?);
        let (mut frames, mut begins) = (Vec::new(), 0u64);
        while !rest.is_empty() {
            let (packed, unpacked, gives) = (word(&mut rest)?, word(&mut rest)?, long(&mut rest)?);
            let from = bytes.len() - rest.len();
            if unpacked == 0 || unpacked as usize > FRAME_BYTES_MAX || packed == 0 || gives == 0 {
                return Err(DeltaFault::Patch("a frame that is empty or too large"));
            }
            slice(&mut rest, packed)?;
            let ends = begins.checked_add(gives).ok_or(DeltaFault::Patch("more bytes than there are"))?;
            frames.push(Frame { from, packed, unpacked, begins, ends });
            begins = ends;
        }
        if begins != new_bytes {
            return Err(DeltaFault::Patch("its frames give another number of bytes than its head says"));
        }
        Ok(PatchFile { bytes, base_bytes, new_bytes, frames })
    }

    /// Bytes of the old image.
    pub fn base_bytes(&self) -> u64 {
        self.base_bytes
    }

    /// Bytes of the new image.
    pub fn new_bytes(&self) -> u64 {
        self.new_bytes
    }

    /// Bytes of the largest frame, unpacked.
    pub fn frame_bytes_max(&self) -> u64 {
        self.frames.iter().map(|frame| u64::from(frame.unpacked)).max().unwrap_or(0)
    }

    /// Unpacks the operations of a frame.
    pub(crate) fn unpack(&self, frame: &Frame) -> Result<Vec<u8>, DeltaFault> {
        let packed = &self.bytes[frame.from..frame.from + frame.packed as usize];
        let (operations, used) = unpack(packed, frame.unpacked as usize)?;
        if operations.len() != frame.unpacked as usize || used != packed.len() {
            return Err(DeltaFault::Patch("a frame has another length than it says"));
        }
        Ok(operations)
    }
}

/// Writes a patch, one operation after the other.
pub struct PatchWriter {
    bytes: Vec<u8>,
    operations: Vec<u8>,
    gives: u64,
}

impl PatchWriter {
    /// A patch between images of these lengths.
    pub fn new(base_bytes: u64, new_bytes: u64) -> PatchWriter {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(base_bytes.to_le_bytes());
        bytes.extend(new_bytes.to_le_bytes());
        PatchWriter { bytes, operations: Vec::new(), gives: 0 }
    }

    /// Adds an operation.
    ///
    /// # Errors
    /// It is larger than a frame.
    pub fn add(&mut self, operation: &Operation<'_>) -> Result<(), DeltaFault> {
        let before = self.operations.len();
        operation.write(&mut self.operations);
        if self.operations.len() - before > ROOM_BYTES {
            return Err(DeltaFault::Patch("an operation is larger than a frame"));
        }
        self.gives += u64::from(operation.new_bytes());
        if self.operations.len() >= FRAME_BYTES { self.close_frame() } else { Ok(()) }
    }

    fn close_frame(&mut self) -> Result<(), DeltaFault> {
        let operations = std::mem::take(&mut self.operations);
        let gives = std::mem::take(&mut self.gives);
        let dictionary_bytes = (operations.len() as u32).next_power_of_two().clamp(4096, 4 << 20);
        let settings =
            PackSettings { dictionary_bytes, preset: 9, extreme: true, bits: [3, 0, 2], filter: 0 };
        let packed = pack(&operations, &settings, operations.len() + STREAM_BYTES)?;
        let packed = packed.ok_or(DeltaFault::Packer("a frame has no room"))?;
        self.bytes.extend((packed.len() as u32).to_le_bytes());
        self.bytes.extend((operations.len() as u32).to_le_bytes());
        self.bytes.extend(gives.to_le_bytes());
        self.bytes.extend(packed);
        Ok(())
    }

    /// The bytes of the whole patch.
    ///
    /// # Errors
    /// The packer fails.
    pub fn finish(mut self) -> Result<Vec<u8>, DeltaFault> {
        if !self.operations.is_empty() {
            self.close_frame()?;
        }
        Ok(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch() -> Vec<u8> {
        let mut writer = PatchWriter::new(10, 7 + 100_000);
        writer.add(&Operation::Copy { from: 3, length: 7 }).unwrap();
        writer.add(&Operation::Literal(&[b'x'; 100_000])).unwrap();
        writer.finish().unwrap()
    }

    fn changed(at: usize, to: u8) -> String {
        let mut bytes = patch();
        bytes[at] = to;
        match PatchFile::read(bytes) {
            Ok(patch) => patch.unpack(&patch.frames[0]).unwrap_err().to_string(),
            Err(fault) => fault.to_string(),
        }
    }

    #[test]
    fn a_patch_is_read_as_it_was_written() {
        let patch = PatchFile::read(patch()).unwrap();
        assert_eq!((patch.base_bytes(), patch.new_bytes(), patch.frames.len()), (10, 100_007, 1));
        let operations = patch.unpack(&patch.frames[0]).unwrap();
        let mut rest = operations.as_slice();
        assert_eq!(Operation::read(&mut rest), Ok(Operation::Copy { from: 3, length: 7 }));
        assert_eq!(Operation::read(&mut rest).unwrap().new_bytes(), 100_000);
        assert_eq!(patch.frame_bytes_max(), operations.len() as u64);
    }

    #[test]
    fn incompressible_operations_have_room() {
        let noise: Vec<u8> =
            (0u64..3_000).flat_map(|at| crate::rebuilding::check(&at.to_le_bytes())).collect();
        let mut writer = PatchWriter::new(0, noise.len() as u64);
        writer.add(&Operation::Literal(&noise)).unwrap();
        let patch = PatchFile::read(writer.finish().unwrap()).unwrap();
        assert!(patch.unpack(&patch.frames[0]).is_ok_and(|operations| operations.ends_with(&noise)));
    }

    #[test]
    fn a_patch_that_is_cut_short_is_refused_at_every_byte() {
        let bytes = patch();
        for length in 0..bytes.len() {
            assert!(PatchFile::read(bytes[..length].to_vec()).is_err(), "{length}");
        }
        assert!(PatchFile::read([bytes, vec![0]].concat()).is_err());
    }

    #[test]
    fn lying_heads_and_frames_are_refused() {
        // The frame's head is behind 24 bytes: the packed length, the unpacked length, and the bytes that it gives.
        for (at, to, says) in [
            (0, b'k', "it is no patch"),
            (16, 1, "another number of bytes"),
            (24, 1, ""),
            (28, 1, "longer"),
            (28, 255, "another length"),
            (31, 1, "empty or too large"),
            (32, 1, "another number of bytes"),
            (39, 255, "another number of bytes"),
            (50, 1, "xz"),
        ] {
            let fault = changed(at, to);
            assert!(fault.contains(says), "byte {at}: {fault}");
        }
    }
}
