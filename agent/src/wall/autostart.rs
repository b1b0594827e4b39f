//! The files from which programs are started at power-on, by time or by request, and those that they call: the lines in
//! them that start telnet, within a budget of files and bytes. `komainu_core::wall::judge::autostart` judges a line's
//! meaning; `places` has the places, `edits` takes lines away and back, `proof` asks the device's shell.

mod edits;
mod places;
mod proof;
#[cfg(test)]
mod tests;

use crate::os::clock::uptime_milliseconds;
use crate::os::foreign_file;
use crate::os::foreign_file::{Foreign, Place, Stamp, Tree};
use crate::os::process::kill_tree::started;
use crate::wall::glance::Glance;
use komainu_core::fault::{Text, text};
use komainu_core::wall::judge::autostart;
use komainu_core::wall::judge::autostart::FoundAutostart;
use komainu_core::wall::judge::autostart::entry::{Call, Kind, Origin, Reading};
use komainu_core::wall::remediation::ProcessId;
use nix::sys::signal::{Signal, kill};
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::Pid;
use std::io;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Most files of one look, and most bytes that are read anew in one.
const FILES_MAX: usize = 512;
const BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most names of one look: start folders are full of links to the same files.
const NAMES_MAX: usize = 2048;
/// Most files of those that others than root can write: users' tables of crond leave room for all other files.
const OTHERS_MAX: usize = 32;
/// Largest file that is read whole, and changed.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Those files, and the lines found in them.
pub struct Autostart {
    root: PathBuf,
    /// The files as read: an unchanged one is not read again.
    read: Vec<Read>,
    /// Why not everything could be read in the last look.
    unread: Option<Text>,
    glance: Glance,
    /// How often the files were walked to.
    #[cfg(test)]
    walks: usize,
}

/// A file that was read.
struct Read {
    path: PathBuf,
    kind: Kind,
    stamp: Stamp,
    reading: Reading,
    /// Digest of the words by which its functions may be called.
    callers: u64,
    origin: Origin,
    /// The reason why no line of it can be changed.
    fixed: Option<Text>,
    /// It is larger than the part that is read.
    cut: bool,
}

/// The result of one look.
#[derive(Default)]
pub struct Look {
    /// The lines that start unwanted programs.
    pub found: Vec<FoundAutostart>,
    /// Why not everything could be read.
    pub unread: Option<Text>,
}

/// One look at work.
struct Round<'a> {
    tree: &'a Tree,
    root: &'a Path,
    before: Vec<Read>,
    read: Vec<Read>,
    unread: Option<Text>,
    bytes_left: usize,
    /// Files over which others than root have power.
    others: usize,
    /// Files that others call, and those that others read as their own text.
    called: Vec<PathBuf>,
    sourced: Vec<PathBuf>,
    /// Digests of all words that may name a function.
    words: Vec<u32>,
    /// Every name that was asked for.
    names: Vec<PathBuf>,
}

impl Autostart {
    /// The files below this root; nothing is touched yet.
    pub fn new(root: &Path) -> Autostart {
        Autostart {
            root: root.into(),
            read: Vec::new(),
            unread: None,
            glance: Glance::default(),
            #[cfg(test)]
            walks: 0,
        }
    }

    /// Reads the changed files, and tells the lines found in all of them.
    pub fn look(&mut self) -> Look {
        let tree = match Tree::at(&self.root) {
            Ok(tree) => tree,
            Err(why) => return Look { unread: Some(why), ..Look::default() },
        };
        let now = uptime_milliseconds();
        let sum = self.glance.sum(&tree);
        if self.glance.is_as_before(sum, now) {
            return Look { found: self.found(), unread: self.unread.clone() };
        }
        #[cfg(test)]
        {
            self.walks += 1;
        }
        let mut round = Round {
            tree: &tree,
            root: &self.root,
            before: std::mem::take(&mut self.read),
            read: Vec::new(),
            unread: None,
            bytes_left: BYTES_MAX,
            others: 0,
            called: Vec::new(),
            sourced: Vec::new(),
            words: Vec::new(),
            names: autostart::start_places::PROGRAM_FOLDERS.iter().map(PathBuf::from).collect(),
        };
        let mut folders = Vec::new();
        if !places::each(&tree, NAMES_MAX, &mut folders, &mut |path, kind| round.one(&path, kind, &[])) {
            round.not_read(text(format_args!(
                "more than {NAMES_MAX} files start programs; not all were read"
            )));
        }
        round.follow();
        round.names.append(&mut folders);
        let Round { read, unread, names, bytes_left, .. } = round;
        (self.read, self.unread) = (read, unread);
        // The next look reads what was too much for this one.
        self.glance.looked(names, sum.filter(|_| bytes_left > 0), now);
        Look { found: self.found(), unread: self.unread.clone() }
    }

