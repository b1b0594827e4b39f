//! Looks through processes of our own that hold many files, within a budget.

use super::super::budget::FILES_PER_LOOK;
use super::*;
use komainu_core::wall::process_snapshot::Program;
use std::fs::{File, read_link};
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

/// Far from the end of any budget's time.
const NOW: u64 = u64::MAX / 2;

fn number(listener: &TcpListener) -> u64 {
    let link = read_link(format!("/proc/self/fd/{}", listener.as_raw_fd())).unwrap();
    crate::wall::scan::open_files::socket_number(link.as_os_str().as_bytes()).unwrap()
}

/// A process under this number that has the open files of that one.
fn known(pid: u32, of: u32, table: u32) -> Known {
    let process = Process {
        id: ProcessId { pid, started: 1 },
        parent: 1,
        user: 0,
        program: Program::Hidden,
        name: String::new(),
        first_word: String::new(),
        second_word: String::new(),
        stopped: false,
        namespaced: false,
        holds_watchdog: false,
        writes_flash: false,
    };
    Known { table, ..Known::new(process, (0, 0), PathBuf::from(format!("/proc/{of}")), 0) }
}

/// A process that holds the socket, and nothing else of ours.
fn holder_of(listener: TcpListener) -> Holder {
    let mut sleep = Command::new("sleep");
    let sleep = sleep
        .arg("60")
        .stdin(Stdio::from(OwnedFd::from(listener)))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Holder(sleep.spawn().unwrap())
}

struct Holder(std::process::Child);

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn who_opens_many_files_takes_the_budget_of_a_look_and_hides_nobody_else() {
    let (us, many) = (std::process::id(), 100);
    let _files: Vec<File> = (0..many).map(|_| File::open("/dev/null").unwrap()).collect();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let inode = number(&listener);
    let holder = holder_of(listener);
    // Its number is behind those of the flood.
    let flood =
        (1000..1000 + 2 * u32::try_from(FILES_PER_LOOK / many).unwrap()).map(|pid| known(pid, us, 4096));
    let mut holders = Holders { known: flood.collect(), ..Holders::default() };
    holders.known.push(known(u32::MAX, holder.0.id(), 64));
    let mut looks = 0;
    loop {
        let mut budget = Budget::of_a_look(NOW);
        let all = budget.files(usize::MAX);
        assert_eq!(all, FILES_PER_LOOK);
        let has_found_all = holders.look_through(&[inode], &Mounts::default(), &mut budget, NOW);
        let owners = holders.owners(&holders.found(), inode);
        assert_eq!(owners, [ProcessId { pid: u32::MAX, started: 1 }], "found in the first look");
        looks += 1;
        // The budget is kept to the file, and the rest is carried over.
        assert_eq!(budget.files(usize::MAX) == 0, !has_found_all);
        if has_found_all {
            break;
        }
    }
    assert!((2..10).contains(&looks), "{looks}");
}

#[test]
fn new_processes_do_not_starve_the_search_among_the_old() {
    let us = std::process::id();
    let _files: Vec<File> = (0..100).map(|_| File::open("/dev/null").unwrap()).collect();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let inode = number(&listener);
    let holder = holder_of(listener);
    let mut holders = Holders { known: vec![known(1, holder.0.id(), 64)], ..Holders::default() };
    // It was looked through before that socket was asked for.
    let before = holders.look_through(&[], &Mounts::default(), &mut Budget::of_a_look(NOW - 10), NOW - 10);
    assert!(before && holders.known[0].held.is_some());
    holders.known.extend((2..1000).map(|pid| known(pid, us, 64)));
    let mut budget = Budget::of_a_look(NOW);
    assert!(!holders.look_through(&[inode], &Mounts::default(), &mut budget, NOW));
    let owners = holders.owners(&holders.found(), inode);
    assert_eq!(owners, [ProcessId { pid: 1, started: 1 }]);
}

#[test]
fn a_socket_that_nobody_holds_is_sought_once() {
    let us = std::process::id();
    let mut holders = Holders { known: vec![known(1, us, 64)], ..Holders::default() };
    let mut look = |now| {
        let mut budget = Budget::of_a_look(now);
        let all = holders.look_through(&[u64::MAX], &Mounts::default(), &mut budget, now);
        (all, budget.files(usize::MAX) < FILES_PER_LOOK)
    };
    for (now, files) in
        [(NOW - 600_000, true), (NOW - 599_000, false), (NOW - 301_000, false), (NOW - 300_000, true)]
    {
        assert_eq!(look(now), (true, files));
    }
}

#[test]
fn a_process_that_has_done_nothing_is_believed_for_longer() {
    for (ran, later, files) in
        [(0, 24_000, false), (0, 299_000, false), (0, 300_000, true), (1, 24_000, false), (1, 25_000, true)]
    {
        let mut holders = Holders { known: vec![known(1, std::process::id(), 64)], ..Holders::default() };
        let look = |holders: &mut Holders, now| {
            let mut budget = Budget::of_a_look(now);
            assert!(holders.look_through(&[], &Mounts::default(), &mut budget, now));
            budget.files(usize::MAX) < FILES_PER_LOOK
        };
        let then = NOW - 400_000;
        assert!(look(&mut holders, then), "it is new");
        holders.known[0].ran = then * ran;
        assert_eq!(look(&mut holders, then + later), files, "{ran} {later}");
    }
}

#[test]
fn a_socket_that_a_process_does_not_show_any_more_is_sought_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let inode = number(&listener);
    let holder = holder_of(listener);
    let mut first = known(1, holder.0.id(), 64);
    let mut holders = Holders { known: vec![known(2, holder.0.id(), 64)], ..Holders::default() };
    // The first had it, and has been looked through long ago; now it is the second's alone.
    first.held = Some((Held { sockets: vec![inode], ..Held::default() }, 0));
    first.folder = PathBuf::from("/proc/nowhere");
    holders.known[0].held = Some((Held::default(), NOW - 1));
    holders.known.insert(0, first);
    assert!(holders.look_through(&[inode], &Mounts::default(), &mut Budget::of_a_look(NOW), NOW));
    assert_eq!(holders.owners(&holders.found(), inode), [ProcessId { pid: 2, started: 1 }]);
}
