//! Reads a file: the lines that start unwanted programs, whether each can be taken away, and the files that it leads to.

use super::edit;
use super::entry::{AutostartEntry, Does, Found, Kind, Reading};
use super::find::{find, told};
use alloc::vec::Vec;

/// Reads a file: the lines that start unwanted programs, and the files that it leads to. `callers`: digests of the words
/// by which other files may call its functions, in order.
pub fn read(kind: Kind, bytes: &[u8], callers: &[u32]) -> Reading {
    let all = find(kind, bytes, callers);
    let mut entries: Vec<AutostartEntry> = Vec::new();
    for found in &all.found {
        let starter = found.starter(kind, bytes);
        // Of one line the gravest counts; the fix mends them all.
        match entries.last_mut().filter(|last| last.line == starter.line) {
            Some(last) => {
                let fixed = last.fixed.or(starter.fixed);
                if starter.does == Does::Fetch {
                    *last = starter;
                }
                last.fixed = fixed;
            }
            None => entries.push(starter),
        }
    }
    Reading { entries, calls: all.calls, words: all.words, doubt: all.doubt }
}

/// The lines of a file that start unwanted programs: at most [`STARTERS_MAX`], in their order.
pub fn autostart_entries(kind: Kind, bytes: &[u8]) -> Vec<AutostartEntry> {
    read(kind, bytes, &[]).entries
}

impl Found {
    fn starter(&self, kind: Kind, bytes: &[u8]) -> AutostartEntry {
        AutostartEntry {
            line: self.line,
            says: told(&bytes[self.lines.clone()]),
            program: self.hit.program.clone(),
            does: self.hit.does,
            fixed: edit::fixed(self, kind, bytes),
        }
    }
}
