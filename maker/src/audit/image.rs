//! The tree of an image, read without mounting it and without being root: a squashfs file, an ext4 image or a folder.
//! Names, modes and links are held in memory, contents are read when they are asked for. The image may be hostile: every
//! count and length has a limit, and no link leads out of it.
//!
//! Map: `folder`, `squashfs` and `ext4_image` (with `ext4_capabilities`) read the three kinds; `foreign_kind` names those that are not read;
//! `open_image`, beside this, chooses among them.

mod ext4_capabilities;
pub mod ext4_image;
pub mod folder;
pub mod foreign_kind;
pub mod squashfs;

use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;

/// Most names of an image, and most bytes of all their paths together.
pub const ENTRIES_MAX: usize = 262_144;
const PATH_BYTES_ALL_MAX: usize = 64 * 1024 * 1024;
/// Longest path, and the deepest folder.
pub const PATH_BYTES_MAX: usize = 4096;
pub const DEPTH_MAX: usize = 128;
/// Most links that one path leads through, as in Linux.
const LINKS_MAX: usize = 40;

/// The type of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeKind {
    File,
    Folder,
    /// A symbolic link, and its target.
    Link(Vec<u8>),
    Block,
    Char,
    Pipe,
    Socket,
}

/// An entry of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub kind: NodeKind,
    /// The twelve bits of the mode.
    pub mode: u32,
    pub user: u32,
    pub group: u32,
    /// The length of a file's contents.
    pub bytes: u64,
    /// Where the reader of this kind of image finds it again.
    pub place: u64,
    /// The capabilities of a file, as Linux keeps them; `None`: it has none.
    pub capability: Option<Vec<u8>>,
}

impl Node {
    pub fn is_file(&self) -> bool {
        self.kind == NodeKind::File
    }

    pub fn is_folder(&self) -> bool {
        self.kind == NodeKind::Folder
    }

    /// A file that can be started.
    pub fn is_program(&self) -> bool {
        self.is_file() && self.mode & 0o111 != 0
    }
}

/// Reads the contents of files: one for each kind of image.
trait Contents {
    /// The first bytes of a file, at most so many.
    ///
    /// # Errors
    /// The image is broken there.
    fn read(&self, path: &[u8], node: &Node, most: u64) -> Result<Vec<u8>>;
}

/// The entries of a tree, while it is read. Paths have no `/` in front; the root is the empty path.
#[derive(Default)]
struct Nodes {
    all: BTreeMap<Vec<u8>, Node>,
    path_bytes: usize,
}

impl Nodes {
    /// Adds an entry.
    ///
    /// # Errors
    /// A limit is reached, or the name is none that a file can have, or it is there already.
    fn add(&mut self, path: Vec<u8>, node: Node) -> Result<()> {
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        if !path.is_empty() && (matches!(name, b"" | b"." | b"..") || path.contains(&0)) {
            bail!("{} is a name that no file can have", shown(&path));
        }
        if path.len() > PATH_BYTES_MAX || path.iter().filter(|byte| **byte == b'/').count() >= DEPTH_MAX {
            bail!(
                "{:.80}… is too deep or too long: at most {DEPTH_MAX} folders and {PATH_BYTES_MAX} bytes",
                shown(&path)
            );
        }
        self.path_bytes += path.len();
        if self.all.len() >= ENTRIES_MAX || self.path_bytes > PATH_BYTES_ALL_MAX {
            bail!("the image has more than {ENTRIES_MAX} entries, or more than 64 MiB of names");
        }
        match self.all.insert(path.clone(), node) {
            None => Ok(()),
            Some(_) => bail!("{} is there twice", shown(&path)),
        }
    }
}

/// A tree that was read.
pub struct Image {
    nodes: BTreeMap<Vec<u8>, Node>,
    contents: Box<dyn Contents>,
    /// The kind of image, for people: `squashfs (xz)`.
    pub kind: String,
}

impl Image {
    fn of(nodes: Nodes, contents: Box<dyn Contents>, kind: String) -> Image {
        Image { nodes: nodes.all, contents, kind }
    }

    /// All entries in the order of their paths, the root first.
    pub fn nodes(&self) -> impl Iterator<Item = (&[u8], &Node)> {
        self.nodes.iter().map(|(path, node)| (path.as_slice(), node))
    }