    fn found(&self) -> Vec<FoundAutostart> {
        let mut found = Vec::new();
        for read in &self.read {
            for starter in &read.reading.entries {
                let of_line = || starter.fixed.map(|why| text(format_args!("{why}")));
                found.push(FoundAutostart {
                    file: read.path.to_string_lossy().into_owned(),
                    kind: read.kind,
                    starter: starter.clone(),
                    origin: read.origin,
                    fixed: of_line().or_else(|| read.fixed.clone()),
                });
            }
        }
        found
    }
}

impl Round<'_> {
    /// Keeps the first reason why something was not read.
    fn not_read(&mut self, why: Text) {
        self.unread.get_or_insert(why);
    }

    /// Reads what the files call, and what those call; then what is read as others' own text, whose functions count where
    /// any of these names them.
    fn follow(&mut self) {
        while let Some(path) = self.called.pop() {
            self.one(&path, Kind::Script, &[]);
        }
        let mut words = std::mem::take(&mut self.words);
        words.sort_unstable();
        words.dedup();
        while let Some(path) = self.sourced.pop().or_else(|| self.called.pop()) {
            self.one(&path, Kind::Script, &words);
        }
    }

    /// One file, unless it was read under another name. Its path is below the root.
    fn one(&mut self, inside: &Path, kind: Kind, callers: &[u32]) {
        self.names.push(inside.into());
        let place = match self.tree.find(inside) {
            Ok(Some(place)) => place,
            Ok(None) => return,
            Err(why) => return self.not_read(why),
        };
        let Some(metadata) = place.metadata().filter(|metadata| metadata.is_file()) else { return };
        let stamp = foreign_file::stamp(metadata);
        let digest = callers.iter().fold(0, |sum: u64, word| sum.rotate_left(5) ^ u64::from(*word));
        if let Some(at) = self.read.iter().position(|read| read.stamp[..2] == stamp[..2]) {
            if callers.is_empty() || self.read[at].callers == digest {
                return;
            }
            // A start script that others read as well: now with the functions that they call.
            self.read.swap_remove(at);
        }
        let path = self.root.join(inside);
        if place.is_roots().is_err() {
            self.others += 1;
            if self.others > OTHERS_MAX {
                let shown = path.display();
                let why = format_args!(
                    "{shown} was not read: more than {OTHERS_MAX} files that others than root can write start programs"
                );
                return self.not_read(text(why));
            }
        }
        if self.read.len() >= FILES_MAX || self.bytes_left == 0 {
            let shown = path.display();
            let why = format_args!(
                "{shown} was not read: more than {FILES_MAX} files, or {BYTES_MAX} bytes, start programs"
            );
            return self.not_read(text(why));
        }
        let known = self.before.iter().position(|read| {
            let same_callers = callers.is_empty() || read.callers == digest;
            read.stamp == stamp && read.path == path && read.kind == kind && same_callers
        });
        let read = match known {
            Some(at) => Ok(Some(self.before.swap_remove(at))),
            None => {
                let read = self.anew(&place, &path, kind, callers);
                read.map(|read| read.map(|read| Read { callers: digest, ..read }))
            }
        };
        match read {
            Ok(Some(read)) => self.take(read),
            Ok(None) => {}
            Err(why) => self.not_read(why),
        }
    }

    fn take(&mut self, read: Read) {
        let path = read.path.display();
        if read.cut {
            self.unread.get_or_insert_with(|| {
                text(format_args!("{path} is larger than {FILE_BYTES_MAX} bytes; not all was read"))
            });
        }
        if let Some(doubt) = &read.reading.doubt {
            let (line, why) = (doubt.line, doubt.why);
            self.unread.get_or_insert_with(|| text(format_args!("{path} line {line}: {why}")));
        }
        for call in &read.reading.calls {
            self.queue(call);
        }
        self.words.extend_from_slice(&read.reading.words);
        self.read.push(read);
    }

    fn queue(&mut self, call: &Call) {
        let list = if call.sourced { &mut self.sourced } else { &mut self.called };
        let Some(inside) = call.path.strip_prefix('/') else {
            // Most commands are programs; a script is told by its ending.
            let there = |folder: &&&str| {
                self.tree
                    .find(&Path::new(folder).join(&call.path))
                    .is_ok_and(|place| place.is_some_and(|place| place.metadata().is_some()))
            };
            let folder = autostart::start_places::PROGRAM_FOLDERS.iter().find(there);
            list.extend(folder.map(|folder| Path::new(folder).join(&call.path)));
            return;
        };
        let inside = Path::new(inside);
        if !call.folder {
            return list.push(inside.into());
        }
        let mut left = FILES_MAX;
        let names = places::names(self.tree, inside, &mut left, &mut self.names);
        list.extend(names.iter().map(|name| inside.join(name)));
    }

    /// Reads a file that is not known yet, or has changed.
    fn anew(
        &mut self,
        place: &Place,
        path: &Path,
        kind: Kind,
        callers: &[u32],
    ) -> Result<Option<Read>, Text> {
        let Some(mut file) = place.open().map_err(|error| crate::os::files::cannot("read", path, &error))?
        else {
            return Ok(None);
        };
        // Most of what scripts call are programs: those are not read whole.
        let mut magic = [0; 4];
        let is_program = file.read_exact(&mut magic).is_ok() && &magic == b"\x7fELF";
        let found = if is_program { None } else { place.read(FILE_BYTES_MAX)? };
        let Some(foreign) = found.filter(|foreign| !foreign.bytes.is_empty()) else {
            let stamp = place.metadata().map(foreign_file::stamp).unwrap_or_default();
            return Ok(Some(Read::of(path, kind, stamp, Reading::default())));
        };
        self.bytes_left = self.bytes_left.saturating_sub(foreign.bytes.len());
        let reading = autostart::reading::read(kind, &foreign.bytes, callers);
        let mut read = Read::of(path, kind, foreign_file::stamp(&foreign.metadata), reading);
        // An archive or a picture is no script.
        read.cut = !foreign.whole
            && (kind != Kind::Script
                || autostart::find::is_shell_script(&foreign.bytes) && !foreign.bytes.contains(&0));
        if !read.reading.entries.is_empty() {
            read.origin = places::layer(self.root, place.real()).0;
            read.fixed = fixed(place, &foreign, &read);
        }
        Ok(Some(read))
    }
}

