//! The files from which programs are started at power-on, by time or by request: their places, the lines in them that
//! start telnet, and the way such a line is taken away. `komainu_core::wall::judge::autostart` judges a line's meaning.

#[cfg(test)]
mod tests;

use crate::os::files;
use crate::os::files::cannot;
use crate::os::process::kill_tree::started;
use crate::os::untrusted_file;
use crate::os::untrusted_file::{Foreign, Stamp};
use komainu_core::fault::{Text, text};
use komainu_core::wall::judge::autostart;
use komainu_core::wall::judge::autostart::FoundAutostart;
use komainu_core::wall::judge::autostart::entry::{AutostartEntry, Kind};
use komainu_core::wall::remediation::ProcessId;
use nix::sys::signal::{Signal, kill};
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::Pid;
use std::fs;
use std::io;
use std::ops::ControlFlow::{Break, Continue};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Most files of one look.
const FILES_MAX: usize = 256;
/// Most names of one look: start folders are full of links to the same files.
const NAMES_MAX: usize = 2048;
/// Largest file that is read whole, and changed.
const FILE_BYTES_MAX: u64 = 64 * 1024;

const FILES: &[(&str, Kind)] = &[
    ("etc/inittab", Kind::Inittab),
    ("etc/inetd.conf", Kind::Inetd),
    ("etc/xinetd.conf", Kind::Xinetd),
    ("etc/crontab", Kind::CronOfUsers),
    ("etc/rc", Kind::Script),
    ("etc/rc.local", Kind::Script),
    ("etc/rcS", Kind::Script),
    ("etc/profile", Kind::Script),
];

/// Folders of such files: the most telling ones first, in case there are too many.
const FOLDERS: &[(&str, Kind)] = &[
    ("etc/inetd.d", Kind::Inetd),
    ("etc/xinetd.d", Kind::Xinetd),
    ("etc/crontabs", Kind::Cron),
    ("var/spool/cron/crontabs", Kind::Cron),
    ("var/spool/cron", Kind::Cron),
    ("etc/cron.d", Kind::CronOfUsers),
    ("etc/init.d", Kind::Script),
    ("etc/rc.d", Kind::Script),
    ("etc/rcS.d", Kind::Script),
    ("etc/rc0.d", Kind::Script),
    ("etc/rc1.d", Kind::Script),
    ("etc/rc2.d", Kind::Script),
    ("etc/rc3.d", Kind::Script),
    ("etc/rc4.d", Kind::Script),
    ("etc/rc5.d", Kind::Script),
    ("etc/rc6.d", Kind::Script),
    ("etc/hotplug.d", Kind::Script),
    ("etc/hotplug.d/iface", Kind::Script),
    ("etc/hotplug.d/net", Kind::Script),
    ("etc/uci-defaults", Kind::Script),
    ("etc/profile.d", Kind::Script),
    ("etc/periodic/15min", Kind::Script),
    ("etc/periodic/hourly", Kind::Script),
    ("etc/periodic/daily", Kind::Script),
    ("etc/cron.hourly", Kind::Script),
    ("etc/cron.daily", Kind::Script),
    ("etc/systemd/system", Kind::Unit),
    ("lib/systemd/system", Kind::Unit),
    ("usr/lib/systemd/system", Kind::Unit),
];

/// Those files, and the lines found in them.
pub struct Autostart {
    root: PathBuf,
    /// The files as read: an unchanged one is not read again.
    read: Vec<Read>,
}

/// A file that was read.
struct Read {
    path: PathBuf,
    stamp: Stamp,
    autostart: Vec<AutostartEntry>,
    /// It is larger than the part that is read.
    cut: bool,
}

/// The result of one look.
#[derive(Default)]
pub struct Look {
    /// The lines that start unwanted programs.
    pub found: Vec<FoundAutostart>,
    /// Why not everything could be read.
    pub unread: Option<Text>,
}

impl Autostart {
    /// The files below this root; nothing is touched yet.
    pub fn new(root: &Path) -> Autostart {
        Autostart { root: root.into(), read: Vec::new() }
    }

    /// Reads the changed files, and tells the lines found in all of them.
    pub fn look(&mut self) -> Look {
        let mut look = Look::default();
        let before = std::mem::take(&mut self.read);
        let mut names = NAMES_MAX;
        for (name, kind) in FILES {
            self.one(self.root.join(name), *kind, &before, &mut look);
        }
        for (name, kind) in FOLDERS {
            let mut paths: Vec<PathBuf> = Vec::new();
            files::each_entry(&self.root.join(name), &mut |entry| {
                if paths.len() == names {
                    return Break(());
                }
                paths.push(entry.path());
                Continue(())
            });
            names -= paths.len();
            // By their bytes, as in `programs`.
            paths.sort_unstable_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
            for path in paths {
                if *kind != Kind::Unit || path.extension().is_some_and(|ending| ending == "service") {
                    self.one(path, *kind, &before, &mut look);
                }
            }
        }
        if names == 0 {
            look.unread =
                Some(text(format_args!("more than {NAMES_MAX} files start programs; not all were read")));
        }
        look
    }

