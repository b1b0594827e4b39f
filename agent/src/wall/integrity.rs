//! Integrity on the device: scans the files that only the owner changes, stores their baseline, and restores them.
//! `komainu_core::wall::judge::integrity` judges a difference.
//!
//! The baseline is in `wall/` of the state folder: `baseline`, a list with a checksum, replaced whole; and in `copies/`
//! each content under its own hash. Copies are written first, and copies that no list names are removed last: a power
//! cut leaves the old list with its copies, or the new one with all of its own.

mod file_scan;
#[cfg(test)]
mod tests;

use crate::os::foreign_file::Tree;
use crate::os::{clock, files, foreign_file};
use crate::wall::integrity::file_scan::{Looked, ScanCache, can_be_given, content};
use komainu_core::fault::{Text, text};
use komainu_core::wall::judge::integrity::{
    BASELINE_BYTES_MAX, Baseline, Change, Different, Found, IntegrityFacts, Kept, Kind, Mark, Owner, Verdict,
    verdict,
};
use komainu_core::wall::policy::ProtectedPath;
use komainu_trust::hex;
use sha2::{Digest, Sha256};
use std::fs;
use std::ops::ControlFlow::Continue;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Largest file that a copy is kept of, in bytes.
const COPY_BYTES_MAX: usize = 64 * 1024;
/// Most files that copies are kept of.
const COPIES_MAX: usize = 64;
/// Most that all copies take together, in bytes: the state lies on flash that others need too.
const COPIES_BYTES_MAX: u64 = 512 * 1024;

/// The guard of one device's configuration.
pub struct IntegrityGuard {
    state: PathBuf,
    folder: PathBuf,
    baseline: Option<Baseline>,
    memory: ScanCache,
    /// The paths found different, with their marks then: a session that begins later does not make it good.
    known: Vec<(String, Mark)>,
    /// The list could not be written last time.
    unwritten: bool,
    /// A release was on trial at the last look; `None`: not asked yet.
    owes: Option<bool>,
}

impl IntegrityGuard {
    /// The guard with its memory below the folder of the state; nothing is touched yet.
    pub fn new(state: &Path) -> IntegrityGuard {
        let folder = state.join("wall");
        let (memory, known) = (ScanCache::default(), Vec::new());
        IntegrityGuard {
            state: state.into(),
            folder,
            baseline: None,
            memory,
            known,
            unwritten: false,
            owes: None,
        }
    }

    /// A release is on trial: everything is to be learned when that is over, also where a power cut falls between its
    /// confirmation and that. Else the files of the release before would be put back over those of the new one.
    pub fn owe_learning(&mut self) {
        let written = fs::create_dir_all(&self.folder).and_then(|()| files::replace(&self.debt(), b""));
        if let Err(error) = written {
            log::warn!("changes-not-accepted-later why=\"cannot write {}: {error}\"", self.debt().display());
        }
        self.owes = Some(true);
    }

    /// Everything is to be learned, once no release is on trial.
    pub fn owes_learning(&mut self) -> bool {
        let debt = self.debt();
        *self.owes.get_or_insert_with(|| fs::symlink_metadata(debt).is_ok())
    }

    /// Looks at the files that policy guards. A file that is seen for the first time, or changed while the owner is
    /// there, is remembered as it is now. Not while a release is on trial: its files may differ, and are learned when
    /// it is confirmed.
    pub fn look(&mut self, integrity: &[ProtectedPath], owner: Owner) -> IntegrityFacts {
        let mut seen = IntegrityFacts::default();
        let baseline = self.take_baseline(&mut seen);
        let looked = self.memory.look(integrity, &baseline, clock::uptime_milliseconds());
        let mut next = baseline.clone();
        let mut learned = Vec::new();
        let mut known = Vec::new();
        for Looked { found, listed } in &looked.all {
            let was_known = self.known.iter().any(|(path, mark)| *path == found.path && *mark == found.mark);
            match verdict(found, &baseline, owner, was_known) {
                Verdict::Same => {}
                Verdict::Learn => learned.push(found),
                Verdict::Differs(change) => {
                    let can_restore =
                        change != Change::New && baseline.find(&found.path).is_some_and(can_restore);
                    known.push((found.path.clone(), found.mark.clone()));
                    seen.different.push(Different {
                        path: found.path.clone(),
                        listed: listed.clone(),
                        change,
                        can_restore,
                    });
                }
            }
        }
        self.known = known;
        seen.doubt = looked.doubt;
        if self.unwritten || !learned.is_empty() {
            // Where entries of a folder are missing, and where a link leads, is looked for by the baseline.
            self.memory.look_again();
            if let Err(why) = self.remember(&baseline, &mut next, &learned) {
                seen.doubt.get_or_insert(why);
            }
        }
        self.baseline = Some(next);
        seen
    }

