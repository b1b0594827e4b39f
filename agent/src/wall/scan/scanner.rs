//! The scanner: processes and sockets as `/proc` tells of them, within bounds, and cheaply enough to look every other
//! second. Nothing here judges (`komainu_core::wall::judge`) or ends anything (`os::process::kill_tree`).
//!
//! It does not see sockets in other network namespaces; a watchdog or flash that only one thread of a process holds; a
//! program that is started in the place of another between two full looks, unless it listens.

#[cfg(test)]
mod tests;

use crate::os::procfs::mountinfo::TABLE;
use crate::os::procfs::process_files;
use crate::os::procfs::process_list::pids;

use crate::os::clock::uptime_milliseconds;
use crate::os::procfs::sockets::{Line, State};
use crate::os::procfs::text_reader::{BUFFER_BYTES, Go, beginning, printable, read_lines};
use crate::wall::probe::telnet::{Asked, ProbedPort};
use crate::wall::scan::executable::{Found, program};
use crate::wall::scan::medium::Mounts;
use crate::wall::scan::namespaces::Namespaces;
use crate::wall::scan::open_files::{Held, held};
use crate::wall::scan::ports::{Sockets, Sum, read_sockets};
use komainu_core::fault::Text;
use komainu_core::wall::process_snapshot::{Listener, Process, ProcessSnapshot, Program, Transport};
use komainu_core::wall::remediation::ProcessId;
use std::path::{Path, PathBuf};

/// Most processes of one look.
pub const PROCESSES_MAX: usize = 4096;

/// Time for which a process's open files are believed, in milliseconds; also that a socket has no holder.
const HELD_MILLISECONDS: u64 = 25_000;

/// Most threads of one process that are looked through for a socket that has no other holder.
const THREADS_MAX: usize = 512;

/// Bytes of a name in `comm`, once it was made printable.
const NAME_BYTES_MAX: usize = 48;

/// Looks at processes and sockets, and remembers the facts that are dear to find out.
pub struct Scanner {
    buffer: Vec<u8>,
    known: Vec<Known>,
    /// Sockets without a known holder, in order; and the time of the search for them.
    nobodys: (Vec<u64>, u64),
    /// The listeners' answers; `None`: no listener is asked.
    asked: Option<Asked>,
    /// Our own namespaces, and those of the first process.
    namespaces: (Namespaces, Namespaces),
    /// The listeners of the last full look, as [`Scanner::changed`] compares them.
    sum: Option<u64>,
    /// The processes that [`Scanner::changed`] knows, in order; the kernel's own among them.
    pids: Vec<u32>,
}

/// The remembered facts of a process.
struct Known {
    id: ProcessId,
    /// The file of its program, by its numbers: another means that another was started in its place.
    program: (u64, u64),
    held: Held,
    /// When it was looked through, in milliseconds of uptime.
    at: u64,
}

/// A process of this look, before its open files are known.
struct Met {
    process: Process,
    program: (u64, u64),
    folder: PathBuf,
}

impl Default for Scanner {
    fn default() -> Scanner {
        Scanner::new()
    }
}

impl Scanner {
    /// Nothing is looked at yet.
    pub fn new() -> Scanner {
        Scanner { asked: Some(Asked::default()), ..Scanner::that_only_look() }
    }

    /// A scanner that asks no listener for telnet: looking changes nothing, and is not noticed.
    pub fn that_only_look() -> Scanner {
        let buffer = vec![0; BUFFER_BYTES];
        Scanner {
            buffer,
            known: Vec::new(),
            nobodys: (Vec::new(), 0),
            asked: None,
            namespaces: (Namespaces::default(), Namespaces::default()),
            sum: None,
            pids: Vec::new(),
        }
    }

