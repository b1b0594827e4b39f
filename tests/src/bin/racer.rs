//! An attacker without privileges, for the races of `tests/tests/races.rs`: swaps folders, files, links, hard links and pipes
//! below a folder that it may write, as fast as it can, and makes anew whatever was taken from it.
//!
//! ```text
//! racer PATH TARGET MILLISECONDS     PATH, a folder of files, and a link beside it to TARGET change places
//! ```
//!
//! It takes turns: it swaps blindly; it waits until somebody opens or reads one of its files, and swaps at that moment; and it
//! lets a pipe, or a link, stand in a file's place for some milliseconds.
//!
//! It ends with 3 where somebody opened its pipe: a pipe stands for every device whose opening does something.
#![expect(clippy::disallowed_methods, reason = "it measures time, and plays with names")]

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::stat::Mode;
use std::ffi::OsStr;
use std::fs;
use std::fs::OpenOptions;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The files that it lays, by their names in the folder `a`.
const FILES: [(&str, &str); 6] = [
    ("passwd", "@reboot telnetd\nroot::0:0::/:/bin/sh\nmallory::0:0::/:/bin/sh\n"),
    ("shadow", "root::19000:0:99999:7:::\nmallory::19000:0:99999:7:::\n"),
    (
        "authorized_keys",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c m\n",
    ),
    ("hosts", "203.0.113.9 update.example\n"),
    ("bad", "#!/bin/sh\n"),
    ("root", "@reboot telnetd\n"),
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [inner, target, milliseconds] = &words[..] else {
        eprintln!("racer PATH TARGET MILLISECONDS");
        std::process::exit(2);
    };
    // Root would win every race, against the files of the machine that it runs on.
    if nix::unistd::geteuid().is_root() {
        eprintln!("racer: an attacker is not root; start it as another user (the tests do)");
        std::process::exit(2);
    }
    let inner = PathBuf::from(inner);
    let end = Instant::now() + Duration::from_millis(milliseconds.parse().unwrap_or(1000));
    let folder = inner.parent().unwrap_or(&inner).into();
    let (began, stood) = (Instant::now(), AtomicUsize::new(0));
    let attacker = Attacker { folder, inner, target: target.into(), began, end, stood };
    attacker.lay();
    // The agent waits for this line: now everything is laid.
    println!("laid");
    let opened = Arc::new(AtomicBool::new(false));
    let (told, watched) = (opened.clone(), attacker.folder.join("pipe-watched"));
    // It may wait for ever, and ends with the program.
    std::thread::spawn(move || {
        // A pipe is open for writing as soon as it has had a reader.
        let reader = OpenOptions::new().write(true).open(watched);
        told.store(reader.is_ok(), Ordering::SeqCst);
    });
    std::thread::scope(|scope| {
        scope.spawn(|| attacker.swap_folders());
        while attacker.go_on() {
            match attacker.turn() {
                Turn::Blind => attacker.swap_files(),
                Turn::Watchful => attacker.swap_what_is_read(),
                Turn::Still => attacker.let_stand(),
            }
        }
    });
    // The agent ends with a folder again, as it began.
    attacker.lay();
    std::process::exit(if opened.load(Ordering::SeqCst) { 3 } else { 0 });
}

/// What it does for some time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Blind,
    Watchful,
    Still,
}

const TURNS: [Turn; 3] = [Turn::Blind, Turn::Watchful, Turn::Still];
const TURN_MILLISECONDS: u128 = 60;
/// What stands still stands so long: longer than a slow reader needs from one file to the next.
const STILL: Duration = Duration::from_millis(25);

struct Attacker {
    /// The folder that is swapped.
    inner: PathBuf,
    /// The folder that it is in.
    folder: PathBuf,
    target: PathBuf,
    began: Instant,
    end: Instant,
    /// How often something else stood in the place of the files.
    stood: AtomicUsize,
}

impl Attacker {
    fn go_on(&self) -> bool {
        Instant::now() < self.end
    }

    fn turn(&self) -> Turn {
        let passed = self.began.elapsed().as_millis() / TURN_MILLISECONDS;
        TURNS[usize::try_from(passed % TURNS.len() as u128).unwrap_or_default()]
    }

    fn is_turn(&self, turn: Turn) -> bool {
        self.go_on() && self.turn() == turn
    }

    /// Everything, anew. Each step may fail: the other threads swap meanwhile.
    fn lay(&self) {
        let a = &self.inner;
        let _ = fs::create_dir(a);
        let _ = fs::create_dir(a.join("cron.d"));
        for (name, bytes) in FILES {
            let fresh = self.folder.join("fresh");
            let _ = fs::write(&fresh, bytes);
            let _ = fs::set_permissions(&fresh, fs::Permissions::from_mode(0o666));
            let _ = fs::rename(&fresh, a.join(name));
        }
        let _ = symlink(&self.target, self.folder.join("b"));
        for (name, _) in FILES {
            let _ = symlink(self.target.join(name), self.folder.join(format!("link-{name}")));
        }
        let watched = self.folder.join("pipe-watched");
        let _ = nix::unistd::mkfifo(&watched, Mode::from_bits_truncate(0o666));
        let _ = symlink(&watched, self.folder.join("link-pipe"));
        let _ = fs::hard_link(&watched, self.folder.join("pipe"));
        for (name, _) in FILES {
            let _ = fs::hard_link(&watched, self.folder.join(format!("pipe-{name}")));
            let _ = symlink(&watched, self.folder.join(format!("link-pipe-{name}")));
        }
    }