impl Read {
    fn of(path: &Path, kind: Kind, stamp: Stamp, reading: Reading) -> Read {
        Read {
            path: path.into(),
            kind,
            stamp,
            reading,
            callers: 0,
            origin: Origin::Unknown,
            fixed: None,
            cut: false,
        }
    }
}

/// The reason why lines of this file cannot be taken away.
fn fixed(place: &Place, foreign: &Foreign, read: &Read) -> Option<Text> {
    if statvfs(place.real()).is_ok_and(|about| about.flags().contains(FsFlags::ST_RDONLY)) {
        return Some(text(format_args!("the firmware's own medium cannot be written")));
    }
    if let Err(why) = place.is_roots() {
        return Some(why);
    }
    let mut entries = read.reading.entries.iter().filter(|entry| entry.fixed.is_none());
    entries.find_map(|entry| proof::proven(read.kind, foreign, entry.line, &entry.says).err())
}

/// Has a program read its files again (SIGHUP). [`autostart::hears`] tells the program; if another has its number by
/// now, no signal is sent.
///
/// # Errors
/// The signal could not be sent.
pub fn tell(id: ProcessId) -> Result<(), Text> {
    if started(id.pid) != Some(id.started) {
        return Ok(());
    }
    let pid = i32::try_from(id.pid).map_err(|_| text(format_args!("{} is no process", id.pid)))?;
    kill(Pid::from_raw(pid), Signal::SIGHUP).map_err(|error| {
        let error = io::Error::from(error);
        text(format_args!("cannot tell process {pid} to read its files again: {error}"))
    })
}
