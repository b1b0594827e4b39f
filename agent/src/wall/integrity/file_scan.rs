//! The integrity scan: reads hash, permissions and owner of each listed file. A file whose times and numbers in the file
//! system are unchanged is not read again for a while.

use crate::os::foreign_file::{MODE_BITS, Place, Tree};
use crate::wall::glance::Glance;
use komainu_core::fault::{Text, text};
use komainu_core::wall::judge::integrity::{Baseline, Found, ITEMS_MAX, Kind, Mark, PATH_BYTES_MAX};
use komainu_core::wall::policy::ProtectedPath;
use sha2::{Digest, Sha256};
use std::fs::{File, Metadata};
use std::io;
use std::io::{ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Most paths of policy.
const GUARDED_MAX: usize = 64;
/// Largest file that is guarded, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Everything is read again after so long: times of files can be set, and a clock can stand still.
const AGAIN_MILLISECONDS: u64 = 600_000;

/// One thing that was looked at.
#[derive(Clone)]
pub struct Looked {
    /// The entry that was found.
    pub found: Found,
    /// The path in policy that it belongs to.
    pub listed: String,
}

/// All that was looked at.
#[derive(Clone, Default)]
pub struct All {
    /// Each path once.
    pub all: Vec<Looked>,
    /// The first thing that could not be read, and the cause.
    pub doubt: Option<Text>,
}

/// The files as read before, with the times of reading.
#[derive(Default)]
pub struct ScanCache {
    read: Vec<Remembered>,
    /// The last look, which still holds while no name of it has changed.
    last: All,
    glance: Glance,
    /// How often the files were walked to.
    #[cfg(test)]
    pub walks: usize,
}

struct Remembered {
    path: String,
    stamp: Stamp,
    /// In milliseconds of uptime.
    at: u64,
    mark: Mark,
}

/// Changes whenever a file does, as far as the file system tells.
#[derive(Clone, PartialEq, Eq)]
struct Stamp([u64; 5], [i64; 4]);

impl Stamp {
    fn of(seen: &Metadata) -> Stamp {
        let owner = u64::from(seen.uid()) << 32 | u64::from(seen.gid());
        Stamp(
            [seen.dev(), seen.ino(), seen.size(), u64::from(seen.mode()), owner],
            [seen.mtime(), seen.mtime_nsec(), seen.ctime(), seen.ctime_nsec()],
        )
    }
}

impl ScanCache {
    /// Looks at all that policy guards, at this time in milliseconds of uptime; in the folders also for the entries
    /// that `baseline` has there. The paths of policy are those of the look before, and so is the baseline, unless
    /// [`ScanCache::look_again`] was called.
    pub fn look(&mut self, integrity: &[ProtectedPath], baseline: &Baseline, now: u64) -> All {
        let tree = match Tree::device() {
            Ok(tree) => tree,
            Err(why) => return All { all: Vec::new(), doubt: Some(why) },
        };
        let sum = self.glance.sum(&tree);
        if self.glance.is_as_before(sum, now) {
            return self.last.clone();
        }
        #[cfg(test)]
        {
            self.walks += 1;
        }
        let before = std::mem::take(&mut self.read);
        let (names, links, all) = (Vec::new(), Vec::new(), All::default());
        let mut look = Look { tree, before, now: Vec::new(), at: now, names, links, all };
        if integrity.len() > GUARDED_MAX {
            look.doubt(format_args!("policy guards more than {GUARDED_MAX} files; the rest is left out"));
        }
        for ProtectedPath { path, .. } in integrity.iter().take(GUARDED_MAX) {
            match look.add(path, None, path) {
                Some(Kind::Folder) => look.inside(path, baseline),
                Some(Kind::Link) => look.behind(path, baseline),
                _ => {}
            }
        }
        (self.read, self.last) = (look.now, look.all);
        // The cause of a doubt need not show in a name's metadata.
        self.glance.looked(look.names, sum.filter(|_| self.last.doubt.is_none()), now);
        self.glance.looked_at_links(look.links);
        self.last.clone()
    }

    /// The next look asks for everything: the baseline has changed.
    pub fn look_again(&mut self) {
        self.glance.walk_again();
    }

    /// As if this had been read.
    #[cfg(test)]
    pub fn pretend(&mut self, path: &str, hash: [u8; 32]) {
        let known = self.read.iter_mut().find(|known| known.path == path).expect("it was read");
        known.mark.hash = hash;
    }
}

struct Look {
    tree: Tree,
    before: Vec<Remembered>,
    now: Vec<Remembered>,
    at: u64,
    /// Every path that was asked for.
    names: Vec<PathBuf>,
    /// Those of them that are links.
    links: Vec<PathBuf>,
    all: All,
}

impl Look {
    /// Looks at one path, and tells its kind.
    fn add(&mut self, path: &str, below: Option<&str>, listed: &str) -> Option<Kind> {
        if self.all.all.iter().any(|looked| looked.found.path == path) {
            return None;
        }
        if path.len() > PATH_BYTES_MAX || path.chars().any(char::is_control) {
            self.doubt(format_args!("{path}: not a name that can be guarded"));
            return None;
        }
        if self.all.all.len() >= ITEMS_MAX {
            self.doubt(format_args!("{path} is not guarded: there are more than {ITEMS_MAX} files"));
            return None;
        }
        self.names.push(path.into());
        let mark = match self.mark(path) {
            Ok(mark) => mark,
            Err(why) => {
                self.all.doubt.get_or_insert(why);
                return None;
            }
        };
        let kind = mark.kind;
        if kind == Kind::Link {
            self.links.push(path.into());
        }
        let found = Found { path: path.into(), below: below.map(Into::into), mark };
        self.all.all.push(Looked { found, listed: listed.into() });
        Some(kind)
    }

    /// Looks at the entries of a folder, and for its former ones.
    fn inside(&mut self, folder: &str, baseline: &Baseline) {
        let place = self.tree.find_itself(Path::new(folder));
        let names =
            match place.and_then(|place| place.map_or(Ok(Vec::new()), |place| place.names(ITEMS_MAX + 1))) {
                Ok(names) => names,
                Err(why) => return self.doubt(format_args!("{why}")),
            };
        let top = folder.trim_end_matches('/');
        let mut there: Vec<String> =
            names.iter().map(|name| format!("{top}/{}", name.to_string_lossy())).collect();
        there.sort_unstable();
        for path in &there {
            self.add(path, Some(folder), folder);
        }
        for kept in &baseline.kept {
            let name = kept.path.strip_prefix(top).and_then(|rest| rest.strip_prefix('/'));
            let was_inside = name.is_some_and(|name| !name.is_empty() && !name.contains('/'));
            if was_inside && !there.contains(&kept.path) {
                self.add(&kept.path, Some(folder), folder);
            }
        }
    }

    /// Looks at a link's final target. It may come later than the link (a file in memory that DHCP writes), and is seen
    /// for the first time then. Where a stranger has led the link elsewhere, that is no file of the owner's.
    fn behind(&mut self, link: &str, baseline: &Baseline) {
        let now = self.all.all.last().map(|looked| &looked.found.mark);
        if baseline.find(link).is_some_and(|kept| Some(&kept.mark) != now) {
            return;
        }
        let target = match self.tree.find(Path::new(link)) {
            // A link that leads nowhere is judged as a link.
            Ok(place) => match place.filter(|place| place.metadata().is_some()) {
                Some(place) => place.real().to_owned(),
                None => return,
            },
            Err(why) => return self.doubt(format_args!("{why}")),
        };
        match target.to_str() {
            Some(target) => drop(self.add(target, None, link)),
            None => self.doubt(format_args!("{link} leads to a name that is no text")),
        }
    }

    fn mark(&mut self, path: &str) -> Result<Mark, Text> {
        let at = Path::new(path);
        let Some(place) = self.tree.find_itself(at)? else { return Ok(Mark::ABSENT) };
        let Some(seen) = place.metadata() else { return Ok(Mark::ABSENT) };
        if seen.is_dir() {
            return Ok(mark_of(Kind::Folder, seen));
        }
        if seen.is_file() {
            let stamp = Stamp::of(seen);
            if let Some(known) = self.before.iter().position(|known| known.path == path) {
                let known = self.before.swap_remove(known);
                if known.stamp == stamp && self.at.saturating_sub(known.at) < AGAIN_MILLISECONDS {
                    let mark = known.mark.clone();
                    self.now.push(known);
                    return Ok(mark);
                }
            }
        }
        self.read(&place, path, seen).map_err(|error| text(format_args!("cannot read {path}: {error}")))
    }

    fn read(&mut self, place: &Place, path: &str, seen: &Metadata) -> io::Result<Mark> {
        if let Some(target) = place.target()? {
            return Ok(Mark {
                kind: Kind::Link,
                hash: Sha256::digest(target.as_bytes()).into(),
                ..Mark::ABSENT
            });
        }
        let Some(mut file) = place.open()? else { return Ok(mark_of(Kind::Other, seen)) };
        let stamp = Stamp::of(&file.metadata()?);
        let hash = hash(&mut file)?;
        let after = file.metadata()?;
        let mark = Mark { hash, ..mark_of(Kind::File, &after) };
        // A file that is written while we read it is read again next time.
        if Stamp::of(&after) == stamp {
            self.now.push(Remembered { path: path.into(), stamp, at: self.at, mark: mark.clone() });
        }
        Ok(mark)
    }

    fn doubt(&mut self, why: std::fmt::Arguments<'_>) {
        self.all.doubt.get_or_insert_with(|| text(why));
    }
}

/// The content that makes a file or link anew: its bytes or its target; `None` where it is too large, or was changed
/// since it was looked at. And `None` where others than root have power over the place, or it has permissions that are never
/// given: what a user lays there must not come back as root's.
pub fn content(tree: &Tree, found: &Found, bytes_max: u64) -> Option<Vec<u8>> {
    let place = tree.find_itself(Path::new(&found.path)).ok()??;
    place.is_roots().ok()?;
    let bytes = match found.mark.kind {
        Kind::File if can_be_given(&found.mark) => {
            place.read(bytes_max).ok()?.filter(|file| file.whole)?.bytes
        }
        Kind::Link => place.target().ok()??.as_bytes().to_vec(),
        _ => return None,
    };
    let is_it = <[u8; 32]>::from(Sha256::digest(&bytes)) == found.mark.hash;
    (is_it && bytes.len() as u64 <= bytes_max).then_some(bytes)
}

/// Whether an item can be put back with the very permissions that it had.
pub fn can_be_given(mark: &Mark) -> bool {
    mark.mode & !MODE_BITS == 0
}

fn hash(file: &mut File) -> io::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    let mut buffer = [0; 4096];
    let mut total = 0;
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(hash.finalize().into());
        }
        total += count as u64;
        if total > FILE_BYTES_MAX {
            let why = format!("larger than {FILE_BYTES_MAX} bytes");
            return Err(io::Error::new(ErrorKind::InvalidData, why));
        }
        hash.update(&buffer[..count]);
    }
}

fn mark_of(kind: Kind, seen: &Metadata) -> Mark {
    Mark { kind, mode: seen.mode() & 0o7777, user: seen.uid(), group: seen.gid(), hash: [0; 32] }
}
