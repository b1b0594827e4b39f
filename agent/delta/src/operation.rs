//! One operation of a patch: it gives the next bytes of the new image. All numbers are little-endian. The reader takes nothing
//! from a patch that it has not bounded first.

use crate::xz::PackSettings;
use crate::{BLOCK_BYTES_MAX, DeltaFault, REFERENCES_MAX};

/// Bytes of a block's check: the beginning of its SHA-256.
pub const CHECK_BYTES: usize = 8;

const COPY: u8 = 1;
const LITERAL: u8 = 2;
const BLOCK: u8 = 3;
const PACKED_BLOCK: u8 = 4;

/// Old bytes that a new block is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Their place in the old image.
    pub offset: u64,
    /// Bytes of the packed block there; 0: the bytes are taken as they are.
    pub packed: u32,
    /// Bytes that they are, unpacked.
    pub unpacked: u32,
}

/// The packing of a new block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packing {
    pub settings: PackSettings,
    /// Bytes of the packed block.
    pub length: u32,
    /// The beginning of the packed block's SHA-256.
    pub check: [u8; CHECK_BYTES],
}

/// The next bytes of the new image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation<'a> {
    /// Bytes of the old image as they are.
    Copy {
        /// Their place in the old image.
        from: u64,
        /// Their number; at least 1.
        length: u32,
    },
    /// Bytes of the patch; at least 1.
    Literal(&'a [u8]),
    /// A block made of old bytes, and packed if the block was.
    Block {
        /// The old bytes, one behind the other; at most [`REFERENCES_MAX`].
        references: Vec<Reference>,
        /// Bytes of the new block, unpacked; 1 to [`BLOCK_BYTES_MAX`].
        unpacked: u32,
        packing: Option<Packing>,
        /// The difference, as the crate `bsdiff` writes it.
        difference: &'a [u8],
    },
}

impl<'a> Operation<'a> {
    /// Bytes of the new image that it gives.
    pub fn new_bytes(&self) -> u32 {
        match self {
            Operation::Copy { length, .. } => *length,
            Operation::Literal(bytes) => bytes.len() as u32,
            Operation::Block { packing: Some(packing), .. } => packing.length,
            Operation::Block { unpacked, .. } => *unpacked,
        }
    }

    /// Reads the operation that these bytes begin with; `bytes` is left behind it.
    ///
    /// # Errors
    /// It is cut short, unknown, or breaks a limit.
    pub fn read(bytes: &mut &'a [u8]) -> Result<Operation<'a>, DeltaFault> {
        let kind = take::<1>(bytes)?[0];
        match kind {
            COPY => {
                let (from, length) = (long(bytes)?, word(bytes)?);
                if length == 0 {
                    return Err(DeltaFault::Patch("a copy of nothing"));
                }
                Ok(Operation::Copy { from, length })
            }
            LITERAL => {
                let length = word(bytes)?;
                if length == 0 {
                    return Err(DeltaFault::Patch("a literal of nothing"));
                }
                Ok(Operation::Literal(slice(bytes, length)?))
            }
            BLOCK | PACKED_BLOCK => block(bytes, kind == PACKED_BLOCK),
            _ => Err(DeltaFault::Patch("an operation that is not known")),
        }
    }

    /// Writes it behind what is there.
    pub fn write(&self, into: &mut Vec<u8>) {
        match self {
            Operation::Copy { from, length } => {
                into.push(COPY);
                into.extend(from.to_le_bytes());
                into.extend(length.to_le_bytes());
            }
            Operation::Literal(bytes) => {
                into.push(LITERAL);
                into.extend((bytes.len() as u32).to_le_bytes());
                into.extend(*bytes);
            }
            Operation::Block { references, unpacked, packing, difference } => {
                into.push(if packing.is_some() { PACKED_BLOCK } else { BLOCK });
                into.push(references.len() as u8);
                for reference in references {
                    into.extend(reference.offset.to_le_bytes());
                    into.extend(reference.packed.to_le_bytes());
                    into.extend(reference.unpacked.to_le_bytes());
                }
                into.extend(unpacked.to_le_bytes());
                if let Some(Packing { settings, length, check }) = packing {
                    into.extend(settings.dictionary_bytes.to_le_bytes());
                    into.extend([settings.preset, settings.extreme.into()]);
                    into.extend(settings.bits);
                    into.push(settings.filter);
                    into.extend(length.to_le_bytes());
                    into.extend(check);
                }
                into.extend((difference.len() as u32).to_le_bytes());
                into.extend(*difference);
            }
        }
    }
}

fn block<'a>(bytes: &mut &'a [u8], is_packed: bool) -> Result<Operation<'a>, DeltaFault> {
    let count = usize::from(take::<1>(bytes)?[0]);
    if count > REFERENCES_MAX {
        return Err(DeltaFault::Patch("a block of too many old blocks"));
    }
    let mut references = Vec::new();
    for _ in 0..count {
        let (offset, packed, unpacked) = (long(bytes)?, word(bytes)?, word(bytes)?);
        if !is_block(unpacked) || packed as usize > BLOCK_BYTES_MAX {
            return Err(DeltaFault::Patch("an old block that is too large"));
        }
        references.push(Reference { offset, packed, unpacked });
    }
    let unpacked = word(bytes)?;
    let packing = if is_packed { Some(packing(bytes)?) } else { None };
    if !is_block(unpacked) || packing.is_some_and(|packing| !is_block(packing.length)) {
        return Err(DeltaFault::Patch("a block that is empty or too large"));
    }
    let length = word(bytes)?;
    Ok(Operation::Block { references, unpacked, packing, difference: slice(bytes, length)? })
}

