//! The capabilities of files in an ext4 image, which `ext4-view` does not read: the inodes that have some, and their names.
//! The image was opened by `ext4-view` before; what contradicts itself all the same is refused with its byte.

use super::{DEPTH_MAX, ENTRIES_MAX, shown};
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::FileExt;

const SUPERBLOCK_AT: u64 = 1024;
const ROOT: u32 = 2;
/// Flags of a superblock: groups of 64 bits, and descriptors of groups that lie apart.
const GROUPS_64: u32 = 0x80;
const GROUPS_APART: u32 = 0x10;
/// Flag of an inode: its blocks are a tree of extents.
const EXTENTS: u32 = 0x8_0000;
/// At the beginning of attributes, and of a node of extents.
const ATTRIBUTES_MAGIC: u32 = 0xea02_0000;
const EXTENTS_MAGIC: u16 = 0xf30a;
/// An extent that is longer was reserved and never written.
const EXTENT_BLOCKS_MAX: u16 = 0x8000;
/// The index of names that begin with `security.`
const SECURITY: u8 = 6;
/// Most inodes of an image.
const INODES_MAX: u32 = 1 << 24;
/// In the flags of a group: nothing was written to its table of inodes.
const INODES_UNWRITTEN: u16 = 1;
/// Most blocks of one folder: 256 MiB of names, in blocks of 4 KiB.
const FOLDER_BLOCKS_MAX: usize = 65_536;
const EXTENT_DEPTH_MAX: u32 = 5;

/// Reads the values of `security.capability`, by path.
///
/// # Errors
/// The image is broken, or has a feature that is not read here.
pub fn read(file: &File) -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let raw = RawExt4::open(file)?;
    let mut capable = BTreeMap::new();
    for number in 1..=raw.inodes {
        let Some(inode) = raw.written_inode(number)? else { continue };
        // One that was removed keeps its bytes.
        if short(&inode, 26) > 0
            && let Some(value) = raw.capability(&inode)?
        {
            capable.insert(number, value);
        }
    }
    // An image has few such files or none, and without any no name is needed.
    if capable.is_empty() { Ok(BTreeMap::new()) } else { raw.names(&capable) }
}

struct RawExt4<'f> {
    file: &'f File,
    inodes: u32,
    inodes_per_group: u32,
    inode_bytes: usize,
    block_bytes: u64,
    descriptors: u64,
    descriptor_bytes: u64,
}

