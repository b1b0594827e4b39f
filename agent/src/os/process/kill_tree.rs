//! Ends or suspends a process and all that descend from it: stops them first, so that none starts another, then kills them
//! from the root down, or leaves them so until they are resumed. The choice of the process is made elsewhere; this module only makes sure that no other process is hit.

#[cfg(test)]
mod tests;

use crate::os::clock::uptime_milliseconds;
use crate::os::procfs::process_files::{Stat, stat};
use crate::os::procfs::process_list::pids;
use crate::os::procfs::text_reader::beginning;
use crate::os::sys;
use komainu_core::fault::{Text, text};
use komainu_core::wall::remediation::ProcessId;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Most processes that are ended at once; the next look finds the others.
const TREE_MAX: usize = 1024;

/// The longest line that the kernel may write about a process, in bytes.
const STAT_BYTES: usize = 1024;

/// The number of our own ancestors that we follow upwards.
const ANCESTORS_MAX: usize = 256;

/// The time that all of them together have to end, in milliseconds.
const END_MILLISECONDS: u64 = 1000;

/// The number of looks for children that were started while their parents were being stopped.
const ROUNDS_MAX: usize = 8;

/// Ends the process that was meant, and all that descend from it. One that has ended already is no error.
///
/// # Errors
/// This is not the device's own view of its processes; it is the first process, or we descend from it, or the kernel's own;
/// the kernel refuses; it was killed and has not ended within a second.
pub fn end(id: ProcessId) -> Result<(), Text> {
    in_the_devices_house(std::fs::read_link("/proc/self/ns/mnt"), std::fs::read_link("/proc/1/ns/mnt"))?;
    end_tree(id)
}

/// An agent in a container, or beside one, sees processes that are not the device's. Not knowing is refused too.
fn in_the_devices_house(ours: io::Result<PathBuf>, firsts: io::Result<PathBuf>) -> Result<(), Text> {
    match (ours, firsts) {
        (Ok(ours), Ok(firsts)) if ours == firsts => Ok(()),
        (Ok(_), Ok(_)) => Err(text(format_args!(
            "komainu runs in a mount namespace of its own: it cannot tell which processes are this device's"
        ))),
        (Err(error), _) | (_, Err(error)) => Err(text(format_args!(
            "cannot tell whether komainu runs in a mount namespace of its own, and so which processes are this device's: {error}"
        ))),
    }
}

/// One process of the tree.
struct Member {
    id: ProcessId,
    held: Held,
}

/// A hold on a process, so that a signal reaches it and no later process with its number.
enum Held {
    /// Linux 5.3 and later: a descriptor of the very process.
    Descriptor(OwnedFd),
    /// Before: its number, and a look at its start just before each signal.
    Number,
}

/// Suspends the process that was meant, and all that descend from it (SIGSTOP). One that has ended is no error.
///
/// # Errors
/// Those of [`end`], but for the last.
pub fn suspend(id: ProcessId) -> Result<(), Text> {
    in_the_devices_house(std::fs::read_link("/proc/self/ns/mnt"), std::fs::read_link("/proc/1/ns/mnt"))?;
    stop_tree(id).1
}

/// Lets a process that was suspended go on, and all that descend from it (SIGCONT), the children first.
///
/// # Errors
/// Those of [`end`], but for the last.
pub fn resume(id: ProcessId) -> Result<(), Text> {
    let mut tree: Vec<Member> = hold(id)?.into_iter().collect();
    let mut fault = gather(&mut tree);
    for member in tree.iter().rev() {
        fault = fault.and(signal(member, Signal::SIGCONT));
    }
    fault
}

fn end_tree(id: ProcessId) -> Result<(), Text> {
    let (tree, mut fault) = stop_tree(id);
    // Parents come before their children: none is left to see a child end and start it again. A fault with one does not
    // leave the others standing.
    for member in &tree {
        fault = fault.and(signal(member, Signal::SIGKILL));
    }
    fault.and_then(|()| wait(&tree))
}

/// Stops a process and all that descend from it, the root first, and gives them, also where some could not be stopped.
fn stop_tree(id: ProcessId) -> (Vec<Member>, Result<(), Text>) {
    let root = match root_of(id) {
        Ok(Some(root)) => root,
        Ok(None) => return (Vec::new(), Ok(())),
        Err(why) => return (Vec::new(), Err(why)),
    };
    let mut tree = vec![root];
    let (mut stopped, mut fault) = (0, Ok(()));
    for _ in 0..ROUNDS_MAX {
        for member in &tree[stopped..] {
            fault = fault.and(signal(member, Signal::SIGSTOP));
        }
        stopped = tree.len();
        fault = fault.and(gather(&mut tree));
        if tree.len() == stopped {
            break;
        }
    }
    (tree, fault)
}

/// The process itself, if it may be touched at all; `None`: it is not there any more.
fn root_of(id: ProcessId) -> Result<Option<Member>, Text> {
    if id.pid <= 1 || id.pid == std::process::id() {
        return Err(text(format_args!("process {} is never ended", id.pid)));
    }
    let Some(root) = hold(id)? else { return Ok(None) };
    // No process is touched before it is known that we are not among them.
    if ancestors_of(std::process::id())?.contains(&id.pid) {
        return Err(text(format_args!("process {} is never ended: komainu descends from it", id.pid)));
    }
    Ok(Some(root))
}

