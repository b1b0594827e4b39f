//! A file that is a mount of its own (a bind-mounted `/etc/shadow`) cannot be moved over: it is written in place. While
//! that lasts, the old and the new bytes are in `unfinished/` of the state folder, in a ledger; the next start finishes a
//! file that a power cut left half written.

use super::place::{Foreign, Place, is_trusted, reopen, said};
use super::walk::Tree;
use crate::os::files;
use crate::os::files::cannot;
use komainu_core::fault::{Text, text};
use komainu_core::identifiers::Digest64;
use komainu_core::ledger;
use komainu_trust::hex;
use nix::fcntl::OFlag;
use std::fs::{DirBuilder, File, Metadata};
use std::io;
use std::ops::ControlFlow::Continue;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Largest file that is written in place, in bytes: twice its size goes to the state folder meanwhile.
pub(super) const BYTES_MAX: usize = 64 * 1024;
const LEDGER_BYTES_MAX: u64 = 4 * BYTES_MAX as u64 + 16 * 1024;
const FORMAT: &str = "komainu-unfinished 1";
/// File systems write whole blocks of at least so many bytes.
const BLOCK: usize = 512;

/// A change that was begun.
struct Unfinished {
    path: PathBuf,
    old: Vec<u8>,
    new: Vec<u8>,
}

/// Writes a file in place. If that fails the old bytes are put back.
pub(super) fn write(
    place: &Place,
    held: &File,
    before: &Foreign,
    new: &[u8],
    state: &Path,
) -> Result<(), Text> {
    may_be_written(&before.metadata).map_err(|why| said(&place.real, &why))?;
    if !before.whole || before.bytes.len().max(new.len()) > BYTES_MAX {
        let why = format_args!("it is a mount of its own and larger than {BYTES_MAX} bytes");
        return Err(cannot("change", &place.real, &why));
    }
    let ledger = begin(state, &place.real, &before.bytes, new)?;
    let opened = reopen(held, OFlag::O_RDWR);
    let written = opened
        .as_ref()
        .map_err(|error| cannot("write", &place.real, error))
        .and_then(|file| write_all(file, new).map_err(|error| cannot("write", &place.real, &error)));
    // Without room for the new bytes: the old ones had room. A file that stays half written keeps its ledger, by which the
    // next start finishes it.
    if let (Err(_), Ok(file)) = (&written, &opened) {
        write_all(file, &before.bytes).map_err(|error| cannot("put back", &place.real, &error))?;
    }
    let ended = files::remove(&ledger).map_err(|error| cannot("remove", &ledger, &error));
    written.and(ended)
}

/// Finishes files that a power cut left half written. Called once at a start.
pub fn finish(state: &Path) {
    match Tree::device() {
        Ok(tree) => finish_in(&tree, state),
        Err(why) => log::warn!("file-left-half-written why=\"{why}\""),
    }
}

fn finish_in(tree: &Tree, state: &Path) {
    let folder = state.join("unfinished");
    let mut ledgers = Vec::new();
    files::each_entry(&folder, &mut |entry| {
        ledgers.push(entry.path());
        Continue(())
    });
    for path in ledgers {
        match finish_one(tree, &path) {
            Ok(()) => {
                let _ = files::remove(&path);
            }
            // It may be mounted later, and is tried again at the next start.
            Err(why) => log::warn!("file-left-half-written why=\"{why}\""),
        }
    }
}

fn finish_one(tree: &Tree, path: &Path) -> Result<(), Text> {
    let read = files::read(path, LEDGER_BYTES_MAX).map_err(|error| cannot("read", path, &error))?;
    // A ledger that is not whole was being written: its file had not been touched yet.
    let Some(unfinished) = read.as_deref().and_then(unsealed) else { return Ok(()) };
    let found = tree.find_itself(&unfinished.path)?;
    let not_there = || cannot("finish", &unfinished.path, &"it is not mounted");
    let place = found.ok_or_else(not_there)?;
    let now = place.read(BYTES_MAX as u64)?.ok_or_else(not_there)?;
    if !place.is_mount()? || !is_half_written(&unfinished, &now.bytes) {
        return if place.is_mount()? { Ok(()) } else { Err(not_there()) };
    }
    place.is_roots()?;
    may_be_written(&now.metadata).map_err(|why| said(&place.real, &why))?;
    let Some(found) = &place.found else { return Err(not_there()) };
    let written = reopen(&found.held, OFlag::O_RDWR).and_then(|file| write_all(&file, &unfinished.new));
    written.map_err(|error| cannot("write", &place.real, &error))
}

/// The folder that holds a mounted file is not the one that its other name is in: the file itself must be root's alone.
pub(super) fn may_be_written(metadata: &Metadata) -> Result<(), &'static str> {
    let mode = metadata.mode();
    if !metadata.is_file() || metadata.nlink() != 1 {
        Err("it is no file, or one with a second name (a hard link)")
    } else if !is_trusted(metadata.uid()) || mode & 0o002 != 0 || mode & 0o020 != 0 && metadata.gid() != 0 {
        Err("others than root may write it, and it is a mount of its own")
    } else {
        Ok(())
    }
}

/// Keeps both contents, durable, and gives the ledger's path.
fn begin(state: &Path, path: &Path, old: &[u8], new: &[u8]) -> Result<PathBuf, Text> {
    let folder = state.join("unfinished");
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    made.map_err(|error| cannot("make", &folder, &error))?;
    let ledger = folder.join(text(format_args!("{}", Digest64::of(path.as_os_str().as_bytes()))).to_string());
    let bytes = sealed(path, old, new);
    files::replace(&ledger, bytes.as_bytes()).map_err(|error| cannot("write", &ledger, &error))?;
    Ok(ledger)
}