impl RawExt4<'_> {
    fn open(file: &File) -> Result<RawExt4<'_>> {
        let head = at(file, SUPERBLOCK_AT, 1024)?;
        let (block_log, features) = (word(&head, 24), word(&head, 96));
        if block_log > 6 || features & GROUPS_APART != 0 {
            bail!("byte {SUPERBLOCK_AT}: blocks or groups of a kind that is not read here");
        }
        let block_bytes = 1024_u64 << block_log;
        let inode_bytes = if word(&head, 76) == 0 { 128 } else { usize::from(short(&head, 88)) };
        let descriptor_bytes = if features & GROUPS_64 == 0 { 32 } else { u64::from(short(&head, 254)) };
        let inodes_per_group = word(&head, 40);
        if !(128..=block_bytes as usize).contains(&inode_bytes)
            || descriptor_bytes < 32
            || inodes_per_group == 0
            || word(&head, 0) > INODES_MAX
        {
            bail!(
                "byte {SUPERBLOCK_AT}: the superblock contradicts itself, or has more than {INODES_MAX} inodes"
            );
        }
        Ok(RawExt4 {
            file,
            inodes: word(&head, 0),
            inodes_per_group,
            inode_bytes,
            block_bytes,
            descriptors: (u64::from(word(&head, 20)) + 1) * block_bytes,
            descriptor_bytes,
        })
    }

    fn inode(&self, number: u32) -> Result<Vec<u8>> {
        self.written_inode(number)?.with_context(|| format!("inode {number} was never written"))
    }

    /// An inode; `None`: its place was never written.
    fn written_inode(&self, number: u32) -> Result<Option<Vec<u8>>> {
        let index = number.checked_sub(1).filter(|_| number <= self.inodes);
        let index = index.with_context(|| format!("inode {number} of {}", self.inodes))?;
        let (group, inside) = (index / self.inodes_per_group, index % self.inodes_per_group);
        let place = self.descriptors + u64::from(group) * self.descriptor_bytes;
        let descriptor = at(self.file, place, self.descriptor_bytes.min(64) as usize)?;
        if short(&descriptor, 18) & INODES_UNWRITTEN != 0 {
            return Ok(None);
        }
        let high = if descriptor.len() >= 64 { word(&descriptor, 40) } else { 0 };
        let table = u64::from(word(&descriptor, 8)) | u64::from(high) << 32;
        let table = table.checked_mul(self.block_bytes).context("a table of inodes that is nowhere")?;
        let place = table.checked_add(u64::from(inside) * self.inode_bytes as u64);
        at(self.file, place.context("a table of inodes that is nowhere")?, self.inode_bytes).map(Some)
    }

    fn block(&self, number: u64) -> Result<Vec<u8>> {
        let place = number.checked_mul(self.block_bytes).context("a block that is nowhere")?;
        at(self.file, place, self.block_bytes as usize)
    }

    /// The capability of an inode: behind its fields, or in a block of its own.
    fn capability(&self, inode: &[u8]) -> Result<Option<Vec<u8>>> {
        if inode.len() > 128 {
            let begin = 128 + usize::from(short(inode, 128));
            if inode.len() >= begin + 4
                && word(inode, begin) == ATTRIBUTES_MAGIC
                && let Some(value) = attribute(&inode[begin + 4..], 0)
            {
                return Ok(Some(value));
            }
        }
        let own = u64::from(word(inode, 104)) | u64::from(short(inode, 118)) << 32;
        if own == 0 {
            return Ok(None);
        }
        let block = self.block(own)?;
        Ok(if word(&block, 0) == ATTRIBUTES_MAGIC { attribute(&block, 32) } else { None })
    }

    /// The paths of these inodes.
    fn names(&self, capable: &BTreeMap<u32, Vec<u8>>) -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
        let (mut found, mut been, mut seen) = (BTreeMap::new(), BTreeSet::new(), 0);
        let mut folders = vec![(Vec::new(), ROOT, 0)];
        while let Some((path, number, depth)) = folders.pop() {
            if !been.insert(number) || depth > DEPTH_MAX {
                bail!("the folder {} is too deep, or in two places", shown(&path));
            }
            let inode = self.inode(number)?;
            for content in self.content(&inode).with_context(|| format!("the folder {}", shown(&path)))? {
                for (number, name) in entries(&content) {
                    seen += 1;
                    if seen > ENTRIES_MAX {
                        bail!("more than {ENTRIES_MAX} entries");
                    }
                    let mut inside = path.clone();
                    if !inside.is_empty() {
                        inside.push(b'/');
                    }
                    inside.extend_from_slice(name);
                    if let Some(value) = capable.get(&number) {
                        found.insert(inside, value.clone());
                    } else if short(&self.inode(number)?, 0) & 0xf000 == 0x4000 {
                        folders.push((inside, number, depth + 1));
                    }
                }
            }
        }
        Ok(found)
    }

    /// The blocks of a folder: no name goes over the end of one. `ext4-view` refuses folders that stand in their inode.
    fn content(&self, inode: &[u8]) -> Result<Vec<Vec<u8>>> {
        let (flags, places) = (word(inode, 32), &inode[40..100]);
        let mut blocks = Vec::new();
        if flags & EXTENTS != 0 {
            self.extents(places, EXTENT_DEPTH_MAX, &mut blocks)?;
        } else {
            for (at, depth) in (0..15).zip([0; 12].into_iter().chain([1, 2, 3])) {
                self.mapped(u64::from(word(places, at * 4)), depth, &mut blocks)?;
            }
        }
        blocks.into_iter().map(|block| self.block(block)).collect()
    }

    fn extents(&self, node: &[u8], depth_left: u32, blocks: &mut Vec<u64>) -> Result<()> {
        if short(node, 0) != EXTENTS_MAGIC {
            bail!("a node of extents without its mark");
        }
        let (count, is_leaf) = (usize::from(short(node, 2)), short(node, 6) == 0);
        for entry in node[12..].chunks_exact(12).take(count) {
            if is_leaf {
                let length = short(entry, 4);
                let first = u64::from(word(entry, 8)) | u64::from(short(entry, 6)) << 32;
                if length <= EXTENT_BLOCKS_MAX {
                    blocks.extend(first..first + u64::from(length));
                }
                limit(blocks)?;
            } else {
                let depth = depth_left.checked_sub(1).context("extents that are too deep")?;
                let below = u64::from(word(entry, 4)) | u64::from(short(entry, 8)) << 32;
                self.extents(&self.block(below)?, depth, blocks)?;
            }
        }
        Ok(())
    }

    fn mapped(&self, block: u64, depth: u32, blocks: &mut Vec<u64>) -> Result<()> {
        match (block, depth) {
            (0, _) => {}
            (_, 0) => blocks.push(block),
            _ => {
                for place in self.block(block)?.chunks_exact(4) {
                    self.mapped(u64::from(word(place, 0)), depth - 1, blocks)?;
                }
            }
        }
        limit(blocks)
    }
}

