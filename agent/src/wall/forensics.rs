//! Evidence: before a device that was taken is restarted, its state is kept, in a tar archive that opens anywhere: the
//! suspicious processes with their programs, sockets, mounts, modules, the security log. Bounded in everything, and an
//! unreadable part is noted and left out: evidence must not keep a device from being cleaned.

mod archive;
#[cfg(test)]
mod tests;

use crate::os::files;
use crate::os::files::cannot;
use crate::os::foreign_file::Tree;
use crate::os::process::kill_tree::started;
use crate::wall::forensics::archive::Archive;
use komainu_core::fault::{Text, text};
use komainu_core::wall::remediation::ProcessId;
use nix::fcntl::OFlag;
use std::fmt::Display;
use std::fs;
use std::fs::{File, OpenOptions};
use std::io;
use std::io::Read;
use std::ops::ControlFlow::{Break, Continue};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Largest archive, in bytes; smaller where the medium is nearly full.
const BYTES_MAX: u64 = 2 * 1024 * 1024;
/// Most archives that are kept; the oldest goes.
const KEPT_MAX: usize = 2;
/// Most of one program's file, in bytes.
const PROGRAM_BYTES_MAX: u64 = 1024 * 1024;
/// Most of any other file, in bytes.
const ITEM_BYTES_MAX: u64 = 128 * 1024;
/// Most processes that are kept whole, and most that are listed.
const SUSPECTS_MAX: usize = 16;
const LISTED_MAX: usize = 512;

/// Files about the whole device, by their names in the archive.
const DEVICE: &[(&str, &str)] = &[
    ("net/tcp", "/proc/net/tcp"),
    ("net/tcp6", "/proc/net/tcp6"),
    ("net/udp", "/proc/net/udp"),
    ("net/udp6", "/proc/net/udp6"),
    ("net/raw", "/proc/net/raw"),
    ("net/packet", "/proc/net/packet"),
    ("net/route", "/proc/net/route"),
    ("net/arp", "/proc/net/arp"),
    ("mounts", "/proc/self/mountinfo"),
    ("modules", "/proc/modules"),
];
/// Files about a process. Its environment is not among them: secrets are handed over there.
const PROCESS: &[&str] = &["status", "cmdline", "maps"];

/// The evidence to keep.
pub struct Wanted<'a> {
    /// Why, for a person.
    pub why: &'a str,
    /// When, as the security log writes it.
    pub time: &'a dyn Display,
    /// The processes that are suspicious, the gravest first.
    pub processes: &'a [ProcessId],
    /// Files that differ, and the security log's own.
    pub files: &'a [PathBuf],
}

/// Keeps evidence in `evidence/` of the state, and gives the archive's path. Durable when it returns.
///
/// # Errors
/// The archive could not be written: path and cause. An unreadable part is noted in it.
pub fn keep(state: &Path, wanted: &Wanted<'_>) -> Result<PathBuf, Text> {
    let folder = state.join("evidence");
    fs::create_dir_all(&folder).map_err(|error| cannot("write", &folder, &error))?;
    let number = make_room(&folder);
    let path = folder.join(format!("{number}.tar"));
    let beside = path.with_extension("new");
    let written = write(&beside, wanted).and_then(|()| files::rename(&beside, &path));
    if let Err(error) = written {
        let _ = fs::remove_file(&beside);
        return Err(cannot("write", &path, &error));
    }
    Ok(path)
}

/// Removes the oldest archives and the remains of a power cut, and gives the next number.
fn make_room(folder: &Path) -> u32 {
    let mut numbers: Vec<u32> = Vec::new();
    files::each_entry(folder, &mut |entry| {
        let name = entry.file_name();
        let name = name.to_str().unwrap_or_default();
        if let Some(number) = name.strip_suffix(".tar").and_then(|number| number.parse().ok()) {
            numbers.push(number);
        } else if name.ends_with(".new") {
            let _ = fs::remove_file(entry.path());
        }
        Continue(())
    });
    numbers.sort_unstable();
    for number in numbers.iter().rev().skip(KEPT_MAX - 1) {
        let _ = fs::remove_file(folder.join(format!("{number}.tar")));
    }
    numbers.last().map_or(1, |last| last.saturating_add(1))
}

/// Half of the free space at most: the record must still find room.
fn room(beside: &File) -> u64 {
    nix::sys::statvfs::fstatvfs(beside).map_or(BYTES_MAX, |seen| {
        #[allow(clippy::unnecessary_cast, reason = "32 bits on some devices")]
        let free = (seen.blocks_available() as u64).saturating_mul(seen.fragment_size() as u64);
        (free / 2).min(BYTES_MAX)
    })
}

