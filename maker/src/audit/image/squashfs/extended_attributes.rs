//! The extended attributes of squashfs, as far as the audit needs them: the capabilities of a file.

use super::metadata_blocks::{Cursor, Tables};
use anyhow::{Context, Result, bail};

/// In an inode, or in the place of the table: there are none.
pub const NO_ATTRIBUTES: u32 = u32::MAX;
/// Most attributes of one file, and the longest value, as Linux has them.
const ATTRIBUTES_MAX: u32 = 1024;
const VALUE_BYTES_MAX: u32 = 64 * 1024;
/// The names that begin with `security.`
const SECURITY: u16 = 2;
/// The value stands elsewhere, for several files at once.
const ELSEWHERE: u16 = 0x100;

/// The table of attributes.
pub struct AttributeTable {
    /// The byte where the attributes begin, and the byte of the table of their places.
    attributes: u64,
    places: u64,
    count: u32,
}

impl AttributeTable {
    /// The table that begins at this byte; `None`: the image has none.
    ///
    /// # Errors
    /// It is cut off.
    pub fn read(tables: &Tables, at: u64) -> Result<Option<AttributeTable>> {
        if at == u64::MAX {
            return Ok(None);
        }
        let next = at.checked_add(8).context("byte 56: the table of attributes is nowhere")?;
        let count = (tables.long(next)? & 0xffff_ffff) as u32;
        let places = next.checked_add(8).context("byte 56: the table of attributes is nowhere")?;
        Ok(Some(AttributeTable { attributes: tables.long(at)?, places, count }))
    }

    /// The value of `security.capability` in the set of attributes with this number.
    ///
    /// # Errors
    /// The table is broken; the sentence names the byte.
    pub fn capability(&self, tables: &Tables, number: u32) -> Result<Option<Vec<u8>>> {
        if number >= self.count {
            bail!("byte 56: attributes {number} of {}", self.count);
        }
        let pointer = self.places.checked_add(u64::from(number) / 512 * 8);
        let pointer = pointer.context("byte 56: the table of attributes is nowhere")?;
        let mut cursor = Cursor::absolute(tables.long(pointer)?, (number % 512 * 16) as usize);
        let [low, high, count] = [(); 3].map(|()| tables.word(&mut cursor));
        let count = count?;
        if count > ATTRIBUTES_MAX {
            bail!("byte {}: a file with {count} attributes, allowed are {ATTRIBUTES_MAX}", cursor.block());
        }
        let mut cursor = self.place(u64::from(low?) | u64::from(high?) << 32)?;
        for _ in 0..count {
            let (kind, length) = (tables.short(&mut cursor)?, tables.short(&mut cursor)?);
            let mut name = vec![0; usize::from(length)];
            tables.read(&mut cursor, &mut name)?;
            let value = value(tables, &mut cursor)?;
            if kind & !ELSEWHERE != SECURITY || name != b"capability" {
                continue;
            }
            if kind & ELSEWHERE == 0 {
                return Ok(Some(value));
            }
            let Ok(reference) = <[u8; 8]>::try_from(&value[..]) else {
                bail!("byte {}: a value elsewhere, but no place of it", cursor.block());
            };
            let mut there = self.place(u64::from_le_bytes(reference))?;
            return self::value(tables, &mut there).map(Some);
        }
        Ok(None)
    }

    fn place(&self, reference: u64) -> Result<Cursor> {
        let block = self.attributes.checked_add(reference >> 16);
        let block = block.context("byte 56: the attributes are nowhere")?;
        Ok(Cursor::absolute(block, (reference & 0xffff) as usize))
    }
}

fn value(tables: &Tables, cursor: &mut Cursor) -> Result<Vec<u8>> {
    let length = tables.word(cursor)?;
    if length > VALUE_BYTES_MAX {
        bail!("byte {}: an attribute of {length} bytes, allowed are {VALUE_BYTES_MAX}", cursor.block());
    }
    let mut value = vec![0; length as usize];
    tables.read(cursor, &mut value)?;
    Ok(value)
}