fn limit(blocks: &[u64]) -> Result<()> {
    if blocks.len() > FOLDER_BLOCKS_MAX {
        bail!("more than {FOLDER_BLOCKS_MAX} blocks of names");
    }
    Ok(())
}

/// The names in a piece of a folder, and their inodes. A broken entry ends it: `ext4-view` has refused such a folder.
fn entries(mut bytes: &[u8]) -> Vec<(u32, &[u8])> {
    let mut all = Vec::new();
    while bytes.len() >= 8 {
        let (number, length) = (word(bytes, 0), usize::from(short(bytes, 4)));
        let name = bytes.get(8..8 + usize::from(bytes[6])).unwrap_or_default();
        if number != 0 && !matches!(name, b"" | b"." | b"..") {
            all.push((number, name));
        }
        // A length of 64 KiB does not fit, and is written as 0 or 65,535.
        let Some(rest) = bytes.get(length..).filter(|_| length >= 8) else { break };
        bytes = rest;
    }
    all
}

/// The value of `security.capability` among attributes; `first` is where they begin. A value in an inode of its own is told as
/// an empty one, which nobody can read.
fn attribute(bytes: &[u8], first: usize) -> Option<Vec<u8>> {
    let mut place = first;
    while let Some(entry) = bytes.get(place..).filter(|entry| entry.len() >= 16 && word(entry, 0) != 0) {
        let (name_bytes, from, length) =
            (usize::from(entry[0]), usize::from(short(entry, 2)), word(entry, 8));
        if entry[1] == SECURITY && entry.get(16..16 + name_bytes) == Some(b"capability") {
            let value = from.checked_add(length as usize).and_then(|end| bytes.get(from..end));
            return Some(value.filter(|_| word(entry, 4) == 0).unwrap_or_default().to_vec());
        }
        place += (16 + name_bytes).next_multiple_of(4);
    }
    None
}

fn at(file: &File, place: u64, length: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, place).with_context(|| format!("byte {place}: cannot be read"))?;
    Ok(bytes)
}

/// A number of 16 bits; of bytes that are not there it is 0.
fn short(bytes: &[u8], place: usize) -> u16 {
    let two = bytes.get(place..place + 2).and_then(|two| two.try_into().ok());
    two.map_or(0, u16::from_le_bytes)
}

/// A number of 32 bits; of bytes that are not there it is 0.
fn word(bytes: &[u8], place: usize) -> u32 {
    let four = bytes.get(place..place + 4).and_then(|four| four.try_into().ok());
    four.map_or(0, u32::from_le_bytes)
}
