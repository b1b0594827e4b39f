//! An image in a folder, such as the target folder of a build. Nothing is followed out of it: links are read and not
//! taken, and only regular files are opened.

use super::{Contents, Image, Node, NodeKind, Nodes, shown};
use anyhow::{Context, Result, bail};
use nix::fcntl::OFlag;
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::{self, Metadata, OpenOptions};
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

struct Folder {
    root: PathBuf,
}

/// Reads the tree below a folder.
///
/// # Errors
/// A folder or link in there cannot be read.
pub fn read(root: &Path) -> Result<Image> {
    let mut nodes = Nodes::default();
    let top = fs::metadata(root).with_context(|| format!("cannot read {}", root.display()))?;
    nodes.add(Vec::new(), node(root, &top)?)?;
    let mut folders = vec![Vec::new()];
    while let Some(folder) = folders.pop() {
        let place = root.join(OsStr::from_bytes(&folder));
        let cannot = || {
            format!(
                "cannot read the folder {}: start this as the user who built it, or give the packed image",
                shown(&folder)
            )
        };
        for entry in fs::read_dir(&place).with_context(cannot)? {
            let entry = entry.with_context(cannot)?;
            let metadata = entry.metadata().with_context(cannot)?;
            let mut path = folder.clone();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend(entry.file_name().into_vec());
            if metadata.is_dir() {
                folders.push(path.clone());
            }
            nodes.add(path, node(&entry.path(), &metadata)?)?;
        }
    }
    Ok(Image::of(nodes, Box::new(Folder { root: root.into() }), "folder".into()))
}

fn node(path: &Path, metadata: &Metadata) -> Result<Node> {
    let kind = metadata.file_type();
    let kind = if kind.is_dir() {
        NodeKind::Folder
    } else if kind.is_symlink() {
        let target =
            fs::read_link(path).with_context(|| format!("cannot read the link {}", path.display()))?;
        NodeKind::Link(target.into_os_string().into_vec())
    } else if kind.is_block_device() {
        NodeKind::Block
    } else if kind.is_char_device() {
        NodeKind::Char
    } else if kind.is_fifo() {
        NodeKind::Pipe
    } else if kind.is_socket() {
        NodeKind::Socket
    } else {
        NodeKind::File
    };
    Ok(Node {
        kind,
        mode: metadata.mode() & 0o7777,
        user: metadata.uid(),
        group: metadata.gid(),
        bytes: metadata.len(),
        place: metadata.ino(),
        capability: if metadata.is_file() { capability(path)? } else { None },
    })
}

/// Longest value that Linux has, with room for later ones.
const CAPABILITY_BYTES_MAX: usize = 64;

fn capability(path: &Path) -> Result<Option<Vec<u8>>> {
    let mut value = [0; CAPABILITY_BYTES_MAX];
    match rustix::fs::lgetxattr(path, "security.capability", &mut value[..]) {
        Ok(length) => Ok(Some(value[..length].to_vec())),
        // A file system without attributes has none.
        Err(Errno::NODATA | Errno::NOTSUP) => Ok(None),
        Err(why) => Err(why).with_context(|| format!("cannot read the attributes of {}", path.display())),
    }
}

impl Contents for Folder {
    fn read(&self, path: &[u8], node: &Node, most: u64) -> Result<Vec<u8>> {
        let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits())
            .open(self.root.join(OsStr::from_bytes(path)))
            .context("start this as the user who built it, or give the packed image")?;
        let now = file.metadata()?;
        if !now.is_file() || now.ino() != node.place {
            bail!("it was changed while it was looked at: run the audit after the build");
        }
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}