fn packing(bytes: &mut &[u8]) -> Result<Packing, DeltaFault> {
    let dictionary_bytes = word(bytes)?;
    let [preset, extreme, lc, lp, pb, filter] = *take::<6>(bytes)?;
    let settings =
        PackSettings { dictionary_bytes, preset, extreme: extreme == 1, bits: [lc, lp, pb], filter };
    if !settings.are_valid() || extreme > 1 {
        return Err(DeltaFault::Patch("settings that no packer has"));
    }
    Ok(Packing { settings, length: word(bytes)?, check: *take(bytes)? })
}

fn is_block(length: u32) -> bool {
    (1..=BLOCK_BYTES_MAX).contains(&(length as usize))
}

/// The next bytes of a fixed number.
pub(crate) fn take<'a, const N: usize>(bytes: &mut &'a [u8]) -> Result<&'a [u8; N], DeltaFault> {
    let (taken, rest) = bytes.split_first_chunk().ok_or(DeltaFault::Patch("it is cut short"))?;
    *bytes = rest;
    Ok(taken)
}

pub(crate) fn word(bytes: &mut &[u8]) -> Result<u32, DeltaFault> {
    Ok(u32::from_le_bytes(*take(bytes)?))
}

pub(crate) fn long(bytes: &mut &[u8]) -> Result<u64, DeltaFault> {
    Ok(u64::from_le_bytes(*take(bytes)?))
}

/// The next bytes, so many as an earlier number says.
pub(crate) fn slice<'a>(bytes: &mut &'a [u8], length: u32) -> Result<&'a [u8], DeltaFault> {
    let split = usize::try_from(length).ok().and_then(|length| bytes.split_at_checked(length));
    let (taken, rest) = split.ok_or(DeltaFault::Patch("it is cut short"))?;
    *bytes = rest;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: PackSettings =
        PackSettings { dictionary_bytes: 8192, preset: 6, extreme: true, bits: [3, 0, 2], filter: 7 };

    fn packed(change: impl FnOnce(&mut Reference, &mut u32, &mut Packing)) -> Vec<u8> {
        let mut reference = Reference { offset: 1 << 40, packed: 77, unpacked: 8192 };
        let mut unpacked = 8192;
        let mut packing = Packing { settings: SETTINGS, length: 99, check: [5; CHECK_BYTES] };
        change(&mut reference, &mut unpacked, &mut packing);
        let mut bytes = Vec::new();
        let difference = b"difference".as_slice();
        Operation::Block { references: vec![reference; 2], unpacked, packing: Some(packing), difference }
            .write(&mut bytes);
        bytes
    }

    #[test]
    fn every_operation_is_read_as_it_was_written() {
        let reference = Reference { offset: 9, packed: 0, unpacked: 500 };
        let (references, difference) = (vec![reference], b"x".as_slice());
        let mut bytes = packed(|_, _, _| {});
        let operations = [
            Operation::Copy { from: u64::MAX, length: 7 },
            Operation::Literal(b"literal"),
            Operation::Block { references, unpacked: 600, packing: None, difference },
        ];
        operations.iter().for_each(|operation| operation.write(&mut bytes));
        let mut rest = bytes.as_slice();
        let first = Operation::read(&mut rest).unwrap();
        assert_eq!(first.new_bytes(), 99);
        for (operation, new_bytes) in operations.iter().zip([7, 7, 600]) {
            let read = Operation::read(&mut rest).unwrap();
            assert_eq!((&read, read.new_bytes()), (operation, new_bytes));
        }
        assert!(rest.is_empty());
    }

    #[test]
    fn an_operation_that_is_cut_short_is_refused_at_every_byte() {
        let bytes = packed(|_, _, _| {});
        for length in 0..bytes.len() {
            assert_eq!(
                Operation::read(&mut &bytes[..length]),
                Err(DeltaFault::Patch("it is cut short")),
                "{length}"
            );
        }
    }

    #[test]
    fn lying_sizes_are_refused() {
        const MAX: u32 = BLOCK_BYTES_MAX as u32;
        for (bytes, says) in [
            (packed(|reference, _, _| reference.unpacked = 0), "an old block"),
            (packed(|reference, _, _| reference.unpacked = MAX + 1), "an old block"),
            (packed(|reference, _, _| reference.packed = MAX + 1), "an old block"),
            (packed(|_, unpacked, _| *unpacked = u32::MAX), "empty or too large"),
            (packed(|_, unpacked, _| *unpacked = 0), "empty or too large"),
            (packed(|_, _, packing| packing.length = 0), "empty or too large"),
            (packed(|_, _, packing| packing.length = MAX + 1), "empty or too large"),
            (packed(|_, _, packing| packing.settings.preset = 10), "settings"),
            (packed(|_, _, packing| packing.settings.dictionary_bytes = u32::MAX), "settings"),
            (packed(|_, _, packing| packing.settings.filter = 1), "settings"),
            (vec![BLOCK, REFERENCES_MAX as u8 + 1], "too many"),
            (vec![COPY; 0], "cut short"),
            (vec![COPY, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], "a copy of nothing"),
            (vec![LITERAL, 0, 0, 0, 0], "a literal of nothing"),
            (vec![LITERAL, 255, 255, 255, 255, 1], "cut short"),
            (vec![9], "not known"),
        ] {
            let fault = Operation::read(&mut bytes.as_slice()).unwrap_err().to_string();
            assert!(fault.contains(says), "{fault}, not {says}");
        }
    }
}
