//! Looks at the real `/proc`, for children and sockets of our own.

use super::*;
use crate::os::procfs::process_files;
use crate::os::test_namespace::apart;
use crate::wall::scan::medium;
use komainu_core::wall::process_snapshot::Medium;
use std::fs;
use std::io::ErrorKind;
use std::io::Write;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::{Child, Command, Stdio};

/// A child that waits until it is dropped.
struct Waiting(Child);

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a program that waits for its input to end. When this returns it has read its input, so that it runs.
fn wait_with(program: &Path) -> Waiting {
    let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.as_mut().unwrap().write_all(b"x").unwrap();
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut [0]).unwrap();
    Waiting(child)
}

/// A folder with a copy of `cat` under this name.
fn with_copy(folder: &str, name: &str) -> (PathBuf, PathBuf) {
    let folder = std::env::temp_dir().join(format!("komainu-look-{folder}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    fs::copy("/bin/cat", &path).unwrap();
    (folder, path)
}

/// A scanner that does not mind a machine under load.
fn patient() -> Scanner {
    let mut scanner = Scanner::that_only_look();
    scanner.be_patient();
    scanner
}

fn met(child: &Waiting) -> Process {
    let mut scanner = Scanner::that_only_look();
    let mounts = scanner.mounts().unwrap();
    met_by(&mut scanner, child.0.id(), &mounts).unwrap()
}

fn met_by(scanner: &mut Scanner, pid: u32, mounts: &Mounts) -> Option<Process> {
    let stat = scanner.stat(pid)?;
    scanner.meet(pid, stat, mounts, 0).map(|known| known.process)
}

fn there(process: &Process) -> (&str, bool, bool) {
    match &process.program {
        Program::File { path, there, replaced, .. } => (path, *there, *replaced),
        _ => panic!("no file"),
    }
}

#[test]
fn a_program_is_told_with_its_file_its_words_and_its_parent() {
    let (folder, path) = with_copy("plain", "of (the\n) day");
    let child = wait_with(&path);
    let process = met(&child);
    fs::remove_dir_all(folder).unwrap();
    let shown = path.to_str().unwrap().replace('\n', "?");
    assert_eq!(there(&process), (&*shown, true, false));
    assert_eq!(
        (process.parent, &*process.first_word),
        (std::process::id(), shown.get(..64).unwrap_or(&shown))
    );
    assert_eq!((process.name.as_str(), process.user), ("of (the?) day", nix::unistd::geteuid().as_raw()));
    assert_eq!(process.program.base_name(), "of (the?) day");
}

#[test]
fn a_file_that_only_says_it_was_deleted_is_there() {
    let (folder, path) = with_copy("says", "bot (deleted)");
    let child = wait_with(&path);
    let process = met(&child);
    assert_eq!(there(&process), (path.to_str().unwrap(), true, false));
    fs::remove_file(&path).unwrap();
    let process = met(&child);
    assert_eq!(there(&process), (path.to_str().unwrap(), false, false));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_deleted_program_is_not_there_and_an_upgraded_one_was_replaced() {
    let (folder, path) = with_copy("deleted", "bot");
    let child = wait_with(&path);
    fs::remove_file(&path).unwrap();
    assert_eq!(there(&met(&child)), (path.to_str().unwrap(), false, false));
    fs::copy("/bin/cat", &path).unwrap();
    assert_eq!(there(&met(&child)), (path.to_str().unwrap(), false, true));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_program_made_in_memory_has_no_file() {
    let name = std::ffi::CString::new("innocent").unwrap();
    let file = nix::sys::memfd::memfd_create(name.as_c_str(), nix::sys::memfd::MFdFlags::empty()).unwrap();
    let mut file = fs::File::from(file);
    file.write_all(&fs::read("/bin/cat").unwrap()).unwrap();
    // Opened anew for reading: a file that is open for writing anywhere is not started.
    let number = file.as_raw_fd();
    let readable = fs::File::open(format!("/proc/self/fd/{number}")).unwrap();
    nix::fcntl::fcntl(&readable, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty())).unwrap();
    drop(file);
    let child = wait_with(Path::new(&format!("/proc/self/fd/{}", readable.as_raw_fd())));
    assert_eq!(met(&child).program, Program::Nameless("memfd:innocent".into()));
}

#[test]
fn a_process_that_vanishes_is_not_there() {
    let mut child = wait_with(Path::new("/bin/cat"));
    let mut scanner = Scanner::that_only_look();
    let mounts = scanner.mounts().unwrap();
    child.0.kill().unwrap();
    // Ended, and not yet buried: then buried.
    let bound = uptime_milliseconds() + 20_000;
    while met_by(&mut scanner, child.0.id(), &mounts).is_some() {
        assert!(uptime_milliseconds() < bound);
    }
    child.0.wait().unwrap();
    assert!(met_by(&mut scanner, child.0.id(), &mounts).is_none());
}

#[test]
fn our_own_sockets_are_seen_as_ours() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let tcp6 = TcpListener::bind("[::1]:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let connected = TcpStream::connect(tcp.local_addr().unwrap()).unwrap();
    let (_accepted, _) = tcp.accept().unwrap();
    let mut scanner = patient();
    // Twice: the second time from memory.
    for _ in 0..2 {
        let seen = scanner.look().unwrap();
        for (transport, at) in [
            (Transport::Tcp, tcp.local_addr().unwrap()),
            (Transport::Tcp, tcp6.local_addr().unwrap()),
            (Transport::Udp, udp.local_addr().unwrap()),
        ] {
            let mut listeners = seen.listeners.iter();
            let found = listeners.find(|one| one.transport == transport && one.port == at.port()).unwrap();
            assert_eq!(found.address, at.ip());
            assert!(found.owners.iter().any(|owner| owner.pid == std::process::id()));
        }
        let (here, there) = (tcp.local_addr().unwrap().port(), connected.local_addr().unwrap().port());
        let connection = seen.connections.iter().find(|one| (one.here, one.there) == (here, there)).unwrap();
        assert!(!connection.opening && connection.owners.iter().any(|owner| owner.pid == std::process::id()));
        assert!(seen.processes.iter().any(|process| process.id.pid == std::process::id()));
        assert!(!seen.cut_short);
    }
}

#[test]
fn our_own_listeners_are_not_asked_for_telnet() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let (us, port) = (
        process_files::stat(&fs::read("/proc/self/stat").unwrap()).unwrap().started,
        listener.local_addr().unwrap(),
    );
    let ours = ProcessId { pid: std::process::id(), started: us };
    let entry = |owners| {
        let listener = Listener {
            transport: Transport::Tcp,
            address: port.ip(),
            port: port.port(),
            user: 0,
            owners,
            telnet: None,
        };
        (listener, 1)
    };
    let mut scanner = Scanner::new();
    scanner.be_patient();
    scanner.ask_for_telnet(&mut [entry(vec![ours])], &[]);
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    // A listener of another program is asked.
    let thread = std::thread::spawn(move || {
        loop {
            if let Ok((mut stream, _)) = listener.accept() {
                stream.write_all(b"\xff\xfb\x01").unwrap();
                return;
            }
            std::thread::yield_now();
        }
    });
    let mut others = [entry(vec![])];
    scanner.ask_for_telnet(&mut others, &[]);
    thread.join().unwrap();
    assert_eq!(others[0].0.telnet, Some(true));
}

#[test]
fn a_new_listener_and_a_new_process_are_a_change() {
    let mut scanner = patient();
    assert!(scanner.changed(), "nothing was looked at yet");
    // Others start processes on this machine, too: it is quiet at some time.
    let bound = uptime_milliseconds() + 60_000;
    let mut look_quietly = || loop {
        scanner.look().unwrap();
        if !scanner.changed() {
            return;
        }
        assert!(uptime_milliseconds() < bound);
    };
    look_quietly();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    assert!(scanner.changed());
    drop(listener);
    let mut scanner = patient();
    scanner.look().unwrap();
    let _child = wait_with(Path::new("/bin/cat"));
    assert!(scanner.changed());
}

#[test]
fn a_scanner_that_rests_finds_a_change_afterwards() {
    let mut scanner = patient();
    scanner.look().unwrap();
    let _listener = TcpListener::bind("127.0.0.1:0").unwrap();
    scanner.rest(u64::MAX);
    assert!(!scanner.changed());
    scanner.rest(0);
    assert!(scanner.changed());
}

#[test]
fn where_a_program_in_memory_lies_is_told() {
    let shared = Path::new("/dev/shm");
    let mut scanner = patient();
    let mounts = scanner.mounts().unwrap();
    if mounts.holding(b"/dev/shm/x").is_none_or(|mount| mount.kind != medium::Kind::Memory) {
        // Nothing here is in memory, and a unit test mounts nothing.
        return;
    }
    let path = shared.join(format!("komainu-look-{}", std::process::id()));
    fs::copy("/bin/cat", &path).unwrap();
    let child = wait_with(&path);
    let found = met(&child).program;
    fs::remove_file(&path).unwrap();
    let after = met(&child).program;
    for (program, is_there) in [(found, true), (after, false)] {
        let Program::File { medium, there, .. } = program else { panic!("no file") };
        assert_eq!((medium, there), (Medium::Memory, is_there));
    }
}

#[test]
fn what_a_kernel_must_have_is_missed_and_what_it_may_lack_is_not() {
    for (path, lacking) in [("/proc/net/nowhere6", Ok(false)), ("/proc/net/nowhere", Err(()))] {
        let read = read_lines(path, &mut [0; 64], &mut |_| Go::On);
        assert_eq!(
            read.map_err(|fault| assert!(fault.starts_with(&format!("cannot read {path}: ")))),
            lacking
        );
    }
}

#[test]
fn a_socket_that_only_one_thread_holds_is_its_processs() {
    let (tell, told) = std::sync::mpsc::channel();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_FILES).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        tell.send(listener.local_addr().unwrap().port()).unwrap();
        let _ = ended.recv();
    });
    let port = told.recv().unwrap();
    let mut scanner = patient();
    // The first look, and one that knows everybody.
    for _ in 0..2 {
        let seen = scanner.look().unwrap();
        let found = seen.listeners.iter().find(|one| one.port == port).unwrap();
        assert!(found.owners.iter().any(|owner| owner.pid == std::process::id()), "{found:?}");
    }
    drop(end);
    thread.join().unwrap();
}

