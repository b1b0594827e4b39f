//! The lock of `fw_setenv`, so that neither program overwrites what the other just read. Anybody may take it, for its
//! folder is everybody's: a lock that no process of root's holds is not waited for.

use super::env_fault::EnvironmentFault;
use crate::os::procfs::process_files::effective_user;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::libc;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `fw_setenv` holds it for the time of one write.
const TRIES: u32 = 40;
const PAUSE: Duration = Duration::from_millis(50);

/// Takes the lock. Where it cannot be opened (no such folder, read-only system) the tools cannot run either: `None`, and
/// on without it.
///
/// # Errors
/// A process of root's has held it for two seconds.
pub(super) fn lock(path: &Path) -> Result<Option<Flock<File>>, EnvironmentFault> {
    let mut options = OpenOptions::new();
    // Others than root may have laid the file: no link is followed, nothing is truncated, no pipe is waited for.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    options.write(true).create(true).truncate(false).mode(0o666).custom_flags(flags);
    let Ok(mut file) = options.open(path) else { return Ok(None) };
    for _ in 0..TRIES {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(Some(lock)),
            Err((busy, Errno::EAGAIN)) => file = busy,
            Err(_) => return Ok(None),
        }
        match holder(&file) {
            Holder::Root => std::thread::sleep(PAUSE),
            Holder::Nobody => {}
            Holder::Other(pid) => {
                log::warn!("environment-lock-ignored path=\"{}\" pid={pid}", path.display());
                return Ok(None);
            }
        }
    }
    Err(EnvironmentFault::Locked { path: PathBuf::from(path) })
}

/// The process that holds the lock.
#[derive(Debug, PartialEq, Eq)]
enum Holder {
    /// One of root's, or one that cannot be found out.
    Root,
    /// One of another user, or one that has ended and left the lock to a child: `fw_setenv` has no children.
    Other(u32),
    /// It was let go in the meantime.
    Nobody,
}

fn holder(file: &File) -> Holder {
    let (Ok(locks), Ok(metadata)) = (std::fs::read_to_string("/proc/locks"), file.metadata()) else {
        return Holder::Root;
    };
    let mut other = Holder::Nobody;
    for pid in locks.lines().filter_map(|line| held(line, metadata.dev(), metadata.ino())) {
        // The owner of /proc/PID would be root's where a process hides its memory.
        match std::fs::read(format!("/proc/{pid}/status")) {
            Ok(status) if effective_user(&status).is_none_or(|user| user == 0) => return Holder::Root,
            _ => other = Holder::Other(pid),
        }
    }
    other
}

/// The process of a line of `/proc/locks`, where it holds a lock on this file: `1: FLOCK ADVISORY WRITE 812 00:1a:5 0 EOF`.
/// A line of a process that waits has `->` in the second place.
fn held(line: &str, device: u64, inode: u64) -> Option<u32> {
    let mut words = line.split_whitespace().skip(1);
    if words.next()? != "FLOCK" {
        return None;
    }
    let (pid, place) = (words.nth(2)?.parse().ok()?, words.next()?);
    let mut parts = place.split(':');
    let major = u64::from_str_radix(parts.next()?, 16).ok()?;
    let minor = u64::from_str_radix(parts.next()?, 16).ok()?;
    let is_it = nix::sys::stat::makedev(major, minor) == device && parts.next()?.parse() == Ok(inode);
    is_it.then_some(pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_kernel_names_the_holder_and_not_who_waits() {
        let device = nix::sys::stat::makedev(0, 0x1a);
        let table = [
            ("1: FLOCK  ADVISORY  WRITE 812 00:1a:5 0 EOF", Some(812)),
            ("2: FLOCK  ADVISORY  READ 9 00:1a:5 0 EOF", Some(9)),
            ("1: -> FLOCK  ADVISORY  WRITE 813 00:1a:5 0 EOF", None),
            ("1: POSIX  ADVISORY  WRITE 812 00:1a:5 0 EOF", None),
            ("1: FLOCK  ADVISORY  WRITE 812 00:1b:5 0 EOF", None),
            ("1: FLOCK  ADVISORY  WRITE 812 00:1a:6 0 EOF", None),
            ("1: FLOCK  ADVISORY  WRITE", None),
        ];
        for (line, expected) in table {
            assert_eq!(held(line, device, 5), expected, "{line}");
        }
    }

    #[test]
    fn a_pipe_in_the_place_of_the_lock_is_not_waited_for() {
        let path = std::env::temp_dir().join(format!("komainu-lock-{}", std::process::id()));
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(lock(&path).unwrap().is_none());
        std::fs::remove_file(&path).unwrap();
    }
}
