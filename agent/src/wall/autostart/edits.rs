//! Takes lines away from start files, remembers each edit in `wall/autostart-edits` of the state folder, and takes it back.

use super::places::layer;
use super::proof::proven;
use super::{Autostart, FILE_BYTES_MAX};
use crate::os::files;
use crate::os::files::cannot;
use crate::os::foreign_file::{Foreign, Place, Tree};
use komainu_core::fault::{Text, text};
use komainu_core::identifiers::Digest64;
use komainu_core::wall::judge::autostart::edit::taken_back;
use komainu_core::wall::judge::autostart::edit_ledger;
use komainu_core::wall::judge::autostart::edit_ledger::{EDITS_MAX, KeptEdit};
use komainu_core::wall::judge::autostart::entry::Kind;
use komainu_core::wall::policy::Policy;
use std::path::{Path, PathBuf};

/// Largest ledger that is read.
const LEDGER_BYTES_MAX: u64 = 1024 * 1024;

/// The outcome for an edit that was to be taken back.
enum Outcome {
    /// The line is as it was.
    Back,
    /// It was so already, or the file is not there any more.
    Gone,
}

impl Autostart {
    /// Takes away the program that a line of a start file starts, if the line still says the same. Gives the kind of the
    /// file, so that its reader can be told. A line that is not there any more is no error: `None`.
    ///
    /// # Errors
    /// Path and cause; the file stays as it was.
    pub fn stop_starting(
        &self,
        state: &Path,
        file: &str,
        line: u32,
        says: &str,
        time: u64,
    ) -> Result<Option<Kind>, Text> {
        let path = Path::new(file);
        let known = self.read.iter().find(|read| read.path == path);
        let Some(known) = known else { return Err(cannot("change", path, &"nothing is started from there")) };
        let tree = Tree::at(&self.root)?;
        let Some((place, foreign)) = open(&tree, &self.root, path)? else { return Ok(None) };
        let edit = proven(known.kind, &foreign, line, says).map_err(|why| cannot("change", path, &why))?;
        let Some(edit) = edit else { return Ok(None) };
        let starter = known.reading.entries.iter().find(|one| one.line == line);
        let starter = starter.ok_or_else(|| cannot("change", path, &"the line was not found there"))?;
        let lower = layer(&self.root, place.real()).1;
        let kept = KeptEdit {
            file: file.into(),
            line,
            does: starter.does,
            program: starter.program.clone(),
            was: edit.was,
            is: edit.is,
            original: Digest64::of(&foreign.bytes),
            lower: lower.and_then(|path| digest_of(&path)),
            time,
        };
        let mut edits = kept_edits(state);
        edits.retain(|other| (&other.file, &other.was) != (&kept.file, &kept.was));
        if edits.len() >= EDITS_MAX {
            return Err(cannot("change", path, &"too many edits are remembered already"));
        }
        edits.push(kept);
        // Said before it is done: an edit that a cut prevented is forgotten at the next start.
        keep(state, &edits)?;
        place.change(&foreign, &edit.bytes, state)?;
        Ok(Some(known.kind))
    }

    /// Takes back the edits that are to be no more: the policy allows the program, lines are not taken away any more
    /// (`enforced`), or the firmware has another file at the path. Where others changed a file since, only the line is put
    /// back, if it can be found. Gives a sentence for each that was taken back, or could not be.
    pub fn take_back(&mut self, state: &Path, policy: &Policy, enforced: bool) -> Vec<Text> {
        let edits = kept_edits(state);
        let mut told = Vec::new();
        let mut left = Vec::new();
        for edit in &edits {
            let path = Path::new(&edit.file);
            let lower = layer(&self.root, path).1;
            let digest = lower.as_deref().and_then(digest_of);
            if edit.holds(digest, enforced, policy) {
                left.push(edit.clone());
                continue;
            }
            let (file, line) = (&edit.file, edit.line);
            match self.take_back_one(state, edit, lower.as_deref()) {
                Ok(Outcome::Back) => told.push(text(format_args!("{file} line {line} is as it was again"))),
                Ok(Outcome::Gone) => {}
                Err(why) => {
                    told.push(text(format_args!("{file} line {line} stays without what it started: {why}")))
                }
            }
        }
        if left.len() != edits.len()
            && let Err(why) = keep(state, &left)
        {
            told.push(why);
        }
        told
    }

    fn take_back_one(&self, state: &Path, edit: &KeptEdit, lower: Option<&Path>) -> Result<Outcome, Text> {
        let path = Path::new(&edit.file);
        let tree = Tree::at(&self.root)?;
        let Some((place, foreign)) = open(&tree, &self.root, path)? else { return Ok(Outcome::Gone) };
        let Some(mut bytes) = taken_back(&foreign.bytes, edit.line, &edit.was, &edit.is) else {
            let is_so = taken_back(&foreign.bytes, edit.line, &edit.is, &edit.was).is_some();
            let changed = "the file was changed since, and the line is not in it any more; look at it";
            return if is_so { Ok(Outcome::Gone) } else { Err(text(format_args!("{changed}"))) };
        };
        // A file that differs from the firmware's in nothing but our line makes way for the firmware's new one.
        let ours_alone = edit.lower == Some(edit.original) && Digest64::of(&bytes) == edit.original;
        if let Some(new) = lower.filter(|_| ours_alone).and_then(bytes_of) {
            bytes = new;
        }
        place.change(&foreign, &bytes, state)?;
        Ok(Outcome::Back)
    }
}

fn open(tree: &Tree, root: &Path, path: &Path) -> Result<Option<(Place, Foreign)>, Text> {
    let inside = path.strip_prefix(root).unwrap_or(path);
    let Some(place) = tree.find(inside)? else { return Ok(None) };
    let foreign = place.read(FILE_BYTES_MAX)?;
    Ok(foreign.map(|foreign| (place, foreign)))
}

/// The firmware's own file, on a medium that is not written.
fn bytes_of(path: &Path) -> Option<Vec<u8>> {
    files::read(path, FILE_BYTES_MAX).ok()?
}

fn digest_of(path: &Path) -> Option<Digest64> {
    bytes_of(path).map(|bytes| Digest64::of(&bytes))
}

fn ledger(state: &Path) -> PathBuf {
    state.join("wall/autostart-edits")
}

/// The edits that are remembered. A ledger that cannot be read tells of none, and that is logged.
fn kept_edits(state: &Path) -> Vec<KeptEdit> {
    let path = ledger(state);
    let read = files::read(&path, LEDGER_BYTES_MAX).map_err(|error| cannot("read", &path, &error));
    let edits = read.and_then(|bytes| match bytes {
        None => Ok(Vec::new()),
        Some(bytes) => {
            edit_ledger::read(&String::from_utf8_lossy(&bytes)).map_err(|why| cannot("read", &path, &why))
        }
    });
    edits.unwrap_or_else(|why| {
        log::warn!("edits-forgotten why=\"{why}\"");
        Vec::new()
    })
}

fn keep(state: &Path, edits: &[KeptEdit]) -> Result<(), Text> {
    let path = ledger(state);
    let folder = state.join("wall");
    std::fs::create_dir_all(&folder).map_err(|error| cannot("make", &folder, &error))?;
    files::replace(&path, edit_ledger::write(edits).as_bytes())
        .map_err(|error| cannot("write", &path, &error))
}
