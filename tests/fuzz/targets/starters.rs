//! Files that start programs, of every kind: what is found is within bounds, and what is taken away is gone.
#![no_main]

use komainu_core::wall::judge::autostart::entry::{Kind, SAYS_BYTES_MAX, STARTERS_MAX};
use komainu_core::wall::judge::autostart::{autostart_entries, without};

const KINDS: [Kind; 7] =
    [Kind::Inittab, Kind::Inetd, Kind::Xinetd, Kind::Script, Kind::Cron, Kind::CronOfUsers, Kind::Unit];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((kind, text)) = bytes.split_first() else { return };
    let kind = KINDS[usize::from(*kind) % KINDS.len()];
    let found = autostart_entries(kind, text);
    assert!(found.len() <= STARTERS_MAX);
    let lines = text.iter().filter(|byte| **byte == b'\n').count() + 1;
    for one in &found {
        assert!(one.line >= 1 && one.line as usize <= lines, "line {} of {lines}", one.line);
        assert!(one.says.len() <= SAYS_BYTES_MAX && !one.program.is_empty());
        assert_eq!(without(kind, text, one.line, &format!("{} ", one.says)), None, "it says something else");
        let Some(changed) = without(kind, text, one.line, &one.says) else { continue };
        assert!(changed.len() <= text.len() + 512, "no file grows without bound");
        let again = autostart_entries(kind, &changed);
        assert!(!again.iter().any(|left| left == one), "{one:?} is still there");
    }
});
