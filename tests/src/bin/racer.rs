//! An attacker without privileges, for the races of `tests/tests/races.rs`: swaps folders, files, links, hard links and pipes
//! below a folder that it may write, as fast as it can, and makes anew whatever was taken from it.
//!
//! ```text
//! racer PATH TARGET MILLISECONDS     PATH, a folder of files, and a link beside it to TARGET change places
//! ```
//!
//! It ends with 3 where somebody opened its pipe: a pipe stands for every device whose opening does something.
#![expect(clippy::disallowed_methods, reason = "it measures time, and plays with names")]

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::sys::stat::Mode;
use std::fs;
use std::fs::OpenOptions;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
    let attacker =
        Attacker { folder: inner.parent().unwrap_or(&inner).into(), inner, target: target.into(), end };
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
        attacker.swap_files();
    });
    // The agent ends with a folder again, as it began.
    attacker.lay();
    std::process::exit(if opened.load(Ordering::SeqCst) { 3 } else { 0 });
}

struct Attacker {
    /// The folder that is swapped.
    inner: PathBuf,
    /// The folder that it is in.
    folder: PathBuf,
    target: PathBuf,
    end: Instant,
}

impl Attacker {
    fn go_on(&self) -> bool {
        Instant::now() < self.end
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
        let _ = fs::hard_link(watched, self.folder.join("pipe"));
    }

    fn swap_folders(&self) {
        let (a, b) = (&self.inner, self.folder.join("b"));
        let mut round: u32 = 0;
        while self.go_on() {
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
        while self.go_on() {
            for (name, _) in FILES {
                let inside = self.inner.join(name);
                for other in [format!("link-{name}"), format!("hard-{name}"), "pipe".into()] {
                    let other = self.folder.join(other);
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
}

fn exchange(one: &Path, other: &Path) {
    let _ = renameat2(AT_FDCWD, one, AT_FDCWD, other, RenameFlags::RENAME_EXCHANGE);
}
