//! Remembers the edits of start files, so that each can be taken back: when the policy allows the program, when the maker
//! no longer has lines taken away, or when the firmware brings another file.

use super::edit::{escaped, unescaped};
use super::entry::Does;
use super::is_allowed;
use crate::identifiers::Digest64;
use crate::ledger;
use crate::wall::policy::Policy;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

/// The first line of the ledger.
const FORMAT: &str = "komainu autostart edits 1";
/// Most edits that are remembered; more are not made.
pub const EDITS_MAX: usize = 64;

/// One edit of a start file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptEdit {
    pub file: String,
    pub line: u32,
    pub does: Does,
    pub program: String,
    /// The changed lines as they were, and as they are.
    pub was: Vec<u8>,
    pub is: Vec<u8>,
    /// The file before the edit.
    pub original: Digest64,
    /// The file at the same path in the firmware, below an overlay.
    pub lower: Option<Digest64>,
    /// When, in seconds since 1970.
    pub time: u64,
}

impl KeptEdit {
    /// Whether it still is to be as it is; else it is taken back.
    pub fn holds(&self, lower: Option<Digest64>, enforced: bool, policy: &Policy) -> bool {
        let same_firmware = self.lower.is_none() || lower == self.lower;
        enforced && same_firmware && !is_allowed(self.does, &self.program, policy)
    }
}

/// The ledger of these edits.
pub fn write(edits: &[KeptEdit]) -> String {
    let mut lines = String::new();
    for edit in edits {
        let does = match edit.does {
            Does::Telnet => "telnet",
            Does::Ssh => "ssh",
            Does::Shell => "shell",
            Does::Fetch => "fetch",
        };
        let lower = edit.lower.map_or(edit.original, |lower| lower);
        let layer = if edit.lower.is_some() { "lower" } else { "none" };
        let (file, program) = (escaped(edit.file.as_bytes()), escaped(edit.program.as_bytes()));
        let (was, is) = (escaped(&edit.was), escaped(&edit.is));
        let KeptEdit { time, line, original, .. } = edit;
        // Writing to a string does not fail.
        let _ =
            writeln!(lines, "{time} {file} {line} {does} {program} {original} {layer} {lower} {was} {is}");
    }
    ledger::seal(FORMAT, &lines)
}

/// The edits of a ledger.
///
/// # Errors
/// A part of a sentence about the ledger.
pub fn read(text: &str) -> Result<Vec<KeptEdit>, &'static str> {
    let lines = ledger::open(FORMAT, text)?;
    let edits = lines.take(EDITS_MAX).map(|line| edit_of(line).ok_or("one of its lines is not understood"));
    edits.collect()
}

fn edit_of(line: &str) -> Option<KeptEdit> {
    let mut words = line.split(' ');
    let mut next = || words.next();
    let text = |word: &str| String::from_utf8(unescaped(word)?).ok();
    let time = next()?.parse().ok()?;
    let file = text(next()?)?;
    let line = next()?.parse().ok()?;
    let does = match next()? {
        "telnet" => Does::Telnet,
        "ssh" => Does::Ssh,
        "shell" => Does::Shell,
        "fetch" => Does::Fetch,
        _ => return None,
    };
    let program = text(next()?)?;
    let original = Digest64::parse(next()?)?;
    let has_lower = next()? == "lower";
    let lower = Digest64::parse(next()?).filter(|_| has_lower);
    let (was, is) = (unescaped(next()?)?, unescaped(next()?)?);
    Some(KeptEdit { file, line, does, program, was, is, original, lower, time })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wall::policy::tests::bare;

    fn edit() -> KeptEdit {
        KeptEdit {
            file: "/etc/init.d/S50 odd%".into(),
            line: 7,
            does: Does::Ssh,
            program: "/usr/sbin/dropbear".into(),
            was: b"\tdropbear -R \\\n\xff".to_vec(),
            is: b"\ttrue -R \\\n\xff".to_vec(),
            original: Digest64::of(b"one"),
            lower: Some(Digest64::of(b"two")),
            time: 5_000_000_000,
        }
    }

    #[test]
    fn edits_are_remembered_as_they_were_made() {
        let all = [edit(), KeptEdit { lower: None, does: Does::Telnet, ..edit() }];
        assert_eq!(read(&write(&all)).unwrap(), all);
        assert!(read("nothing").is_err());
        assert!(read(&ledger::seal(FORMAT, "1 2 3\n")).is_err());
    }

    #[test]
    fn an_edit_is_taken_back_when_the_policy_allows_the_program_or_the_firmware_changes() {
        let (strict, ssh) = (bare(), Policy { ssh: true, ..bare() });
        let lower = Some(Digest64::of(b"two"));
        assert!(edit().holds(lower, true, &strict));
        assert!(!edit().holds(lower, true, &ssh), "the next release wants SSH");
        assert!(!edit().holds(lower, false, &strict), "nothing is enforced any more");
        assert!(!edit().holds(Some(Digest64::of(b"three")), true, &strict), "the firmware has another file");
        assert!(!edit().holds(None, true, &strict), "the firmware has no such file any more");
        let alone = KeptEdit { lower: None, ..edit() };
        assert!(alone.holds(None, true, &strict) && alone.holds(lower, true, &strict));
    }
}
