//! An ext4 image (ext2 and ext3 as well), read by the crate `ext4-view`, which neither writes nor mounts.

use super::ext4_capabilities;
use super::{Contents, Image, Node, NodeKind, Nodes, shown};
use anyhow::{Context, Result, anyhow};
use ext4_view::{Ext4, Ext4Error, Ext4Read, FileType, Metadata};
use std::cell::Cell;
use std::error::Error;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::rc::Rc;

/// The file, and the place that was read last: where the image is broken, the fault is there or was led to from there.
struct Reader {
    file: File,
    last: Rc<Cell<u64>>,
}

impl Ext4Read for Reader {
    fn read(&mut self, start: u64, into: &mut [u8]) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.last.set(start);
        Ok(self.file.read_exact_at(into, start)?)
    }
}

struct Ext4Image {
    system: Ext4,
    last: Rc<Cell<u64>>,
}

/// Reads the tree of an image.
///
/// # Errors
/// It is broken, or has a feature that is not known.
pub fn read(file: File) -> Result<Image> {
    let last = Rc::new(Cell::new(0));
    let raw = file.try_clone().context("cannot open the image once more")?;
    let system =
        Ext4::load(Box::new(Reader { file, last: last.clone() })).map_err(|why| told(&why, &last))?;
    let image = Ext4Image { system, last };
    let mut nodes = Nodes::default();
    let top = image.system.metadata("/").map_err(|why| image.fault(&why))?;
    nodes.add(Vec::new(), node(&top, NodeKind::Folder))?;
    let mut folders = vec![Vec::new()];
    while let Some(folder) = folders.pop() {
        let place = absolute(&folder);
        let entries = image.system.read_dir(place.as_slice()).map_err(|why| image.fault(&why));
        for entry in entries.with_context(|| format!("the folder {}", shown(&folder)))? {
            let entry = entry.map_err(|why| image.fault(&why))?;
            let name = entry.file_name();
            let name: &[u8] = name.as_ref();
            if name == b"." || name == b".." {
                continue;
            }
            let mut path = folder.clone();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(name);
            let metadata = entry.metadata().map_err(|why| image.fault(&why));
            let metadata = metadata.with_context(|| shown(&path))?;
            let kind = image.kind(&path, &metadata)?;
            if kind == NodeKind::Folder {
                folders.push(path.clone());
            }
            nodes.add(path, node(&metadata, kind))?;
        }
    }
    for (path, value) in ext4_capabilities::read(&raw).context("the capabilities of files")? {
        nodes.all.entry(path).and_modify(|node| node.capability = Some(value));
    }
    Ok(Image::of(nodes, Box::new(image), "ext4".into()))
}

impl Ext4Image {
    fn fault(&self, why: &Ext4Error) -> anyhow::Error {
        told(why, &self.last)
    }

    fn kind(&self, path: &[u8], metadata: &Metadata) -> Result<NodeKind> {
        Ok(match metadata.file_type() {
            FileType::Directory => NodeKind::Folder,
            FileType::Symlink => {
                let target = self.system.read_link(absolute(path).as_slice());
                let target = target.map_err(|why| self.fault(&why)).with_context(|| shown(path))?;
                let target: &[u8] = target.as_ref();
                NodeKind::Link(target.to_vec())
            }
            FileType::BlockDevice => NodeKind::Block,
            FileType::CharacterDevice => NodeKind::Char,
            FileType::Fifo => NodeKind::Pipe,
            FileType::Socket => NodeKind::Socket,
            _ => NodeKind::File,
        })
    }
}

fn told(why: &Ext4Error, last: &Cell<u64>) -> anyhow::Error {
    anyhow!("{why} (read last: byte {})", last.get())
}

fn absolute(path: &[u8]) -> Vec<u8> {
    [b"/", path].concat()
}

fn node(metadata: &Metadata, kind: NodeKind) -> Node {
    Node {
        kind,
        mode: u32::from(metadata.mode()) & 0o7777,
        user: metadata.uid(),
        group: metadata.gid(),
        bytes: metadata.len(),
        place: 0,
        capability: None,
    }
}

impl Contents for Ext4Image {
    fn read(&self, path: &[u8], _: &Node, most: u64) -> Result<Vec<u8>> {
        let mut file = self.system.open(absolute(path).as_slice()).map_err(|why| self.fault(&why))?;
        let mut bytes = Vec::new();
        let mut buffer = vec![0; 64 * 1024];
        while (bytes.len() as u64) < most {
            let wanted = buffer.len().min((most - bytes.len() as u64) as usize);
            match file.read_bytes(&mut buffer[..wanted]).map_err(|why| self.fault(&why))? {
                0 => break,
                count => bytes.extend_from_slice(&buffer[..count]),
            }
        }
        Ok(bytes)
    }
}
