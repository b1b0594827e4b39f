//! A squashfs image of version 4, little-endian, as the kernel's documentation describes it (`filesystems/squashfs`).
//! The crates that unpack the blocks are foreign; the layout is read here, so that every length has a limit before
//! memory is asked for, and every fault names its byte.
//!
//! Map: `metadata_blocks` reads the tables, `inode` an entry, `extended_attributes` the capabilities of files,
//! `decompress` unpacks a block.

mod decompress;
mod extended_attributes;
mod inode;
mod metadata_blocks;

use super::{Contents, Image, Node, NodeKind, Nodes, shown};
use anyhow::{Context, Result, anyhow, bail};
use decompress::Packing;
use extended_attributes::{AttributeTable, NO_ATTRIBUTES};
use inode::{Data, Inode};
use metadata_blocks::{Bytes, Cursor, Tables};
use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

/// Length of the superblock.
const SUPERBLOCK_BYTES: usize = 96;
/// A file that has no fragment.
const NO_FRAGMENT: u32 = u32::MAX;
/// Fragments that are kept unpacked, of at most 1 MiB each.
const KEPT_MAX: usize = 8;
/// In a length of a data block: the block is not packed.
const NOT_PACKED: u32 = 1 << 24;

struct Squashfs {
    tables: Tables,
    block_bytes: u32,
    fragments: u64,
    fragment_table: u64,
    attributes: Option<AttributeTable>,
    /// The last fragments that were unpacked, by their numbers: files that lie side by side have one in common.
    kept: RefCell<VecDeque<(u32, Rc<Vec<u8>>)>>,
}

/// Reads the tree of an image.
///
/// # Errors
/// It is broken; the sentence names the byte.
pub fn read(bytes: Box<dyn Bytes>) -> Result<Image> {
    let mut head = [0; SUPERBLOCK_BYTES];
    bytes.at(0, &mut head).context("byte 0: the superblock is cut off")?;
    let short = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
    let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
    if &head[..4] != b"hsqs" || (short(28), short(30)) != (4, 0) {
        bail!("byte 28: version {}.{} of squashfs; only 4.0 is read here", short(28), short(30));
    }
    let (block_bytes, block_log) = (word(12), short(22));
    if !(12..=20).contains(&block_log) || block_bytes != 1 << block_log {
        bail!("byte 12: blocks of {block_bytes} bytes; allowed are powers of two from 4 KiB to 1 MiB");
    }
    let used = long(40);
    if used > bytes.length()? {
        bail!("byte 40: the image is cut off: it has {} bytes of {used}", bytes.length()?);
    }
    let packing = Packing::of(short(20)).map_err(|why| anyhow!("byte 20: {why}"))?;
    let kind = format!("squashfs ({})", packing.name());
    let tables = Tables::new(bytes, packing, used, long(64), long(72));
    let ids = read_ids(&tables, short(26), long(48))?;
    let attributes = AttributeTable::read(&tables, long(56))?;
    let (fragments, fragment_table) = (u64::from(word(16)), long(80));
    let image =
        Squashfs { tables, block_bytes, fragments, fragment_table, attributes, kept: RefCell::default() };
    let nodes = image.tree(long(32), &ids)?;
    Ok(Image::of(nodes, Box::new(image), kind))
}

/// The numbers of users and groups.
fn read_ids(tables: &Tables, count: u16, table: u64) -> Result<Vec<u32>> {
    let mut ids = Vec::new();
    for at in 0..u64::from(count) {
        let pointer = table.checked_add(at / 2048 * 8).context("byte 48: the table of users is nowhere")?;
        let mut cursor = Cursor::absolute(tables.long(pointer)?, (at % 2048 * 4) as usize);
        ids.push(tables.word(&mut cursor).context("the table of users")?);
    }
    Ok(ids)
}

impl Squashfs {
    fn tree(&self, root: u64, ids: &[u32]) -> Result<Nodes> {
        let mut nodes = Nodes::default();
        let mut been = BTreeSet::new();
        let top = Inode::read(&self.tables, root, self.block_bytes).context("the root folder")?;
        let Data::Folder { .. } = &top.data else { bail!("the root is no folder") };
        nodes.add(Vec::new(), self.node(&top, root, ids)?)?;
        let mut folders = vec![(Vec::new(), root, top)];
        while let Some((path, reference, inode)) = folders.pop() {
            if !been.insert(reference) {
                bail!("the folder {} is in two places, or inside itself", shown(&path));
            }
            let Data::Folder { block, offset, bytes } = inode.data else { continue };
            let names = self.folder(block, offset, bytes);
            for (name, reference) in names.with_context(|| format!("the folder {}", shown(&path)))? {
                let mut inside = path.clone();
                if !inside.is_empty() {
                    inside.push(b'/');
                }
                inside.extend(name);
                let inode = Inode::read(&self.tables, reference, self.block_bytes);
                let inode = inode.with_context(|| shown(&inside))?;
                let node = self.node(&inode, reference, ids).with_context(|| shown(&inside))?;
                nodes.add(inside.clone(), node)?;
                if let Data::Folder { .. } = &inode.data {
                    folders.push((inside, reference, inode));
                }
            }
        }
        Ok(nodes)
    }