    /// The names in a folder, in order.
    pub fn names<'a>(&'a self, folder: &[u8]) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut begin = folder.to_vec();
        if !begin.is_empty() {
            begin.push(b'/');
        }
        let length = begin.len();
        let from = self.nodes.range(begin.clone()..);
        let inside = from.take_while(move |(path, _)| path.starts_with(&begin));
        inside.filter_map(move |(path, _)| {
            let name = &path[length..];
            (!name.is_empty() && !name.contains(&b'/')).then_some(name)
        })
    }

    /// The entry to which a path leads, through all links, and its real path. A link never leads out of the image: an
    /// absolute one begins at its root, and `..` of the root is the root.
    pub fn find(&self, path: &[u8]) -> Option<(Vec<u8>, &Node)> {
        let mut links_left = LINKS_MAX;
        let mut real: Vec<u8> = Vec::new();
        let mut rest: Vec<Vec<u8>> = parts(path);
        while let Some(part) = rest.pop() {
            if part == b".." {
                let end = real.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                real.truncate(end);
                continue;
            }
            let folder_bytes = real.len();
            if !real.is_empty() {
                real.push(b'/');
            }
            real.extend_from_slice(&part);
            if real.len() > PATH_BYTES_MAX {
                return None;
            }
            match &self.nodes.get(&real)?.kind {
                NodeKind::Link(target) => {
                    links_left = links_left.checked_sub(1)?;
                    real.truncate(if target.starts_with(b"/") { 0 } else { folder_bytes });
                    rest.extend(parts(target));
                }
                NodeKind::Folder => {}
                // A file has nothing inside.
                _ if !rest.is_empty() => return None,
                _ => {}
            }
        }
        let node = self.nodes.get(&real)?;
        Some((real, node))
    }

    /// The regular file to which a path leads, and its real path.
    pub fn file(&self, path: &[u8]) -> Option<(Vec<u8>, &Node)> {
        self.find(path).filter(|(_, node)| node.is_file())
    }

    /// The entry of exactly this path, which may be a link.
    pub fn entry(&self, path: &[u8]) -> Option<&Node> {
        self.nodes.get(path)
    }

    /// The contents of a file, at most so many bytes, and whether that is all; `None`: the path leads to no file.
    ///
    /// # Errors
    /// The image is broken there.
    pub fn read(&self, path: &[u8], most: u64) -> Result<Option<(Vec<u8>, bool)>> {
        let Some((real, node)) = self.file(path) else { return Ok(None) };
        let bytes = self
            .contents
            .read(&real, node, most.min(node.bytes))
            .with_context(|| format!("cannot read {}", shown(&real)))?;
        Ok(Some((bytes, node.bytes <= most)))
    }
}

/// The parts of a path, the last one first.
fn parts(path: &[u8]) -> Vec<Vec<u8>> {
    let parts = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".");
    parts.rev().map(<[u8]>::to_vec).collect()
}

/// A path of the image for people and programs: with `/` in front, and nothing in it that a terminal obeys.
pub fn shown(path: &[u8]) -> String {
    format!("/{}", komainu_core::printable::line(&String::from_utf8_lossy(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;

    impl Contents for Nothing {
        fn read(&self, _: &[u8], _: &Node, _: u64) -> Result<Vec<u8>> {
            Ok(Vec::new())
        }
    }

    fn image(entries: &[(&str, Option<&str>)]) -> Image {
        let node = |kind| Node { kind, mode: 0o755, user: 0, group: 0, bytes: 0, place: 0, capability: None };
        let mut nodes = Nodes::default();
        nodes.add(Vec::new(), node(NodeKind::Folder)).unwrap();
        for (path, target) in entries {
            let kind = match target {
                Some("/") => NodeKind::Folder,
                Some(target) => NodeKind::Link(target.as_bytes().into()),
                None => NodeKind::File,
            };
            nodes.add(path.as_bytes().into(), node(kind)).unwrap();
        }
        Image::of(nodes, Box::new(Nothing), "test".into())
    }

    #[test]
    fn links_are_followed_inside_the_image_and_never_out_of_it() {
        let image = image(&[
            ("etc", Some("/")),
            ("etc/passwd", None),
            ("a", Some("/etc")),
            ("b", Some("../../../../etc/passwd")),
            ("etc/up", Some("..")),
            ("round", Some("trip")),
            ("trip", Some("round")),
            ("self", Some("self/x")),
            ("gone", Some("/nowhere")),
        ]);
        for (path, real) in [
            ("/etc/passwd", Some("etc/passwd")),
            ("a/passwd", Some("etc/passwd")),
            ("b", Some("etc/passwd")),
            ("etc/up/etc/./passwd", Some("etc/passwd")),
            ("../..", Some("")),
            ("round", None),
            ("self", None),
            ("gone", None),
            ("etc/passwd/x", None),
        ] {
            let found = image.find(path.as_bytes()).map(|(real, _)| String::from_utf8(real).unwrap());
            assert_eq!(found.as_deref(), real, "{path}");
        }
    }

    #[test]
    fn the_names_of_a_folder_are_its_own_alone() {
        let image =
            image(&[("a", Some("/")), ("a/x", Some("/")), ("a/x/deep", None), ("a/y", None), ("ab", None)]);
        let names = |folder: &[u8]| image.names(folder).map(<[u8]>::to_vec).collect::<Vec<_>>();
        assert_eq!(names(b"a"), [b"x", b"y"]);
        assert_eq!(names(b""), [b"a".to_vec(), b"ab".to_vec()]);
    }

    #[test]
    fn a_name_that_no_file_can_have_is_refused() {
        let node =
            Node { kind: NodeKind::File, mode: 0, user: 0, group: 0, bytes: 0, place: 0, capability: None };
        for path in ["a/..", ".", "a/", "a/\0", &"x/".repeat(200), &"x".repeat(5000)] {
            assert!(Nodes::default().add(path.as_bytes().into(), node.clone()).is_err(), "{path:?}");
        }
    }

    #[test]
    fn nothing_in_a_shown_path_is_obeyed_by_a_terminal() {
        assert_eq!(shown(b"etc/pass wd"), "/etc/pass wd");
        assert_eq!(shown(b"a\nb\x1b[2J\xff"), "/a\\u000ab\\u001b[2J\u{fffd}");
    }
}