    /// One file, unless it was read under another name.
    fn one(&mut self, path: PathBuf, kind: Kind, before: &[Read], look: &mut Look) {
        let Ok(metadata) = fs::metadata(&path) else { return };
        let stamp = untrusted_file::stamp(&metadata);
        let same_file = |read: &&Read| read.stamp[..2] == stamp[..2];
        if !metadata.is_file() || self.read.iter().any(|read| same_file(&read)) || !self.is_within(&path) {
            return;
        }
        if self.read.len() >= FILES_MAX {
            look.unread =
                Some(text(format_args!("more than {FILES_MAX} files start programs; not all were read")));
            return;
        }
        let known = before.iter().find(|read| read.stamp == stamp && read.path == path);
        let read = match known {
            Some(known) => Read { path, stamp, autostart: known.autostart.clone(), cut: known.cut },
            None => match untrusted_file::read(&path, FILE_BYTES_MAX) {
                Ok(Some(Foreign { bytes, whole, metadata })) => {
                    let is_text = !bytes.starts_with(b"\x7fELF");
                    let autostart =
                        if is_text { autostart::autostart_entries(kind, &bytes) } else { Vec::new() };
                    Read { path, stamp: untrusted_file::stamp(&metadata), autostart, cut: is_text && !whole }
                }
                Ok(None) => return,
                Err(error) => {
                    look.unread = Some(cannot("read", &path, &error));
                    return;
                }
            },
        };
        if read.cut {
            let path = read.path.display();
            look.unread =
                Some(text(format_args!("{path} is larger than {FILE_BYTES_MAX} bytes; not all was read")));
        }
        if !read.autostart.is_empty() {
            let changeable = !read.cut && !is_read_only(&read.path);
            let file = read.path.to_string_lossy();
            look.found.extend(read.autostart.iter().map(|starter| FoundAutostart {
                file: file.clone().into_owned(),
                kind,
                starter: starter.clone(),
                changeable,
            }));
        }
        self.read.push(read);
    }

    /// Links may lead to other folders, but not out of the root that is looked at.
    fn is_within(&self, path: &Path) -> bool {
        self.root == Path::new("/") || fs::canonicalize(path).is_ok_and(|real| real.starts_with(&self.root))
    }
}

/// Takes away the program that a line of a start file starts, if the line still says the same. Gives the kind of the
/// file, so that its reader can be told. A line that is not there any more is no error: `None`.
///
/// # Errors
/// Path and cause; the file stays as it was.
pub fn stop_starting(root: &Path, file: &str, line: u32, says: &str) -> Result<Option<Kind>, Text> {
    let path = Path::new(file);
    let kind = kind_of(root, path).ok_or_else(|| cannot("change", path, &"nothing is started from there"))?;
    // The link stays, and its target changes.
    let real = fs::canonicalize(path).map_err(|error| cannot("find", path, &error))?;
    let found = untrusted_file::read(&real, FILE_BYTES_MAX).map_err(|error| cannot("read", path, &error))?;
    let Some(Foreign { bytes, whole, metadata }) = found else { return Ok(None) };
    if !whole || bytes.starts_with(b"\x7fELF") {
        return Err(cannot("change", path, &"it is larger than what is read of it, or no text"));
    }
    let there =
        autostart::autostart_entries(kind, &bytes).iter().any(|one| one.line == line && one.says == says);
    if !there {
        return Ok(None);
    }
    let changed = autostart::without(kind, &bytes, line, says);
    let changed = changed.ok_or_else(|| cannot("change", path, &"the quotes of the line do not match"))?;
    let mode = metadata.permissions().mode() & 0o7777;
    replace(&real, kind, &changed, mode).map_err(|error| cannot("write", path, &error))?;
    Ok(Some(kind))
}

/// Every file in a folder of scripts is started at power-on, also the half of one that a power cut left there: a script
/// is written in the folder above, and moved.
fn replace(real: &Path, kind: Kind, bytes: &[u8], mode: u32) -> io::Result<()> {
    let above = real.parent().and_then(Path::parent).filter(|_| kind == Kind::Script);
    let Some(beside) = above.map(|folder| folder.join("komainu-changed")) else {
        return files::replace_as(real, bytes, mode);
    };
    let moved = files::replace_as(&beside, bytes, mode).and_then(|()| files::rename(&beside, real));
    if moved.is_ok() {
        return moved;
    }
    let _ = files::remove(&beside);
    // The folder above may be on another medium.
    files::replace_as(real, bytes, mode)
}

/// Has a program read its files again (SIGHUP). [`autostart::hears`] tells the program; if another has its number by
/// now, no signal is sent.
///
/// # Errors
/// The signal could not be sent.
pub fn tell(id: ProcessId) -> Result<(), Text> {
    if started(id.pid) != Some(id.started) {
        return Ok(());
    }
    let pid = i32::try_from(id.pid).map_err(|_| text(format_args!("{} is no process", id.pid)))?;
    kill(Pid::from_raw(pid), Signal::SIGHUP).map_err(|error| {
        let error = io::Error::from(error);
        text(format_args!("cannot tell process {pid} to read its files again: {error}"))
    })
}

/// The way to read a file, by its place.
fn kind_of(root: &Path, path: &Path) -> Option<Kind> {
    let inside = path.strip_prefix(root).ok()?;
    let single = FILES.iter().find(|(name, _)| Path::new(name) == inside);
    let folder = inside.parent()?;
    single.or_else(|| FOLDERS.iter().find(|(name, _)| Path::new(name) == folder)).map(|(_, kind)| *kind)
}

fn is_read_only(path: &Path) -> bool {
    statvfs(path).is_ok_and(|about| about.flags().contains(FsFlags::ST_RDONLY))
}
