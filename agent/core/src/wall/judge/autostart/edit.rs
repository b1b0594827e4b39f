//! Takes away what one line starts, and proves it: the file then has the same commands but that one. Where the proof
//! fails there is no edit.

use super::entry::{COMMENT, Found, Kind};
use super::find::{find, told};
use super::script;
use super::script::COMMANDS_MAX;
use super::tables::disable;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

/// Most bytes that are remembered of the changed lines.
pub const CHANGED_BYTES_MAX: usize = 1024;

/// A file without what one line of it started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    pub bytes: Vec<u8>,
    /// The changed lines as they were, and as they are.
    pub was: Vec<u8>,
    pub is: Vec<u8>,
}

type Change = (Range<usize>, &'static [u8]);

/// The file without what a line starts; `None` where the line no longer says so.
///
/// # Errors
/// The reason why the line is left alone.
pub fn without(kind: Kind, bytes: &[u8], line: u32, says: &str) -> Result<Option<Edit>, &'static str> {
    let before = find(kind, bytes, &[]);
    let is_meant = |found: &Found| found.line == line && told(&bytes[found.lines.clone()]) == says;
    let mut changes: Vec<Change> = Vec::new();
    let mut left = 0;
    for found in &before.found {
        if is_meant(found) {
            change(found, kind, bytes, &mut changes)?;
        } else {
            left += 1;
        }
    }
    changes.sort_by_key(|(range, _)| range.start);
    changes.dedup();
    let (Some(first), Some(last)) = (changes.first(), changes.last()) else { return Ok(None) };
    let start = bytes[..first.0.start].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let rest = &bytes[last.0.end..];
    let end = last.0.end + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let mut is = Vec::new();
    let mut from = start;
    for (range, new) in &changes {
        is.extend_from_slice(bytes.get(from..range.start).ok_or("its commands overlap")?);
        is.extend_from_slice(new);
        from = range.end;
    }
    is.extend_from_slice(&bytes[from..end]);
    let was = bytes[start..end].to_vec();
    if was.len() > CHANGED_BYTES_MAX || is.len() > CHANGED_BYTES_MAX {
        return Err("its line is too long to be remembered");
    }
    let edit = Edit { bytes: [&bytes[..start], &is, &bytes[end..]].concat(), was, is };
    let after = find(kind, &edit.bytes, &[]);
    if after.found.len() != left {
        return Err("the rest of the file would mean something else");
    }
    if kind.is_script() {
        same_but(bytes, &edit.bytes, &changes)?;
    }
    Ok(Some(edit))
}

/// The lines as they were, in a file that still has them as they were changed: at that line, or else once somewhere.
pub fn taken_back(bytes: &[u8], line: u32, was: &[u8], is: &[u8]) -> Option<Vec<u8>> {
    let mut places = Vec::new();
    let mut at = 0;
    for number in 1..=u32::MAX {
        let rest = &bytes[at..];
        let ends = rest.get(is.len()).is_none_or(|byte| matches!(byte, b'\n' | b'\r'));
        if rest.starts_with(is) && ends {
            places.push((number == line, at));
        }
        let Some(length) = rest.iter().position(|byte| *byte == b'\n') else { break };
        at += length + 1;
    }
    let there = places.iter().find(|(is_there, _)| *is_there);
    let only = if places.len() == 1 { places.first() } else { None };
    let (_, at) = there.or(only)?;
    Some([&bytes[..*at], was, &bytes[at + is.len()..]].concat())
}

/// Every command is the same but those around a change.
fn same_but(before: &[u8], after: &[u8], changes: &[Change]) -> Result<(), &'static str> {
    let commands = |bytes: &[u8]| script::read(bytes, 0..bytes.len(), &[]).commands;
    let (before, after) = (commands(before), commands(after));
    if before.len() >= COMMANDS_MAX {
        return Err("it has too many commands to compare them");
    }
    let changed = |range: &Range<usize>| {
        changes.iter().any(|(change, _)| range.start <= change.start && change.end <= range.end)
    };
    let same = before.len() == after.len()
        && before.iter().zip(&after).all(|((one, place), (other, _))| one == other || changed(place));
    if same { Ok(()) } else { Err("the rest of the script would mean something else") }
}

/// The way a line is taken away.
fn change(found: &Found, kind: Kind, bytes: &[u8], changes: &mut Vec<Change>) -> Result<(), &'static str> {
    let is_comment = match kind {
        Kind::Inetd | Kind::Cron | Kind::CronOfUsers => true,
        // With other commands on its line, the others stay.
        Kind::Inittab | Kind::Interfaces => found.hit.alone,
        Kind::Xinetd => {
            disable(bytes, &found.hit.word, changes);
            return Ok(());
        }
        Kind::Supervised => return Err("its supervisor would start it again at once"),
        Kind::Script | Kind::Unit | Kind::Udev | Kind::Mdev => false,
    };
    if is_comment {
        changes.push((found.lines.start..found.lines.start, COMMENT));
        return Ok(());
    }
    let word = found.hit.edit.clone()?;
    let by_path = matches!(kind, Kind::Unit | Kind::Udev);
    changes.push((word, if by_path { b"/bin/true" } else { b"true" }));
    Ok(())
}

/// The reason why a line that was found would be left alone.
pub(super) fn fixed(found: &Found, kind: Kind, bytes: &[u8]) -> Option<&'static str> {
    change(found, kind, bytes, &mut Vec::new()).err()
}

/// A line as text: some bytes become their numbers, so that a ledger has a line of it.
pub fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if matches!(byte, b'!'..=b'~') && byte != b'%' {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.push(char::from(HEX[usize::from(byte >> 4)]));
            text.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    text
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// The bytes of such a text.
pub fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let digits = after.first_chunk::<2>()?;
        let digit = |byte: u8| HEX.iter().position(|one| *one == byte).and_then(|at| u8::try_from(at).ok());
        bytes.push(digit(digits[0])? << 4 | digit(digits[1])?);
        rest = &after[2..];
    }
    Some(bytes)
}
