//! Files that start programs, of every kind: what is found is within bounds, what is taken away is gone, and comes back.
#![no_main]

use komainu_core::wall::judge::autostart::edit::{escaped, taken_back, unescaped, without};
use komainu_core::wall::judge::autostart::edit_ledger;
use komainu_core::wall::judge::autostart::entry::{CALLS_MAX, Kind, SAYS_BYTES_MAX, STARTERS_MAX};
use komainu_core::wall::judge::autostart::reading::read;

const KINDS: [Kind; 11] = [
    Kind::Inittab,
    Kind::Inetd,
    Kind::Xinetd,
    Kind::Script,
    Kind::Cron,
    Kind::CronOfUsers,
    Kind::Unit,
    Kind::Supervised,
    Kind::Interfaces,
    Kind::Udev,
    Kind::Mdev,
];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((kind, text)) = bytes.split_first() else { return };
    assert_eq!(unescaped(&escaped(text)).as_deref(), Some(text));
    let _ = edit_ledger::read(&String::from_utf8_lossy(text));
    let kind = KINDS[usize::from(*kind) % KINDS.len()];
    let reading = read(kind, text, &[]);
    assert!(reading.entries.len() <= STARTERS_MAX && reading.calls.len() <= CALLS_MAX);
    let lines = text.iter().filter(|byte| **byte == b'\n').count() + 1;
    for one in &reading.entries {
        assert!(one.line >= 1 && one.line as usize <= lines, "line {} of {lines}", one.line);
        assert!(one.says.len() <= SAYS_BYTES_MAX && !one.program.is_empty());
        let other = without(kind, text, one.line, &format!("{} ", one.says));
        assert_eq!(other, Ok(None), "it says something else");
        let edit = without(kind, text, one.line, &one.says);
        if one.fixed.is_some() {
            assert!(edit.is_err());
        }
        let Ok(Some(edit)) = edit else { continue };
        assert!(edit.bytes.len() <= text.len() + 512, "no file grows without bound");
        let again = read(kind, &edit.bytes, &[]).entries;
        assert!(!again.iter().any(|left| left == one), "{one:?} is still there");
        // The line is at its place, but for the blocks of xinetd.
        if kind != Kind::Xinetd
            && let Some(back) = taken_back(&edit.bytes, one.line, &edit.was, &edit.is)
        {
            assert_eq!(back.len(), text.len());
        }
    }
});