    /// Remembers everything as it is now, without regard to the state before: the owner has set a password or said that
    /// it is good, or a new firmware is confirmed.
    ///
    /// # Errors
    /// Something could not be read or kept: path and cause. The rest is remembered.
    pub fn accept_changes(&mut self, integrity: &[ProtectedPath]) -> Result<(), Text> {
        self.known.clear();
        self.memory = ScanCache::default();
        let looked = self.memory.look(integrity, &Baseline::default(), clock::uptime_milliseconds());
        let learned: Vec<_> = looked.all.iter().map(|looked| &looked.found).collect();
        let mut next = Baseline::default();
        self.unwritten = true;
        let kept = self.remember(&Baseline::default(), &mut next, &learned);
        self.baseline = Some(next);
        // A file that cannot be kept is tried again at the next start.
        self.owes = Some(false);
        kept?;
        let debt = self.debt();
        files::remove(&debt)
            .map_err(|error| text(format_args!("cannot remove {}: {error}", debt.display())))?;
        looked.doubt.map_or(Ok(()), Err)
    }

    /// Puts a file, a link, or the permissions of a folder back to the remembered state.
    ///
    /// # Errors
    /// Nothing is remembered of it, its copy is damaged, or path and cause.
    pub fn restore(&mut self, path: &str) -> Result<(), Text> {
        let mut seen = IntegrityFacts::default();
        let baseline = self.take_baseline(&mut seen);
        let restored = match baseline.find(path) {
            Some(kept) => self.restore_kept(kept),
            None => Err(text(format_args!("nothing is remembered of {path}"))),
        };
        self.baseline = Some(baseline);
        restored
    }

    fn restore_kept(&self, kept: &Kept) -> Result<(), Text> {
        let Kept { path, mark, .. } = kept;
        if !can_restore(kept) {
            return Err(text(format_args!("no copy of {path} is kept")));
        }
        let owner = foreign_file::Owner { user: mark.user, group: mark.group, mode: mark.mode };
        let place = Tree::device()?.find_itself(Path::new(path))?;
        let place =
            place.ok_or_else(|| text(format_args!("cannot put {path} back: its folder is not there")))?;
        match mark.kind {
            Kind::File => place.put(&self.copy(mark)?, owner, &self.state),
            Kind::Link => place.put_link(std::ffi::OsStr::from_bytes(&self.copy(mark)?)),
            _ => place.put_folder(owner),
        }
    }

    /// The copy of a content, if it is whole.
    fn copy(&self, mark: &Mark) -> Result<Vec<u8>, Text> {
        let path = self.copy_path(mark);
        let wrong =
            |why: &dyn std::fmt::Display| text(format_args!("the copy {} is lost: {why}", path.display()));
        match files::read(&path, COPY_BYTES_MAX as u64) {
            Ok(Some(bytes)) if <[u8; 32]>::from(Sha256::digest(&bytes)) == mark.hash => Ok(bytes),
            Ok(Some(_)) => Err(wrong(&"it is damaged")),
            Ok(None) => Err(wrong(&"it is not there")),
            Err(error) => Err(wrong(&error)),
        }
    }

