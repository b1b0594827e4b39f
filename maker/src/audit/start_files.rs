//! The files of an image from which programs are started, and those that they call, read by the same code as on the
//! device (`komainu_core::wall::judge::autostart`).

use super::image::{Image, shown};
use anyhow::Result;
use komainu_core::wall::judge::autostart::entry::{AutostartEntry, Call, Doubt, Kind};
use komainu_core::wall::judge::autostart::find::is_shell_script;
use komainu_core::wall::judge::autostart::reading::read;
use komainu_core::wall::judge::autostart::start_places;
use std::collections::BTreeMap;

/// Largest file that is read, and most of them.
const FILE_BYTES_MAX: u64 = 256 * 1024;
const FILES_MAX: usize = 8192;

/// A file that starts programs.
pub struct StartFile {
    /// Its path, as it is shown.
    pub path: String,
    pub kind: Kind,
    pub text: Vec<u8>,
    /// The lines that start unwanted programs.
    pub entries: Vec<AutostartEntry>,
    pub doubt: Option<Doubt>,
    /// It is longer than what was read.
    pub cut: bool,
}

/// The start files of an image, each once.
pub struct StartFiles {
    pub all: Vec<StartFile>,
    /// There are more.
    pub left_out: bool,
}

struct Walk<'a> {
    image: &'a Image,
    found: BTreeMap<Vec<u8>, (StartFile, bool)>,
    called: Vec<Vec<u8>>,
    sourced: Vec<Vec<u8>>,
    words: Vec<u32>,
    left_out: bool,
}

/// Reads them all.
///
/// # Errors
/// The image is broken.
pub fn start_files(image: &Image) -> Result<StartFiles> {
    let mut walk = Walk {
        image,
        found: BTreeMap::new(),
        called: Vec::new(),
        sourced: Vec::new(),
        words: Vec::new(),
        left_out: false,
    };
    let mut first: Vec<(String, Kind)> = Vec::new();
    let mut names = |folder: &str| {
        let Some((real, _)) = image.find(folder.as_bytes()).filter(|(_, node)| node.is_folder()) else {
            return Vec::new();
        };
        image.names(&real).filter_map(|name| String::from_utf8(name.to_vec()).ok()).collect()
    };
    start_places::each(&mut names, &mut |path, kind| first.push((path, kind)));
    for (path, kind) in first {
        walk.one(path.as_bytes(), kind, &[])?;
    }
    while let Some(path) = walk.called.pop() {
        walk.one(&path, Kind::Script, &[])?;
    }
    let mut words = std::mem::take(&mut walk.words);
    words.sort_unstable();
    words.dedup();
    while let Some(path) = walk.sourced.pop().or_else(|| walk.called.pop()) {
        walk.one(&path, Kind::Script, &words)?;
    }
    Ok(StartFiles { all: walk.found.into_values().map(|(file, _)| file).collect(), left_out: walk.left_out })
}

impl Walk<'_> {
    fn one(&mut self, path: &[u8], kind: Kind, callers: &[u32]) -> Result<()> {
        let Some((real, _)) = self.image.file(path) else { return Ok(()) };
        // Read again only to follow the functions that others call.
        if self.found.get(&real).is_some_and(|(_, with_callers)| *with_callers || callers.is_empty()) {
            return Ok(());
        }
        if self.found.len() >= FILES_MAX {
            self.left_out = true;
            return Ok(());
        }
        let Some((text, whole)) = self.image.read(&real, FILE_BYTES_MAX)? else { return Ok(()) };
        if text.starts_with(b"\x7fELF") {
            return Ok(());
        }
        let reading = read(kind, &text, callers);
        for call in &reading.calls {
            self.queue(call);
        }
        self.words.extend_from_slice(&reading.words);
        let cut = !whole && (!kind.is_script() || is_shell_script(&text) && !text.contains(&0));
        let file =
            StartFile { path: shown(&real), kind, entries: reading.entries, doubt: reading.doubt, cut, text };
        self.found.insert(real, (file, !callers.is_empty()));
        Ok(())
    }

    fn queue(&mut self, call: &Call) {
        let mut paths = Vec::new();
        if call.path.starts_with('/') && call.folder {
            if let Some((real, _)) = self.image.find(call.path.as_bytes()) {
                paths.extend(self.image.names(&real).map(|name| [&real, &b"/"[..], name].concat()));
            }
        } else if call.path.starts_with('/') {
            paths.push(call.path.clone().into_bytes());
        } else {
            let inside = start_places::PROGRAM_FOLDERS.iter().map(|folder| format!("{folder}/{}", call.path));
            paths.extend(inside.map(String::into_bytes).find(|path| self.image.file(path).is_some()));
        }
        let list = if call.sourced { &mut self.sourced } else { &mut self.called };
        list.extend(paths.into_iter().take(FILES_MAX.saturating_sub(list.len())));
    }
}
