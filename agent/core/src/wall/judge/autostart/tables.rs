//! The tables among those files: the command in a line of inittab, cron, systemd and others, and the programs that the
//! lines of inetd and the blocks of xinetd start.

use super::entry::{COMMENT, Does, Found, Hit, Kind, STARTERS_MAX, is_blank, lines};
use super::programs::{is_shell, serves};
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

/// The place of the command in one line, for the shell or a kin of it; none: the line has none.
pub(super) fn command_of(kind: Kind, bytes: &[u8], range: &Range<usize>) -> Option<Range<usize>> {
    let line = &bytes[range.clone()];
    let blank = line.iter().take_while(|byte| is_blank(**byte)).count();
    let line = &line[blank..];
    if line.first().is_none_or(|byte| *byte == b'#') {
        return None;
    }
    let from = match kind {
        Kind::Inittab => process_of_inittab(line)?,
        Kind::Cron => command_of_cron(line, 5)?,
        Kind::CronOfUsers => command_of_cron(line, 6)?,
        Kind::Unit => command_of_unit(line)?,
        Kind::Interfaces => command_of_interface(line)?,
        Kind::Mdev => command_of_mdev(line)?,
        Kind::Udev => {
            let inside = command_of_udev(line)?;
            let start = range.start + blank;
            return Some(start + inside.start..start + inside.end);
        }
        Kind::Script | Kind::Supervised | Kind::Inetd | Kind::Xinetd => return None,
    };
    Some(range.start + blank + from..range.end)
}

/// `up command`, and its kin.
fn command_of_interface(line: &[u8]) -> Option<usize> {
    let length = line.iter().take_while(|byte| !is_blank(**byte)).count();
    let words: &[&[u8]] = &[b"up", b"pre-up", b"post-up", b"down", b"pre-down", b"post-down"];
    let blank = line[length..].iter().take_while(|byte| is_blank(**byte)).count();
    words.contains(&&line[..length]).then_some(length + blank)
}

/// `device user:group mode @command`; the sign may be `$` or `*` as well.
fn command_of_mdev(line: &[u8]) -> Option<usize> {
    let signs = line.windows(2).enumerate().skip(1);
    let mut signs = signs.filter(|(_, pair)| is_blank(pair[0]) && matches!(pair[1], b'@' | b'$' | b'*'));
    signs.next().map(|(at, _)| at + 2)
}

/// `RUN+="command"`, also `RUN{program}` and `PROGRAM`: the first of a rule.
fn command_of_udev(line: &[u8]) -> Option<Range<usize>> {
    let at = line.windows(3).position(|word| word == b"RUN")?;
    let from = at + line[at..].iter().position(|byte| *byte == b'"')? + 1;
    let length = line[from..].iter().position(|byte| *byte == b'"')?;
    Some(from..from + length)
}

/// `id:runlevels:action:process`.
fn process_of_inittab(line: &[u8]) -> Option<usize> {
    let mut colons = line.iter().enumerate().filter(|(_, byte)| **byte == b':').map(|(at, _)| at);
    let (_, second, third) = (colons.next()?, colons.next()?, colons.next()?);
    let action = line[second + 1..third].trim_ascii();
    let skipped = line[third + 1..].iter().take_while(|byte| matches!(byte, b'-' | b'+' | b'@')).count();
    (action != b"off").then_some(third + 1 + skipped)
}

/// Times, or one word with `@`, then perhaps a user, then the command.
fn command_of_cron(line: &[u8], fields: usize) -> Option<usize> {
    let fields = if line.first() == Some(&b'@') { fields - 4 } else { fields };
    let mut at = 0;
    for _ in 0..fields {
        at += line[at..].iter().take_while(|byte| !is_blank(**byte)).count();
        at += line[at..].iter().take_while(|byte| is_blank(**byte)).count();
    }
    (at < line.len()).then_some(at)
}