/// Starts a program under the view of the files that this script makes.
fn wait_in_view(script: &str) -> Waiting {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "--", "sh", "-ec", script]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.as_mut().unwrap().write_all(b"x").unwrap();
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut [0]).unwrap();
    Waiting(child)
}

#[test]
fn a_program_at_a_listed_path_of_its_own_view_is_not_at_that_path() {
    apart(
        "wall::scan::scanner::tests::a_program_at_a_listed_path_of_its_own_view_is_not_at_that_path",
        || {
            let (folder, bot) = with_copy("view", "bot");
            let (listed, below) = (folder.join("listed"), folder.join("below"));
            fs::copy("/bin/sleep", &listed).unwrap();
            fs::create_dir_all(&below).unwrap();
            fs::copy("/bin/sleep", below.join("listed")).unwrap();
            let (bot, listed, below) = (bot.display(), listed.display(), below.display());
            // The file laid over the listed one has a path in our view, and is told by it.
            let over = met(&wait_in_view(&format!("mount --bind {bot} {listed}; exec {listed}")));
            // One on a file system that is mounted there alone has none.
            let alone = met(&wait_in_view(&format!(
                "mount -t tmpfs x {below}; cp {bot} {below}/listed; exec {below}/listed"
            )));
            let same = met(&wait_in_view(&format!("exec {bot}")));
            fs::remove_dir_all(&folder).unwrap();
            for (process, expected, is_elsewhere) in [
                (over, bot.to_string(), false),
                (alone, format!("{below}/listed"), true),
                (same, bot.to_string(), false),
            ] {
                let Program::File { path, there, elsewhere, .. } = &process.program else {
                    panic!("{process:?}")
                };
                assert_eq!((path, *there, *elsewhere), (&expected, true, is_elsewhere), "{process:?}");
                assert!(process.namespaced);
            }
            assert!(!met(&wait_with(Path::new("/bin/cat"))).namespaced);
        },
    );
}