    /// The names with which a file may change places: a link and a hard link to a file of root's, and the pipe.
    fn others(&self, name: &str) -> [PathBuf; 4] {
        let link = self.folder.join(format!("link-{name}"));
        let hard = self.folder.join(format!("hard-{name}"));
        [link, hard, self.folder.join("pipe"), self.folder.join("link-pipe")]
    }

    fn swap_folders(&self) {
        let (a, b) = (&self.inner, self.folder.join("b"));
        let mut round: u32 = 0;
        while self.go_on() {
            if self.turn() != Turn::Blind {
                std::thread::sleep(Duration::from_millis(1));
                continue;
            }
            exchange(a, &b);
            round = round.wrapping_add(1);
            // The agent sees the folder for as long as the link, at changing moments.
            for _ in 0..round % 64 {
                std::hint::spin_loop();
            }
        }
    }

    fn swap_files(&self) {
        let mut round: u32 = 0;
        while self.is_turn(Turn::Blind) {
            for (name, _) in FILES {
                let inside = self.inner.join(name);
                for other in self.others(name) {
                    exchange(&inside, &other);
                    // Long enough to be seen, and never twice as long.
                    (0..round.wrapping_mul(2_654_435_761) >> 18).for_each(|_| std::hint::spin_loop());
                    exchange(&inside, &other);
                    round = round.wrapping_add(1);
                }
            }
            self.lay();
        }
    }

    /// The folder in its place, and nothing else than files in it.
    fn put_back(&self) {
        if fs::symlink_metadata(&self.inner).is_ok_and(|seen| seen.is_symlink()) {
            exchange(&self.inner, &self.folder.join("b"));
        }
        for (name, _) in FILES {
            for other in self.others(name) {
                // A plain file there is what was in the folder before.
                let is_ours = |seen: fs::Metadata| seen.is_file() && seen.nlink() == 1;
                if fs::symlink_metadata(&other).is_ok_and(is_ours) {
                    exchange(&self.inner.join(name), &other);
                }
            }
        }
        self.lay();
    }

    /// Swaps at the very moment at which somebody opens or reads a file: what was checked is another file by then.
    fn swap_what_is_read(&self) {
        self.put_back();
        let Ok(watch) = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC) else { return };
        let seen = AddWatchFlags::IN_OPEN | AddWatchFlags::IN_ACCESS;
        if watch.add_watch(&self.inner, seen).is_err() {
            return;
        }
        let mut round = 0;
        while self.is_turn(Turn::Watchful) {
            let Ok(events) = watch.read_events() else {
                std::hint::spin_loop();
                continue;
            };
            let name = events.into_iter().find_map(|event| event.name);
            let Some(name) = name.as_deref().and_then(OsStr::to_str) else { continue };
            // Every second time it is the folder.
            let pair = match round % 2 {
                0 => (self.inner.clone(), self.folder.join("b")),
                _ => (self.inner.join(name), self.others(name)[round / 2 % 4].clone()),
            };
            exchange(&pair.0, &pair.1);
            std::thread::sleep(Duration::from_micros([100, 1000, 4000][round % 3]));
            exchange(&pair.0, &pair.1);
            round += 1;
            self.lay();
            // What was opened meanwhile is old news.
            while watch.read_events().is_ok() {}
        }
    }

    /// Lets something else stand in the place of every file for a while.
    fn let_stand(&self) {
        self.put_back();
        while self.is_turn(Turn::Still) {
            let round = self.stood.fetch_add(1, Ordering::SeqCst);
            let swap = || {
                FILES.iter().for_each(|(name, _)| {
                    exchange(&self.inner.join(name), &self.standing(name, round));
                })
            };
            swap();
            std::thread::sleep(STILL);
            swap();
            self.lay();
        }
    }

    /// Each file needs a pipe of its own: they stand there all at once.
    fn standing(&self, name: &str, round: usize) -> PathBuf {
        let pipes = [self.folder.join(format!("pipe-{name}")), self.folder.join(format!("link-pipe-{name}"))];
        let [link, hard, ..] = self.others(name);
        let all = [&pipes[0], &link, &pipes[1], &hard];
        all[round % 4].clone()
    }
}

fn exchange(one: &Path, other: &Path) {
    let _ = renameat2(AT_FDCWD, one, AT_FDCWD, other, RenameFlags::RENAME_EXCHANGE);
}