fn write(path: &Path, wanted: &Wanted<'_>) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let room = room(&file);
    let mut kept = Keeping { archive: Archive::new(file, room), notes: String::new() };
    kept.note(format_args!(
        "komainu-evidence 1\ntime {}\nwhy {}",
        wanted.time,
        text(format_args!("{}", wanted.why))
    ));
    // In the order of worth, for room may end.
    for process in wanted.processes.iter().take(SUSPECTS_MAX) {
        kept.process(*process)?;
    }
    kept.add("processes", listed().as_bytes(), false)?;
    for (name, path) in DEVICE {
        kept.copy(name, Path::new(path), OFlag::O_NOFOLLOW, ITEM_BYTES_MAX)?;
    }
    let tree = Tree::device();
    for path in wanted.files {
        let name = format!("files{}", path.display());
        kept.take(&name, foreign(tree.as_ref(), path))?;
    }
    for process in wanted.processes.iter().take(SUSPECTS_MAX) {
        kept.program(*process)?;
    }
    kept.archive.end("manifest.txt", kept.notes.as_bytes())
}

struct Keeping {
    archive: Archive,
    notes: String,
}

impl Keeping {
    fn process(&mut self, id: ProcessId) -> io::Result<()> {
        let pid = id.pid;
        if started(pid) != Some(id.started) {
            self.note(format_args!("process {pid} has gone"));
            return Ok(());
        }
        let exe = match fs::read_link(format!("/proc/{pid}/exe")) {
            Ok(exe) => text(format_args!("{}", exe.display())),
            Err(error) => text(format_args!("unknown: {error}")),
        };
        self.note(format_args!("process {pid} program {exe}"));
        for name in PROCESS {
            let path = format!("/proc/{pid}/{name}");
            self.copy(&format!("process/{pid}/{name}"), Path::new(&path), OFlag::empty(), ITEM_BYTES_MAX)?;
        }
        Ok(())
    }

    /// The program itself, also where its file is gone: the kernel still has it.
    fn program(&mut self, id: ProcessId) -> io::Result<()> {
        let pid = id.pid;
        if started(pid) != Some(id.started) {
            return Ok(());
        }
        let path = format!("/proc/{pid}/exe");
        self.copy(&format!("process/{pid}/exe"), Path::new(&path), OFlag::empty(), PROGRAM_BYTES_MAX)
    }

    /// Copies the readable part of a file. Only a fault of the archive is one.
    fn copy(&mut self, name: &str, path: &Path, flags: OFlag, bytes_max: u64) -> io::Result<()> {
        self.take(name, read(path, flags, bytes_max).map_err(|error| text(format_args!("{error}"))))
    }

    fn take(&mut self, name: &str, read: Result<(Vec<u8>, bool), Text>) -> io::Result<()> {
        match read {
            Ok((bytes, cut)) => self.add(name, &bytes, cut),
            Err(error) => {
                self.note(format_args!("not kept: {}", text(format_args!("{name}: {error}"))));
                Ok(())
            }
        }
    }

    fn add(&mut self, name: &str, bytes: &[u8], cut: bool) -> io::Result<()> {
        let said = text(format_args!("{name}"));
        if self.archive.add(name.trim_start_matches('/'), bytes)? {
            let how = if cut { ", its beginning" } else { "" };
            self.note(format_args!("kept: {said} {} bytes{how}", bytes.len()));
        } else {
            self.note(format_args!("not kept: {said}: no room for {} bytes", bytes.len()));
        }
        Ok(())
    }

    fn note(&mut self, line: std::fmt::Arguments<'_>) {
        use std::fmt::Write;
        // Writing to a string does not fail; a manifest that fits its reserve is cut by the archive.
        let _ = writeln!(self.notes, "{line}");
    }
}

/// The beginning of a file in which others may have had a hand, and whether there is more.
fn foreign(tree: Result<&Tree, &Text>, path: &Path) -> Result<(Vec<u8>, bool), Text> {
    let place = tree.map_err(Clone::clone)?.find_itself(path)?;
    let found = place.map_or(Ok(None), |place| place.read(ITEM_BYTES_MAX))?;
    found.map(|found| (found.bytes, !found.whole)).ok_or_else(|| text(format_args!("not a file")))
}

/// Reads the beginning of a file of the kernel's, and whether there was more.
fn read(path: &Path, flags: OFlag, bytes_max: u64) -> io::Result<(Vec<u8>, bool)> {
    // Reading must not wait for anything but a file that stands there.
    let file = OpenOptions::new().read(true).custom_flags((OFlag::O_NONBLOCK | flags).bits()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file"));
    }
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes)?;
    let cut = bytes.len() as u64 > bytes_max;
    bytes.truncate(usize::try_from(bytes_max).unwrap_or(usize::MAX));
    Ok((bytes, cut))
}

/// Every process on a line: number, name, program, words.
fn listed() -> String {
    use std::fmt::Write;
    let mut lines = String::new();
    let mut pids = Vec::new();
    files::each_entry(Path::new("/proc"), &mut |entry| {
        pids.extend(entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()));
        if pids.len() < LISTED_MAX { Continue(()) } else { Break(()) }
    });
    for pid in pids {
        let part = |name: &str| {
            let bytes = read(Path::new(&format!("/proc/{pid}/{name}")), OFlag::empty(), 160);
            String::from_utf8_lossy(&bytes.unwrap_or_default().0).replace('\0', " ")
        };
        let exe = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        let (name, words) = (part("comm"), part("cmdline"));
        let line = text(format_args!("{} | {} | {}", name.trim_end(), exe.display(), words.trim_end()));
        // Writing to a string does not fail.
        let _ = writeln!(lines, "{pid} {line}");
    }
    lines
}