/// `ExecStart=`, and its kin.
fn command_of_unit(line: &[u8]) -> Option<usize> {
    let equals = line.iter().position(|byte| *byte == b'=')?;
    let name = line[..equals].trim_ascii_end();
    if !name.starts_with(b"ExecStart") && name != b"ExecReload" {
        return None;
    }
    let value = &line[equals + 1..];
    let skipped = value.iter().take_while(|byte| is_blank(**byte) || b"-@:+!|".contains(byte)).count();
    Some(equals + 1 + skipped)
}

/// `service type protocol flags user program words`, as one hit of the whole line.
pub(super) fn inetd(line: &[u8], range: &Range<usize>) -> Vec<Hit> {
    let text = String::from_utf8_lossy(line);
    let mut words = text.split_ascii_whitespace();
    let service = words.clone().next().unwrap_or_default();
    let service = service.rsplit(':').next().unwrap_or_default().split('/').next().unwrap_or_default();
    let server = words.clone().find_map(|word| Some((word, serves(word)?)));
    let shell = words.clone().skip(5).take(3).find(|word| is_shell(word));
    let (program, does) = match (server, shell) {
        (Some(found), _) => found,
        (None, Some(program)) => (program, Does::Shell),
        (None, None) if matches!(service, "telnet" | "telnets") => {
            (words.nth(5).unwrap_or(service), Does::Telnet)
        }
        (None, None) => return Vec::new(),
    };
    let program = program.to_owned();
    [Hit { word: range.clone(), edit: Ok(range.clone()), program, does, alone: true }].into()
}

/// Services of xinetd's: `service NAME { ... }`, each a hit whose word is the block.
pub(super) fn xinetd(bytes: &[u8]) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::new();
    let mut service: Option<(u32, Range<usize>, String)> = None;
    let mut server = String::new();
    let mut disabled = false;
    for (number, range) in lines(bytes, false) {
        let text = String::from_utf8_lossy(&bytes[range.clone()]);
        let text = text.trim_ascii();
        let mut words = text.split_ascii_whitespace();
        if words.next() == Some("service") {
            let name = words.next().unwrap_or_default();
            service = Some((number, range.clone(), name.trim_end_matches('{').to_owned()));
            (server, disabled) = (String::new(), false);
        }
        let Some((line, lines, name)) = &service else { continue };
        if let Some((key, value)) = text.split_once('=') {
            match key.trim_ascii() {
                "server" | "server_args" if serves(&server).is_none() && !is_shell(&server) => {
                    let of_note =
                        value.split_ascii_whitespace().find(|word| serves(word).is_some() || is_shell(word));
                    server = of_note.unwrap_or(value.trim_ascii()).to_owned();
                }
                "disable" => disabled = value.trim_ascii() == "yes",
                _ => {}
            }
        }
        if text != "}" {
            continue;
        }
        let does = if is_shell(&server) { Does::Shell } else { serves(&server).unwrap_or(Does::Telnet) };
        let wanted =
            serves(&server).is_some() || is_shell(&server) || matches!(name.as_str(), "telnet" | "telnets");
        if wanted && !disabled && all.len() < STARTERS_MAX {
            let program = if server.is_empty() { name.clone() } else { server.clone() };
            let word = lines.start..range.end;
            let hit = Hit { word: word.clone(), edit: Ok(word), program, does, alone: true };
            all.push(Found { line: *line, lines: lines.clone(), hit });
        }
        service = None;
    }
    all
}

/// A block of xinetd's says that it is disabled, once.
pub(super) fn disable(bytes: &[u8], block: &Range<usize>, edits: &mut Vec<(Range<usize>, &'static [u8])>) {
    let inside = &bytes[block.clone()];
    for (_, line) in lines(inside, false) {
        let text = inside[line.clone()].trim_ascii();
        let key = text.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
        if key == b"disable" && text.contains(&b'=') {
            let at = block.start + line.start;
            edits.push((at..at, COMMENT));
        }
        if text == b"}" {
            let at = block.start + line.start;
            edits.push((at..at, b"\tdisable = yes\n"));
        }
    }
}