fn sealed(path: &Path, old: &[u8], new: &[u8]) -> String {
    let mut lines = String::new();
    for bytes in [path.as_os_str().as_bytes(), old, new] {
        lines.push_str(&hex::encode(bytes));
        lines.push('\n');
    }
    ledger::seal(FORMAT, &lines)
}

fn unsealed(bytes: &[u8]) -> Option<Unfinished> {
    let mut lines = ledger::open(FORMAT, std::str::from_utf8(bytes).ok()?).ok()?;
    let mut next = || hex::decode(lines.next()?);
    let (path, old, new) = (next()?, next()?, next()?);
    Some(Unfinished { path: std::ffi::OsString::from_vec(path).into(), old, new })
}

/// True where every block is the old's, the new's, or empty space: nothing else has written the file since. A file that is
/// wholly old or wholly new needs nothing.
fn is_half_written(unfinished: &Unfinished, now: &[u8]) -> bool {
    let Unfinished { old, new, .. } = unfinished;
    if now == &old[..] || now == &new[..] || now.len() > old.len().max(new.len()) {
        return false;
    }
    let is_of = |number: usize, block: &[u8], first: &[u8], second: &[u8]| {
        block.iter().zip(number * BLOCK..).all(|(byte, at)| *byte == byte_at(first, second, at))
    };
    // In the block in which the new bytes end, old ones may follow: the file is cut to its size last.
    let ways: [(&[u8], &[u8]); 4] = [(old, &[]), (new, &[]), (new, old), (&[], &[])];
    let is_known = |(number, block): (usize, &[u8])| {
        ways.iter().any(|(first, second)| is_of(number, block, first, second))
    };
    now.chunks(BLOCK).enumerate().all(is_known)
}

/// The byte of the first that has one there; empty space holds zeroes.
fn byte_at(first: &[u8], second: &[u8], at: usize) -> u8 {
    first.get(at).or(second.get(at)).copied().unwrap_or_default()
}

fn write_all(file: &File, bytes: &[u8]) -> io::Result<()> {
    file.write_all_at(bytes, 0)?;
    file.set_len(bytes.len() as u64)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::test_namespace::apart;

    /// Each state that a power cut can leave of a file of several blocks.
    fn halves(old: &[u8], new: &[u8]) -> Vec<Vec<u8>> {
        let longest = old.len().max(new.len());
        let mut all = vec![Vec::new(), old.to_vec(), new.to_vec()];
        for cut in (0..=longest).step_by(BLOCK) {
            let begun =
                (0..longest).map(|at| if at < cut { byte_at(new, old, at) } else { byte_at(old, &[], at) });
            // The other way round: blocks reach the medium in any order, and space that was never written holds zeroes.
            let turned =
                (0..longest).map(|at| if at < cut { byte_at(old, &[], at) } else { byte_at(new, old, at) });
            all.extend([begun.collect(), turned.collect()]);
        }
        all
    }

    #[test]
    fn a_power_cut_at_every_step_of_writing_in_place_is_mended_at_the_next_start() {
        apart(
            "os::foreign_file::in_place::tests::a_power_cut_at_every_step_of_writing_in_place_is_mended_at_the_next_start",
            act,
        );
        fn act() {
            let top = std::env::temp_dir().join(format!("komainu-inplace-{}", std::process::id()));
            std::fs::create_dir_all(&top).unwrap();
            let top = std::fs::canonicalize(top).unwrap();
            let (kept, shadow, state) = (top.join("kept"), top.join("shadow"), top.join("state"));
            for path in [&kept, &shadow] {
                files::replace(path, b"below").unwrap();
            }
            let flags = nix::mount::MsFlags::MS_BIND;
            nix::mount::mount(Some(&kept), &shadow, None::<&str>, flags, None::<&str>).unwrap();
            let tree = Tree::at(&top).unwrap();
            let (short, long) = (b"short\n".repeat(100), b"this is the longer one\n".repeat(100));
            for (old, new) in [(&short, &long), (&long, &short), (&short, &b"S".repeat(600))] {
                for now in halves(old, new) {
                    let file = File::options().write(true).open(&kept).unwrap();
                    write_all(&file, &now).unwrap();
                    let ledger = begin(&state, &shadow, old, new).unwrap();
                    finish_in(&tree, &state);
                    let after = std::fs::read(&kept).unwrap();
                    // Before the first byte is written, the old is as good.
                    assert!(after == **new || now == **old && after == **old, "{} bytes", now.len());
                    assert!(!ledger.exists());
                }
            }
            // Torn while the ledger itself is written, or written by another program since: the file stays.
            for tear in [true, false] {
                let file = File::options().write(true).open(&kept).unwrap();
                write_all(&file, b"of another program").unwrap();
                let ledger = begin(&state, &shadow, &short, &long).unwrap();
                if tear {
                    let bytes = std::fs::read(&ledger).unwrap();
                    files::replace(&ledger, &bytes[..bytes.len() - 9]).unwrap();
                }
                finish_in(&tree, &state);
                assert_eq!(std::fs::read(&kept).unwrap(), b"of another program");
            }
            // Not mounted yet: it waits for the next start.
            let ledger = begin(&state, &shadow, &short, &long).unwrap();
            drop(tree);
            nix::mount::umount(&shadow).unwrap();
            finish_in(&Tree::at(&top).unwrap(), &state);
            assert!(ledger.exists() && std::fs::read(&shadow).unwrap() == b"below");
            std::fs::remove_dir_all(top).unwrap();
        }
    }
}