    /// Looks at everything. It may take up to 1.5 s when there are new listeners that send no greeting.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn look(&mut self) -> Result<ProcessSnapshot, Text> {
        let now = uptime_milliseconds();
        let mounts = self.mounts()?;
        let mut sum = Sum::new();
        // Sockets first: the holder of each of them is among the processes that are counted after it.
        let mut sockets = self.sockets(&mut sum)?;
        let pids = pids()?;
        let mut cut_short = sockets.cut_short || pids.len() > PROCESSES_MAX;
        let mut met: Vec<Met> =
            pids.iter().take(PROCESSES_MAX).filter_map(|pid| self.meet(*pid, &mounts)).collect();
        let mut wanted: Vec<u64> = sockets.numbers();
        wanted.sort_unstable();
        wanted.dedup();
        self.look_through(&met, &wanted, &mounts, now);
        for one in &mut met {
            let Some(known) = self.known.iter().find(|known| known.id == one.process.id) else { continue };
            one.process.holds_watchdog = known.held.watchdog;
            one.process.writes_flash = known.held.flash;
            cut_short |= known.held.cut_short;
        }
        let processes: Vec<Process> = met.into_iter().map(|one| one.process).collect();
        for (listener, inode) in &mut sockets.listeners {
            listener.owners = self.owners(*inode);
        }
        for (connection, inode) in &mut sockets.connections {
            connection.owners = self.owners(*inode);
        }
        self.ask_for_telnet(&mut sockets.listeners, &processes);
        (self.sum, self.pids) = (Some(sum.0), pids);
        Ok(ProcessSnapshot {
            processes,
            listeners: sockets.listeners.into_iter().map(|(listener, _)| listener).collect(),
            connections: sockets.connections.into_iter().map(|(connection, _)| connection).collect(),
            cut_short,
        })
    }

    /// A process was started since the last full look, or a new listener is there, or an old one is gone; also when
    /// that cannot be found out. It reads the list of processes, the listeners, and a line of each new process, and no
    /// more. The kernel's own come and go all the time, and are no change.
    pub fn changed(&mut self) -> bool {
        let mut sum = Sum::new();
        let mut each = |transport, line: &Line| {
            if transport == Transport::Tcp && line.state != State::Listens {
                // The kernel tells of those that listen first.
                return Go::Stop;
            }
            sum.add_socket(transport, line);
            Go::On
        };
        if read_sockets(&mut self.buffer, &mut each).is_err() || self.sum != Some(sum.0) {
            return true;
        }
        let Ok(pids) = pids() else { return true };
        for pid in &pids {
            if self.pids.binary_search(pid).is_err() && self.is_process(*pid) {
                // It is new until it was looked at.
                return true;
            }
        }
        self.pids = pids;
        false
    }

    fn is_process(&mut self, pid: u32) -> bool {
        let path = format!("/proc/{pid}/stat");
        let stat = beginning(Path::new(&path), &mut self.buffer).ok().and_then(process_files::stat);
        stat.is_some_and(|stat| !stat.is_kernels() && !stat.is_over())
    }

    fn mounts(&mut self) -> Result<Mounts, Text> {
        let mut mounts = Mounts::default();
        read_lines(TABLE, &mut self.buffer, &mut |line| mounts.take(line))?;
        let (ours, first) = (Namespaces::of(Path::new("/proc/self")), Namespaces::of(Path::new("/proc/1")));
        self.namespaces = (ours, if first == Namespaces::default() { ours } else { first });
        Ok(mounts)
    }

    fn sockets(&mut self, sum: &mut Sum) -> Result<Sockets, Text> {
        let mut found = Sockets::default();
        let mut each = |transport, line: &Line| {
            sum.add_socket(transport, line);
            found.take(transport, line);
            Go::On
        };
        let cut_short = read_sockets(&mut self.buffer, &mut each)?;
        found.cut_short |= cut_short;
        Ok(found)
    }

    /// The account of one process in `/proc`; `None`: it is the kernel's, or is not there any more.
    fn meet(&mut self, pid: u32, mounts: &Mounts) -> Option<Met> {
        let mut folder = PathBuf::from(format!("/proc/{pid}"));
        let stat = process_files::stat(beginning(&folder.join("stat"), &mut self.buffer).ok()?)?;
        if stat.is_kernels() || stat.is_over() {
            return None;
        }
        let (id, parent) = (ProcessId { pid, started: stat.started }, stat.parent);
        let stopped = stat.state == b'T';
        let name = printable(stat.name, NAME_BYTES_MAX);
        if stat.is_zombie() {
            // Its first thread has ended, and took the view of program and files with it; the others have theirs.
            folder = other_thread(&folder, pid)?;
        }
        let namespaces = Namespaces::of(&folder);
        let own_view = namespaces.sees_other_mounts(&self.namespaces.0);
        let (program, number) = match program(&folder, own_view, mounts) {
            Found::Program(program, number) => (program, number),
            Found::None => {
                let stat = process_files::stat(beginning(&folder.join("stat"), &mut self.buffer).ok()?)?;
                if stat.is_over() || stat.is_zombie() {
                    return None;
                }
                (Program::Hidden, (0, 0))
            }
        };
        let user = process_files::effective_user(beginning(&folder.join("status"), &mut self.buffer).ok()?)?;
        let words = beginning(&folder.join("cmdline"), &mut self.buffer[..512]).ok()?;
        let (first_word, second_word) = process_files::first_words(words);
        let namespaced = namespaces.differ(&self.namespaces.1);
        let (holds_watchdog, writes_flash) = (false, false);
        let process = Process {
            id,
            parent,
            user,
            program,
            name,
            first_word,
            second_word,
            stopped,
            namespaced,
            holds_watchdog,
            writes_flash,
        };
        Some(Met { process, program: number, folder })
    }

    /// Finds out the open files of processes: of new ones, of those that were looked at long ago, and of all while
    /// there is a socket without a known holder.
    fn look_through(&mut self, met: &[Met], wanted: &[u64], mounts: &Mounts, now: u64) {
        let fresh = |at: u64| now < at + HELD_MILLISECONDS;
        self.known.retain(|known| {
            let same = |one: &Met| one.process.id == known.id && one.program == known.program;
            fresh(known.at) && met.iter().any(same)
        });
        if !fresh(self.nobodys.1) {
            self.nobodys.0.clear();
        }
        for everybody in [false, true] {
            for one in met {
                let id = one.process.id;
                let before = self.known.iter().position(|known| known.id == id);
                match before {
                    // A process that was looked through in this very look is not looked through again.
                    Some(before) if everybody && self.known[before].at != now => {
                        let known = &mut self.known[before];
                        (known.held, known.at) = (held(&one.folder, wanted, mounts), now);
                    }
                    Some(_) => {}
                    None => {
                        let held = held(&one.folder, wanted, mounts);
                        self.known.push(Known { id, program: one.program, held, at: now });
                    }
                }
            }
            let has_owner = |inode: &u64| self.known.iter().any(|known| known.held.sockets.contains(inode));
            let mut lost = wanted.iter().filter(|inode| **inode != 0 && !has_owner(inode));
            if everybody {
                let mut lost: Vec<u64> = lost.copied().collect();
                self.look_through_threads(met, &mut lost, mounts);
                self.nobodys = (lost, now);
            } else if lost.all(|inode| self.nobodys.0.binary_search(inode).is_ok()) {
                break;
            }
        }
    }

    /// A thread may have files of its own, which its process does not show: looks there for sockets that are still lost, and
    /// leaves those that stay so.
    fn look_through_threads(&mut self, met: &[Met], lost: &mut Vec<u64>, mounts: &Mounts) {
        for one in met {
            let Some(known) = self.known.iter_mut().find(|known| known.id == one.process.id) else {
                continue;
            };
            if lost.is_empty() {
                return;
            }
            let pid = one.process.id.pid;
            let folder = PathBuf::from(format!("/proc/{pid}"));
            for thread in other_threads(&folder, pid).take(THREADS_MAX) {
                let held = held(&thread, lost, mounts);
                lost.retain(|inode| !held.sockets.contains(inode));
                known.held.sockets.extend(held.sockets);
                known.held.watchdog |= held.watchdog;
                known.held.flash |= held.flash;
            }
        }
    }

    fn owners(&self, inode: u64) -> Vec<ProcessId> {
        let holds = |known: &&Known| known.held.sockets.contains(&inode);
        self.known.iter().filter(holds).map(|known| known.id).collect()
    }

    /// Our own listeners are not asked: neither ours nor our page's, which is a child of ours.
    fn ask_for_telnet(&mut self, listeners: &mut [(Listener, u64)], processes: &[Process]) {
        let Some(asked) = &mut self.asked else { return };
        let us = std::process::id();
        let ours = |owner: &ProcessId| {
            let child = |process: &Process| process.id == *owner && process.parent == us;
            owner.pid == us || processes.iter().any(child)
        };
        let door = |listener: &Listener, inode: u64| {
            let is_asked = listener.transport == Transport::Tcp && !listener.owners.iter().any(ours);
            is_asked.then_some(ProbedPort { inode, address: listener.address, port: listener.port })
        };
        let wan_access: Vec<ProbedPort> =
            listeners.iter().filter_map(|(listener, inode)| door(listener, *inode)).collect();
        asked.ask(&wan_access);
        for (listener, inode) in listeners {
            listener.telnet = door(listener, *inode).and_then(|door| asked.telnet(&door));
        }
    }
}

/// A thread of this process that is not its first.
fn other_thread(folder: &Path, pid: u32) -> Option<PathBuf> {
    other_threads(folder, pid).next()
}

/// The threads of this process but for its first.
fn other_threads(folder: &Path, pid: u32) -> impl Iterator<Item = PathBuf> {
    let threads = std::fs::read_dir(folder.join("task")).into_iter().flatten().flatten();
    let number = |name: &std::ffi::OsStr| process_files::number(name.as_encoded_bytes());
    let threads = threads.map(move |entry| (number(&entry.file_name()), entry.path()));
    let others = threads.filter(move |(number, _)| number.is_some_and(|number| number != u64::from(pid)));
    others.map(|(_, path)| path)
}