/// Waits a moment for their end, so that the next look does not find them once more. One that waits for a device ends later,
/// or never: that is said.
fn wait(tree: &[Member]) -> Result<(), Text> {
    let deadline = uptime_milliseconds() + END_MILLISECONDS;
    for member in tree {
        let Held::Descriptor(descriptor) = &member.held else { continue };
        loop {
            let left = deadline.saturating_sub(uptime_milliseconds());
            let left = u16::try_from(left).unwrap_or(u16::MAX);
            // The kernel makes it readable when the process has ended.
            match poll(&mut [PollFd::new(descriptor.as_fd(), PollFlags::POLLIN)], left) {
                Err(Errno::EINTR) => {}
                Ok(0) => {
                    let pid = member.id.pid;
                    return Err(text(format_args!("process {pid} was killed, and has not ended yet")));
                }
                _ => break,
            }
        }
    }
    Ok(())
}

/// Those that a process descends from, up to the first.
fn ancestors_of(pid: u32) -> Result<Vec<u32>, Text> {
    let mut above = Vec::new();
    let mut pid = pid;
    while pid > 1 {
        let parent = match look(pid) {
            Some(Looked::Process { parent, .. }) if above.len() < ANCESTORS_MAX => parent,
            _ => return Err(text(format_args!("cannot tell which processes komainu descends from"))),
        };
        above.push(parent);
        pid = parent;
    }
    Ok(above)
}

/// Adds those whose parents are in the tree, generation after generation.
fn gather(tree: &mut Vec<Member>) -> Result<(), Text> {
    let everybody = everybody()?;
    let mut next = 0;
    while next < tree.len() {
        let ProcessId { pid: parent, .. } = tree[next].id;
        // Another may have its number by now, whose children are none of these.
        if !everybody.iter().any(|(id, _)| *id == tree[next].id) {
            next += 1;
            continue;
        }
        for (id, above) in &everybody {
            let is_new = *above == parent && !tree.iter().any(|member| member.id == *id);
            if is_new && tree.len() < TREE_MAX {
                tree.extend(hold(*id)?);
            }
        }
        next += 1;
    }
    Ok(())
}

/// Takes hold of a process; `None`: it is not there any more, or another has its number.
fn hold(id: ProcessId) -> Result<Option<Member>, Text> {
    let pid = Pid::from_raw(i32::try_from(id.pid).map_err(|_| no_process(id))?);
    // First the descriptor, then the look: the process that was looked at is the one that is held.
    let held = match sys::open_process(pid) {
        Ok(descriptor) => Held::Descriptor(descriptor),
        // Before Linux 5.3, or forbidden by a filter of system calls; or its first thread has ended and others run on.
        Err(_) => Held::Number,
    };
    match look(id.pid) {
        Some(Looked::Kernels) => Err(text(format_args!("process {} is the kernel's own", id.pid))),
        Some(Looked::Process { started, .. }) if started == id.started => Ok(Some(Member { id, held })),
        _ => Ok(None),
    }
}

fn no_process(id: ProcessId) -> Text {
    text(format_args!("{} is no number of a process", id.pid))
}

/// Sends a signal; one that has ended in between is no error.
fn signal(member: &Member, signal: Signal) -> Result<(), Text> {
    let sent = match &member.held {
        Held::Descriptor(descriptor) => sys::signal_process(descriptor.as_fd(), signal),
        Held::Number => match look(member.id.pid) {
            Some(Looked::Process { started, .. }) if started == member.id.started => {
                kill(Pid::from_raw(i32::try_from(member.id.pid).map_err(|_| no_process(member.id))?), signal)
            }
            _ => Ok(()),
        },
    };
    match sent {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => {
            let error = io::Error::from(error);
            Err(text(format_args!("cannot end process {}: {error}", member.id.pid)))
        }
    }
}

enum Looked {
    Kernels,
    Process { started: u64, parent: u32 },
}

/// When a process was started, in ticks since the device's start; `None`: it is not there.
pub fn started(pid: u32) -> Option<u64> {
    Some(stat_of(pid, &mut [0; STAT_BYTES])?.started)
}

fn stat_of(pid: u32, buffer: &mut [u8]) -> Option<Stat<'_>> {
    let path = format!("/proc/{pid}/stat");
    stat(beginning(Path::new(&path), buffer).ok()?)
}

fn look(pid: u32) -> Option<Looked> {
    let mut buffer = [0; STAT_BYTES];
    let stat = stat_of(pid, &mut buffer)?;
    if stat.is_kernels() {
        return Some(Looked::Kernels);
    }
    Some(Looked::Process { started: stat.started, parent: stat.parent })
}

/// Every process with the number of its parent.
fn everybody() -> Result<Vec<(ProcessId, u32)>, Text> {
    let mut found = Vec::new();
    for pid in pids()? {
        if let Some(Looked::Process { started, parent }) = look(pid) {
            found.push((ProcessId { pid, started }, parent));
        }
    }
    Ok(found)
}
