//! An inode of squashfs: a file, a folder, a link or a device.

use super::super::{NodeKind, PATH_BYTES_MAX};
use super::extended_attributes::NO_ATTRIBUTES;
use super::metadata_blocks::{Cursor, Tables};
use anyhow::{Result, bail};

/// An entry, without its name.
pub struct Inode {
    pub mode: u16,
    /// Places in the table of users.
    pub user: u16,
    pub group: u16,
    /// The number of a file's set of attributes, or [`NO_ATTRIBUTES`].
    pub attributes: u32,
    pub data: Data,
}

/// The part that depends on its kind.
pub enum Data {
    /// The place of its names in the table of folders, and their length.
    Folder {
        block: u32,
        offset: u16,
        bytes: u32,
    },
    /// The place of its first block and its length; the fragment with its tail; and where the lengths of its blocks are.
    File {
        start: u64,
        bytes: u64,
        fragment: u32,
        offset: u32,
        sizes: Cursor,
    },
    Link(Vec<u8>),
    Other(NodeKind),
}

impl Inode {
    /// Reads the inode of a reference: its block in the table of inodes, and the place in there.
    ///
    /// # Errors
    /// It is none.
    pub fn read(tables: &Tables, reference: u64, block_bytes: u32) -> Result<Inode> {
        let mut cursor = tables.inodes(reference >> 16, (reference & 0xffff) as usize)?;
        let place = cursor.block();
        let [kind, mode, user, group] = [(); 4].map(|()| tables.short(&mut cursor));
        let (kind, mode, user, group) = (kind?, mode?, user?, group?);
        for _ in 0..2 {
            tables.word(&mut cursor)?; // The time, and the number.
        }
        let mut attributes = NO_ATTRIBUTES;
        let mut word = || tables.word(&mut cursor);
        let data = match kind {
            1 => {
                let (block, _, shorts) = (word()?, word()?, word()?);
                Data::Folder { block, bytes: shorts & 0xffff, offset: (shorts >> 16) as u16 }
            }
            8 => {
                let (_, bytes, block, _, shorts) = (word()?, word()?, word()?, word()?, word()?);
                Data::Folder { block, bytes, offset: (shorts >> 16) as u16 }
            }
            2 => {
                let (start, fragment, offset, bytes) = (word()?, word()?, word()?, word()?);
                file(u64::from(start), u64::from(bytes), fragment, offset, cursor)
            }
            9 => {
                let mut long = || Ok::<u64, anyhow::Error>(u64::from(word()?) | u64::from(word()?) << 32);
                let (start, bytes, _) = (long()?, long()?, long()?);
                let (_, fragment, offset, number) = (word()?, word()?, word()?, word()?);
                attributes = number;
                file(start, bytes, fragment, offset, cursor)
            }
            3 | 10 => {
                let (_, length) = (word()?, word()?);
                if length as usize > PATH_BYTES_MAX {
                    bail!("byte {place}: a link of {length} bytes, allowed are {PATH_BYTES_MAX}");
                }
                let mut target = vec![0; length as usize];
                tables.read(&mut cursor, &mut target)?;
                Data::Link(target)
            }
            4 | 11 => Data::Other(NodeKind::Block),
            5 | 12 => Data::Other(NodeKind::Char),
            6 | 13 => Data::Other(NodeKind::Pipe),
            7 | 14 => Data::Other(NodeKind::Socket),
            other => bail!("byte {place}: {other} is no kind of inode"),
        };
        if let Data::File { bytes, .. } = &data
            && bytes.div_ceil(u64::from(block_bytes)) > u64::from(u32::MAX)
        {
            bail!("byte {place}: a file of {bytes} bytes");
        }
        Ok(Inode { mode, user, group, attributes, data })
    }
}

fn file(start: u64, bytes: u64, fragment: u32, offset: u32, sizes: Cursor) -> Data {
    Data::File { start, bytes, fragment, offset, sizes }
}