    /// Writes copies and list. Without room for a copy the thing is remembered without one.
    fn remember(&mut self, before: &Baseline, next: &mut Baseline, learned: &[&Found]) -> Result<(), Text> {
        let mut doubt = None;
        let cannot = |what: &Path, error: &dyn std::fmt::Display| {
            text(format_args!("cannot write {}: {error}", what.display()))
        };
        let copies = self.copies();
        let made = fs::create_dir_all(&copies);
        made.map_err(|error| text(format_args!("cannot make {}: {error}", copies.display())))?;
        // The older entries of these make room.
        for found in learned {
            next.kept.retain(|kept| kept.path != found.path);
        }
        let mut count = next.kept.iter().filter(|kept| kept.copy).count();
        let tree = Tree::device()?;
        let mut room = COPIES_BYTES_MAX.saturating_sub(self.copies_bytes(next));
        for found in learned {
            // Within a folder, there is nothing to remember of a missing file.
            if found.below.is_some() && found.mark.kind == Kind::Absent {
                continue;
            }
            let mut kept = Kept { path: found.path.clone(), mark: found.mark.clone(), copy: false };
            if let Some(bytes) = content(&tree, found, COPY_BYTES_MAX as u64) {
                let path = self.copy_path(&found.mark);
                let is_there = self.copy(&found.mark).is_ok();
                let size = if is_there { 0 } else { bytes.len() as u64 };
                if count < COPIES_MAX && size <= room {
                    match if is_there { Ok(()) } else { files::replace(&path, &bytes) } {
                        Ok(()) => (kept.copy, count, room) = (true, count + 1, room - size),
                        Err(error) => doubt = Some(cannot(&path, &error)),
                    }
                }
            }
            if !next.put(kept) {
                doubt = Some(text(format_args!("{} is not guarded: there are too many files", found.path)));
            }
        }
        // A file without room is tried again at every look, and flash must not be written for it.
        if self.unwritten || next != before {
            let list = self.list();
            let written = files::replace(&list, next.write().as_bytes());
            self.unwritten = written.is_err();
            written.map_err(|error| cannot(&list, &error))?;
        }
        // Only now that no list names them.
        self.forget_copies_but_of(next);
        doubt.map_or(Ok(()), Err)
    }

    /// The remembered baseline; learned anew where it is damaged.
    fn take_baseline(&mut self, seen: &mut IntegrityFacts) -> Baseline {
        if let Some(baseline) = self.baseline.take() {
            return baseline;
        }
        let path = self.list();
        let read = match files::read(&path, BASELINE_BYTES_MAX as u64) {
            Ok(None) => Ok(Baseline::default()),
            Ok(Some(bytes)) => Baseline::read(&String::from_utf8_lossy(&bytes)),
            Err(error) => Err(text(format_args!("cannot read {}: {error}", path.display()))),
        };
        read.unwrap_or_else(|why| {
            seen.damaged = Some(why);
            Baseline::default()
        })
    }

    fn forget_copies_but_of(&self, baseline: &Baseline) {
        files::each_entry(&self.copies(), &mut |entry| {
            let name = entry.file_name();
            let is_named = |kept: &Kept| kept.copy && name.to_str() == Some(&hex::encode(&kept.mark.hash));
            if !baseline.kept.iter().any(is_named) {
                let _ = fs::remove_file(entry.path());
            }
            Continue(())
        });
    }

    fn copies_bytes(&self, baseline: &Baseline) -> u64 {
        let copies = baseline.kept.iter().filter(|kept| kept.copy);
        let sizes = copies.filter_map(|kept| fs::metadata(self.copy_path(&kept.mark)).ok());
        sizes.map(|seen| seen.len()).sum()
    }

    fn copy_path(&self, mark: &Mark) -> PathBuf {
        self.copies().join(hex::encode(&mark.hash))
    }

    fn debt(&self) -> PathBuf {
        self.folder.join("learns")
    }

    fn list(&self) -> PathBuf {
        self.folder.join("baseline")
    }

    fn copies(&self) -> PathBuf {
        self.folder.join("copies")
    }
}

fn can_restore(kept: &Kept) -> bool {
    kept.copy || kept.mark.kind == Kind::Folder && can_be_given(&kept.mark)
}
