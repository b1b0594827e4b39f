//! The sandbox of the processes that read what strangers made, the page's and the one that rebuilds: an empty root, a user
//! without rights, no new privileges, Landlock, and a seccomp filter with a short list of system calls. A part that the
//! kernel lacks is left out and reported.

use super::sys;
use nix::libc;
use nix::libc::sock_filter;
use nix::sys::prctl;
use nix::unistd::{Gid, Uid, chdir, chroot, geteuid, setgroups, setresgid, setresuid};
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

/// The privileges that could not be given up, one sentence each; empty: everything was.
pub type Degradations = Vec<String>;

/// Gives up everything that reading strangers' requests does not need; `name` stands for the process in sentences.
///
/// # Errors
/// The privileges of root could not be given up: then there must be no such process.
pub fn enter(name: &str, empty_root: &Path, user: u32) -> Result<Degradations, String> {
    let mut left = Vec::new();
    if geteuid().is_root() {
        let root = std::fs::create_dir_all(empty_root)
            .and_then(|()| Ok(chroot(empty_root).and_then(|()| chdir("/"))?));
        if let Err(why) = root {
            left.push(format!("{name} sees the files of the device: {why}"));
        }
        let (uid, gid) = (Uid::from_raw(user), Gid::from_raw(user));
        // In this order: a process that is no longer root cannot give up the rest.
        setgroups(&[])
            .and_then(|()| setresgid(gid, gid, gid))
            .and_then(|()| setresuid(uid, uid, uid))
            .map_err(|error| format!("cannot become user {user}: {}", io::Error::from(error)))?;
        if setresuid(Uid::from_raw(0), Uid::from_raw(0), Uid::from_raw(0)).is_ok() {
            return Err(format!("user {user} can become root again"));
        }
    } else {
        left.push(format!("{name} runs as the user who started it: komainu was not started by root"));
    }
    if let Err(error) = prctl::set_dumpable(false) {
        left.push(format!("the memory of {name} can be read by its user: {}", io::Error::from(error)));
    }
    if let Err(error) = prctl::set_no_new_privs() {
        left.push(format!("{name} could gain privileges: {}", io::Error::from(error)));
    }
    if let Err(error) = forbid_files() {
        left.push(format!("{name} is not kept from files by Landlock: {}", io::Error::from(error)));
    }
    if let Err(error) = sys::filter_system_calls(&program()) {
        left.push(format!("the system calls of {name} are not filtered: {}", io::Error::from(error)));
    }
    Ok(left)
}

/// A second wall behind the empty root, for kernels that filter no system calls: no file, no new use of TCP, no signal to
/// others. Open files stay open.
fn forbid_files() -> nix::Result<()> {
    let version = sys::landlock_version()?;
    // Each version knows more kinds, and refuses those that it does not know.
    let files = match version {
        0 | 1 => 0x1fff,
        2 => 0x3fff,
        3 | 4 => 0x7fff,
        _ => 0xffff,
    };
    let network = if version >= 4 { 3 } else { 0 };
    let scopes = if version >= 6 { 3 } else { 0 };
    let rules = sys::landlock_rules(&sys::Landlock { files, network, scopes })?;
    sys::landlock_restrict(rules.as_fd())
}

/// Where `struct seccomp_data` has the number of the call, the architecture, and the half that counts of the second
/// argument, in bytes.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const SECOND_ARGUMENT: u32 = if cfg!(target_endian = "big") { 28 } else { 24 };

#[cfg(target_arch = "x86_64")]
const OURS: u32 = 0xc000_003e;
#[cfg(all(target_arch = "mips", target_endian = "big"))]
const OURS: u32 = 0x0000_0008;
#[cfg(all(target_arch = "mips", target_endian = "little"))]
const OURS: u32 = 0x4000_0008;
#[cfg(target_arch = "arm")]
const OURS: u32 = 0x4000_0028;
#[cfg(target_arch = "aarch64")]
const OURS: u32 = 0xc000_00b7;