    fn node(&self, inode: &Inode, reference: u64, ids: &[u32]) -> Result<Node> {
        let id = |index: u16| {
            ids.get(usize::from(index)).copied().with_context(|| format!("user {index} of {}", ids.len()))
        };
        let (kind, bytes) = match &inode.data {
            Data::Folder { .. } => (NodeKind::Folder, 0),
            Data::File { bytes, .. } => (NodeKind::File, *bytes),
            Data::Link(target) => (NodeKind::Link(target.clone()), target.len() as u64),
            Data::Other(kind) => (kind.clone(), 0),
        };
        let capability = match (&self.attributes, inode.attributes) {
            (None, _) | (_, NO_ATTRIBUTES) => None,
            (Some(table), number) => table.capability(&self.tables, number)?,
        };
        Ok(Node {
            kind,
            mode: u32::from(inode.mode) & 0o7777,
            user: id(inode.user)?,
            group: id(inode.group)?,
            bytes,
            place: reference,
            capability,
        })
    }

    /// The names in a folder, and the references of their inodes.
    fn folder(&self, block: u32, offset: u16, bytes: u32) -> Result<Vec<(Vec<u8>, u64)>> {
        // Three bytes stand for `.` and `..`, which are not there.
        let mut left = i64::from(bytes) - 3;
        let mut cursor = self.tables.folders(u64::from(block), usize::from(offset))?;
        let mut names = Vec::new();
        while left > 0 {
            let [count, start, _] = [(); 3].map(|()| self.tables.word(&mut cursor));
            let (count, start) = (count?, start?);
            left -= 12;
            if count >= 256 {
                bail!("byte {}: {count} names under one header, allowed are 256", cursor.block());
            }
            for _ in 0..=count {
                let mut entry = [0; 8];
                self.tables.read(&mut cursor, &mut entry)?;
                let offset = u16::from_le_bytes([entry[0], entry[1]]);
                let mut name = vec![0; usize::from(u16::from_le_bytes([entry[6], entry[7]])) + 1];
                if name.len() > 256 {
                    bail!("byte {}: a name of {} bytes, allowed are 256", cursor.block(), name.len());
                }
                self.tables.read(&mut cursor, &mut name)?;
                left -= 8 + name.len() as i64;
                if name.contains(&b'/') || name.contains(&0) {
                    bail!("byte {}: a name with a slash or a zero in it", cursor.block());
                }
                names.push((name, u64::from(start) << 16 | u64::from(offset)));
            }
        }
        Ok(names)
    }

    /// One block of a file: `size` is its length with the mark [`NOT_PACKED`], `wanted` its length when unpacked.
    fn block(&self, at: u64, size: u32, wanted: usize) -> Result<Vec<u8>> {
        let length = (size & (NOT_PACKED - 1)) as usize;
        if length == 0 {
            return Ok(vec![0; wanted]);
        }
        if length > self.block_bytes as usize {
            bail!("byte {at}: a block of {length} bytes, allowed are {}", self.block_bytes);
        }
        let mut bytes = vec![0; length];
        self.tables.bytes(at, &mut bytes)?;
        if size & NOT_PACKED == 0 {
            bytes = self.tables.unpack(at, &bytes, self.block_bytes as usize)?;
        }
        if bytes.len() < wanted {
            bail!("byte {at}: the block unpacks to {} bytes of {wanted}", bytes.len());
        }
        Ok(bytes)
    }

    /// A fragment: the tails of several files.
    fn fragment(&self, index: u32) -> Result<Rc<Vec<u8>>> {
        let mut kept = self.kept.borrow_mut();
        if let Some((_, bytes)) = kept.iter().find(|(known, _)| *known == index) {
            return Ok(bytes.clone());
        }
        if u64::from(index) >= self.fragments {
            bail!("byte 16: fragment {index} of {}", self.fragments);
        }
        let pointer = self.fragment_table.checked_add(u64::from(index) / 512 * 8);
        let pointer = pointer.context("byte 80: the table of fragments is nowhere")?;
        let mut cursor = Cursor::absolute(self.tables.long(pointer)?, (index % 512 * 16) as usize);
        let [low, high, size] = [(); 3].map(|()| self.tables.word(&mut cursor));
        let bytes = Rc::new(self.block(u64::from(low?) | u64::from(high?) << 32, size?, 0)?);
        kept.truncate(KEPT_MAX - 1);
        kept.push_front((index, bytes.clone()));
        Ok(bytes)
    }
}

impl Contents for Squashfs {
    fn read(&self, _: &[u8], node: &Node, most: u64) -> Result<Vec<u8>> {
        let inode = Inode::read(&self.tables, node.place, self.block_bytes)?;
        let Data::File { start, bytes, fragment, offset, sizes } = inode.data else {
            bail!("it is no file any more")
        };
        let most = most.min(bytes);
        let mut cursor = sizes;
        let mut at = start;
        let mut contents: Vec<u8> = Vec::new();
        let block = u64::from(self.block_bytes);
        let whole = if fragment == NO_FRAGMENT { bytes.div_ceil(block) } else { bytes / block };
        for number in 0..whole {
            if contents.len() as u64 >= most {
                break;
            }
            let size = self.tables.word(&mut cursor).context("the list of its blocks")?;
            let wanted = block.min(bytes - number * block) as usize;
            let unpacked = self.block(at, size, wanted)?;
            contents.extend_from_slice(&unpacked[..wanted]);
            at += u64::from(size & (NOT_PACKED - 1));
        }
        if (contents.len() as u64) < most && fragment != NO_FRAGMENT {
            let unpacked = self.fragment(fragment)?;
            let from = offset as usize;
            let end = from.checked_add((bytes % block) as usize);
            let tail = end.and_then(|end| unpacked.get(from..end));
            contents.extend_from_slice(
                tail.with_context(|| format!("fragment {fragment} has {} bytes", unpacked.len()))?,
            );
        }
        contents.truncate(most as usize);
        Ok(contents)
    }
}
