//! The device's watchdog. It is fed by a small thread, and only as long as the agent's loop shows signs of life: a
//! download that takes minutes restarts no device, an agent that hangs, or is stopped or ended by others, does.

use super::{clock, sys};
use komainu_core::fault::text;
use komainu_core::wall::judge::watchdog::WatchdogSeen;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, poll};
use std::fs::{File, OpenOptions};
use std::io;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// It is fed at least this often, in seconds.
const FEED_SECONDS_MAX: u16 = 10;
/// So often where it does not say how long it waits: the least of common hardware is 16 s.
const FEED_SECONDS_UNKNOWN: u16 = 4;
/// The loop may be busy with one thing for so long: an image on slow flash, health checks, a server that trickles.
pub const SILENCE_SECONDS: u32 = 900;

/// An open watchdog.
pub struct Watchdog {
    shared: Arc<Shared>,
    /// Its other end is the thread's, which ends when this one is closed.
    _wakeup: UnixStream,
}

struct Shared {
    file: File,
    feed_seconds: u16,
    /// When the loop last showed a sign of life, in seconds of uptime.
    alive: AtomicU32,
    /// It may be silent for so many seconds.
    silence: AtomicU32,
    failed: AtomicBool,
}

impl Watchdog {
    /// Opens a watchdog, asks it to wait this long, and feeds it from now on. It starts a thread: all that a thread has
    /// to give up is given up before.
    ///
    /// # Errors
    /// Its state: there is none, or the reason why it cannot be opened (`Device or resource busy`: another holds it).
    pub fn open(path: &Path, wait_seconds: u16) -> Result<Watchdog, WatchdogSeen> {
        let file = OpenOptions::new().write(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path);
        let file = file.map_err(|error| match error.raw_os_error() {
            // A node without a driver behind it is no watchdog either.
            Some(nix::libc::ENXIO | nix::libc::ENODEV | nix::libc::ENOENT) => {
                WatchdogSeen::None(text(format_args!("{}", path.display())))
            }
            _ => refused("open", path, &error),
        })?;
        // One that has a single time says so by refusing.
        let set = sys::set_watchdog_seconds(file.as_fd(), wait_seconds);
        let waits = set.or_else(|_| sys::watchdog_seconds(file.as_fd())).ok();
        let shared = Arc::new(Shared {
            file,
            feed_seconds: feed_seconds(waits),
            alive: AtomicU32::new(uptime_seconds()),
            silence: AtomicU32::new(SILENCE_SECONDS),
            failed: AtomicBool::new(false),
        });
        shared.feed().map_err(|error| refused("feed", path, &error))?;
        let theirs = Arc::clone(&shared);
        let started = UnixStream::pair().and_then(|(wakeup, heard)| {
            sys::start_thread(move || {
                theirs.keep_feeding(&heard);
            })?;
            Ok(wakeup)
        });
        let wakeup = started.map_err(|error| refused("feed", path, &error))?;
        Ok(Watchdog { shared, _wakeup: wakeup })
    }

    /// A sign of life of the loop; at every turn.
    pub fn alive(&self) {
        self.shared.alive.store(uptime_seconds(), Ordering::Relaxed);
    }

    /// From now on the loop may be silent for so many seconds.
    pub fn limit_silence(&self, seconds: u32) {
        self.shared.silence.store(seconds, Ordering::Relaxed);
    }

    /// The state of the watchdog.
    pub fn seen(&self) -> WatchdogSeen {
        if self.shared.failed.load(Ordering::Relaxed) {
            return WatchdogSeen::Refused(text(format_args!("the watchdog does not take what it is fed")));
        }
        WatchdogSeen::Held
    }
}

impl Shared {
    fn feed(&self) -> io::Result<()> {
        // Any byte but the letter that stops it.
        (&self.file).write_all(b"k")
    }

    /// Until something is heard.
    fn keep_feeding(&self, heard: &UnixStream) {
        while let Ok(0) | Err(Errno::EINTR) =
            poll(&mut [PollFd::new(heard.as_fd(), PollFlags::POLLIN)], self.feed_seconds * 1000)
        {
            let silence = self.silence.load(Ordering::Relaxed);
            if is_alive(self.alive.load(Ordering::Relaxed), uptime_seconds(), silence) {
                self.failed.store(self.feed().is_err(), Ordering::Relaxed);
            }
        }
    }
}

/// Whether a loop that last showed a sign of life then is alive now, in seconds of uptime.
fn is_alive(last: u32, now: u32, silence: u32) -> bool {
    now.saturating_sub(last) < silence
}

/// The time between feeds of a watchdog that waits so many seconds: three times may fail.
fn feed_seconds(waits: Option<i32>) -> u16 {
    match waits {
        Some(waits @ 1..) => u16::try_from(waits / 4).unwrap_or(u16::MAX).clamp(1, FEED_SECONDS_MAX),
        _ => FEED_SECONDS_UNKNOWN,
    }
}

fn uptime_seconds() -> u32 {
    u32::try_from(clock::uptime_milliseconds() / 1000).unwrap_or(u32::MAX)
}

fn refused(verb: &str, path: &Path, error: &io::Error) -> WatchdogSeen {
    WatchdogSeen::Refused(text(format_args!("cannot {verb} {}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn stand_in(name: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("komainu-watchdog-{name}-{}", std::process::id()));
        File::create(&path).unwrap();
        path
    }

    #[test]
    fn it_is_fed_at_once_and_goes_on_when_it_is_let_go_of() {
        let path = stand_in("fed");
        let watchdog = Watchdog::open(&path, 60).unwrap();
        assert_eq!(fs::read(&path).unwrap()[0], b'k');
        assert_eq!(watchdog.seen(), WatchdogSeen::Held);
        drop(watchdog);
        // A `V` would stop it.
        let fed = fs::read(&path).unwrap();
        assert!(fed.iter().all(|&byte| byte == b'k'));
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_loop_that_has_been_silent_for_too_long_is_not_alive() {
        for silence in [SILENCE_SECONDS, 150] {
            assert!(is_alive(100, 100, silence));
            assert!(is_alive(100, 99 + silence, silence));
            assert!(!is_alive(100, 100 + silence, silence));
            // The two clocks are read one after the other.
            assert!(is_alive(101, 100, silence));
        }
    }

    #[test]
    fn a_watchdog_is_fed_often_enough_for_the_time_that_it_waits() {
        for (waits, feed) in [
            (Some(60), 10),
            (Some(16), 4),
            (Some(2), 1),
            (Some(1), 1),
            (Some(0), 4),
            (Some(-1), 4),
            (None, 4),
        ] {
            assert_eq!(feed_seconds(waits), feed, "{waits:?}");
        }
    }

    #[test]
    fn a_watchdog_that_is_not_there_or_cannot_be_opened_is_told() {
        let nowhere = Watchdog::open(Path::new("/nowhere/watchdog"), 60).err();
        assert_eq!(nowhere, Some(WatchdogSeen::None(text(format_args!("/nowhere/watchdog")))));
        let Some(WatchdogSeen::Refused(why)) = Watchdog::open(&std::env::temp_dir(), 60).err() else {
            panic!("a folder is no watchdog")
        };
        assert!(why.starts_with("cannot open ") && why.contains("directory"), "{why}");
    }
}