/// Calls the page may make: sockets that are there, memory, time, its own end. No file, no process, no new socket.
fn allowed() -> Vec<libc::c_long> {
    let mut calls = vec![
        libc::SYS_read,
        libc::SYS_write,
        libc::SYS_readv,
        libc::SYS_writev,
        libc::SYS_recvfrom,
        libc::SYS_recvmsg,
        libc::SYS_sendto,
        libc::SYS_sendmsg,
        libc::SYS_accept4,
        libc::SYS_shutdown,
        libc::SYS_close,
        libc::SYS_getsockname,
        libc::SYS_getpeername,
        libc::SYS_setsockopt,
        libc::SYS_getsockopt,
        libc::SYS_fcntl,
        libc::SYS_ppoll,
        libc::SYS_clock_gettime,
        libc::SYS_brk,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_mprotect,
        libc::SYS_madvise,
        libc::SYS_futex,
        libc::SYS_getrandom,
        libc::SYS_rt_sigreturn,
        libc::SYS_rt_sigprocmask,
        libc::SYS_restart_syscall,
        libc::SYS_exit,
        libc::SYS_exit_group,
    ];
    #[cfg(not(target_arch = "aarch64"))]
    calls.push(libc::SYS_poll);
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    calls.push(libc::SYS_mmap);
    #[cfg(any(target_arch = "arm", target_arch = "mips"))]
    calls.extend([
        libc::SYS_mmap2,
        libc::SYS_fcntl64,
        libc::SYS_send,
        libc::SYS_recv,
        libc::SYS_sigreturn,
        // The calls that count time in 64 bits: clock_gettime64, ppoll_time64.
        sys::SYS_CLOCK_GETTIME64,
        sys::SYS_CLOCK_GETTIME64 + 11,
    ]);
    #[cfg(target_arch = "mips")]
    calls.push(libc::SYS_mmap);
    calls
}

const ALLOW: u32 = 0x7fff_0000;
const KILL: u32 = 0;
/// The call fails with `EPERM`.
const REFUSE: u32 = 0x0005_0001;

fn load(offset: u32) -> sock_filter {
    sock_filter { code: 0x20, jt: 0, jf: 0, k: offset }
}

fn end(verdict: u32) -> sock_filter {
    sock_filter { code: 0x06, jt: 0, jf: 0, k: verdict }
}

fn skip_next_unless(value: u32) -> sock_filter {
    sock_filter { code: 0x15, jt: 0, jf: 1, k: value }
}

fn skip_next_if(value: u32) -> sock_filter {
    sock_filter { code: 0x15, jt: 1, jf: 0, k: value }
}

/// Calls that neither the agent nor a hook needs, and that an intruder in one of them would like to have.
const NEEDLESS: [libc::c_long; 12] = [
    libc::SYS_kexec_load,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_open_by_handle_at,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_add_key,
    libc::SYS_keyctl,
    libc::SYS_request_key,
    libc::SYS_swapon,
    libc::SYS_acct,
];

/// The agent's own filter: those calls fail, for programs that it starts too. It needs a privilege that the agent has, and
/// no promise that none is gained any more, which would break hooks.
///
/// # Errors
/// The kernel has no such filters.
pub(super) fn refuse_needless_calls() -> nix::Result<()> {
    // A program for another architecture is the maker's own.
    let mut program = vec![load(ARCHITECTURE), skip_next_if(OURS), end(ALLOW), load(NUMBER)];
    for call in NEEDLESS {
        program.extend([skip_next_unless(call as u32), end(REFUSE)]);
    }
    program.push(end(ALLOW));
    sys::filter_system_calls(&program)
}

fn program() -> Vec<sock_filter> {
    let mut program = vec![load(ARCHITECTURE), skip_next_if(OURS), end(KILL), load(NUMBER)];
    for call in allowed() {
        program.extend([skip_next_unless(call as u32), end(ALLOW)]);
    }
    // One thing may be asked of any device: not to block.
    program.extend([
        skip_next_if(libc::SYS_ioctl as u32),
        end(KILL),
        load(SECOND_ARGUMENT),
        skip_next_unless(libc::FIONBIO as u32),
        end(ALLOW),
        end(KILL),
    ]);
    program
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn landlock_takes_files_away_and_leaves_open_sockets() {
        // It belongs to a thread, and ends with it.
        let thread = std::thread::spawn(|| {
            let door = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = door.local_addr().unwrap();
            let visitor = TcpStream::connect(address).unwrap();
            prctl::set_no_new_privs().unwrap();
            if forbid_files().is_err() {
                // The message is true then: this kernel has none.
                return assert!(sys::landlock_version().is_err());
            }
            assert!(
                File::open("/etc/hostname")
                    .is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
            );
            assert!(door.accept().is_ok());
            drop(visitor);
        });
        thread.join().unwrap();
    }
}
